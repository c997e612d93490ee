package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// F9: the log's disk is full, nobody reads the log's pipe, or whoever read it
// has gone. Mail goes on, nothing stalls, and what is kept is kept.
func TestF09LogBroken(t *testing.T) {
	tests := []struct {
		name string
		log  func(*testing.T) *os.File
	}{
		{"the log's disk is full", func(t *testing.T) *os.File {
			d := newTmpfs(t, "size=64k,mode=700")
			return open(t, filepath.Join(d.where, "serve.log"))
		}},
		{"nobody reads the log's pipe", func(t *testing.T) *os.File {
			reader, writer := pipe(t)
			t.Cleanup(func() { check(t, reader.Close()) })
			return writer
		}},
		{"the log's reader has gone", func(t *testing.T) *os.File {
			reader, writer := pipe(t)
			check(t, reader.Close())
			return writer
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStand(t)
			log := tt.log(t)
			d := s.startLogging(log)
			check(t, log.Close())
			l := load{messages: deep(240, 20), senders: 6} // their lines are more than a pipe or that disk holds
			led := s.send(l)
			s.account(led, l)
			s.neverDeferred(led)
			if led.slowest > patience {
				t.Errorf("the slowest answer took %v", led.slowest)
			}
			d.signal(syscall.SIGTERM)
			if !within(patience, d.ended) {
				t.Error("the daemon does not end")
			}
		})
	}
}

// F9: a log that moves again tells how many lines it missed.
func TestF09LogTellsOfItsLoss(t *testing.T) {
	d := newTmpfs(t, "size=256k,mode=700")
	d.fill()
	s := newStand(t)
	name := filepath.Join(d.where, "serve.log")
	log := open(t, name)
	s.startLogging(log)
	check(t, log.Close())
	s.send(load{messages: 10, senders: 2})
	d.empty()
	s.send(load{after: 10, messages: 1})
	if !within(10*time.Second, func() bool { return strings.Contains(contents(name), `"event":"log.dropped"`) }) {
		t.Errorf("the log does not tell of its loss: %s", contents(name))
	}
}

func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func pipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return reader, writer
}

func contents(name string) string {
	b, _ := os.ReadFile(name) // not there yet: empty
	return string(b)
}
