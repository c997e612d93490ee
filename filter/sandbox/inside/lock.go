package inside

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"sekisho/filter/sandbox/frame"
)

// dataLimit bounds what a worker may allocate. It is RLIMIT_DATA: Go reserves
// more address space than RLIMIT_AS could allow.
const dataLimit = 512 << 20

// openLimit leaves room for the six descriptors of a worker and those that the
// lock needs for a moment.
const openLimit = 16

// stackLimit ends an endless recursion long before memory does.
const stackLimit = 64 << 20

// Lock takes from this process all that reading a message does not need, and
// proves it. No hostile byte may have been seen before. The Hello says how far
// it came even when an error is returned.
func Lock() (frame.Hello, error) {
	hello := frame.Hello{Version: frame.Version, Dumpable: true}
	warm()
	status, err := unix.Open("/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return hello, fmt.Errorf("opening /proc/self/status: %w", err)
	}
	if err := limit(&hello); err != nil {
		return hello, err
	}
	if hello.Landlock, err = landlocked(); err != nil {
		return hello, err
	}
	if err := filtered(); err != nil {
		return hello, err
	}
	return hello, prove(status, &hello)
}

// warm lets the runtime make what it makes once: the poller behind timers,
// the collector's goroutines, a second thread, the local time zone.
func warm() {
	debug.SetMaxStack(stackLimit)
	fired := make(chan struct{})
	time.AfterFunc(time.Nanosecond, func() { close(fired) })
	<-fired
	_ = time.Now().Local().String() // loads the zone; its text is not wanted
	runtime.GC()
}

// limit sets the process's limits and reads them back.
func limit(hello *frame.Hello) error {
	for _, l := range []struct {
		which int
		most  uint64
		back  *uint64
	}{
		{unix.RLIMIT_DATA, dataLimit, &hello.DataLimit},
		{unix.RLIMIT_FSIZE, 0, &hello.FileLimit},
		{unix.RLIMIT_NOFILE, openLimit, &hello.OpenLimit},
		{unix.RLIMIT_CORE, 0, &hello.CoreLimit},
	} {
		if err := unix.Prlimit(0, l.which, &unix.Rlimit{Cur: l.most, Max: l.most}, nil); err != nil {
			return fmt.Errorf("setting limit %d: %w", l.which, err)
		}
		var got unix.Rlimit
		if err := unix.Prlimit(0, l.which, nil, &got); err != nil {
			return fmt.Errorf("reading limit %d: %w", l.which, err)
		}
		*l.back = got.Max
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming undumpable: %w", err)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	hello.Dumpable = dumpable != 0
	return err
}

// landlocked forbids every path, port and foreign process that this kernel's
// landlock knows of, and returns its version; 0 where there is none, which the
// library passes over in silence.
func landlocked() (int, error) {
	abi, err := llsys.LandlockGetABIVersion()
	if err != nil || abi <= 0 {
		return 0, nil // this kernel has none; whether that will do is the gate's decision
	}
	if err := landlock.V11.BestEffort().Restrict(); err != nil {
		return 0, err
	}
	if opens() == nil {
		return 0, errors.New("landlock is on, but a folder can still be opened")
	}
	return abi, nil
}

// filtered loads the filters for all threads. The library does it in two
// calls, so both must come from one thread.
func filtered() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := seccomp.SetNoNewPrivs(); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	for _, p := range policies() {
		if err := seccomp.LoadFilter(seccomp.Filter{Flag: seccomp.FilterFlagTSync, Policy: p}); err != nil {
			return err
		}
	}
	return nil
}

// prove reads back what the kernel says of this process and tries what must
// fail. A filter that could not be put on all threads is on none, and the
// library does not tell.
func prove(status int, hello *frame.Hello) error {
	buf := make([]byte, 8<<10)
	n, err := unix.Read(status, buf)
	if err != nil {
		return fmt.Errorf("reading /proc/self/status: %w", err)
	}
	hello.Seccomp = field(buf[:n], "Seccomp:")
	hello.Filters = field(buf[:n], "Seccomp_filters:")
	hello.NoNewPrivs = field(buf[:n], "NoNewPrivs:") == 1
	hello.OpenDenied = errors.Is(opens(), unix.EPERM)
	if hello.Seccomp != 2 || hello.Filters >= 0 && hello.Filters < len(policies()) || !hello.NoNewPrivs || !hello.OpenDenied {
		return errors.New("the lock did not hold")
	}
	return nil
}

// opens tries to open the root folder.
func opens() error {
	_, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return err
}

// field returns the number on the line that starts with name, -1 if there is
// none.
func field(status []byte, name string) int {
	for line := range bytes.Lines(status) {
		if rest, ok := strings.CutPrefix(string(line), name); ok {
			n, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				return -1
			}
			return n
		}
	}
	return -1
}
