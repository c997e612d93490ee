package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"

	"sekisho/filter/quarantine"
)

// maxBatch bounds how many changes share one commit, and so how many a failed
// commit hits.
const maxBatch = 256

// writer is the one goroutine that changes the index. While it waits for the
// disk, further changes queue up and share the next commit: one fsync for all.
type writer struct {
	s       *Store
	ops     chan *op
	done    chan struct{}
	turn    sync.Mutex // held while the connection is used
	conn    *sql.Conn
	known   map[string]*sql.Stmt
	closing sync.RWMutex
	closed  bool
}

// op is one change. It is committed when done answers nil.
type op struct {
	ctx  context.Context
	do   func(*tx) error
	err  error
	done chan error
}

// errUnsure says that a commit failed in a way that may have kept the change.
var errUnsure = errors.New("commit failed")

func startWriter(s *Store) *writer {
	w := &writer{s: s, ops: make(chan *op, maxBatch), done: make(chan struct{})}
	go w.run()
	return w
}

// stop commits what is queued and ends.
func (w *writer) stop() {
	w.closing.Lock()
	if !w.closed {
		w.closed = true
		close(w.ops)
	}
	w.closing.Unlock()
	<-w.done
}

// change runs do in a transaction and returns when it is committed. It does
// not return before the outcome is known, even when ctx ends: every step of
// the writer is bounded by the busy timeout.
func (w *writer) change(ctx context.Context, do func(*tx) error) error {
	o := &op{ctx: ctx, do: do, done: make(chan error, 1)}
	if err := w.send(o); err != nil {
		return err
	}
	return translate(<-o.done)
}

func (w *writer) send(o *op) error {
	w.closing.RLock()
	defer w.closing.RUnlock()
	if w.closed {
		return quarantine.ErrClosed
	}
	w.ops <- o
	return nil
}

func (w *writer) run() {
	defer close(w.done)
	for o := range w.ops {
		batch := w.gather(o)
		w.commit(batch)
		for _, o := range batch {
			o.done <- o.err
		}
	}
	w.drop(nil)
}

// gather takes what is queued without waiting for more.
func (w *writer) gather(first *op) []*op {
	batch := []*op{first}
	for len(batch) < maxBatch {
		select {
		case o, ok := <-w.ops:
			if !ok {
				return batch
			}
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch in one transaction. A change that fails is undone by
// itself; a commit that fails fails all.
func (w *writer) commit(batch []*op) {
	w.turn.Lock()
	defer w.turn.Unlock()
	t, err := w.begin()
	if err != nil {
		fail(batch, err)
		return
	}
	for _, o := range batch {
		if o.err = o.ctx.Err(); o.err == nil {
			o.err = t.alone(o.do)
		}
	}
	if _, err := t.exec("COMMIT"); err != nil {
		_, undo := t.exec("ROLLBACK")
		w.drop(errors.Join(err, undo))
		fail(batch, errors.Join(errUnsure, err))
		return
	}
	w.s.noteCorrupt(batch)
}

// swap lets anew exchange the index between two batches.
func (w *writer) swap(anew func() error) error {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.drop(nil)
	return anew()
}

func fail(batch []*op, err error) {
	for _, o := range batch {
		if o.err == nil {
			o.err = err
		}
	}
}

func (w *writer) begin() (*tx, error) {
	if w.conn == nil {
		conn, err := w.s.index.Load().write.Conn(context.Background())
		if err != nil {
			_ = w.s.seen(err)
			return nil, err
		}
		w.conn, w.known = conn, map[string]*sql.Stmt{}
	}
	t := &tx{w}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		if !errors.Is(translate(err), quarantine.ErrBusy) {
			w.drop(err)
		}
		return nil, err
	}
	return t, nil
}

// drop closes the connection: after a failed write its descriptors are not
// used again.
func (w *writer) drop(cause error) {
	if w.conn == nil {
		return
	}
	for _, stmt := range w.known {
		stmt.Close()
	}
	if cause != nil {
		w.s.health.fail(cause)
		// ErrBadConn makes database/sql close the connection for good.
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	w.conn.Close()
	w.conn = nil
}

// tx is the writer's open transaction. It ignores contexts: a change is
// short, and one that was interrupted half way would break the batch.
type tx struct{ w *writer }

// alone undoes do if it fails, and only that.
func (t *tx) alone(do func(*tx) error) error {
	if _, err := t.exec("SAVEPOINT one"); err != nil {
		return err
	}
	err := do(t)
	if err != nil {
		if _, undo := t.exec("ROLLBACK TO one"); undo != nil {
			return errors.Join(err, undo)
		}
	}
	_, end := t.exec("RELEASE one")
	return errors.Join(err, end)
}

func (t *tx) exec(query string, args ...any) (int64, error) {
	stmt, err := t.prepared(query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.Exec(args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *tx) row(query string, args ...any) scanner {
	stmt, err := t.prepared(query)
	if err != nil {
		return failedRow{err}
	}
	return stmt.QueryRow(args...)
}

func (t *tx) prepared(query string) (*sql.Stmt, error) {
	if stmt := t.w.known[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := t.w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		t.w.known[query] = stmt
	}
	return stmt, err
}

// scanner is a row, or the reason why there is none.
type scanner interface{ Scan(...any) error }

type failedRow struct{ err error }

func (f failedRow) Scan(...any) error { return f.err }
