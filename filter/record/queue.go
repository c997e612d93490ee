package record

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// What waits for a slow log at most; beyond either, lines are dropped.
const (
	maxWaitingLines = 4096
	maxWaitingBytes = 8 << 20
)

// Lines that come thick are written together: one write each writeEvery, of
// maxBatch bytes at most. The first after a pause goes out at once.
const (
	writeEvery = 5 * time.Millisecond
	maxBatch   = 64 << 10
)

// errStuck says that the log still takes nothing when the daemon ends.
var errStuck = errors.New("the log takes nothing; what waited is lost")

// queue hands lines to a writer that may be slow, full or stuck: a pipe that
// nobody reads must not hold up mail. Lines that find no room, or that the
// writer refuses, are counted, and the next line that gets through is followed
// by one that says how many.
type queue struct {
	w       io.Writer
	notice  func(lost int64) []byte
	lost    atomic.Int64 // not told yet
	dropped atomic.Int64 // in all
	waiting atomic.Int64 // bytes
	done    chan struct{}
	closing chan struct{} // ends the pauses

	mu     sync.RWMutex // held for writing by the one who closes lines
	closed bool
	lines  chan []byte
}

func newQueue(w io.Writer, notice func(lost int64) []byte) *queue {
	q := &queue{w: w, notice: notice, done: make(chan struct{}), closing: make(chan struct{}), lines: make(chan []byte, maxWaitingLines)}
	go q.run()
	return q
}

// Write takes a copy of p and never waits.
func (q *queue) Write(p []byte) (int, error) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed || q.waiting.Load() > maxWaitingBytes {
		q.miss()
		return len(p), nil
	}
	select {
	case q.lines <- append([]byte(nil), p...):
		q.waiting.Add(int64(len(p)))
	default:
		q.miss()
	}
	return len(p), nil
}

// miss counts a line that is lost. Who wrote it is not told: mail goes on.
func (q *queue) miss() {
	q.lost.Add(1)
	q.dropped.Add(1)
}

func (q *queue) run() {
	defer close(q.done)
	var room []byte
	for line := range q.lines {
		for len(line) > 0 {
			q.put(line)
			q.pause()
			line = q.gather(room[:0])
			room = line
		}
	}
}

// put writes lines.
func (q *queue) put(lines []byte) {
	n, err := q.w.Write(lines)
	q.waiting.Add(-int64(len(lines)))
	if err == nil {
		q.tell()
		return
	}
	for range bytes.Count(lines[max(0, min(n, len(lines))):], []byte("\n")) {
		q.miss()
	}
}

// pause lets lines gather.
func (q *queue) pause() {
	t := time.NewTimer(writeEvery)
	defer t.Stop()
	select {
	case <-t.C:
	case <-q.closing:
	}
}

// gather adds what waits to lines.
func (q *queue) gather(lines []byte) []byte {
	for len(lines) < maxBatch {
		select {
		case line := <-q.lines: // nil if closed
			if line == nil {
				return lines
			}
			lines = append(lines, line...)
		default:
			return lines
		}
	}
	return lines
}

// tell writes how many lines were lost since it was last told.
func (q *queue) tell() {
	n := q.lost.Swap(0)
	if n == 0 {
		return
	}
	if _, err := q.w.Write(q.notice(n)); err != nil {
		q.lost.Add(n)
	}
}

// close writes what waits, for limit at most.
func (q *queue) close(limit time.Duration) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.lines)
		close(q.closing)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
		return nil
	case <-time.After(limit):
		return errStuck
	}
}
