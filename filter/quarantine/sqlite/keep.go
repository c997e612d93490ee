package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"sekisho/filter/finding"
	"sekisho/filter/quarantine"
)

const (
	// maxRecord bounds what is read back of an ID.json.
	maxRecord = 32 << 20
	// fullRecord is the size above which the findings of a record are cut to
	// keptFindings, so that maxRecord holds: no mail is refused for them.
	fullRecord   = 8 << 20
	keptFindings = 1000
	// idTries bounds how often an ID that exists is answered with another.
	idTries = 8
)

// Keep stores raw: both files and their names on the disk, then the row. A
// mail that is held already, with the same envelope and bytes, is counted
// there instead.
func (s *Store) Keep(ctx context.Context, it quarantine.Item, raw []byte) (quarantine.Item, error) {
	const doing = "keeping a mail"
	if err := s.Healthy(); err != nil {
		return it, err
	}
	it, err := s.describe(it, raw)
	if err != nil {
		return it, wrap(doing, err)
	}
	if old, ok := s.repeated(ctx, it); ok {
		return old, nil
	}
	if it, err = s.place(it, raw); err != nil {
		return it, wrap(doing, err)
	}
	kept, err := s.enlist(ctx, it)
	if errors.Is(err, errUnsure) {
		return it, wrap(doing, blamed(err)) // the files stay: the row may be there
	}
	if err != nil || kept.ID != it.ID {
		err = errors.Join(blamed(err), s.clear(it.ID))
	}
	return kept, wrap(doing, err)
}

// describe fills in what follows from the bytes and the clock.
func (s *Store) describe(it quarantine.Item, raw []byte) (quarantine.Item, error) {
	if it.ID != "" {
		if _, err := quarantine.ParseID(string(it.ID)); err != nil {
			return it, err
		}
	}
	sum := sha256.Sum256(raw)
	said := it.SHA256
	it.SHA256, it.Size = hex.EncodeToString(sum[:]), int64(len(raw))
	if said != "" && said != it.SHA256 {
		return it, fmt.Errorf("%w: the mail changed between inspection and store", quarantine.ErrDamaged)
	}
	now := s.now()
	if it.Received.IsZero() {
		it.Received = now
	}
	it.Received = fromMicro(it.Received.UnixMicro())
	it.Standing = quarantine.Standing{State: quarantine.Held, Since: now, Count: 1, LastSeen: now}
	return it, nil
}

// repeated counts a retry without writing its bytes again. It is a short cut
// only: enlist asks again inside the transaction.
func (s *Store) repeated(ctx context.Context, it quarantine.Item) (old quarantine.Item, ok bool) {
	var n int
	err := s.index.Load().read.QueryRowContext(ctx,
		`SELECT count(*) FROM item WHERE state = 'held' AND retry_key = ?`, it.RetryKey()).Scan(&n)
	if s.seen(err) != nil || n == 0 {
		return old, false
	}
	err = s.writer.change(ctx, func(t *tx) (err error) {
		old, ok, err = t.repeat(s, it)
		return err
	})
	return old, ok && err == nil
}

// repeat counts it in the held entry that it repeats, if there is one whose
// file is whole.
func (t *tx) repeat(s *Store, it quarantine.Item) (quarantine.Item, bool, error) {
	old, err := scanItem(t.row(`SELECT `+columns+` FROM item i
		WHERE state = 'held' AND retry_key = ? AND damage = '' AND id <> ? LIMIT 1`, it.RetryKey(), string(it.ID)))
	if errors.Is(err, quarantine.ErrNotFound) {
		return old, false, nil
	}
	if err != nil {
		return old, false, err
	}
	if s.lacks(old) != "" {
		return old, false, nil
	}
	old.Count += it.Count
	old.LastSeen = it.LastSeen
	return old, true, t.stand(old.ID, old.Standing)
}

// place writes both files under the ID that the caller chose, or a new one.
func (s *Store) place(it quarantine.Item, raw []byte) (quarantine.Item, error) {
	for range idTries {
		if it.ID == "" {
			id, err := quarantine.NewID(s.o.Now(), s.o.Random)
			if err != nil {
				return it, err
			}
			it.ID = id
		}
		err := s.placeAs(it, raw)
		if err == nil {
			return it, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			s.health.fail(err)
			return it, unhealthy(errors.Join(err, s.clear(it.ID)))
		}
		it.ID = ""
	}
	return it, errors.New("every id that was tried exists")
}

// placeAs makes the mail appear in msg only when its envelope is there. The
// envelope gets its name before the mail's own fsync, which on a journalling
// file system carries that name to the disk as well: msg/ID without
// msg/ID.json does not come from a crash, and costs no fsync of its own.
func (s *Store) placeAs(it quarantine.Item, raw []byte) error {
	rec, err := encodeBounded(it)
	if err != nil {
		return err
	}
	name, beside := string(it.ID), string(it.ID)+".json"
	steps := []func() error{
		func() error { return s.disk.write(s.disk.tmp, beside, rec) },
		func() error { return s.disk.place(beside, false) },
		func() error { return s.disk.write(s.disk.tmp, name, raw) },
		func() error { return s.disk.place(name, false) },
		s.disk.syncMsg,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func encodeBounded(it quarantine.Item) ([]byte, error) {
	rec, err := encode(it)
	if err != nil || len(rec) <= fullRecord || len(it.Findings) <= keptFindings {
		return rec, err
	}
	cut := strconv.Itoa(len(it.Findings) - keptFindings)
	it.Findings = append(it.Findings[:keptFindings:keptFindings],
		finding.New(finding.LimitReached, "", "what", "quarantine-record", "findings-cut", cut))
	return encode(it)
}

// enlist writes the row, or counts the mail in the entry that it repeats; the
// item it returns then has that entry's ID.
func (s *Store) enlist(ctx context.Context, it quarantine.Item) (kept quarantine.Item, err error) {
	err = s.writer.change(ctx, func(t *tx) error {
		kept, err = t.enlist(s, it)
		return err
	})
	return kept, err
}

func (t *tx) enlist(s *Store, it quarantine.Item) (quarantine.Item, error) {
	if it.State == quarantine.Held {
		if old, ok, err := t.repeat(s, it); ok || err != nil {
			return old, err
		}
	}
	isNew, err := t.insert(it)
	if err != nil || isNew {
		return it, err
	}
	old, err := t.item(it.ID)
	if err == nil && (old.SHA256 != it.SHA256 || old.State == quarantine.Deleted) {
		err = errors.New("the id " + string(it.ID) + " was used before")
	}
	return old, err
}

// clear takes away the files of a mail that is not listed: the mail first, so
// that what a crash leaves over is never a mail without its envelope.
func (s *Store) clear(id quarantine.ID) error {
	return errors.Join(
		s.disk.remove(s.disk.tmp, string(id)),
		s.disk.remove(s.disk.tmp, string(id)+".json"),
		s.disk.remove(s.disk.msg, string(id)),
		s.disk.remove(s.disk.msg, string(id)+".json"),
	)
}

// Open returns the mail's bytes, checked against its SHA-256.
func (s *Store) Open(ctx context.Context, id quarantine.ID) ([]byte, error) {
	it, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if it.State == quarantine.Deleted {
		return nil, wrap("reading "+string(id), quarantine.ErrGone)
	}
	raw, err := s.bytes(it)
	return raw, wrap("reading "+string(id), err)
}

func (s *Store) bytes(it quarantine.Item) ([]byte, error) {
	raw, err := s.disk.read(s.disk.msg, string(it.ID), it.Size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", quarantine.ErrDamaged, err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != it.SHA256 {
		return nil, quarantine.ErrDamaged
	}
	return raw, nil
}

// lacks says what is plainly wrong with the kept file, "" when nothing is.
func (s *Store) lacks(it quarantine.Item) string {
	size, err := s.disk.size(s.disk.msg, string(it.ID))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the file is missing"
	case err != nil:
		return err.Error()
	case size != it.Size:
		return fmt.Sprintf("the file has %d bytes, not %d", size, it.Size)
	}
	return ""
}
