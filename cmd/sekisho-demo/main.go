// Command sekisho-demo shows the main job on one machine: a private Postfix,
// the daemon with its embedded rules, the attack mails of 2015 and honest ones
// sent through SMTP, the verdicts, the quarantine, one mail given back, and
// encrypted archives that wait for the mail with their password.
//
// It speaks to loopback only, touches nothing of the system's Postfix, ends
// what it started, and exits 0 only if everything went as it should.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sekisho/filter/auth/dnstest"
	"sekisho/filter/postfixrig"
	"sekisho/filter/specimen"
)

// limit bounds the whole demo.
const limit = 3 * time.Minute

func main() {
	program := flag.String("sekisho", "bin/sekisho", "the program to show")
	keep := flag.Bool("keep", false, "keep the work folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, *program, *keep); err != nil {
		fmt.Fprintf(os.Stderr, "\nsekisho-demo: %v\n", err)
		stop()
		os.Exit(1)
	}
	fmt.Println("\nAll went as it should.")
}

// run sets the stage, plays and cleans up; the first mistake is returned, and
// everything that was started is stopped in any case.
func run(ctx context.Context, program string, keep bool) (err error) {
	program, err = filepath.Abs(program)
	if err != nil {
		return err
	}
	s, err := newStage(ctx, program)
	if s != nil {
		defer func() { err = errors.Join(err, s.close(keep)) }()
	}
	if err != nil {
		return err
	}
	return s.play(ctx)
}

// stage is everything that runs during the demo.
type stage struct {
	dir, program, config string
	dnsStop              func()
	sink                 *postfixrig.Sink
	postfix              *postfixrig.Postfix
	daemon               *daemon
}

// newStage starts all. What it returns must be closed even beside an error.
func newStage(ctx context.Context, program string) (*stage, error) {
	if err := postfixrig.Available(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sekisho-demo-")
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir, program: program}
	if err := os.Chmod(dir, 0o755); err != nil { // Postfix's user walks through it
		return s, err
	}
	progress("DNS server on loopback, with the SPF and DMARC records of the demo's domains")
	dns, stop := dnstest.Start(zone)
	s.dnsStop = stop
	progress("sink on loopback, which takes what Postfix delivers")
	if s.sink, err = postfixrig.NewSink(); err != nil {
		return s, err
	}
	progress("sekisho serve, with its built-in rules")
	if s.daemon, s.config, err = startDaemon(ctx, program, dir, dns); err != nil {
		return s, err
	}
	progress("private Postfix on loopback, own queue and configuration")
	s.postfix, err = postfixrig.Start(ctx, postfixrig.Options{Dir: filepath.Join(dir, "postfix"), Milters: []string{s.daemon.address}, SinkAddr: s.sink.Addr()})
	return s, err
}

// zone are the DNS records of the demo: kansho.example.jp is the organisation.
var zone = map[string][]string{
	"kansho.example.jp":        {"TXT v=spf1 ip4:192.0.2.10 -all", "MX 10 mx.kansho.example.jp", "A 192.0.2.10"},
	"_dmarc.kansho.example.jp": {"TXT v=DMARC1; p=reject"},
}

// close stops all in the order opposite to its start.
func (s *stage) close(keep bool) error {
	var errs []error
	if s.postfix != nil {
		errs = append(errs, s.postfix.Stop())
	}
	if s.daemon != nil {
		errs = append(errs, s.daemon.stop())
	}
	if s.sink != nil {
		errs = append(errs, s.sink.Close())
	}
	if s.dnsStop != nil {
		s.dnsStop()
	}
	if keep {
		fmt.Println("kept:", s.dir)
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

func progress(what string) { fmt.Println("  starting", what) }

// play sends the mails, shows what became of them, and releases one.
func (s *stage) play(ctx context.Context) error {
	cases := append(specimen.Attacks(), specimen.Honest()...)
	outcomes, err := s.sendAll(ctx, cases)
	if err != nil {
		return err
	}
	showTable(os.Stdout, outcomes)
	if err := s.checkAll(ctx, outcomes); err != nil {
		return err
	}
	if err := s.showQuarantine(ctx); err != nil {
		return err
	}
	if err := s.release(ctx, outcomes); err != nil {
		return err
	}
	return s.pair(ctx)
}
