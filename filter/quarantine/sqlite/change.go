package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/filter/escape"
	"sekisho/filter/quarantine"
)

// claim is the right to change one mail. It is a lock on the mail's own file:
// the kernel lets it go when its holder dies, so a release that broke off is
// told from one that is still running.
type claim struct {
	file *os.File
	// taken says that someone else holds it, gone that there is no file.
	taken, gone bool
}

func (s *Store) claim(id quarantine.ID) (claim, error) {
	f, _, err := s.disk.open(s.disk.msg, string(id))
	if errors.Is(err, fs.ErrNotExist) {
		return claim{gone: true}, nil
	}
	if err != nil {
		return claim{}, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return claim{taken: true}, f.Close()
	}
	if err != nil {
		return claim{}, errors.Join(err, f.Close())
	}
	return claim{file: f}, nil
}

func (c claim) drop() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// attempt changes the standing of one mail. The audit entry is written with
// the change, and also when the change is refused.
type attempt struct {
	id     quarantine.ID
	who    quarantine.Actor
	action string
	// judge looks at the mail as it stands and returns how it is to stand,
	// or why not.
	judge func(quarantine.Item) (quarantine.Standing, error)
	// outcome and detail go to the audit log when judge agrees.
	outcome, detail string
}

func (s *Store) try(ctx context.Context, a attempt) (it quarantine.Item, err error) {
	var no error
	err = s.writer.change(ctx, func(t *tx) error {
		it, no, err = t.try(a, s.now())
		return err
	})
	return it, errors.Join(err, no)
}

func (t *tx) try(a attempt, now time.Time) (it quarantine.Item, no, err error) {
	it, err = t.item(a.id)
	if err != nil && !errors.Is(err, quarantine.ErrNotFound) {
		return it, nil, err
	}
	no = err
	entry := quarantine.Entry{At: now, Actor: a.who.Name, Action: a.action, ID: a.id, Reason: a.who.Reason}
	if no == nil {
		var next quarantine.Standing
		if next, no = a.judge(it); no == nil {
			it.Standing = next
			entry.Outcome, entry.Detail = a.outcome, a.detail
			return it, nil, errors.Join(t.stand(it.ID, next), t.audit(entry))
		}
	}
	entry.Outcome, entry.Detail = quarantine.OutRefused, no.Error()
	if errors.Is(no, quarantine.ErrAlready) {
		entry.Outcome = quarantine.OutAlready
	}
	return it, no, t.audit(entry)
}

// BeginRelease makes the caller the only one who may release id.
func (s *Store) BeginRelease(ctx context.Context, id quarantine.ID, who quarantine.Actor, again bool) (quarantine.Item, error) {
	doing := "releasing " + string(id)
	c, err := s.take(id)
	if err != nil {
		return quarantine.Item{}, wrap(doing, err)
	}
	it, err := s.try(ctx, attempt{id: id, who: who, action: quarantine.ActRelease, outcome: quarantine.OutBegun,
		judge: func(it quarantine.Item) (quarantine.Standing, error) {
			if err := mayRelease(it, c, who, again); err != nil {
				return it.Standing, err
			}
			st := it.Standing
			st.State, st.Since, st.By, st.MaybeSent = quarantine.Releasing, s.now(), who.Name, false
			return st, nil
		}})
	if err != nil {
		return it, wrap(doing, errors.Join(err, c.drop()))
	}
	s.mu.Lock()
	s.claims[id] = c.file
	s.mu.Unlock()
	return it, nil
}

// take claims id after reading it strictly.
func (s *Store) take(id quarantine.ID) (claim, error) {
	if _, err := quarantine.ParseID(string(id)); err != nil {
		return claim{}, err
	}
	return s.claim(id)
}

func mayRelease(it quarantine.Item, c claim, who quarantine.Actor, again bool) error {
	switch {
	case who.Check() != nil:
		return who.Check()
	case it.State == quarantine.Deleted:
		return quarantine.ErrGone
	case it.State == quarantine.Released && !again:
		return fmt.Errorf("%w: released by %s since %s", quarantine.ErrAlready, escape.Text(it.By), clock(it.Since))
	case c.taken:
		return taken(it)
	case c.gone:
		return fmt.Errorf("%w: the file is missing", quarantine.ErrDamaged)
	case it.MaybeSent && !again:
		return fmt.Errorf("%w (%s)", quarantine.ErrUnclear, clock(it.Since))
	}
	return nil
}

func taken(it quarantine.Item) error {
	if it.State != quarantine.Releasing {
		return quarantine.ErrReleasing // claimed, and the row follows in a moment
	}
	return fmt.Errorf("%w by %s since %s", quarantine.ErrReleasing, escape.Text(it.By), clock(it.Since))
}

func clock(t time.Time) string { return t.Format(time.RFC3339) }

// Sending records that from now on the mail may have been sent.
func (s *Store) Sending(ctx context.Context, id quarantine.ID) error {
	doing := "releasing " + string(id)
	if !s.holds(id) {
		return wrap(doing, errNotOurs)
	}
	return wrap(doing, s.writer.change(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE item SET maybe_sent = 1 WHERE id = ?`, string(id))
		return err
	}))
}

// errNotOurs says that a release is ended by one who did not begin it.
var errNotOurs = errors.New("not being released by this process")

// FinishRelease records Postfix's 250. The file beside the mail learns of it
// first: were the index lost now, the mail would not be offered again.
func (s *Store) FinishRelease(ctx context.Context, id quarantine.ID, reply string) (quarantine.Item, error) {
	return s.end(ctx, id, quarantine.OutDone, reply, func(st *quarantine.Standing) {
		st.State, st.MaybeSent = quarantine.Released, false
	})
}

// FailRelease records why a mail was not sent, or with maybe, that it may
// have been.
func (s *Store) FailRelease(ctx context.Context, id quarantine.ID, reply string, maybe bool) (quarantine.Item, error) {
	if maybe {
		return s.end(ctx, id, quarantine.OutUnclear, reply, func(st *quarantine.Standing) { st.MaybeSent = true })
	}
	return s.end(ctx, id, quarantine.OutFailed, reply, func(st *quarantine.Standing) {
		st.State, st.MaybeSent = quarantine.Held, false
	})
}

// end ends a release. The claim is let go whatever comes of it: what could
// not be recorded still stands as releasing, and maybe sent.
func (s *Store) end(ctx context.Context, id quarantine.ID, outcome, reply string, change func(*quarantine.Standing)) (quarantine.Item, error) {
	doing := "releasing " + string(id)
	if !s.holds(id) {
		return quarantine.Item{}, wrap(doing, errNotOurs)
	}
	it, err := s.Get(ctx, id)
	if err == nil {
		st := it.Standing
		st.Since, st.LastReply = s.now(), reply
		change(&st)
		it.Standing = st
		if st.State == quarantine.Released || st.MaybeSent {
			s.note(it)
		}
		it, err = s.try(ctx, attempt{id: id, who: quarantine.Actor{Name: st.By}, action: quarantine.ActRelease,
			outcome: outcome, detail: reply,
			judge: func(quarantine.Item) (quarantine.Standing, error) { return st, nil }})
	}
	return it, wrap(doing, errors.Join(err, s.letGo(id)))
}

func (s *Store) holds(id quarantine.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims[id] != nil
}

func (s *Store) letGo(id quarantine.ID) error {
	s.mu.Lock()
	f := s.claims[id]
	delete(s.claims, id)
	s.mu.Unlock()
	return claim{file: f}.drop()
}

// note writes the item beside its mail anew. If it cannot, the row still says
// the truth, so the failure is remembered and the work goes on.
func (s *Store) note(it quarantine.Item) {
	rec, err := encodeBounded(it)
	beside := string(it.ID) + ".json"
	if err == nil {
		err = s.disk.remove(s.disk.tmp, beside) // of a note that a crash cut off
	}
	if err == nil {
		err = s.disk.write(s.disk.tmp, beside, rec)
	}
	if err == nil {
		err = s.disk.place(beside, true)
	}
	if err == nil {
		err = s.disk.syncMsg()
	}
	if err != nil {
		s.health.fail(err)
	}
}

// Delete removes the mail's bytes: row first, files second, so that a crash
// leaves a removal to finish and never an entry without its mail.
func (s *Store) Delete(ctx context.Context, id quarantine.ID, who quarantine.Actor) (quarantine.Item, error) {
	doing := "deleting " + string(id)
	c, err := s.take(id)
	if err != nil {
		return quarantine.Item{}, wrap(doing, err)
	}
	it, err := s.try(ctx, attempt{id: id, who: who, action: quarantine.ActDelete, outcome: quarantine.OutDone,
		judge: func(it quarantine.Item) (quarantine.Standing, error) {
			st := it.Standing
			st.State, st.Since, st.By = quarantine.Deleted, s.now(), who.Name
			return st, mayDelete(it, c, who)
		}})
	if err == nil {
		err = errors.Join(s.clear(id), s.disk.syncMsg())
		if err != nil {
			s.health.fail(err)
		}
	}
	return it, wrap(doing, errors.Join(err, c.drop()))
}

func mayDelete(it quarantine.Item, c claim, who quarantine.Actor) error {
	switch {
	case who.Check() != nil:
		return who.Check()
	case it.State == quarantine.Deleted:
		return fmt.Errorf("%w: deleted by %s since %s", quarantine.ErrAlready, escape.Text(it.By), clock(it.Since))
	case c.taken:
		return taken(it)
	}
	return nil
}
