package sqlite

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sekisho/filter/quarantine"
)

// Verify reads every kept byte, every envelope beside it, the whole index and
// the audit chain, and returns what is wrong.
func (s *Store) Verify(ctx context.Context) ([]quarantine.Problem, error) {
	var out []quarantine.Problem
	say := func(id quarantine.ID, err error) {
		if err != nil {
			out = append(out, quarantine.Problem{ID: id, What: err.Error()})
		}
	}
	say("", check(ctx, s.index.Load().read, "integrity_check"))
	log, err := s.Audit(ctx, "")
	if err != nil {
		return out, err
	}
	say("", quarantine.CheckChain(log))
	if err := s.verifyRows(ctx, say); err != nil {
		return out, wrap("verifying", err)
	}
	return out, wrap("verifying", s.verifyNames(say))
}

func (s *Store) verifyRows(ctx context.Context, say func(quarantine.ID, error)) error {
	rows, err := s.rows()
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		if rows[id].state == quarantine.Deleted {
			continue
		}
		it, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		if err := s.verifyItem(ctx, it, say); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *Store) verifyItem(ctx context.Context, it quarantine.Item, say func(quarantine.ID, error)) error {
	damage := ""
	if _, err := s.bytes(it); err != nil {
		say(it.ID, err)
		damage = err.Error()
	}
	beside, err := s.beside(it.ID)
	if err == nil && beside.RetryKey() != it.RetryKey() {
		err = fmt.Errorf("%s.json differs from the index", it.ID)
	}
	say(it.ID, err)
	if damage == it.Damage {
		return nil
	}
	return s.setDamage(ctx, it.ID, damage)
}

// verifyNames shows files in msg that nothing of ours put there.
func (s *Store) verifyNames(say func(quarantine.ID, error)) error {
	names, err := s.disk.names(s.disk.msg)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := quarantine.ParseID(strings.TrimSuffix(name, ".json")); err != nil {
			say("", fmt.Errorf("%w: unknown file %q in msg", quarantine.ErrUnsafe, name))
		}
	}
	return nil
}
