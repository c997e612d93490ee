package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sekisho/filter/quarantine"
)

// saved is what could still be read of a broken index and stands in no file:
// the audit log and the records of deleted mail.
type saved struct {
	log     []quarantine.Entry
	deleted []quarantine.Item
	// err is what ended the reading, nil when all was read.
	err error
}

// salvage reads the broken index at path, "" for none, as far as it goes.
func (s *Store) salvage(path string) saved {
	if path == "" {
		return saved{}
	}
	db, err := sql.Open("sqlite", dsn(path, s.o.BusyTimeout, "query_only(1)"))
	if err != nil {
		return saved{err: err}
	}
	log, logErr := query(db, scanEntry, selectAudit, "")
	deleted, itemErr := query(db, scanItem, `SELECT `+columns+` FROM item i WHERE state = 'deleted'`)
	return saved{log: unbroken(log), deleted: deleted, err: errors.Join(logErr, itemErr, db.Close())}
}

// query returns the rows up to the first that cannot be read.
func query[T any](db *sql.DB, scan func(scanner) (T, error), q string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(context.Background(), q, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scan)
}

// unbroken is the part of the log, from its start, whose chain holds.
func unbroken(log []quarantine.Entry) []quarantine.Entry {
	var prev quarantine.Entry
	for i, e := range log {
		if e.Follows(prev) != nil {
			return log[:i]
		}
		prev = e
	}
	return log
}

// restore writes what was saved into the new index and ends it with an entry
// of its own, so that a loss shows.
func (s *Store) restore(old saved, adopted int) error {
	return s.writer.change(context.Background(), func(t *tx) error {
		for _, e := range old.log {
			if err := t.append(e); err != nil {
				return err
			}
		}
		for _, it := range old.deleted {
			if _, err := t.insert(it); err != nil {
				return err
			}
		}
		detail := fmt.Sprintf("%d mails listed from their files; from the old index: %d audit entries, %d records of deleted mail",
			adopted, len(old.log), len(old.deleted))
		if old.err != nil {
			detail += "; the rest of it cannot be read: " + translate(old.err).Error()
		}
		return t.audit(quarantine.Entry{At: s.now(), Actor: "sekisho", Action: quarantine.ActRebuild,
			Outcome: quarantine.OutDone, Detail: detail})
	})
}
