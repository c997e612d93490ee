package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"sekisho/filter/sandbox/frame"
)

// ProgramName is the worker's file name.
const ProgramName = "sekisho-worker"

// folders are where a worker is looked for: beside the running program, then
// in libexec next to that program's own folder, then in the system's.
func folders() []string {
	var dirs []string
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		dirs = append(dirs, dir, filepath.Join(dir, "..", "libexec", "sekisho"))
	}
	return append(dirs, "/usr/libexec/sekisho", "/usr/local/libexec/sekisho")
}

// Find returns the path of the worker program: configured, or where it is
// installed.
func Find(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	for _, dir := range folders() {
		path := filepath.Join(dir, ProgramName)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("no %s beside this program or in libexec", ProgramName)
}

// program is the worker's binary, held open: an upgrade of the package while
// the daemon runs must not mix two versions.
type program struct {
	name string
	argv []string
	fd   int
}

// fdFloor keeps the program's descriptor above those that a worker is born
// with.
const fdFloor = 64

func openProgram(path string) (*program, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if err := trusted(fd, path); err != nil {
		return nil, err
	}
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, fdFloor)
	if err != nil {
		return nil, fmt.Errorf("holding %s: %w", path, err)
	}
	return &program{name: path, argv: []string{ProgramName}, fd: high}, nil
}

// trusted refuses a program that others could have written.
func trusted(fd int, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0:
		return fmt.Errorf("%s is not a program", path)
	case st.Mode&0o002 != 0:
		return fmt.Errorf("%s: mode %04o lets everyone write it", path, st.Mode&0o7777)
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, neither root nor the running user", path, st.Uid)
	}
	return nil
}

// path is what the new process executes.
func (p *program) path() string { return fmt.Sprintf("/proc/self/fd/%d", p.fd) }

func (p *program) close() { _ = unix.Close(p.fd) }

// ErrUnlocked is a worker that could not lock itself up.
var ErrUnlocked = errors.New("the worker is not locked up")

// vet says in what a worker is less locked than wanted. Landlock may be
// missing: the filters deny all that it would.
func vet(h frame.Hello) error {
	var lacks []error
	lack := func(wrong bool, what string, args ...any) {
		if wrong {
			lacks = append(lacks, fmt.Errorf(what, args...))
		}
	}
	own := buildVersion()
	lack(h.Version != frame.Version || own != "" && h.Build != "" && h.Build != own,
		"worker of another build: protocol %d and build %q, wanted %d and %q", h.Version, h.Build, frame.Version, own)
	lack(h.Error != "", "%s", h.Error)
	lack(h.Seccomp != 2, "seccomp mode %d", h.Seccomp)
	lack(h.Filters == 0, "no seccomp filter")
	lack(!h.NoNewPrivs, "no_new_privs is not set")
	lack(!h.OpenDenied, "a file could be opened")
	lack(h.Dumpable, "it can be dumped and traced")
	lack(h.DataLimit == 0 || h.DataLimit > 1<<30, "memory limit %d", h.DataLimit)
	lack(h.FileLimit != 0 || h.CoreLimit != 0, "it may write files")
	lack(h.OpenLimit > fdFloor, "it may hold %d descriptors", h.OpenLimit)
	if len(lacks) == 0 {
		return nil
	}
	return errors.Join(append([]error{ErrUnlocked}, lacks...)...)
}

// buildVersion is the version of this binary as its worker would name its own,
// "" where there is none to compare.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}
