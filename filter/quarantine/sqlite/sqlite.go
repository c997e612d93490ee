// Package sqlite keeps quarantined mail in plain files with an SQLite index
// beside them.
//
// A mail is two files: its bytes and, beside them, its envelope and item as
// JSON, so that the index can always be made anew from the files. The package
// does not send mail and judges none.
//
// It follows "Quarantine states" of the architecture page and SQLite's own
// rules for WAL (sqlite.org/wal.html): a local disk, synchronous=FULL, one
// writer. A failed fsync is never tried again on the same descriptor: Linux
// may have dropped the data and answers the second call with success.
package sqlite

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sekisho/filter/quarantine"
)

// Options say how a store is opened. The zero value suits a command that works
// beside a running daemon.
type Options struct {
	// Serve takes the store for a daemon: a second one is refused with
	// ErrInUse until this one is closed.
	Serve bool
	// Reserve is the free space in bytes below which Keep refuses.
	Reserve int64
	// BusyTimeout is how long to wait for a lock of another process; 0: 5 s.
	BusyTimeout time.Duration
	// Now and Random stand in for the clock and the system's randomness.
	Now    func() time.Time
	Random io.Reader
}

func (o Options) complete() Options {
	if o.BusyTimeout == 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	return o
}

// Store is a quarantine.Store in one folder.
type Store struct {
	o      Options
	dir    string
	disk   *disk
	lock   *os.File // nil when not serving
	index  atomic.Pointer[index]
	writer *writer
	health health

	mu     sync.Mutex
	claims map[quarantine.ID]*os.File
	closed bool
}

var _ quarantine.Store = (*Store)(nil)

// Open opens the store in dir and makes it if there is none. Unless a daemon
// runs on it, what a crash left behind is put in order first: old arrivals are
// swept, mails without a row are listed, removals are finished, and a missing
// or broken index is made anew from the files.
func Open(dir string, o Options) (*Store, error) {
	o = o.complete()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, &quarantine.Error{Doing: "opening the store", Err: err}
	}
	d, err := openDisk(dir, o.Serve)
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, dir: dir, disk: d, claims: map[quarantine.ID]*os.File{}}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *Store) start() error {
	lock, err := takeLock(s.disk, s.o.Serve)
	if err != nil {
		return err
	}
	found, err := s.openIndex(lock != nil)
	if err == nil {
		s.writer = startWriter(s)
		if lock != nil {
			err = s.recover(found)
		}
	}
	if s.o.Serve {
		s.lock = lock
		return err
	}
	return errors.Join(err, dropLock(lock))
}

// Close waits for what is being written and lets the store go. Releases that
// were begun and not ended stay in the state releasing.
func (s *Store) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	return s.stop()
}

func (s *Store) stop() error {
	var errs []error
	if s.writer != nil {
		s.writer.stop()
	}
	if x := s.index.Load(); x != nil {
		errs = append(errs, x.close())
	}
	s.mu.Lock()
	for id, f := range s.claims {
		errs = append(errs, f.Close())
		delete(s.claims, id)
	}
	s.mu.Unlock()
	errs = append(errs, dropLock(s.lock), s.disk.close())
	return errors.Join(errs...)
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// now is the time as the index can hold it.
func (s *Store) now() time.Time { return s.o.Now().UTC().Truncate(time.Microsecond) }
