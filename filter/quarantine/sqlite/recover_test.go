package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/storetest"
)

var reviewer = quarantine.Actor{Name: "hanako", Reason: "r"}

// stocked is the folder of a closed store: held mails 0 to 19, number 20
// released, 21 maybe sent, 22 deleted.
func stocked(t *testing.T) (dir string, ids []quarantine.ID) {
	t.Helper()
	dir = t.TempDir() + "/q"
	st := open(t, dir, Options{Serve: true})
	for n := range 23 {
		it, err := st.Keep(t.Context(), storetest.Item(n), storetest.Mail(n))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, it.ID)
	}
	for _, n := range []int{20, 21} {
		if _, err := st.BeginRelease(t.Context(), ids[n], reviewer, false); err != nil {
			t.Fatal(err)
		}
	}
	_, err1 := st.FinishRelease(t.Context(), ids[20], "250 Ok")
	_, err2 := st.FailRelease(t.Context(), ids[21], "lost", true)
	_, err3 := st.Delete(t.Context(), ids[22], reviewer)
	if err := errors.Join(err1, err2, err3, st.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, ids
}

// TestIndexIsMadeAnew breaks the index in many ways: every mail must still be
// there, in its state, and the broken index kept.
func TestIndexIsMadeAnew(t *testing.T) {
	tests := []struct {
		name   string
		change func(index string) error
		aside  bool
	}{
		{"untouched", func(string) error { return nil }, false},
		{"missing", os.Remove, false},
		{"empty", func(p string) error { return os.Truncate(p, 0) }, false},
		{"cut in a page", func(p string) error { return os.Truncate(p, 5000) }, true},
		{"not a database", func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("no index "), 2000), 0o600) }, true},
		{"header overwritten", func(p string) error { return smear(p, 0, 100) }, true},
		{"schema overwritten", func(p string) error { return smear(p, 100, 3000) }, true},
		{"a page of rows overwritten", func(p string) error { return smear(p, 8192, 4096) }, true},
		{"shm and wal are rubbish", func(p string) error {
			return errors.Join(os.WriteFile(p+"-wal", []byte("rubbish"), 0o600), os.WriteFile(p+"-shm", []byte("rubbish"), 0o600))
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, ids := stocked(t)
			if err := tt.change(dir + "/index.db"); err != nil {
				t.Fatal(err)
			}
			allThere(t, open(t, dir, Options{Serve: true}), ids)
			aside, err := filepath.Glob(dir + "/index.db.broken-*")
			if err != nil || (len(aside) > 0) != tt.aside {
				t.Errorf("set aside %v, %v, want %v", aside, err, tt.aside)
			}
		})
	}
}

func allThere(t *testing.T, st *Store, ids []quarantine.ID) {
	t.Helper()
	for n, id := range ids[:22] {
		raw, err := st.Open(t.Context(), id)
		if err != nil || !bytes.Equal(raw, storetest.Mail(n)) {
			t.Errorf("Open(mail %d) = %d bytes, %v", n, len(raw), err)
		}
		it, err := st.Get(t.Context(), id)
		want := map[int]quarantine.State{20: quarantine.Released, 21: quarantine.Releasing}[n]
		if want == "" {
			want = quarantine.Held
		}
		if err != nil || it.State != want || it.MaybeSent != (n == 21) || it.QueueID != storetest.Item(n).QueueID {
			t.Errorf("Get(mail %d) = %+v, %v, want %s", n, it, err, want)
		}
	}
	whole(t, st)
}

func smear(path string, at, n int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i := at; i < at+n && i < len(b); i++ {
		b[i] ^= 0xa5
	}
	return os.WriteFile(path, b, 0o600)
}

// TestFlippedBytes flips bytes of the index at seeded places. Whatever SQLite
// makes of it, no mail may be lost and nothing may panic.
func TestFlippedBytes(t *testing.T) {
	dir, ids := stocked(t)
	good, err := os.ReadFile(dir + "/index.db")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(40) {
		bad := bytes.Clone(good)
		r := rand.New(rand.NewPCG(seed, 1))
		for range 1 + r.IntN(20) {
			bad[r.IntN(len(bad))] ^= byte(1 + r.IntN(255))
		}
		if err := os.WriteFile(dir+"/index.db", bad, 0o600); err != nil {
			t.Fatal(err)
		}
		st, err := Open(dir, Options{Serve: true})
		if errors.Is(err, quarantine.ErrNewerSchema) {
			continue // the flip hit the version: refused, and nothing touched
		}
		if err != nil {
			t.Errorf("seed %d: Open = %v", seed, err)
			continue
		}
		for n, id := range ids[:22] {
			raw, err := st.disk.read(st.disk.msg, string(id), 1<<20)
			if err != nil || !bytes.Equal(raw, storetest.Mail(n)) {
				t.Errorf("seed %d: mail %d = %d bytes, %v", seed, n, len(raw), err)
			}
		}
		st.Close()
	}
}

// TestIndexBreaksWhileServing: the daemon goes on with a new index.
func TestIndexBreaksWhileServing(t *testing.T) {
	dir, ids := stocked(t)
	st := open(t, dir, Options{Serve: true})
	st.health.fail(fmt.Errorf("a reader met it: %w", errCorrupt))
	it, err := st.Keep(t.Context(), storetest.Item(30), storetest.Mail(30))
	if err != nil {
		t.Fatalf("Keep: %v", err)
	}
	if raw, err := st.Open(t.Context(), it.ID); err != nil || !bytes.Equal(raw, storetest.Mail(30)) {
		t.Errorf("Open = %d bytes, %v", len(raw), err)
	}
	allThere(t, st, ids)
	log, err := st.Audit(t.Context(), "")
	if err != nil || len(log) != 6 || log[5].Action != quarantine.ActRebuild {
		t.Errorf("Audit = %v, %v, want five entries of before and the rebuild", log, err)
	}
	if it, err := st.Get(t.Context(), ids[22]); err != nil || it.State != quarantine.Deleted {
		t.Errorf("Get of a deleted mail = %s, %v, want its record", it.State, err)
	}
}

func TestTruncatedWAL(t *testing.T) {
	dir := t.TempDir() + "/q"
	lines := child(t, dir, "keep", func(n int) bool { return n >= 30 })
	wal, err := os.Stat(dir + "/index.db-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(dir+"/index.db-wal", wal.Size()/2); err != nil {
		t.Fatal(err)
	}
	st := open(t, dir, Options{Serve: true})
	for _, line := range lines {
		id := quarantine.ID(strings.Fields(line)[0])
		if it, err := st.Get(t.Context(), id); err != nil || it.State != quarantine.Held {
			t.Errorf("Get(%s) = %s, %v, want held", id, it.State, err)
		}
	}
	whole(t, st)
}

func TestNewerSchema(t *testing.T) {
	dir, _ := stocked(t)
	db, err := sql.Open("sqlite", dsn(dir+"/index.db", time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(dir + "/index.db")
	if err != nil {
		t.Fatal(err)
	}
	for _, serve := range []bool{true, false} {
		_, err := Open(dir, Options{Serve: serve})
		var qe *quarantine.Error
		if !errors.Is(err, quarantine.ErrNewerSchema) || !errors.As(err, &qe) || qe.Hint == "" {
			t.Errorf("Open = %v, want ErrNewerSchema with a hint", err)
		}
	}
	if after, err := os.ReadFile(dir + "/index.db"); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the newer store was changed (%v)", err)
	}
}

func TestRemainsOfACrash(t *testing.T) {
	now := time.Now()
	old := now.Add(-2 * time.Hour)
	dir, ids := stocked(t)
	write := func(name string, b []byte, at time.Time) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, b, 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	it := storetest.Item(50)
	it.ID, it.Size, it.Count, it.State = "20150508-0000000000", int64(len(storetest.Mail(50))), 1, quarantine.Held
	it.SHA256 = strings.Repeat("0", 64)
	rec, err := encode(it)
	if err != nil {
		t.Fatal(err)
	}
	write("tmp/20261122-0000000001", []byte("half"), old)
	write("tmp/20261122-0000000002", []byte("half"), now)
	write("msg/20150508-0000000000", storetest.Mail(50), now)
	write("msg/20150508-0000000000.json", rec, now)
	write("msg/20150508-0000000001", storetest.Mail(51), now) // its envelope is lost
	write("msg/20150508-0000000002", storetest.Mail(52), now)
	write("msg/20150508-0000000002.json", []byte(`{"id":"../../x"}`), now)
	write("msg/20150508-0000000003.json", rec, old) // its mail never came
	write("msg/"+string(ids[22]), []byte("deleted"), now)
	if err := errors.Join(os.Remove(dir+"/msg/"+string(ids[0])), os.Truncate(dir+"/msg/"+string(ids[1]), 3),
		os.Remove(dir+"/msg/"+string(ids[2])+".json")); err != nil {
		t.Fatal(err)
	}
	st := open(t, dir, Options{Serve: true})
	present := func(name string) bool { _, err := os.Lstat(filepath.Join(dir, name)); return err == nil }
	for name, want := range map[string]bool{
		"tmp/20261122-0000000001": false, "tmp/20261122-0000000002": true, "msg/20150508-0000000003.json": false,
		"msg/" + string(ids[22]): false, "msg/" + string(ids[2]) + ".json": true,
	} {
		if present(name) != want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
	for id, damage := range map[quarantine.ID]string{
		"20150508-0000000000": "", "20150508-0000000001": "the envelope is lost", "20150508-0000000002": "the envelope is lost",
		ids[0]: "the file is missing", ids[1]: "the file has 3 bytes", ids[2]: "",
	} {
		got, err := st.Get(t.Context(), id)
		if err != nil || got.State != quarantine.Held || (got.Damage == "") != (damage == "") || !strings.Contains(got.Damage, damage) {
			t.Errorf("Get(%s) = %s %q, %v, want held with damage %q", id, got.State, got.Damage, err, damage)
		}
	}
}

func TestOrphanOfARetryIsCounted(t *testing.T) {
	dir := t.TempDir() + "/q"
	st := open(t, dir, Options{Serve: true})
	first, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1))
	if err != nil {
		t.Fatal(err)
	}
	it, err := st.describe(storetest.Item(1), storetest.Mail(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.place(it, storetest.Mail(1)); err != nil { // killed before its row
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st = open(t, dir, Options{Serve: true})
	items, err := st.List(t.Context(), quarantine.Filter{})
	if err != nil || len(items) != 1 || items[0].ID != first.ID || items[0].Count != 2 {
		t.Errorf("List = %+v, %v, want the first with count 2", items, err)
	}
	if files, err := filepath.Glob(dir + "/msg/*"); err != nil || len(files) != 2 {
		t.Errorf("files %v, %v, want two", files, err)
	}
}

func TestLockedIndex(t *testing.T) {
	dir, ids := stocked(t)
	st := open(t, dir, Options{Serve: true, BusyTimeout: 100 * time.Millisecond})
	db, err := sql.Open("sqlite", dsn(dir+"/index.db", time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Keep(t.Context(), storetest.Item(40), storetest.Mail(40)); !errors.Is(err, quarantine.ErrBusy) {
		t.Errorf("Keep = %v, want ErrBusy", err)
	}
	if _, err := st.Delete(t.Context(), ids[0], reviewer); !errors.Is(err, quarantine.ErrBusy) {
		t.Errorf("Delete = %v, want ErrBusy", err)
	}
	if err := st.Healthy(); err != nil {
		t.Errorf("Healthy = %v: a lock is no illness", err)
	}
	if _, err := db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	it, err := st.Keep(t.Context(), storetest.Item(40), storetest.Mail(40))
	if err != nil || it.Count != 1 {
		t.Errorf("Keep after the lock = count %d, %v, want 1", it.Count, err)
	}
	whole(t, st)
}

func TestOneDaemonAtATime(t *testing.T) {
	dir := t.TempDir() + "/q"
	st := open(t, dir, Options{Serve: true})
	_, err := Open(dir, Options{Serve: true})
	var qe *quarantine.Error
	if !errors.Is(err, quarantine.ErrInUse) || !errors.As(err, &qe) || qe.Hint == "" || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second Open to serve = %v, want ErrInUse with its process and a hint", err)
	}
	cli := open(t, dir, Options{})
	it, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := cli.Open(t.Context(), it.ID); err != nil || !bytes.Equal(raw, storetest.Mail(1)) {
		t.Errorf("Open beside the daemon = %d bytes, %v", len(raw), err)
	}
	if _, err := cli.Delete(t.Context(), it.ID, reviewer); err != nil {
		t.Errorf("Delete beside the daemon: %v", err)
	}
	if got, err := st.Get(t.Context(), it.ID); err != nil || got.State != quarantine.Deleted {
		t.Errorf("the daemon sees %s, %v, want deleted", got.State, err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{Serve: true})
}

func TestEndedContext(t *testing.T) {
	st := open(t, t.TempDir()+"/q", Options{Serve: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := st.Keep(ctx, storetest.Item(1), storetest.Mail(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Keep = %v, want canceled", err)
	}
	if items, err := st.List(t.Context(), quarantine.Filter{}); err != nil || len(items) > 0 {
		t.Errorf("List = %d, %v, want none", len(items), err)
	}
	whole(t, st)
}

func TestStrangeFolderNames(t *testing.T) {
	for _, name := range []string{"a b", "50%", "what?x=1", "隔離", "#1", "a&b;c"} {
		st := open(t, filepath.Join(t.TempDir(), name), Options{Serve: true})
		if _, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1)); err != nil {
			t.Errorf("%q: Keep = %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(st.dir, indexName)); err != nil {
			t.Errorf("%q: the index stands elsewhere: %v", name, err)
		}
	}
}
