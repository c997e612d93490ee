package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// maxCached bounds the memory that strangers' names may take.
	maxCached = 10000
	// minTTL keeps a zero TTL from making us ask for every mail; maxTTL keeps
	// a hostile or mistaken answer from staying.
	minTTL = time.Minute
	maxTTL = time.Hour
)

// answer is what was learnt of a name.
type answer struct {
	values  []string
	missing bool // no such name
	ttl     time.Duration
}

// cached is an answer and when it ends.
type cached struct {
	answer
	until time.Time
}

// flight is a question under way.
type flight struct {
	done chan struct{}
	answer
	err error
}

// cache keeps answers, and lets those who ask the same at once wait for one
// question. The oldest entry makes room: names in use come back by themselves.
type cache struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[string]cached
	order   []string // a ring of the keys in entries, oldest at next
	next    int
	flights map[string]*flight
}

func newCache(now func() time.Time) *cache {
	return &cache{now: now, entries: map[string]cached{}, flights: map[string]*flight{}}
}

// get returns the answer for key. ask runs in the caller's own goroutine and
// time; when it fails, those who waited for it ask for themselves. Errors are
// not kept.
func (c *cache) get(ctx context.Context, key string, ask func() (answer, error)) (answer, error) {
	for {
		a, f, mine := c.board(key)
		if f == nil {
			return a, nil
		}
		if mine {
			return c.fly(ctx, key, f, ask)
		}
		select {
		case <-f.done:
			if !errors.Is(f.err, errAskerLeft) {
				return f.answer, f.err
			}
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

// board returns the cached answer, or the flight to wait for, or a new one
// that the caller must fly.
func (c *cache) board(key string) (a answer, f *flight, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok && c.now().Before(e.until) {
		return e.answer, nil, false
	}
	if f := c.flights[key]; f != nil {
		return answer{}, f, false
	}
	f = &flight{done: make(chan struct{})}
	c.flights[key] = f
	return answer{}, f, true
}

// errAskerLeft says that the asker ran out of its own time, which says nothing
// of the name.
var errAskerLeft = errors.New("the asker left")

// fly asks and lands: the answer is kept and those who wait are woken.
func (c *cache) fly(ctx context.Context, key string, f *flight, ask func() (answer, error)) (answer, error) {
	f.err = errAskerLeft // stands if ask panics
	defer c.land(key, f)
	f.answer, f.err = ask()
	if f.err != nil && ctx.Err() != nil {
		f.err = fmt.Errorf("%w: %w", errAskerLeft, ctx.Err())
	}
	return f.answer, f.err
}

func (c *cache) land(key string, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flights, key)
	if f.err == nil {
		c.put(key, f.answer)
	}
	close(f.done)
}

// put keeps an answer within the bounds. The caller holds the lock.
func (c *cache) put(key string, a answer) {
	until := c.now().Add(min(max(a.ttl, minTTL), maxTTL))
	_, known := c.entries[key]
	c.entries[key] = cached{a, until}
	switch {
	case known:
	case len(c.order) < maxCached:
		c.order = append(c.order, key)
	default:
		delete(c.entries, c.order[c.next])
		c.order[c.next] = key
		c.next = (c.next + 1) % maxCached
	}
}
