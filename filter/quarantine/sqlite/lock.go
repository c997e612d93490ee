package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/filter/quarantine"
)

const (
	lockName = "lock"
	// lockPatience is how long to wait for a command that puts the store in
	// order after a crash.
	lockPatience = time.Minute
	// lockGlance covers the moment between taking the lock and writing into
	// it who took it.
	lockGlance = time.Second
	lockPause  = 20 * time.Millisecond
)

// takeLock takes the store's lock. A daemon keeps it; a command takes it only
// to put the store in order and gets nil when a daemon holds it.
func takeLock(d *disk, serve bool) (*os.File, error) {
	f, err := openLock(d)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, sign(f, serve)
		}
		holder := readLock(f)
		waited := time.Since(start)
		switch {
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return nil, errors.Join(&quarantine.Error{Doing: "locking " + f.Name(), Err: err}, f.Close())
		case strings.HasPrefix(holder, "serve") && !serve:
			return nil, f.Close()
		case strings.HasPrefix(holder, "serve") && waited > lockGlance, waited > lockPatience:
			return nil, errors.Join(inUse(d.dir, holder), f.Close())
		}
		time.Sleep(lockPause)
	}
}

func inUse(dir, holder string) error {
	_, pid, _ := strings.Cut(holder, " ")
	return &quarantine.Error{
		Doing: "opening " + dir,
		Err:   fmt.Errorf("%w (process %s)", quarantine.ErrInUse, strings.TrimSpace(pid)),
		Hint:  "stop the other one, or give this one a quarantine folder of its own",
	}
}

func openLock(d *disk) (*os.File, error) {
	f, err := d.create(d.root, lockName)
	if err == nil {
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, &quarantine.Error{Doing: "making the lock", Err: err}
	}
	path := filepath.Join(d.dir, lockName)
	fd, err := unix.Openat(int(d.root.Fd()), lockName, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &quarantine.Error{Doing: "opening " + path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// sign writes who holds the lock into it.
func sign(f *os.File, serve bool) error {
	who := "recover"
	if serve {
		who = "serve"
	}
	err := f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s %d\n", who, os.Getpid())
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.EDQUOT) {
		return nil // the lock itself holds; a full store must still open
	}
	if err != nil {
		return errors.Join(&quarantine.Error{Doing: "locking " + f.Name(), Err: err}, f.Close())
	}
	return nil
}

func readLock(f *os.File) string {
	b := make([]byte, 64)
	n, _ := f.ReadAt(b, 0) // a short file is the rule
	return string(b[:n])
}

// dropLock lets the lock go; nil is no lock.
func dropLock(f *os.File) error {
	if f == nil {
		return nil
	}
	_ = f.Truncate(0) // only what is shown to the next one
	return f.Close()
}
