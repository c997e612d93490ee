package chaos

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the lock of another program
)

// F10: another program locks the index. Clean mail flows, mail to be kept
// hears 451 and comes again.
func TestF10IndexLocked(t *testing.T) {
	s := newStand(t)
	s.start()
	db, err := sql.Open("sqlite", filepath.Join(s.store(), "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	run := func(query string) {
		if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	run("BEGIN IMMEDIATE")
	clean := load{messages: 2, senders: 1} // 1 and 2 are to pass
	led := s.send(clean)
	s.neverDeferred(led)
	if led.slowest > patience {
		t.Errorf("clean mail took %v while the index was locked", led.slowest)
	}
	l := load{after: 2, messages: deep(12, 10), senders: 6, retry: true}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.sendTo(led, l)
	}()
	within(30*time.Second, func() bool { led.mu.Lock(); defer led.mu.Unlock(); return led.deferred > 0 })
	run("ROLLBACK")
	<-done
	if led.deferred == 0 {
		t.Error("nothing had to wait: the lock was none")
	}
	l.messages += l.after
	l.after = 0
	if f := s.account(led, l); len(f.hold) > 0 {
		t.Errorf("%d messages are on hold: a lock is no fault of the disk", len(f.hold))
	}
}

// F10: the index is damaged, cut or gone when the daemon starts, or breaks
// while it runs. Every kept mail is still listed, with its bytes.
func TestF10IndexDamaged(t *testing.T) {
	chance := rand.New(rand.NewPCG(10, 10))
	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{"it is gone", func(t *testing.T, dir string) {
			for _, name := range []string{"index.db", "index.db-wal", "index.db-shm"} {
				check(t, os.RemoveAll(filepath.Join(dir, name)))
			}
		}},
		{"its journal is gone", func(t *testing.T, dir string) { check(t, os.RemoveAll(filepath.Join(dir, "index.db-wal"))) }},
		{"its journal is cut", func(t *testing.T, dir string) {
			name := filepath.Join(dir, "index.db-wal")
			if info, err := os.Stat(name); err == nil {
				check(t, os.Truncate(name, chance.Int64N(info.Size()+1)))
			}
		}},
		{"it is empty", func(t *testing.T, dir string) { check(t, os.Truncate(filepath.Join(dir, "index.db"), 0)) }},
		{"it is something else", func(t *testing.T, dir string) {
			check(t, os.WriteFile(filepath.Join(dir, "index.db"), bytes.Repeat([]byte("mail"), 5000), 0o600))
		}},
	}
	for range deep(3, 30) {
		tests = append(tests, struct {
			name   string
			damage func(t *testing.T, dir string)
		}{"bytes are flipped", func(t *testing.T, dir string) { flip(t, chance, filepath.Join(dir, "index.db")) }})
	}
	s := newStand(t)
	s.start()
	l := load{messages: 30, senders: 4}
	led := s.send(l)
	for _, tt := range tests {
		s.daemon.kill()
		tt.damage(t, s.store())
		s.start()
		l.after, l.messages = l.after+l.messages, 6
		s.sendTo(led, l)
		t.Logf("%s:", tt.name)
		s.account(led, load{messages: l.after + l.messages})
		if t.Failed() {
			t.Fatalf("failed when %s", tt.name)
		}
	}
}

// flip changes a hundred bytes anywhere.
func flip(t *testing.T, chance *rand.Rand, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		b[chance.IntN(len(b))] ^= byte(1 + chance.IntN(255))
	}
	check(t, os.WriteFile(name, b, 0o600))
}

// F10: the index breaks under the running daemon. Nobody notices but the log.
func TestF10IndexBreaksWhileServing(t *testing.T) {
	s := newStand(t)
	s.start()
	led := s.send(load{messages: 30, senders: 4})
	overwrite(t, filepath.Join(s.store(), "index.db"), 4096, 4096)
	// A page in the journal stands behind 24 bytes, all behind 32.
	overwrite(t, filepath.Join(s.store(), "index.db-wal"), 32+24, 24+4096)
	s.sendTo(led, load{after: 30, messages: 60, senders: 4, retry: true})
	found := s.account(led, load{messages: 90})
	t.Logf("%d of the messages after the damage are on hold", len(found.hold))
}

// overwrite spoils the beginning of every page from offset on.
func overwrite(t *testing.T, name string, offset, step int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	check(t, err)
	for ; offset < info.Size(); offset += step {
		_, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 200), offset)
		check(t, err)
	}
}

// F24: what the daemon makes is its own alone.
func TestF24ModesOfWhatIsMade(t *testing.T) {
	s := newStand(t)
	socket := filepath.Join(s.dir, "milter.sock")
	s.config = []string{"listen: [inet:127.0.0.1:" + s.port + ", unix:" + socket + "]"}
	s.start()
	s.send(load{messages: 9, senders: 2})
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket has mode %v, %v; want 0660", info.Mode(), err)
	}
	files := 0
	for _, dir := range []string{s.store(), filepath.Join(s.dir, "spool")} {
		check(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			files++
			want := os.FileMode(0o600)
			if e.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %v, want %v", strings.TrimPrefix(path, s.dir), info.Mode().Perm(), want)
			}
			return nil
		}))
	}
	if files < 10 {
		t.Errorf("only %s found: nothing was kept", fmt.Sprint(files))
	}
}
