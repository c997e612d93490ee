package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"sekisho/filter/quarantine"
)

// errCorrupt is what SQLite says of a damaged index.
var errCorrupt = errors.New("the index is damaged")

// wrap adds what was being done, once.
func wrap(doing string, err error) error {
	var known *quarantine.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	err = translate(err)
	return &quarantine.Error{Doing: doing, Err: err, Hint: hint(err)}
}

// translate turns SQLite's codes into what callers decide by.
func translate(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the upper bits only refine
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", quarantine.ErrBusy, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return err
}

// blamed marks a fault of the disk or of the index, so that the gate can tell
// it from a lock, a deadline or a fault of the mail, which pass by themselves.
func blamed(err error) error {
	if errors.Is(err, errUnsure) || errors.Is(err, errCorrupt) {
		return unhealthy(err)
	}
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return unhealthy(err)
	}
	return err
}

func unhealthy(err error) error {
	if err == nil || errors.Is(err, quarantine.ErrUnhealthy) {
		return err
	}
	return fmt.Errorf("%w: %w", quarantine.ErrUnhealthy, err)
}

func hint(err error) string {
	switch {
	case errors.Is(err, quarantine.ErrBusy):
		return "try again in a moment: a backup or another sekisho holds it"
	case errors.Is(err, errCorrupt):
		return "start sekisho serve again: it makes the index anew from the kept files"
	case errors.Is(err, quarantine.ErrNotFound):
		return "see sekisho quarantine list"
	case errors.Is(err, quarantine.ErrReason):
		return "say why with --reason"
	case errors.Is(err, quarantine.ErrUnclear):
		return "look into Postfix's log; if the mail did not arrive, release it with --again"
	case errors.Is(err, quarantine.ErrDamaged):
		return "run sekisho quarantine verify, and take the file from a backup"
	}
	return ""
}
