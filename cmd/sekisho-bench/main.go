// Command sekisho-bench measures the daemon beside a milter that accepts all,
// and beside others if they are named.
//
// Every milter gets the same mail in turns, several rounds of it, and the
// medians are shown: on a machine with other work, what all suffered alike
// cancels out in the ratios. It starts the daemon and the accepting milter
// itself, on sockets of its own, and stops them; the others must be running.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sekisho/filter/load"
)

// settings are the command line.
type settings struct {
	program string
	sets    []string
	folders []string
	conns   []int
	rounds  int
	scale   float64
	kinds   bool
	config  string
	others  []string
	sent    int // messages so far: no two are the same
}

func main() {
	if address := os.Getenv(acceptVariable); address != "" {
		fail(acceptAll(address))
	}
	s, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sekisho-bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err = run(ctx, &s, os.Stdout)
	stop()
	fail(err)
}

// fail ends the program with an error, if there is one.
func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "sekisho-bench:", err)
		os.Exit(1)
	}
}

const usage = `usage: sekisho-bench [flags] [NAME=ADDRESS[=PID,...] ...]

Other milters to compare are named with their socket (unix:/path or
inet:host:port) and the processes whose time and memory count.

`

func parse(args []string, to io.Writer) (settings, error) {
	s := settings{}
	f := flag.NewFlagSet("sekisho-bench", flag.ContinueOnError)
	f.SetOutput(to)
	f.StringVar(&s.program, "sekisho", "bin/sekisho", "the daemon to measure")
	f.StringVar(&s.config, "config", "", "lines to add to the daemon's configuration, parted by ';'")
	sets := f.String("sets", "text,office,archive,worst", "sets of mail to play")
	folders := f.String("mail", "", "folders of .eml files to play instead")
	conns := f.String("c", "1,8", "connections at once")
	f.IntVar(&s.rounds, "rounds", 3, "rounds, of which the medians are shown")
	f.Float64Var(&s.scale, "scale", 1, "messages, as a factor of the usual number")
	f.BoolVar(&s.kinds, "kinds", false, "show the slowest answer for each kind of mail")
	f.Usage = func() { fmt.Fprint(to, usage); f.PrintDefaults() }
	if err := f.Parse(args); err != nil {
		return s, err
	}
	s.sets, s.folders, s.others = list(*sets), list(*folders), f.Args()
	if len(s.folders) > 0 {
		s.sets = nil
	}
	for _, w := range list(*conns) {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 {
			return s, fmt.Errorf("-c %q: want numbers parted by commas", *conns)
		}
		s.conns = append(s.conns, n)
	}
	if s.rounds < 1 || len(s.conns) == 0 {
		return s, errors.New("at least one round over one connection")
	}
	return s, nil
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func run(ctx context.Context, s *settings, to io.Writer) error {
	dir, err := os.MkdirTemp("", "sekisho-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	milters, stop, err := startAll(ctx, *s, dir)
	defer stop()
	if err != nil {
		return err
	}
	for _, name := range append(slices.Clone(s.sets), s.folders...) {
		if err := s.measure(ctx, name, milters, to); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// messages is the usual number of messages of a run.
var messages = map[string]int{"text": 2000, "office": 400, "archive": 20}

// measure plays one set.
func (s *settings) measure(ctx context.Context, name string, milters []target, to io.Writer) error {
	mails, about, err := mailsOf(name)
	if err != nil {
		return err
	}
	jobs := load.Prepare(mails)
	count, known := messages[name]
	if !known {
		count = len(jobs)
	}
	count = max(1, int(float64(count)*s.scale))
	floor, err := load.Floor(mails)
	if err != nil {
		return err
	}
	fmt.Fprintf(to, "\n%s: %s; %d messages a round\n", name, about, count)
	for _, conns := range s.conns {
		all, err := s.turns(ctx, milters, load.Plan{Jobs: jobs, Count: count, Conns: conns, PerConn: 10, Timeout: time.Minute})
		if err != nil {
			return err
		}
		show(to, conns, floor, milters, all)
		if s.kinds {
			showKinds(to, milters, all)
		}
	}
	return nil
}

// mailsOf returns a set, or what lies in a folder.
func mailsOf(name string) ([]load.Mail, string, error) {
	for _, set := range load.Sets {
		if set.Name == name {
			return set.Make(), set.About, nil
		}
	}
	mails, err := load.Folder(name)
	return mails, "mail of that folder", err
}

// turns plays the plan at each milter in turn, s.rounds times.
func (s *settings) turns(ctx context.Context, milters []target, p load.Plan) ([][]load.Result, error) {
	all := make([][]load.Result, len(milters))
	for round := range s.rounds + 1 {
		for i, m := range milters {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			p := p
			p.Address, p.Roots, p.First = m.address, m.pids, s.sent
			s.sent += p.Count
			if round == 0 { // to warm up
				p.Count = min(p.Count, 2*p.Conns)
			}
			r, err := load.Run(p)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			if round > 0 {
				all[i] = append(all[i], r)
			}
		}
	}
	return all, nil
}
