package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"sekisho/filter/quarantine"
)

const (
	indexName = "index.db"
	// checkBelow is the size up to which the whole index is checked at start:
	// a larger one is checked where it is read, so that a start stays quick.
	checkBelow = 32 << 20
)

// steps lead from each version of the schema to the next; user_version counts
// those that were taken. A released step is never changed.
var steps = []string{`
CREATE TABLE item (
	id         TEXT PRIMARY KEY,
	received   INTEGER NOT NULL,
	state      TEXT NOT NULL,
	since      INTEGER NOT NULL,
	actor      TEXT NOT NULL,
	count      INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL,
	last_reply TEXT NOT NULL,
	maybe_sent INTEGER NOT NULL,
	damage     TEXT NOT NULL,
	rule       TEXT NOT NULL,
	sender     TEXT NOT NULL,
	rcpts      TEXT NOT NULL,
	sha256     TEXT NOT NULL,
	size       INTEGER NOT NULL,
	retry_key  TEXT NOT NULL,
	record     TEXT NOT NULL
) STRICT;
CREATE INDEX item_list ON item (received, id, state, rule, sender, rcpts);
CREATE INDEX item_retry ON item (retry_key) WHERE state = 'held';
CREATE INDEX item_releasing ON item (sha256) WHERE state = 'releasing';
CREATE INDEX item_sizes ON item (id, state, size, damage);
CREATE TABLE audit (
	seq     INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	actor   TEXT NOT NULL,
	action  TEXT NOT NULL,
	outcome TEXT NOT NULL,
	id      TEXT NOT NULL,
	reason  TEXT NOT NULL,
	detail  TEXT NOT NULL,
	prev    TEXT NOT NULL,
	hash    TEXT NOT NULL
) STRICT;
CREATE INDEX audit_id ON audit (id, seq);
CREATE TRIGGER audit_keep_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_keep_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TABLE probe (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
`, `
CREATE TABLE waiting (id TEXT PRIMARY KEY) STRICT;
`}

// index is one open index: a single writer connection and a pool of readers,
// as WAL wants it.
type index struct {
	write, read *sql.DB
}

func (x *index) close() error { return errors.Join(x.read.Close(), x.write.Close()) }

// dsn carries the pragmas, since they hold for one connection only.
func dsn(path string, busy time.Duration, pragmas ...string) string {
	q := url.Values{"_txlock": {"immediate"}}
	for _, p := range append(pragmas, "busy_timeout("+strconv.FormatInt(busy.Milliseconds(), 10)+")") {
		q.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func dial(path string, busy time.Duration) (*index, error) {
	write, err := sql.Open("sqlite", dsn(path, busy, "journal_mode(WAL)", "synchronous(FULL)"))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn(path, busy, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	read.SetMaxIdleConns(4)
	return &index{write: write, read: read}, nil
}

// openIndex opens the index. With own, a missing or broken one is made anew:
// the files are then to be listed into it.
func (s *Store) openIndex(own bool) (source, error) {
	err := s.tryIndex()
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil, !missing && !errors.Is(err, errCorrupt):
		return source{}, wrap("opening the index", err)
	case !own && missing:
		return source{}, wrap("opening the index", fmt.Errorf("%w: it is missing", errCorrupt))
	case !own:
		return source{}, wrap("opening the index", err)
	}
	var aside string
	if !missing {
		if aside, err = s.setAside(); err != nil {
			return source{}, wrap("setting the broken index aside", err)
		}
	}
	return source{fresh: true, aside: aside}, wrap("making the index", s.makeIndex())
}

// makeIndex makes an empty index. SQLite gives its other files the same mode.
func (s *Store) makeIndex() error {
	if err := s.disk.write(s.disk.root, indexName, nil); err != nil {
		return err
	}
	if err := s.disk.root.Sync(); err != nil {
		return err
	}
	return s.tryIndex()
}

// tryIndex opens the index that is there and brings its schema up to date.
func (s *Store) tryIndex() error {
	path := filepath.Join(s.dir, indexName)
	f, size, err := s.disk.open(s.disk.root, indexName)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	x, err := dial(path, s.o.BusyTimeout)
	if err != nil {
		return err
	}
	err = upgrade(x.write)
	if err == nil && size < checkBelow {
		err = check(context.Background(), x.read, "quick_check")
	}
	if err != nil {
		return translate(errors.Join(err, x.close()))
	}
	s.index.Store(x)
	return nil
}

// upgrade takes the steps that are missing, all or none.
func upgrade(db *sql.DB) error {
	var have int
	if err := db.QueryRow("PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if have > len(steps) {
		return &quarantine.Error{
			Doing: "opening the index",
			Err:   fmt.Errorf("%w: schema %d, this one knows %d", quarantine.ErrNewerSchema, have, len(steps)),
			Hint:  "use the newer sekisho; the store was not touched",
		}
	}
	if have == len(steps) {
		return nil
	}
	return climb(db)
}

func climb(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// Another process may have climbed while we waited for the lock.
	var have int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	for _, step := range steps[min(have, len(steps)):] {
		if _, err := tx.Exec(step); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("PRAGMA user_version = " + strconv.Itoa(max(have, len(steps)))); err != nil {
		return err
	}
	return tx.Commit()
}

// check runs one of SQLite's own integrity checks.
func check(ctx context.Context, db *sql.DB, pragma string) error {
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA "+pragma+"(1)").Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s", errCorrupt, said)
	}
	return nil
}

// setAside renames a broken index, so that what can still be read of it is
// not lost with it, and returns its new path.
func (s *Store) setAside() (string, error) {
	path := filepath.Join(s.dir, indexName)
	aside := path + ".broken-" + s.now().Format("20060102T150405.000000Z")
	for _, suffix := range []string{"-wal", "-shm", ""} {
		err := os.Rename(path+suffix, aside+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, s.disk.root.Sync()
}
