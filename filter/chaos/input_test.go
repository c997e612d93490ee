package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// verdictLimit is what Postfix's patience leaves, in full.
	verdictLimit = 20 * time.Second
	// scanMemory bounds the memory of `scan` beside the message itself, which
	// it reads into memory: decoded parts, members and their bookkeeping.
	scanMemory = 256
	// gateMemory bounds what one message may add to the daemon, again beside
	// what the message itself takes.
	gateMemory = 160
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
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, program, "scan", "--json", "--as", "mail", file)
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			start := time.Now()
			err := cmd.Run()
			took := time.Since(start)
			var exit *exec.ExitError
			if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
				t.Fatalf("scan: %v\n%s", err, tail(errs.String(), 2000))
			}
			peak := int(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10)
			got := disposition(t, out.Bytes())
			t.Logf("%d bytes: %s in %v, %d MiB", len(raw), got, took.Round(time.Millisecond), peak)
			if bad.want != "" && got != bad.want {
				t.Errorf("disposition %s, want %s", got, bad.want)
			}
			if took > verdictLimit {
				t.Errorf("took %v, want at most %v", took, verdictLimit)
			}
			if limit := len(raw)>>20 + scanMemory; peak > limit {
				t.Errorf("%d MiB of memory, want at most %d", peak, limit)
			}
		})
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
