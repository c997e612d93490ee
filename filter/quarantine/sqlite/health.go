package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sekisho/filter/quarantine"
)

// probePause is the least time between two attempts to find out whether a
// store that failed can write again.
const probePause = time.Second

// health remembers that the disk failed. After a failed fsync nothing that
// was written counts, until a fresh file and a fresh row went through.
type health struct {
	mu      sync.Mutex
	err     error
	corrupt bool
	probed  time.Time
}

// fail remembers the first cause.
func (h *health) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
	}
	h.corrupt = h.corrupt || errors.Is(translate(err), errCorrupt)
}

// state returns the cause, and whether the caller is the one to probe.
func (h *health) state() (corrupt, probe bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		return false, false, nil
	}
	if time.Since(h.probed) < probePause {
		return h.corrupt, false, h.err
	}
	h.probed = time.Now()
	return h.corrupt, true, h.err
}

func (h *health) heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err, h.corrupt = nil, false
}

// Healthy returns nil, or why Keep would refuse now. It tries at most once a
// second whether the store has recovered.
func (s *Store) Healthy() error {
	const doing = "checking the store"
	if s.isClosed() {
		return wrap(doing, quarantine.ErrClosed)
	}
	corrupt, probe, cause := s.health.state()
	if cause != nil && probe {
		cause = s.probe(corrupt)
	}
	if cause != nil {
		return &quarantine.Error{Doing: doing, Err: unhealthy(translate(cause)),
			Hint: "look at the disk of " + s.dir + ": space, inodes, mount, kernel log"}
	}
	return s.roomy()
}

// roomy refuses early, so that the index and the last mails still fit.
func (s *Store) roomy() error {
	if s.o.Reserve <= 0 {
		return nil
	}
	free, err := s.disk.free()
	if err == nil && free < s.o.Reserve {
		err = fmt.Errorf("%w: %d of %d bytes", quarantine.ErrFull, free, s.o.Reserve)
	}
	return wrap("checking the free space of "+s.dir, err)
}

// probe writes a file and a row from the start and heals the store if both
// hold.
func (s *Store) probe(corrupt bool) error {
	if corrupt {
		if err := s.remake(); err != nil {
			return err
		}
	}
	id, err := quarantine.NewID(s.o.Now(), s.o.Random)
	if err != nil {
		return err
	}
	name := "probe-" + string(id)
	if err := s.disk.write(s.disk.tmp, name, []byte("probe\n")); err != nil {
		return err
	}
	if err := s.disk.remove(s.disk.tmp, name); err != nil {
		return err
	}
	err = s.writer.change(context.Background(), func(t *tx) error {
		_, err := t.exec(`INSERT INTO probe VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at`,
			s.now().UnixMicro())
		return err
	})
	if err == nil {
		s.health.heal()
	}
	return err
}

// remake replaces a broken index while the daemon runs.
func (s *Store) remake() error {
	if s.lock == nil {
		return errCorrupt // only the one who holds the lock may
	}
	found, err := s.anew()
	if err != nil {
		return err
	}
	return s.recover(found)
}

// anew sets the open index aside and goes on with an empty one.
func (s *Store) anew() (source, error) {
	found := source{fresh: true}
	err := s.writer.swap(func() (err error) {
		// What the broken index says while it closes changes nothing.
		_ = s.index.Load().close()
		if found.aside, err = s.setAside(); err != nil {
			return err
		}
		return s.makeIndex()
	})
	return found, err
}

// seen notes a broken index that a reader met.
func (s *Store) seen(err error) error {
	if err != nil && errors.Is(translate(err), errCorrupt) {
		s.health.fail(err)
	}
	return err
}

func (s *Store) noteCorrupt(batch []*op) {
	for _, o := range batch {
		_ = s.seen(o.err) // each op hands its own error to its caller
	}
}
