package record

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stuck is a pipe that nobody reads until it is opened.
type stuck struct {
	open chan struct{}
	text bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.open
	return s.text.Write(p)
}

// A log that takes nothing holds up nobody; when it moves again, it holds what
// waited and how much was lost.
func TestAStuckLogHoldsUpNobody(t *testing.T) {
	w := &stuck{open: make(chan struct{})}
	l := NewQueued(w, "json", clock)
	const lines = maxWaitingLines + 100
	start := time.Now()
	for range lines {
		l.Info(ServiceStarted).Send()
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("writing took %v", took)
	}
	lost := l.Dropped()
	if lost < 99 || lost > 100 { // one line may be on its way to w
		t.Errorf("Dropped() = %d, want 99 or 100", lost)
	}
	close(w.open)
	if err := l.Close(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(w.text.String(), "service.started"); int64(n) != lines-lost {
		t.Errorf("%d lines arrived, want %d", n, lines-lost)
	}
	if n := strings.Count(w.text.String(), `"event":"log.dropped"`); n != 1 {
		t.Errorf("log.dropped was told %d times, want once", n)
	}
}

func TestALogThatStaysStuckEndsInTime(t *testing.T) {
	w := &stuck{open: make(chan struct{})}
	defer close(w.open)
	l := NewQueued(w, "json", clock)
	l.Info(ServiceStarted).Send()
	if err := l.Close(20 * time.Millisecond); !errors.Is(err, errStuck) {
		t.Errorf("Close = %v, want %v", err, errStuck)
	}
	l.Info(ServiceStopped).Send()
	if l.Dropped() != 1 {
		t.Errorf("Dropped() after Close = %d, want 1", l.Dropped())
	}
}

// full refuses while it is full, as a disk does.
type full struct {
	refuses atomic.Bool
	mu      sync.Mutex
	text    bytes.Buffer
}

func (f *full) Write(p []byte) (int, error) {
	if f.refuses.Load() {
		return 0, io.ErrShortWrite
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.Write(p)
}

func TestAFullLogIsToldOfWhenItTakesLinesAgain(t *testing.T) {
	w := &full{}
	w.refuses.Store(true)
	l := NewQueued(w, "text", clock)
	for range 3 {
		l.Info(ServiceStarted).Send()
	}
	for end := time.Now().Add(5 * time.Second); l.Dropped() < 3 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	w.refuses.Store(false)
	l.Info(ServiceStopped).Send()
	if err := l.Close(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	got := w.text.String()
	if !strings.Contains(got, "service.stopped") || !strings.Contains(got, "log.dropped count=3") {
		t.Errorf("the log holds %q, want service.stopped and log.dropped count=3", got)
	}
}

// counting counts the writes, which wait until it is opened.
type counting struct {
	stuck
	writes int
}

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	return c.stuck.Write(p)
}

func TestLinesThatWaitAreWrittenTogether(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		w := &counting{stuck: stuck{open: make(chan struct{})}}
		l := NewQueued(w, format, clock)
		const lines = 500
		for range lines {
			l.Info(ServiceStarted).Send()
		}
		close(w.open)
		if err := l.Close(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		text := w.text.String()
		if strings.Count(text, "service.started") != lines || strings.Count(text, "\n") != lines {
			t.Errorf("%s: %d of %d lines arrived with %d line ends", format, strings.Count(text, "service.started"), lines, strings.Count(text, "\n"))
		}
		if most := 3 + len(text)/maxBatch; w.writes > most {
			t.Errorf("%s: %d writes for %d lines, want at most %d", format, w.writes, lines, most)
		}
	}
}
