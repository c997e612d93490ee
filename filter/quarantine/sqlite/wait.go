package sqlite

import (
	"context"
	"errors"
	"time"

	"sekisho/filter/quarantine"
)

// Awaiting returns the held mails that wait for their password, oldest first.
func (s *Store) Awaiting(ctx context.Context) ([]quarantine.Item, error) {
	const doing = "listing what waits for a password"
	rows, err := s.index.Load().read.QueryContext(ctx, `SELECT `+columns+` FROM waiting w JOIN item i ON i.id = w.id
		WHERE i.state = 'held' ORDER BY i.received, i.id`)
	if err != nil {
		return nil, wrap(doing, s.seen(err))
	}
	items, err := collect(rows, scanItem)
	return items, wrap(doing, s.seen(err))
}

// Settle records what a password did to a mail that waits. The row changes with
// the audit entry; the file beside the mail follows.
func (s *Store) Settle(ctx context.Context, id quarantine.ID, how quarantine.Settlement) error {
	doing := "settling " + string(id)
	if _, err := quarantine.ParseID(string(id)); err != nil {
		return err
	}
	if err := how.Who.Check(); err != nil {
		return wrap(doing, err)
	}
	rewrites := how.Judged != nil || how.Done
	if rewrites {
		// Whoever releases or deletes it now writes the same file.
		c, err := s.claim(id)
		if err == nil && c.taken {
			err = quarantine.ErrReleasing
		}
		if err != nil {
			return wrap(doing, err)
		}
		defer func() { _ = c.drop() }() // only a lock is let go
	}
	var it quarantine.Item
	err := s.writer.change(ctx, func(t *tx) (err error) {
		it, err = t.settle(s, id, how)
		return err
	})
	if err == nil && rewrites {
		s.note(it)
	}
	return wrap(doing, err)
}

func (t *tx) settle(s *Store, id quarantine.ID, how quarantine.Settlement) (quarantine.Item, error) {
	it, err := t.item(id)
	if err == nil && it.State != quarantine.Held {
		err = quarantine.ErrAlready
	}
	if err != nil {
		return it, err
	}
	if how.Judged != nil {
		it.Rejudge(*how.Judged)
	}
	if how.Done {
		it.Awaits = time.Time{}
		_, err = t.exec(`DELETE FROM waiting WHERE id = ?`, string(id))
	}
	rec, encodeErr := encode(it)
	_, execErr := t.exec(`UPDATE item SET rule = ?, record = ? WHERE id = ?`, it.Rule, string(rec), string(id))
	if err := errors.Join(err, encodeErr, execErr); err != nil {
		return it, err
	}
	return it, t.audit(quarantine.Entry{At: s.now(), Actor: how.Who.Name, Action: quarantine.ActPassword,
		Outcome: how.Outcome, ID: id, Reason: how.Who.Reason, Detail: how.Detail})
}
