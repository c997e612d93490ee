// Package sandbox lets others open the hostile bytes: it keeps a pool of
// worker processes, each locked up by the kernel, hands them messages through
// memory that they can only read, and takes their Reports as if a stranger had
// sent them.
//
// Whatever a worker does (it crashes, hangs, eats memory, lies about its input
// or is killed), the caller gets a Report in time: after one more try in a
// fresh worker it is one that says inspect.failed. What the lock consists of
// stands in filter/sandbox/inside; docs/security.md tells the whole.
package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"sekisho/filter/budget"
	"sekisho/filter/inspect"
	"sekisho/filter/report"
)

// Options of a pool.
type Options struct {
	// Program is the path of the worker.
	Program string
	// Workers is how many inspect at one time, 0 for one a processor. One
	// more stands ready to take the place of one that is lost.
	Workers int
	// MaxMessage is the largest input.
	MaxMessage int64
	// Recycle is after how many inputs a worker is replaced, MaxRSS above how
	// many bytes of memory.
	Recycle int
	MaxRSS  int64
	// Note hears what happens; see docs/log.md, events sandbox.*.
	Note func(event string, fields map[string]string)
}

// Settings bound one inspection.
type Settings struct {
	Limits  budget.Limits
	Timeout time.Duration
}

// Status is the state of a pool.
type Status struct {
	// Lock tells in words what confines the workers; Degraded says that
	// landlock is missing.
	Lock     string
	Degraded bool
	// LockTook is how long the youngest worker needed to lock itself.
	LockTook time.Duration
	Workers  int // alive
	// Started, Recycled and Lost count workers since the start: Lost are
	// those that failed or were killed. Failed counts inputs without a
	// worker's Report.
	Started, Recycled, Lost, Failed int64
}

// Events.
const (
	EventDegraded = "sandbox.degraded"
	EventLost     = "sandbox.lost"
	EventTrouble  = "sandbox.trouble"
)

// Pool keeps workers and lends them out.
type Pool struct {
	opt  Options
	prog *program
	// slots bounds how many inspect at one time.
	slots chan struct{}
	// wake tells the keeper that a worker is missing; closed ends everything.
	wake   chan struct{}
	closed chan struct{}
	kept   chan struct{} // closed when the keeper has ended

	mu      sync.Mutex
	idle    []*worker
	waiting []turn
	alive   map[*worker]bool
	status  Status
}

// New starts the first worker and returns once that has proved its lock; the
// others follow.
func New(opt Options) (*Pool, error) {
	if opt.Workers <= 0 {
		opt.Workers = runtime.NumCPU()
	}
	if opt.Note == nil {
		opt.Note = func(string, map[string]string) {}
	}
	prog, err := openProgram(opt.Program)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return newPool(opt, prog)
}

func newPool(opt Options, prog *program) (*Pool, error) {
	p := &Pool{opt: opt, prog: prog, slots: make(chan struct{}, opt.Workers), wake: make(chan struct{}, 1),
		closed: make(chan struct{}), kept: make(chan struct{}), alive: map[*worker]bool{}}
	first := make(chan error, 1)
	go p.keep(first)
	if err := <-first; err != nil {
		<-p.kept
		prog.close()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if s := p.Status(); s.Degraded {
		opt.Note(EventDegraded, map[string]string{"detail": s.Lock})
	}
	return p, nil
}

// attempts is how often an input is tried: once more after a failure, since a
// worker may have died of something else.
const attempts = 2

// least is the shortest time that a further attempt is worth.
const least = 500 * time.Millisecond

// Inspect has a worker inspect in and returns what it reports. It always
// returns a Report, before ctx's deadline; when no worker gave one, the Report
// says so.
func (p *Pool) Inspect(ctx context.Context, in inspect.Input, s Settings) *report.Report {
	if int64(len(in.Raw)) > p.opt.MaxMessage {
		return p.fail(in, causeSize)
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return p.fail(in, causeBusy)
	case <-p.closed:
		return p.fail(in, causeStopped)
	}
	return p.tries(ctx, in, s)
}

// tries asks a worker, and after a failure one that was born later: what
// killed the first may have killed all that were there.
func (p *Pool) tries(ctx context.Context, in inspect.Input, s Settings) *report.Report {
	var after time.Time
	for try := 1; ; try++ {
		rep, f := p.attempt(ctx, in, s, after)
		if f == nil {
			return rep
		}
		again := !f.final && time.Until(until(ctx, s.Timeout)) > least
		if try == attempts || !again {
			return p.fail(in, f.cause)
		}
		after = f.at
	}
}

// until is the deadline of one attempt: within timeout, and early enough
// before ctx's own that the caller can still answer.
func until(ctx context.Context, timeout time.Duration) time.Time {
	deadline := time.Now().Add(timeout)
	if end, ok := ctx.Deadline(); ok {
		if early := end.Add(-min(2*time.Second, time.Until(end)/10)); early.Before(deadline) {
			return early
		}
	}
	return deadline
}

// attempt lends a worker, asks it, and gives it back or throws it away.
func (p *Pool) attempt(ctx context.Context, in inspect.Input, s Settings, after time.Time) (*report.Report, *failure) {
	w, err := p.take(ctx, after)
	if err != nil {
		return nil, &failure{cause: causeBusy, detail: err.Error(), final: true}
	}
	rep, f := w.ask(ctx, in, s, until(ctx, s.Timeout))
	if f != nil {
		f.at = time.Now() // whoever replaces w is born later
		p.lose(w, f)
		return nil, f
	}
	p.giveBack(w, int64(len(in.Raw)), opened(rep))
	return rep, nil
}

// fail is the Report of an input that no worker could report on.
func (p *Pool) fail(in inspect.Input, cause string) *report.Report {
	p.mu.Lock()
	p.status.Failed++
	p.mu.Unlock()
	if in.SHA256 == "" {
		sum := sha256.Sum256(in.Raw)
		in.SHA256 = hex.EncodeToString(sum[:])
	}
	return inspect.Failed(in.Kind, int64(len(in.Raw)), in.SHA256, cause)
}

// lose throws away a worker that failed.
func (p *Pool) lose(w *worker, f *failure) {
	p.remove(w, func(s *Status) { s.Lost++ })
	w.end()
	p.opt.Note(EventLost, map[string]string{"pid": strconv.Itoa(w.cmd.Process.Pid), "cause": f.cause, "detail": f.detail})
}

// forgetAbove is from what size on the pages of a message are given back; for
// smaller ones that would cost more than keeping them.
const forgetAbove = 16 << 20

// maxData is half of what a worker may allocate: the largest member must find
// room in one piece.
const maxData = 256 << 20

// opened is how many bytes came to light in the input.
func opened(rep *report.Report) int64 {
	var n int64
	for i := range rep.Entities {
		n += rep.Entities[i].Size
	}
	return n
}

// A worker's memory is looked at after a message in which more than looksAbove
// came to light, and now and then.
const (
	looksAbove = 1 << 20
	looksEvery = 64
)

// giveBack makes w available again after a message of size bytes, or retires
// it.
func (p *Pool) giveBack(w *worker, size, opened int64) {
	worn := w.jobs >= uint64(p.opt.Recycle)
	if size > forgetAbove && w.memory.forget(size) != nil {
		worn = true
	}
	if opened > looksAbove || w.jobs%looksEvery == 0 {
		resident, data := w.usage()
		worn = worn || resident > p.opt.MaxRSS || data > maxData
	}
	if worn {
		p.remove(w, func(s *Status) { s.Recycled++ })
		w.end()
		return
	}
	p.offer(w)
}

var errClosed = errors.New("the pool is closed")

// Status tells how the pool is.
func (p *Pool) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	s.Workers = len(p.alive)
	return s
}

// Close ends all workers. Inspections under way end as stopped.
func (p *Pool) Close() {
	p.mu.Lock()
	again := p.isClosed()
	if !again {
		close(p.closed)
	}
	p.mu.Unlock()
	if again {
		return
	}
	<-p.kept
	p.prog.close()
}
