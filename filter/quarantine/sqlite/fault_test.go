package sqlite

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/storetest"
)

// TestEveryFailingOperation makes the n-th file operation of a Keep fail, for
// every n: the mail must be refused, and nothing of it may be listed, now or
// after a restart, unless a whole copy of it stands.
func TestEveryFailingOperation(t *testing.T) {
	for n := int64(1); ; n++ {
		dir := t.TempDir() + "/q"
		st := open(t, dir, Options{Serve: true})
		var count atomic.Int64
		var failed string
		st.disk.trip = func(op string) error {
			if count.Add(1) == n {
				failed = op
				return syscall.EIO
			}
			return nil
		}
		_, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1))
		if failed == "" {
			if err != nil || n < 9 {
				t.Fatalf("Keep after %d operations = %v, want more of them and nil", n, err)
			}
			return
		}
		if !errors.Is(err, syscall.EIO) || !errors.Is(err, quarantine.ErrUnhealthy) {
			t.Errorf("%s as operation %d: Keep = %v, want EIO and ErrUnhealthy", failed, n, err)
		}
		if items, err := st.List(t.Context(), quarantine.Filter{}); err != nil || len(items) > 0 {
			t.Errorf("%s as operation %d: List = %d items, %v, want none", failed, n, len(items), err)
		}
		heals(t, st)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		whole(t, open(t, dir, Options{Serve: true}))
	}
}

// heals keeps mail again, and the same one, as soon as the disk works.
func heals(t *testing.T, st *Store) {
	t.Helper()
	it, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1))
	if err != nil {
		t.Fatalf("Keep after the fault: %v", err)
	}
	if raw, err := st.Open(t.Context(), it.ID); err != nil || !bytes.Equal(raw, storetest.Mail(1)) {
		t.Errorf("Open after the fault = %d bytes, %v", len(raw), err)
	}
}

func TestUnhealthyUntilAProbeHolds(t *testing.T) {
	st := open(t, t.TempDir()+"/q", Options{Serve: true})
	var broken atomic.Bool
	var syncs atomic.Int64
	st.disk.trip = func(op string) error {
		if op == "fsync" && broken.Load() {
			syncs.Add(1)
			return syscall.ENOSPC
		}
		return nil
	}
	broken.Store(true)
	begun := time.Now()
	for range 50 {
		if _, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1)); err == nil {
			t.Fatal("Keep on a full disk = nil")
		}
	}
	err := st.Healthy()
	if !errors.Is(err, quarantine.ErrUnhealthy) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Healthy = %v, want ErrUnhealthy and its cause", err)
	}
	if n := syncs.Load(); n > 3+int64(time.Since(begun)/time.Second) {
		t.Errorf("%d attempts to write, want one and a probe a second", n)
	}
	broken.Store(false)
	start := time.Now()
	for st.Healthy() != nil && time.Since(start) < 30*time.Second {
		time.Sleep(20 * time.Millisecond)
	}
	heals(t, st)
}

func TestReserve(t *testing.T) {
	st := open(t, t.TempDir()+"/q", Options{Serve: true, Reserve: 1 << 60})
	if _, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1)); !errors.Is(err, quarantine.ErrFull) {
		t.Errorf("Keep below the reserve = %v, want ErrFull", err)
	}
	small := open(t, t.TempDir()+"/q", Options{Serve: true, Reserve: 1})
	if _, err := small.Keep(t.Context(), storetest.Item(1), storetest.Mail(1)); err != nil {
		t.Errorf("Keep above the reserve = %v", err)
	}
}

func TestFailedRemovalIsFinishedLater(t *testing.T) {
	dir := t.TempDir() + "/q"
	st := open(t, dir, Options{Serve: true})
	it, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1))
	if err != nil {
		t.Fatal(err)
	}
	st.disk.trip = func(op string) error {
		if op == "remove" {
			return syscall.EROFS
		}
		return nil
	}
	if _, err := st.Delete(t.Context(), it.ID, quarantine.Actor{Name: "a", Reason: "r"}); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Delete = %v, want EROFS", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	whole(t, open(t, dir, Options{Serve: true}))
	if left, err := filepath.Glob(dir + "/msg/*"); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v, want nothing", left, err)
	}
}

// TestUnsafeFolders: what others could change or exchange is refused, or not
// followed.
func TestUnsafeFolders(t *testing.T) {
	tests := []struct {
		name   string
		change func(dir string) error
		want   bool // refused
	}{
		{"as it was made", func(string) error { return nil }, false},
		{"folder open to the group", func(d string) error { return os.Chmod(d, 0o750) }, true},
		{"folder open to all", func(d string) error { return os.Chmod(d, 0o777) }, true},
		{"msg open to all", func(d string) error { return os.Chmod(d+"/msg", 0o777) }, true},
		{"tmp open to all", func(d string) error { return os.Chmod(d+"/tmp", 0o1777) }, true},
		{"a link in place of the folder", func(d string) error { return relink(d) }, true},
		{"a link in place of msg", func(d string) error { return relink(d + "/msg") }, true},
		{"a file in place of tmp", func(d string) error { return refile(d + "/tmp") }, true},
		{"a link in place of the lock", func(d string) error { return relink(d + "/lock") }, true},
		{"a link in place of the index", func(d string) error { return relink(d + "/index.db") }, true},
		{"a FIFO in place of the index", func(d string) error { return fifo(d + "/index.db") }, true},
		{"a second name for the index", func(d string) error { return os.Link(d+"/index.db", d+"/other") }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir() + "/q"
			if err := open(t, dir, Options{Serve: true}).Close(); err != nil {
				t.Fatal(err)
			}
			if err := tt.change(dir); err != nil {
				t.Fatal(err)
			}
			st, err := Open(dir, Options{Serve: true})
			if (err != nil) != tt.want {
				t.Errorf("Open = %v, want refused %v", err, tt.want)
			}
			if err == nil {
				st.Close()
			}
		})
	}
}

func relink(path string) error {
	if err := os.Rename(path, path+".true"); err != nil {
		return err
	}
	return os.Symlink(path+".true", path)
}

func refile(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, nil, 0o600)
}

func fifo(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return syscall.Mkfifo(path, 0o600)
}

func TestForeignOwnerIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("needs root to make a foreign folder: only the own one is tried")
		open(t, t.TempDir()+"/q", Options{Serve: true})
		return
	}
	dir := t.TempDir() + "/q"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Serve: true}); !errors.Is(err, quarantine.ErrUnsafe) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("Open to serve = %v, want ErrUnsafe", err)
	}
	st := open(t, dir, Options{}) // root may work on it, and leaves the owner his files
	if _, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1)); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if sys := info.Sys().(*syscall.Stat_t); err == nil && sys.Uid != 4711 {
			t.Errorf("%s belongs to %d, want 4711", path, sys.Uid)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestExchangedFiles: a kept file that became something else is damage.
func TestExchangedFiles(t *testing.T) {
	tests := []struct {
		name   string
		change func(path string) error
	}{
		{"a changed byte", func(p string) error { return os.WriteFile(p, bytes.ToUpper(storetest.Mail(1)), 0o600) }},
		{"cut", func(p string) error { return os.Truncate(p, 10) }},
		{"longer", func(p string) error { return os.WriteFile(p, append(storetest.Mail(1), 'x'), 0o600) }},
		{"gone", os.Remove},
		{"a link", func(p string) error { return relinkInto(p) }},
		{"a second name", func(p string) error { return os.Link(p, p+".also") }},
		{"a FIFO", fifo},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir() + "/q"
			st := open(t, dir, Options{Serve: true})
			it, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1))
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.change(dir + "/msg/" + string(it.ID)); err != nil {
				t.Fatal(err)
			}
			if _, err := st.Open(t.Context(), it.ID); !errors.Is(err, quarantine.ErrDamaged) {
				t.Errorf("Open = %v, want ErrDamaged", err)
			}
			if p, err := st.Verify(t.Context()); err != nil || len(p) == 0 || p[0].ID != it.ID {
				t.Errorf("Verify = %v, %v, want the mail named", p, err)
			}
			again, err := st.Keep(t.Context(), storetest.Item(1), storetest.Mail(1))
			if err != nil || again.ID == it.ID {
				t.Errorf("Keep of a retry = %s, %v, want a new whole copy", again.ID, err)
			}
		})
	}
}

func relinkInto(path string) error {
	if err := os.Rename(path, path+".true"); err != nil {
		return err
	}
	return os.Symlink(filepath.Base(path)+".true", path)
}
