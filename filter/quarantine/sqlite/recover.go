package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/filter/quarantine"
)

const (
	// sweepAfter is when an arrival that never ended is given up; Postfix was
	// told to try again long ago.
	sweepAfter = time.Hour
	// adoptAtOnce is how many mails are listed in one transaction.
	adoptAtOnce = 500
)

// source is where the index came from: fresh when it was just made, and then
// the path of the broken one that it replaces, "" for none.
type source struct {
	fresh bool
	aside string
}

// found is what stands on the disk under one ID.
type found struct{ mail, beside bool }

// listed is what the index says of one ID.
type listed struct {
	state  quarantine.State
	size   int64
	damage string
}

// recover makes index and files agree after a crash. The caller holds the
// store's lock. An index that turns out to be broken is made anew.
func (s *Store) recover(found source) error {
	if err := s.sweep(); err != nil {
		return wrap("sweeping", err)
	}
	err := s.agree(found)
	if errors.Is(err, errCorrupt) && !found.fresh {
		if found, err = s.anew(); err == nil {
			err = s.agree(found)
		}
	}
	return wrap("putting the store in order", err)
}

// agree compares files and rows and mends what differs.
func (s *Store) agree(found source) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	rows, err := s.rows()
	if err != nil {
		return translate(err)
	}
	adopted, err := s.adopt(files, rows)
	if err == nil {
		err = s.mend(files, rows)
	}
	if err == nil && found.fresh && (adopted > 0 || found.aside != "") {
		err = s.restore(s.salvage(found.aside), adopted)
	}
	return err
}

// sweep takes away what arrived long ago and was never placed.
func (s *Store) sweep() error {
	names, err := s.disk.names(s.disk.tmp)
	if err != nil {
		return err
	}
	for _, name := range names {
		if old, err := s.old(int(s.disk.tmp.Fd()), name); err != nil || !old {
			continue // gone, or on its way
		}
		if err := s.disk.remove(s.disk.tmp, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) old(folder int, name string) (bool, error) {
	var st unix.Stat_t
	err := unix.Fstatat(folder, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return s.o.Now().Sub(time.Unix(st.Mtim.Unix())) > sweepAfter, err
}

// files lists msg. Names that are not ours are left alone; Verify shows them.
func (s *Store) files() (map[quarantine.ID]found, error) {
	names, err := s.disk.names(s.disk.msg)
	if err != nil {
		return nil, err
	}
	out := make(map[quarantine.ID]found, len(names)/2)
	for _, name := range names {
		stem, beside := strings.CutSuffix(name, ".json")
		id, err := quarantine.ParseID(stem)
		if err != nil {
			continue
		}
		f := out[id]
		f.mail, f.beside = f.mail || !beside, f.beside || beside
		out[id] = f
	}
	return out, nil
}

func (s *Store) rows() (map[quarantine.ID]listed, error) {
	rows, err := s.index.Load().read.Query(`SELECT id, state, size, damage FROM item INDEXED BY item_sizes`)
	if err != nil {
		return nil, err
	}
	out := map[quarantine.ID]listed{}
	_, err = collect(rows, func(row scanner) (struct{}, error) {
		var id quarantine.ID
		var l listed
		err := row.Scan(&id, &l.state, &l.size, &l.damage)
		out[id] = l
		return struct{}{}, err
	})
	return out, err
}

// adopt lists the mails that have no row and says how many there were.
func (s *Store) adopt(files map[quarantine.ID]found, rows map[quarantine.ID]listed) (int, error) {
	var ids []quarantine.ID
	for id, f := range files {
		if _, ok := rows[id]; !ok && f.mail {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids) // the first arrival becomes the entry, its retries are counted
	for some := range slices.Chunk(ids, adoptAtOnce) {
		if err := s.adoptSome(some); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func (s *Store) adoptSome(ids []quarantine.ID) error {
	var again []quarantine.ID
	err := s.writer.change(context.Background(), func(t *tx) error {
		again = again[:0]
		for _, id := range ids {
			kept, err := t.enlist(s, s.orphan(id))
			if err != nil {
				return err
			}
			if kept.ID != id {
				again = append(again, id)
			}
		}
		return nil
	})
	for _, id := range again {
		err = errors.Join(err, s.clear(id))
	}
	return err
}

// orphan describes a mail without a row by the file beside it or, where that
// is lost, by what its own bytes and name say.
func (s *Store) orphan(id quarantine.ID) quarantine.Item {
	it, err := s.beside(id)
	if err == nil {
		it.Damage = s.lacks(it)
		return it
	}
	f, size, openErr := s.disk.open(s.disk.msg, string(id))
	if openErr == nil {
		openErr = f.Close()
	}
	raw, readErr := s.disk.read(s.disk.msg, string(id), size)
	it, descErr := s.describe(quarantine.Item{ID: id}, raw)
	it.Damage = "the envelope is lost: " + errors.Join(err, openErr, readErr, descErr).Error()
	return it
}

// beside reads the item that stands beside a mail. It was written by us, but
// a disk can change it, so it must speak of this mail and say what it needs.
func (s *Store) beside(id quarantine.ID) (quarantine.Item, error) {
	raw, err := s.disk.read(s.disk.msg, string(id)+".json", maxRecord)
	if err != nil {
		return quarantine.Item{}, err
	}
	return decode(id, raw)
}

func decode(id quarantine.ID, raw []byte) (quarantine.Item, error) {
	var rec record
	if err := json.Unmarshal(raw, &rec); err != nil {
		return rec.Item, err
	}
	if rec.Schema > recordSchema {
		return rec.Item, fmt.Errorf("%w: record schema %d", quarantine.ErrNewerSchema, rec.Schema)
	}
	if _, ok := quarantine.ParseState(string(rec.State)); !ok || rec.ID != id || len(rec.SHA256) != 64 || rec.Size < 0 {
		return rec.Item, fmt.Errorf("%s.json does not describe this mail", id)
	}
	return rec.Item, nil
}

// mend finishes removals and notes what is missing or cut.
func (s *Store) mend(files map[quarantine.ID]found, rows map[quarantine.ID]listed) error {
	for id, l := range rows {
		if err := s.mendRow(id, files[id], l); err != nil {
			return err
		}
	}
	for id, f := range files {
		if _, ok := rows[id]; ok || f.mail {
			continue
		}
		// The envelope of a mail that did not follow: it was never answered.
		if old, err := s.old(int(s.disk.msg.Fd()), string(id)+".json"); err == nil && old {
			if err := s.clear(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) mendRow(id quarantine.ID, f found, l listed) error {
	if l.state == quarantine.Deleted {
		if f.mail || f.beside {
			return s.clear(id)
		}
		return nil
	}
	if f.mail && !f.beside {
		s.restoreBeside(id)
	}
	damage := s.lacks(quarantine.Item{ID: id, Size: l.size})
	if damage == l.damage || damage == "" && strings.HasPrefix(l.damage, quarantine.ErrDamaged.Error()) {
		return nil // nothing new, or what only reading it all can clear
	}
	return s.setDamage(context.Background(), id, damage)
}

func (s *Store) restoreBeside(id quarantine.ID) {
	if it, err := s.Get(context.Background(), id); err == nil {
		s.note(it)
	}
}

func (s *Store) setDamage(ctx context.Context, id quarantine.ID, damage string) error {
	return s.writer.change(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE item SET damage = ? WHERE id = ?`, damage, string(id))
		return err
	})
}
