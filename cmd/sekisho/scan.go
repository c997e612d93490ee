package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"sekisho/filter"
	"sekisho/filter/auth"
	"sekisho/filter/budget"
	"sekisho/filter/config"
	"sekisho/filter/mail"
	"sekisho/filter/part"
)

// scanFlags are the flags of `sekisho scan`.
type scanFlags struct {
	json, auth, quiet  bool
	as                 string
	clientIP, helo     string
	mailFrom, authType string
	rules              []string
	trust              bool
}

func scanCommand() *cobra.Command {
	var f scanFlags
	c := &cobra.Command{
		Use:   "scan FILE...",
		Short: "inspect mail or loose files, print what they are and the verdict",
		Long: `Inspect mail files or loose files ("-" is standard input), print what was found
and what the rules make of it. Nothing is kept or sent. DNS is asked only with --auth.
The inputs are opened in worker processes that are locked up, as in the daemon.

Exit status: 0 when every input would be accepted or tagged, 3 when some input
would not, 1 when an input could not be read.`,
		Example: "  sekisho scan notice.eml\n  sekisho scan --json --auth --client-ip 192.0.2.1 --mail-from a@example.jp notice.eml",
		Args:    someArgs("FILE"),
	}
	fl := c.Flags()
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line, in the order of the inputs")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing, only set the exit status")
	fl.StringVar(&f.as, "as", "", "read every input as \"mail\" or as \"file\" (default: by content)")
	fl.BoolVar(&f.auth, "auth", false, "check SPF, DKIM and DMARC over DNS")
	fl.StringVar(&f.clientIP, "client-ip", "", "address of the SMTP client, for SPF")
	fl.StringVar(&f.helo, "helo", "", "HELO of the SMTP client, for SPF")
	fl.StringVar(&f.mailFrom, "mail-from", "", "envelope sender, for SPF")
	fl.StringVar(&f.authType, "auth-type", "", "judge as mail of a client that logged in with this SASL method")
	fl.StringArrayVar(&f.rules, "rules", nil, "read rule files of this folder over the built-in ones (repeatable)")
	fl.BoolVar(&f.trust, "trust", false, "open the inputs in this process, not in a locked-up worker")
	c.RunE = func(c *cobra.Command, args []string) error { return scan(c, f, args) }
	return c
}

// scan prepares the judge and runs all inputs through it, several at a time,
// printing in their order.
func scan(c *cobra.Command, f scanFlags, files []string) error {
	s, err := newScanner(c, f)
	if err != nil {
		return err
	}
	at := min(len(files), runtime.NumCPU())
	if err := s.open(at); err != nil {
		return err
	}
	defer s.opener.close()
	results := make([]chan scanned, len(files))
	for i := range files {
		results[i] = make(chan scanned, 1)
	}
	work := make(chan int)
	for range at {
		go func() {
			for i := range work {
				results[i] <- s.one(c.Context(), files[i])
			}
		}()
	}
	go func() {
		for i := range files {
			work <- i
		}
		close(work)
	}()
	return s.print(c, results)
}

// scanned is the outcome of one input.
type scanned struct {
	file   string
	judged filter.Judged
	err    error
}

type scanner struct {
	flags  scanFlags
	cfg    *config.Config
	judge  *filter.Judge
	opener *opener
	stdin  io.Reader
	client mail.Client
}

func newScanner(c *cobra.Command, f scanFlags) (*scanner, error) {
	if f.as != "" && f.as != "mail" && f.as != "file" {
		return nil, usageError{fmt.Errorf("--as %q: mail or file", f.as)}
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return nil, err
	}
	if len(f.rules) > 0 {
		if err := cfg.Set("rules.dirs", "--rules", f.rules...); err != nil {
			return nil, err
		}
	}
	s := &scanner{flags: f, cfg: cfg, stdin: c.InOrStdin()}
	s.client = mail.Client{Helo: f.helo, AuthType: f.authType}
	if f.clientIP != "" {
		if s.client.Addr, err = netip.ParseAddr(f.clientIP); err != nil {
			return nil, usageError{fmt.Errorf("--client-ip %q is not an IP address", f.clientIP)}
		}
	}
	s.judge, err = newJudge(cfg, f.auth)
	return s, err
}

// open starts workers for so many inputs at a time.
func (s *scanner) open(workers int) (err error) {
	s.opener = &opener{}
	if !s.flags.trust {
		s.opener, err = newOpener(s.cfg, workers, nil)
	}
	if err == nil {
		s.judge.Inspect = s.opener.inspector(s.cfg)
	}
	return err
}

// one reads and judges one input.
func (s *scanner) one(ctx context.Context, file string) scanned {
	b, err := s.read(file)
	if err != nil {
		return scanned{file: file, err: err}
	}
	m := &mail.Message{Raw: b, Size: int64(len(b)), Client: s.client, Envelope: mail.Envelope{MailFrom: s.flags.mailFrom}}
	if m.Size > s.cfg.MaxMessage {
		m.Oversize, m.Raw = true, nil
		return scanned{file: file, judged: s.judge.Message(ctx, m)}
	}
	if s.asMail(b) {
		return scanned{file: file, judged: s.judge.Message(ctx, m)}
	}
	return scanned{file: file, judged: s.judge.File(ctx, file, b)}
}

func (s *scanner) asMail(b []byte) bool {
	if s.flags.as != "" {
		return s.flags.as == "mail"
	}
	return part.LooksLikeMail(b)
}

// read returns the bytes of one input, up to just over the limit.
func (s *scanner) read(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(s.stdin, s.cfg.MaxMessage+1))
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &config.Error{File: file, Err: errors.New("is a directory"), Hint: "name the files in it"}
	}
	// Room for the whole file at once: growing step by step takes five times
	// the memory for a large one.
	var b bytes.Buffer
	b.Grow(int(min(info.Size(), s.cfg.MaxMessage)) + bytes.MinRead)
	_, err = b.ReadFrom(io.LimitReader(f, s.cfg.MaxMessage+1))
	return b.Bytes(), err
}

// print writes results as they come, in order, and decides the exit status.
func (s *scanner) print(c *cobra.Command, results []chan scanned) error {
	var broken []error
	found := false
	for _, ch := range results {
		r := <-ch
		if r.err != nil {
			broken = append(broken, r.err)
		} else {
			found = found || !r.judged.Verdict.Disposition.Delivers()
		}
		if err := s.printOne(c.OutOrStdout(), r); err != nil {
			return err
		}
	}
	if len(broken) > 0 {
		return errors.Join(broken...)
	}
	if found {
		return errFound
	}
	return nil
}

func (s *scanner) printOne(w io.Writer, r scanned) error {
	switch {
	case s.flags.quiet:
		return nil
	case s.flags.json:
		return printJSON(w, scanLine(r))
	case r.err != nil:
		return nil // told on standard error
	}
	return printTree(w, r)
}

// limits takes the unpacking limits out of the configuration.
func limits(cfg *config.Config) budget.Limits {
	l := budget.Default
	l.Bytes, l.Member, l.Members = cfg.UnpackBytes, cfg.UnpackMember, int(cfg.UnpackMembers)
	l.Depth, l.Ratio, l.Tries = int(cfg.UnpackDepth), cfg.UnpackRatio, cfg.PasswordWork
	return l
}

// newJudge builds what judges messages out of the configuration, but for what
// opens them.
func newJudge(cfg *config.Config, withAuth bool) (*filter.Judge, error) {
	set, err := loadRules(cfg)
	if err != nil {
		return nil, err
	}
	keys, err := cfg.Keys()
	if err != nil {
		return nil, err
	}
	j := &filter.Judge{Rules: set, OwnDomains: cfg.OwnDomains, Keys: keys, HoldEncrypted: cfg.PasswordHold,
		Internal: cfg.InternalClient, AuthTimeout: cfg.AuthTimeout}
	if withAuth {
		dns, err := auth.NewDNS(cfg.DNSServers, cfg.DNSTimeout)
		if err != nil {
			return nil, fmt.Errorf("auth.dns: %w", err)
		}
		j.Auth = auth.New(dns, auth.Options{})
	}
	return j, nil
}
