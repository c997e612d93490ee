package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/report"
	"sekisho/filter/sandbox/frame"
	"sekisho/filter/sandbox/inside"
)

// TestMain is the worker as well: the pool of the tests starts this binary,
// locked by the same inside.Run, with a handler that misbehaves on demand.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case ProgramName:
		if err := inside.Run(misbehave); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "sekisho-unlocked":
		os.Exit(unlocked())
	case "sekisho-gate":
		os.Exit(shortGate())
	}
	os.Exit(m.Run())
}

// served counts the inputs of this worker process.
var served int

// sink keeps the compiler from leaving out what a handler computes.
var sink []byte

// misbehave does what the input's first line asks for; anything else is
// inspected as the true worker does.
func misbehave(job frame.Job, raw []byte) *report.Report {
	served++
	order, _, _ := strings.Cut(string(raw[:min(len(raw), 200)]), "\n")
	what, ok := strings.CutPrefix(order, "X-Do: ")
	if !ok {
		return inside.Inspect(job, raw)
	}
	switch word, rest, _ := strings.Cut(what, " "); word {
	case "crash":
		go func() { panic("a bug in a goroutine, which nobody recovers") }()
		wait()
	case "crash-when-worn":
		if served > 1 {
			os.Exit(7)
		}
	case "loop":
		for n := 0; ; n++ {
			served = n
		}
	case "memory":
		sink = make([]byte, 4<<30)
		for i := range sink {
			sink[i] = 1
		}
	case "garbage":
		reply(1, []byte("{]"))
		wait()
	case "stranger":
		reply(1, strange())
		wait()
	case "oversized":
		put([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, '{'})
		wait()
	case "flood":
		put(frame.Append(nil, 1, make([]byte, 1)))
		for {
			put(make([]byte, 1<<16))
		}
	case "silent":
		wait()
	case "spin":
		return said(job, raw, spin(job))
	case "echo":
		return echo(job)
	case "slow":
		time.Sleep(20 * time.Millisecond)
	case "probe":
		return said(job, raw, probe(rest))
	}
	return inside.Inspect(job, raw)
}

// strange is a well-formed Report of something else.
func strange() []byte {
	b, err := report.Pack(&report.Report{Schema: 1, Kind: "mail", SHA256: strings.Repeat("0", 64), Size: 1, Entities: make([]report.Entity, 1)}, 1<<16)
	if err != nil {
		return nil
	}
	return b
}

// wait does nothing for ever; a runtime without anything to do would end.
func wait() {
	for {
		time.Sleep(time.Hour)
	}
}

// spin computes without allocating or waiting until the budget is stopped.
func spin(job frame.Job) string {
	bud := budget.New(job.Limits)
	stop := time.AfterFunc(time.Duration(job.Millis)*time.Millisecond, bud.Stop)
	defer stop.Stop()
	for bud.Spend("", 0) == nil {
		served++
	}
	return "stopped"
}

// said is a Report that carries words back to the test.
func said(job frame.Job, raw []byte, words string) *report.Report {
	r := inside.Inspect(job, raw)
	r.Findings = []finding.Finding{finding.New(finding.MimeMalformed, "", "said", words)}
	return r
}

func reply(id uint64, b []byte) { put(frame.Append(nil, id, b)) }

func put(b []byte) {
	for len(b) > 0 {
		n, err := unix.Write(frame.Control, b)
		if err != nil {
			return
		}
		b = b[n:]
	}
}

// unlocked greets as a worker would that could not lock itself.
func unlocked() int {
	put(frame.Append(nil, 0, []byte(`{"version":1,"landlock":0,"seccomp":0,"filters":-1,"no_new_privs":false,"open_denied":false,"dumpable":true}`)))
	buf := make([]byte, 1)
	_, _ = unix.Read(frame.Control, buf) // until the gate hangs up
	return 0
}
