package sqlite

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/storetest"
)

// TestWaitingSurvives: the wait outlives a restart, a lost index, and the
// upgrade of an index that knew no waiting.
func TestWaitingSurvives(t *testing.T) {
	dir := t.TempDir() + "/q"
	reopen := func() *Store {
		t.Helper()
		s, err := Open(dir, Options{Serve: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := reopen()
	it := storetest.Item(1)
	it.Awaits = time.Date(2015, 5, 9, 10, 0, 0, 0, time.UTC)
	kept, err := s.Keep(t.Context(), it, storetest.Mail(1))
	if err != nil {
		t.Fatal(err)
	}
	waits := func(when string, s *Store) {
		t.Helper()
		items, err := s.Awaiting(t.Context())
		if err != nil || len(items) != 1 || items[0].ID != kept.ID || !items[0].Awaits.Equal(it.Awaits) {
			t.Errorf("%s: Awaiting = %+v, %v", when, items, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	waits("at first", s)
	waits("after a restart", reopen())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, indexName+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	waits("without its index", reopen())

	db, err := sql.Open("sqlite", filepath.Join(dir, indexName))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"DROP TABLE waiting", "PRAGMA user_version = 1"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = reopen()
	defer s.Close()
	if items, err := s.Awaiting(t.Context()); err != nil || len(items) != 0 {
		t.Errorf("after the upgrade: Awaiting = %+v, %v", items, err)
	}
	more := storetest.Item(2)
	more.Awaits = it.Awaits
	if _, err := s.Keep(t.Context(), more, storetest.Mail(2)); err != nil {
		t.Errorf("Keep in an upgraded index: %v", err)
	}
	if items, err := s.Awaiting(t.Context()); err != nil || len(items) != 1 {
		t.Errorf("Awaiting = %+v, %v, want the one that was kept since", items, err)
	}
	if _, err := s.Get(t.Context(), kept.ID); err != nil {
		t.Errorf("the upgrade lost a mail: %v", err)
	}
	gone := quarantine.Actor{Name: "hanako", Reason: "seen"}
	if _, err := s.Delete(t.Context(), kept.ID, gone); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), kept.ID, quarantine.Settlement{Who: gone, Done: true}); err == nil {
		t.Error("a deleted mail was settled")
	}
}
