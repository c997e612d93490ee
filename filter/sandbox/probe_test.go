package sandbox

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"

	"sekisho/filter/sandbox/frame"
)

// escape is one attempt to get out: a call by its kernel name, with arguments
// that would do something outside.
type escape struct {
	name, call string
	args       func() []uintptr
}

func fixed(args ...uintptr) func() []uintptr { return func() []uintptr { return args } }

func pathAt(path string, rest ...uintptr) func() []uintptr {
	return func() []uintptr { return append([]uintptr{atCWD, cstring(path)}, rest...) }
}

func path(path string, rest ...uintptr) func() []uintptr {
	return func() []uintptr { return append([]uintptr{cstring(path)}, rest...) }
}

var atCWD = ^uintptr(99) // AT_FDCWD, -100

var kept [][]byte

func cstring(s string) uintptr {
	b := append([]byte(s), 0)
	kept = append(kept, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

// killed are escapes that end the worker.
var killed = []escape{
	{"open a file the old way", "open", path("/etc/passwd")},
	{"open with openat2", "openat2", pathAt("/etc/passwd", cstring(strings.Repeat("\x00", 24)), 24)},
	{"open by handle", "open_by_handle_at", fixed(0, 0, 0)},
	{"create a file", "creat", path("/tmp/sekisho-escape", 0o600)},
	{"read a folder", "getdents64", fixed(0, 0, 0)},
	{"look at a file", "statx", pathAt("/etc/passwd", 0, 0xfff, 0)},
	{"read a link", "readlinkat", pathAt("/proc/self/exe", 0, 0)},
	{"remove a file", "unlinkat", pathAt("/tmp/sekisho-escape", 0)},
	{"rename a file", "renameat2", pathAt("/tmp/a", atCWD, 0, 0)},
	{"change directory", "chdir", path("/")},
	{"change root", "chroot", path("/")},
	{"mount", "mount", path("/", 0, 0, 0, 0)},
	{"make a socket", "socket", fixed(unix.AF_INET, unix.SOCK_STREAM, 0)},
	{"make a socket pair", "socketpair", fixed(unix.AF_UNIX, unix.SOCK_STREAM, 0, 0)},
	{"connect", "connect", fixed(frame.Control, 0, 0)},
	{"send a datagram", "sendto", fixed(frame.Control, 0, 0, 0, 0, 0)},
	{"pass a descriptor", "sendmsg", fixed(frame.Control, 0, 0)},
	{"take a descriptor", "recvmsg", fixed(frame.Control, 0, 0)},
	{"run a program", "execve", path("/bin/sh", 0, 0)},
	{"run a program by descriptor", "execveat", fixed(0, 0, 0, 0, 0)},
	{"fork", "fork", fixed()},
	{"fork by clone", "clone", fixed(uintptr(unix.SIGCHLD), 0, 0, 0, 0)},
	{"fork by clone with the number of mmap for flags", "clone", fixed(9, 0, 0, 0, 0)},
	{"fork by clone3", "clone3", fixed(0, 88)},
	{"kill the gate", "kill", func() []uintptr { return []uintptr{uintptr(os.Getppid()), 0} }},
	{"kill a thread of the gate", "tgkill", fixed(1, 1, 0)},
	{"kill by thread", "tkill", fixed(1, 0)},
	{"signal by pidfd", "pidfd_send_signal", fixed(0, 0, 0, 0)},
	{"trace", "ptrace", fixed(unix.PTRACE_ATTACH, 1, 0, 0)},
	{"read foreign memory", "process_vm_readv", fixed(1, 0, 0, 0, 0, 0)},
	{"write foreign memory", "process_vm_writev", fixed(1, 0, 0, 0, 0, 0)},
	{"take a foreign descriptor", "pidfd_getfd", fixed(0, 0, 0)},
	{"make a nameless file", "memfd_create", path("x", 0)},
	{"load a BPF program", "bpf", fixed(0, 0, 0)},
	{"io_uring", "io_uring_setup", fixed(1, 0)},
	{"userfaultfd", "userfaultfd", fixed(0)},
	{"performance counters", "perf_event_open", fixed(0, 0, 0, 0, 0)},
	{"keys", "keyctl", fixed(0, 0, 0, 0, 0)},
	{"map code", "mmap", fixed(0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)},
	{"turn data into code", "mprotect", fixed(0, 4096, unix.PROT_READ|unix.PROT_EXEC)},
	{"move a mapping", "mremap", fixed(0, 4096, 4096, 0)},
	{"prctl", "prctl", fixed(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)},
	{"personality", "personality", fixed(0x0400000)},
	{"a user name space", "unshare", fixed(unix.CLONE_NEWUSER)},
	{"enter a name space", "setns", fixed(0, 0)},
	{"become root", "setuid", fixed(0)},
	{"take rights", "capset", fixed(0, 0)},
	{"raise limits", "prlimit64", fixed(0, unix.RLIMIT_DATA, 0, 0)},
	{"another filter", "seccomp", fixed(1, 0, 0)},
	{"ioctl", "ioctl", fixed(0, unix.TIOCSTI, 0)},
	{"fcntl", "fcntl", fixed(frame.Control, unix.F_DUPFD, 0)},
	{"write the message at an offset", "pwrite64", fixed(frame.Memory, 0, 0, 0)},
	{"set the clock", "clock_settime", fixed(0, 0)},
	{"system information", "uname", fixed(0)},
	{"shared memory of System V", "shmget", fixed(0, 4096, 0)},
	{"x32 numbers", "x32", fixed()},
}

// refused are escapes that fail with an error.
var refused = []struct {
	name, call string
	args       func() []uintptr
	want       unix.Errno
}{
	{"open a file", "openat", pathAt("/etc/passwd", 0, 0), unix.EPERM},
	{"open a device", "openat", pathAt("/dev/null", 2, 0), unix.EPERM},
	{"read a kernel setting", "openat", pathAt("/proc/sys/kernel/random/boot_id", 0, 0), unix.EPERM},
	{"open the message for writing", "openat", pathAt("/proc/self/fd/4", 2, 0), unix.EPERM},
	{"write the message", "write", fixed(frame.Memory, 0, 0), unix.EBADF},
	{"map the message for writing", "mmap", fixed(0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, frame.Memory, 0), unix.EACCES},
}

// harmless are calls that must go on working, or the tests above prove nothing.
var harmless = []escape{
	{"map data", "mmap", fixed(0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)},
	{"own number", "getpid", fixed()},
	{"a signal of nothing to itself", "tgkill", func() []uintptr {
		return []uintptr{uintptr(os.Getpid()), uintptr(os.Getpid()), 0}
	}},
}

// probe runs in the worker: it makes the named call and tells what came back.
func probe(name string) string {
	for _, e := range append(append([]escape{}, killed...), harmless...) {
		if e.name == name {
			return try(e.call, e.args())
		}
	}
	for _, e := range refused {
		if e.name == name {
			return try(e.call, e.args())
		}
	}
	return "unknown probe"
}

func try(call string, args []uintptr) string {
	nr, ok := callNumber(call)
	if !ok {
		return "no such call"
	}
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	return fmt.Sprintf("came back %d", int(errno))
}

func callNumber(name string) (uintptr, bool) {
	info, err := arch.GetInfo("")
	if err != nil {
		return 0, false
	}
	if name == "x32" {
		return 0x40000000 | uintptr(info.SyscallNames["read"]), info.ID == arch.X86_64.ID
	}
	nr, ok := info.SyscallNames[name]
	return uintptr(nr), ok
}

// askOnce has one fresh worker try a probe.
func askOnce(t *testing.T, p *Pool, name string) (string, *failure) {
	t.Helper()
	w, err := p.take(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	rep, f := w.ask(context.Background(), mailInput("X-Do: probe "+name+"\n"), small, time.Now().Add(20*time.Second))
	if f != nil {
		p.lose(w, f)
		return "", f
	}
	p.offer(w)
	return rep.Findings[0].Evidence["said"], nil
}

// TestNoWayOut is fault test F33: whatever code runs in a worker, the kernel
// stops it.
func TestNoWayOut(t *testing.T) {
	p := newTestPool(t, Options{Workers: 2})
	tried := 0
	for _, e := range killed {
		t.Run(e.name, func(t *testing.T) {
			if _, ok := callNumber(e.call); !ok {
				t.Logf("this architecture has no %s", e.call)
				return
			}
			said, f := askOnce(t, p, e.name)
			if e.call == "x32" {
				if said != fmt.Sprintf("came back %d", int(unix.ENOSYS)) {
					t.Errorf("%s: %q, %+v, want ENOSYS", e.call, said, f)
				}
				return
			}
			if f == nil || f.cause != causeCrash || !strings.Contains(f.detail, "bad system call") {
				t.Errorf("%s: %q, %+v, want death by a bad system call", e.call, said, f)
			}
			tried++
		})
	}
	for _, e := range refused {
		t.Run(e.name, func(t *testing.T) {
			said, f := askOnce(t, p, e.name)
			if said != fmt.Sprintf("came back %d", int(e.want)) {
				t.Errorf("%s: %q, %+v, want %v", e.call, said, f, e.want)
			}
			tried++
		})
	}
	if tried < 15 {
		t.Errorf("%d escapes were tried, 15 at least are promised", tried)
	}
	for _, e := range harmless {
		t.Run(e.name, func(t *testing.T) {
			if said, f := askOnce(t, p, e.name); said != "came back 0" {
				t.Errorf("%s: %q, %+v, want success", e.call, said, f)
			}
		})
	}
}
