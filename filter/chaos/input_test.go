package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// verdictLimit is what Postfix's patience leaves, in full.
	verdictLimit = 20*time.Second + 2*patience
	// scanMemory bounds the memory of `scan` beside the message itself, which
	// it reads into memory: decoded parts, members and their bookkeeping.
	scanMemory = 256
	// gateMemory bounds what one message may add to the daemon, again beside
	// what the message itself takes.
	gateMemory = 64
)

// F15, bad input on the command line: whatever the bytes are, one verdict in
// time, no crash, memory within bounds, and nothing bad behind the bulk is
// missed.
func TestF15BadInputScanned(t *testing.T) {
	for _, bad := range badMails {
		t.Run(bad.name, func(t *testing.T) {
			raw := bad.make()
			file := filepath.Join(t.TempDir(), "bad.eml")
			check(t, os.WriteFile(file, raw, 0o600))
			r := scanned(t, file)
			t.Logf("%d bytes: %s in %v, %d MiB", len(raw), r.disposition, r.took.Round(time.Millisecond), r.peak)
			if bad.want != "" && r.disposition != bad.want {
				t.Errorf("disposition %s, want %s", r.disposition, bad.want)
			}
			if r.took > verdictLimit {
				t.Errorf("took %v, want at most %v", r.took, verdictLimit)
			}
			if limit := len(raw)>>20 + scanMemory; r.peak > limit {
				t.Errorf("%d MiB of memory, want at most %d", r.peak, limit)
			}
		})
	}
}

// outcome is what `scan` said of one file, and what it cost.
type outcome struct {
	disposition string
	took, cpu   time.Duration
	peak        int // MiB, of all its processes
}

// scanned judges one message on the command line. Its memory is watched while
// it runs: the kernel's own sum for a child begins at its parent's height.
func scanned(t *testing.T, file string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "scan", "--json", "--as", "mail", file)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	peak := 0
	for {
		select {
		case err := <-done:
			if err != nil && exitCode(err) != 3 {
				t.Fatalf("scan: %v\n%s", err, tail(errs.String(), 2000))
			}
			return outcome{disposition(t, out.Bytes()), time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak}
		case <-time.After(5 * time.Millisecond):
			peak = max(peak, memoryOf(cmd.Process.Pid, "VmHWM"))
		}
	}
}

func disposition(t *testing.T, line []byte) string {
	t.Helper()
	var v struct{ Disposition string }
	if err := json.Unmarshal(line, &v); err != nil || v.Disposition == "" {
		t.Fatalf("no verdict: %v: %.300s", err, line)
	}
	return v.Disposition
}

// F15 through Postfix and the milter: each gets an answer of policy, none a
// 451, and the daemon stays alive and of bounded size. What Postfix changes on
// the way in (it cuts headers) changes the verdict's reason, not the promise.
func TestF15BadInputThroughPostfix(t *testing.T) {
	s := newStand(t)
	d := s.start()
	for _, bad := range badMails {
		if !bad.smtp {
			continue
		}
		t.Run(bad.name, func(t *testing.T) {
			raw := bad.make()
			before := d.memory("VmRSS")
			check(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.cmd.Process.Pid), []byte("5"), 0o200)) // forget the height
			start := time.Now()
			reply, err := submit(s.postfix.SMTP(), "bad@partner.example", raw)
			took := time.Since(start)
			grown := d.memory("VmHWM") - before
			t.Logf("%d bytes: %.60q in %v, daemon grew by %d MiB over %d", len(raw), reply, took.Round(time.Millisecond), grown, before)
			if err != nil || strings.HasPrefix(reply, "4") || d.ended() {
				t.Errorf("Postfix answered %q, %v; daemon ended: %v", reply, err, d.ended())
			}
			if took > verdictLimit {
				t.Errorf("took %v, want at most %v", took, verdictLimit)
			}
			if limit := len(raw)>>20 + gateMemory; grown > limit {
				t.Errorf("the daemon grew by %d MiB, want at most %d", grown, limit)
			}
		})
	}
}
