// Package record writes what happened: one structured line an event, JSON by
// zerolog or text for people.
//
// Event and field names come from the closed catalogues in events.go. All text
// passes escape.Text on its way, since zerolog lets bidirectional controls, C1
// and U+2028 through. A sink that cannot be written to never stops mail: the
// loss is counted, and a queued Log (NewQueued) reports it behind the next
// line that gets through.
package record

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sekisho/filter/escape"
)

// Log writes events. Its methods may be called from many goroutines.
type Log struct {
	zero    zerolog.Logger
	sink    *sink
	now     func() time.Time
	queue   *queue   // nil when each line is written at once
	metrics *Metrics // nil when nobody counts
}

// New returns a Log that writes to w, as "json" or as "text".
func New(w io.Writer, format string, now func() time.Time) *Log {
	if format == "text" {
		w = textWriter{w}
	}
	s := &sink{w: w}
	return &Log{zero: zerolog.New(s), sink: s, now: now}
}

// NewQueued returns a Log like New's that never waits for w: what w does not
// take in time is dropped, counted and told of. It has to be closed.
func NewQueued(w io.Writer, format string, now func() time.Time) *Log {
	if format == "text" {
		w = textWriter{w}
	}
	l := New(nil, "json", now)
	l.queue = newQueue(w, l.dropNotice)
	l.sink.w = l.queue
	return l
}

// dropNotice is the line that tells of lost lines.
func (l *Log) dropNotice(lost int64) []byte {
	var b bytes.Buffer
	New(&b, "json", l.now).Warn(LogDropped).Int("count", lost).Send()
	return b.Bytes()
}

// Close writes what waits, for limit at most.
func (l *Log) Close(limit time.Duration) error {
	if l.queue == nil {
		return nil
	}
	return l.queue.close(limit)
}

// Dropped returns how many lines were lost so far.
func (l *Log) Dropped() int64 {
	n := l.sink.dropped.Load()
	if l.queue != nil {
		n += l.queue.dropped.Load()
	}
	return n
}

// Line is one event being put together.
type Line struct {
	e   *zerolog.Event
	log *Log
}

// Info, Warn and Error begin an event of that level.
func (l *Log) Info(ev Event) *Line  { return l.line(l.zero.Info(), ev) }
func (l *Log) Warn(ev Event) *Line  { return l.line(l.zero.Warn(), ev) }
func (l *Log) Error(ev Event) *Line { return l.line(l.zero.Error(), ev) }

func (l *Log) line(e *zerolog.Event, ev Event) *Line {
	l.metrics.event(ev)
	const milliseconds = "2006-01-02T15:04:05.000Z07:00"
	e.Str("time", l.now().Format(milliseconds)).Str("event", string(ev))
	return &Line{e: e, log: l}
}

// Str adds a field of untrusted text.
func (n *Line) Str(field, value string) *Line {
	n.e.Str(field, escape.Text(value))
	return n
}

// Strs adds a list of untrusted texts.
func (n *Line) Strs(field string, values []string) *Line {
	safe := make([]string, len(values))
	for i, v := range values {
		safe[i] = escape.Text(v)
	}
	n.e.Strs(field, safe)
	return n
}

// Int adds a number.
func (n *Line) Int(field string, v int64) *Line { n.e.Int64(field, v); return n }

// Bool adds a truth value.
func (n *Line) Bool(field string, v bool) *Line { n.e.Bool(field, v); return n }

// Err adds an error's text, nothing for nil.
func (n *Line) Err(err error) *Line {
	if err != nil {
		n.Str("error", err.Error())
	}
	return n
}

// Send writes the line.
func (n *Line) Send() { n.e.Send() }

// sink writes whole lines and counts those that could not be written.
type sink struct {
	mu      sync.Mutex
	w       io.Writer
	dropped atomic.Int64
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.w.Write(p); err != nil {
		s.dropped.Add(1)
	}
	return len(p), nil
}
