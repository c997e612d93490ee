package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sekisho/filter/quarantine"
)

// disk is the store's folder. Every file operation of the store goes through
// it, by descriptors of folders that were checked once, never through a link.
type disk struct {
	dir      string
	root     *os.File
	tmp, msg *os.File
	// uid and gid own what we make; -1 leaves it as it is. A root user who
	// works on the daemon's store must not leave files the daemon cannot open.
	uid, gid int
	// trip is nil; a test makes operations fail with it.
	trip func(op string) error
}

// openDisk opens the folders of a store and makes those that are missing.
func openDisk(dir string, serve bool) (*disk, error) {
	d := &disk{dir: dir, uid: -1, gid: -1}
	err := os.Mkdir(dir, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, &quarantine.Error{Doing: "making " + dir, Err: err,
			Hint: "create it for the service user: install -d -o sekisho -m 0700 " + dir}
	}
	if err := d.openFolders(serve); err != nil {
		return nil, errors.Join(err, d.close())
	}
	if made {
		if err := syncFolder(filepath.Dir(dir)); err != nil {
			return nil, errors.Join(&quarantine.Error{Doing: "making " + dir, Err: err}, d.close())
		}
	}
	return d, nil
}

func (d *disk) openFolders(serve bool) (err error) {
	if d.root, err = openFolder(d.dir, unix.AT_FDCWD, d.dir, serve); err != nil {
		return err
	}
	if err := d.adoptOwner(); err != nil {
		return err
	}
	if d.tmp, err = d.folder("tmp", serve); err != nil {
		return err
	}
	if d.msg, err = d.folder("msg", serve); err != nil {
		return err
	}
	return d.root.Sync()
}

// adoptOwner makes root create files for the owner of the store.
func (d *disk) adoptOwner() error {
	var st unix.Stat_t
	if err := unix.Fstat(int(d.root.Fd()), &st); err != nil {
		return err
	}
	if os.Geteuid() == 0 && st.Uid != 0 {
		d.uid, d.gid = int(st.Uid), int(st.Gid)
	}
	return nil
}

func (d *disk) folder(name string, serve bool) (*os.File, error) {
	at := int(d.root.Fd())
	switch err := unix.Mkdirat(at, name, 0o700); {
	case err == nil && d.uid >= 0:
		if err := unix.Fchownat(at, name, d.uid, d.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, &quarantine.Error{Doing: "making " + filepath.Join(d.dir, name), Err: err}
		}
	case err != nil && !errors.Is(err, fs.ErrExist):
		return nil, &quarantine.Error{Doing: "making " + filepath.Join(d.dir, name), Err: err}
	}
	return openFolder(filepath.Join(d.dir, name), at, name, serve)
}

// openFolder opens a folder that is ours alone.
func openFolder(path string, at int, name string, serve bool) (*os.File, error) {
	doing := "opening " + path
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return nil, &quarantine.Error{Doing: doing, Err: fmt.Errorf("%w: not a folder", quarantine.ErrUnsafe),
			Hint: "a link is not followed: name the true folder"}
	}
	if err != nil {
		return nil, &quarantine.Error{Doing: doing, Err: err,
			Hint: "run it as the service user, or as root"}
	}
	f := os.NewFile(uintptr(fd), path)
	if err := private(f, serve); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// private refuses what another user owns or may open. Root may work on the
// store of the service user, but not serve on it.
func private(f *os.File, serve bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &quarantine.Error{Doing: "opening " + f.Name(), Err: err}
	}
	me := os.Geteuid()
	if int(st.Uid) != me && (serve || me != 0) {
		return &quarantine.Error{Doing: "opening " + f.Name(),
			Err:  fmt.Errorf("%w: owned by user %d, we are user %d", quarantine.ErrUnsafe, st.Uid, me),
			Hint: fmt.Sprintf("chown -R %d %q, or run as its owner", me, f.Name())}
	}
	if st.Mode&0o077 != 0 {
		return &quarantine.Error{Doing: "opening " + f.Name(),
			Err:  fmt.Errorf("%w: mode %#o lets others in", quarantine.ErrUnsafe, st.Mode&0o777),
			Hint: fmt.Sprintf("chmod go= %q", f.Name())}
	}
	return nil
}

func (d *disk) close() error {
	var errs []error
	for _, f := range []*os.File{d.root, d.tmp, d.msg} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func (d *disk) fault(op string) error {
	if d.trip == nil {
		return nil
	}
	return d.trip(op)
}

// write makes a new file in folder and has it on the disk when it returns. A
// file that it could not finish is taken away.
func (d *disk) write(folder *os.File, name string, b []byte) error {
	f, err := d.create(folder, name)
	if err != nil {
		return err
	}
	if err := d.fill(f, b); err != nil {
		return errors.Join(err, f.Close(), d.remove(folder, name))
	}
	return f.Close()
}

func (d *disk) fill(f *os.File, b []byte) error {
	if err := d.fault("write"); err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := d.fault("fsync"); err != nil {
		return err
	}
	return f.Sync()
}

func (d *disk) create(folder *os.File, name string) (*os.File, error) {
	if err := d.fault("create"); err != nil {
		return nil, err
	}
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(folder.Fd()), name, flags, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: filepath.Join(folder.Name(), name), Err: err}
	}
	f := os.NewFile(uintptr(fd), filepath.Join(folder.Name(), name))
	if d.uid >= 0 {
		if err := f.Chown(d.uid, d.gid); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// place moves name from tmp to msg; over an older file only if replace is set.
func (d *disk) place(name string, replace bool) error {
	if err := d.fault("rename"); err != nil {
		return err
	}
	flags := uint(unix.RENAME_NOREPLACE)
	if replace {
		flags = 0
	}
	err := unix.Renameat2(int(d.tmp.Fd()), name, int(d.msg.Fd()), name, flags)
	if err != nil {
		return &fs.PathError{Op: "rename", Path: filepath.Join(d.msg.Name(), name), Err: err}
	}
	return nil
}

// syncMsg has the names in msg on the disk when it returns.
func (d *disk) syncMsg() error {
	if err := d.fault("syncdir"); err != nil {
		return err
	}
	return d.msg.Sync()
}

// remove takes name away; that it is gone already is as good.
func (d *disk) remove(folder *os.File, name string) error {
	if err := d.fault("remove"); err != nil {
		return err
	}
	err := unix.Unlinkat(int(folder.Fd()), name, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "remove", Path: filepath.Join(folder.Name(), name), Err: err}
	}
	return nil
}

// open opens a regular file that has one name only: not a link, a FIFO or a
// file that is also reachable from elsewhere.
func (d *disk) open(folder *os.File, name string) (*os.File, int64, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	path := filepath.Join(folder.Name(), name)
	fd, err := unix.Openat(int(folder.Fd()), name, flags, 0)
	if err != nil {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if err := own(st, path); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, st.Size, nil
}

// own refuses what is not a regular file with one name.
func own(st unix.Stat_t, path string) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 {
		return fmt.Errorf("%w: %s is not a file of its own", quarantine.ErrUnsafe, path)
	}
	return nil
}

// size is the size of a file that open would open.
func (d *disk) size(folder *os.File, name string) (int64, error) {
	var st unix.Stat_t
	err := unix.Fstatat(int(folder.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return 0, &fs.PathError{Op: "stat", Path: filepath.Join(folder.Name(), name), Err: err}
	}
	return st.Size, own(st, name)
}

// read returns a whole file of at most most bytes.
func (d *disk) read(folder *os.File, name string, most int64) ([]byte, error) {
	f, size, err := d.open(folder, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > most {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", f.Name(), size, most)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, err
	}
	return b, nil
}

// names lists a folder.
func (d *disk) names(folder *os.File) ([]string, error) {
	fd, err := unix.Openat(int(folder.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	again := os.NewFile(uintptr(fd), folder.Name())
	defer again.Close()
	return again.Readdirnames(-1)
}

// free is the space that is left, in bytes.
func (d *disk) free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.root.Fd()), &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
