package sandbox

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// keep starts workers until as many live as wanted, and again whenever one is
// gone, until the pool is closed. It stays on one thread: the kernel kills a
// worker when the thread that started it ends, which must not happen before
// the gate itself does. first hears how the first start went.
func (p *Pool) keep(first chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	defer close(p.kept)
	defer p.endAll()
	if err := p.add(); err != nil {
		first <- err
		return
	}
	first <- nil
	const shortest, longest = 100 * time.Millisecond, 5 * time.Second
	pause := shortest
	for {
		var retry <-chan time.Time
		if err := p.fill(); err != nil {
			p.opt.Note(EventTrouble, map[string]string{"error": err.Error()})
			retry = time.After(pause)
			pause = min(2*pause, longest)
		} else {
			pause = shortest
		}
		select {
		case <-p.closed:
			return
		case <-p.wake:
		case <-retry:
		}
	}
}

// fill starts what is missing.
func (p *Pool) fill() error {
	for {
		p.mu.Lock()
		missing := len(p.alive) < p.opt.Workers+1
		p.mu.Unlock()
		if !missing || p.isClosed() {
			return nil
		}
		if err := p.add(); err != nil {
			return err
		}
	}
}

// add starts one worker and offers it.
func (p *Pool) add() error {
	w, err := p.prog.start(p.opt.MaxMessage)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.alive[w] = true
	p.status.Started++
	p.status.LockTook = time.Duration(w.hello.LockMicros) * time.Microsecond
	p.status.Lock = fmt.Sprintf("seccomp (%d filters), landlock %d", w.hello.Filters, w.hello.Landlock)
	if p.status.Degraded = w.hello.Landlock == 0; p.status.Degraded {
		p.status.Lock = fmt.Sprintf("seccomp (%d filters), no landlock in this kernel", w.hello.Filters)
	}
	p.mu.Unlock()
	go p.watch(w)
	p.offer(w)
	return nil
}

// watch notices a worker that dies while nobody uses it.
func (p *Pool) watch(w *worker) {
	<-w.dead
	p.mu.Lock()
	i := slices.Index(p.idle, w)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		p.lose(w, &failure{cause: causeCrash, detail: w.lastWords()})
	}
}

// remove strikes w off and has it replaced.
func (p *Pool) remove(w *worker, count func(*Status)) {
	p.mu.Lock()
	delete(p.alive, w)
	count(&p.status)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // the keeper knows already
	}
}

// turn is somebody who waits for a worker that was born after a given moment.
type turn struct {
	ch    chan *worker
	after time.Time
}

func (t turn) suits(w *worker) bool { return w.born.After(t.after) }

// offer gives w to who waits longest, or lays it on top of the idle ones: the
// one used last has the warmest caches.
func (p *Pool) offer(w *worker) {
	p.mu.Lock()
	closed := p.isClosed()
	i := slices.IndexFunc(p.waiting, func(t turn) bool { return t.suits(w) })
	switch {
	case closed:
	case i >= 0:
		p.waiting[i].ch <- w
		p.waiting = slices.Delete(p.waiting, i, i+1)
	default:
		p.idle = append(p.idle, w)
	}
	p.mu.Unlock()
	if closed {
		w.end()
	}
}

func (p *Pool) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// take lends a living worker that was born after a given moment.
func (p *Pool) take(ctx context.Context, after time.Time) (*worker, error) {
	for {
		w, err := p.next(ctx, turn{make(chan *worker, 1), after})
		if err != nil {
			return nil, err
		}
		select {
		case <-w.dead: // between its last job and now
			p.lose(w, &failure{cause: causeCrash, detail: w.lastWords()})
		default:
			return w, nil
		}
	}
}

// next lends the next worker, waiting for one to be started if it must.
func (p *Pool) next(ctx context.Context, t turn) (*worker, error) {
	p.mu.Lock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if w := p.idle[i]; t.suits(w) {
			p.idle = slices.Delete(p.idle, i, i+1)
			p.mu.Unlock()
			return w, nil
		}
	}
	p.waiting = append(p.waiting, t)
	p.mu.Unlock()
	select {
	case w := <-t.ch:
		return w, nil
	case <-ctx.Done():
	case <-p.closed:
	}
	p.leave(t)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, errClosed
}

// leave ends the waiting of t.
func (p *Pool) leave(t turn) {
	p.mu.Lock()
	i := slices.Index(p.waiting, t)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		p.offer(<-t.ch) // it came a moment too late
	}
}

// endAll kills every worker: the idle ones here, those at work so that their
// users notice.
func (p *Pool) endAll() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	var busy []*worker
	for w := range p.alive {
		if !slices.Contains(idle, w) {
			busy = append(busy, w)
		}
	}
	p.mu.Unlock()
	for _, w := range idle {
		w.end()
	}
	for _, w := range busy {
		_ = w.cmd.Process.Kill() // its user cleans up
		<-w.dead
	}
}
