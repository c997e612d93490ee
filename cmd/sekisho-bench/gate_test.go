package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/filter/load"
)

// TestMain lets this test be the accepting milter, as the program can be.
func TestMain(m *testing.M) {
	if address := os.Getenv(acceptVariable); address != "" {
		fail(acceptAll(address))
	}
	os.Exit(m.Run())
}

// mostOverAccept is how many times the processor time of the accepting milter
// an office's mail may cost. It is a ratio of two programs in one run: other
// work on the machine costs both, though the one with more processes more. On
// two processors with eight times as much other work 3.2 to 4.5 are measured,
// and the best of five tries counts.
const mostOverAccept = 5

// TestOfficeCost is the gate against a daemon that becomes slow. It takes the
// best of some tries, as the disturbance is never negative.
func TestOfficeCost(t *testing.T) {
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/", "sekisho/cmd/sekisho", "sekisho/cmd/sekisho-worker")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the daemon: %v\n%s", err, out)
	}
	milters, stop, err := startAll(t.Context(), settings{program: filepath.Join(dir, "sekisho")}, dir)
	defer stop()
	if err != nil {
		t.Fatal(err)
	}
	mails, _, err := mailsOf("office")
	if err != nil {
		t.Fatal(err)
	}
	jobs := load.Prepare(mails)
	best := math.Inf(1)
	s := settings{rounds: 1}
	for range 5 {
		all, err := s.turns(t.Context(), milters, load.Plan{Jobs: jobs, Count: len(jobs), Conns: 2, PerConn: 10, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		accept, daemon := all[acceptIndex][0], all[1][0]
		ratio := daemon.CPUPerMessage() / accept.CPUPerMessage()
		t.Logf("office: %.2f CPU-ms a message, accept-all %.2f: %.1f times", daemon.CPUPerMessage(), accept.CPUPerMessage(), ratio)
		if daemon.Answers["accept"] < len(jobs)*9/10 || daemon.Answers["discard"] == 0 {
			t.Fatalf("the daemon answered %v: honest mail is accepted and attacks are kept", daemon.Answers)
		}
		if best = min(best, ratio); best <= mostOverAccept {
			return
		}
	}
	t.Errorf("office mail costs %.1f times what accepting costs, want at most %v", best, mostOverAccept)
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, args string
		want       string // part of the error; "" for none
	}{
		{"nothing", "", ""},
		{"others to compare", "-c 1,8 -sets text rspamd=unix:/run/rspamd.sock=1,2", ""},
		{"no number of connections", "-c many", "want numbers"},
		{"no connection", "-c 0", "want numbers"},
		{"no round", "-rounds 0", "at least one round"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			_, err := parse(strings.Fields(tt.args), &out)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parse(%q) = %v, want %q", tt.args, err, tt.want)
			}
		})
	}
}

func TestOther(t *testing.T) {
	if m, err := other("rspamd=unix:/run/r.sock=12,13"); err != nil || m.name != "rspamd" || m.address != "unix:/run/r.sock" || len(m.pids) != 2 {
		t.Errorf("other = %+v, %v; want its name, address and two processes", m, err)
	}
	for _, word := range []string{"rspamd", "rspamd=inet:127.0.0.1:1=x"} {
		if m, err := other(word); err == nil {
			t.Errorf("other(%q) = %+v, want an error", word, m)
		}
	}
}

// TestStartSaysWhyItFails: the last words of a daemon that ends are shown.
func TestStartSaysWhyItFails(t *testing.T) {
	dir := t.TempDir()
	c := &child{name: "false", socket: filepath.Join(dir, "s"), command: exec.Command("sh", "-c", "echo out of tea >&2; exit 3")}
	if err := c.start(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "out of tea") {
		t.Errorf("start = %v, want the daemon's own words", err)
	}
}
