package inside

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"sekisho/filter/sandbox/frame"
)

// control is the socket to the gate. It waits in the runtime's poller and
// reads and writes by raw calls: each blocking call would wake the runtime's
// monitor thread, whose ticks cost a small message more than its inspection.
type control struct{ conn syscall.RawConn }

// newControl takes the socket over. It makes the poller, so it comes before
// the lock.
func newControl() (*control, error) {
	if err := unix.SetNonblock(frame.Control, true); err != nil {
		return nil, fmt.Errorf("taking the socket to the gate: %w", err)
	}
	conn, err := os.NewFile(frame.Control, "gate").SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("taking the socket to the gate: %w", err)
	}
	return &control{conn}, nil
}

func (c *control) Read(p []byte) (int, error) {
	n, err := transfer(c.conn.Read, unix.SYS_READ, p)
	if err == nil && n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, err
}

// Write sends all of p.
func (c *control) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, err := transfer(c.conn.Write, unix.SYS_WRITE, p[sent:])
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// transfer makes one call that moves bytes of p, waiting until it can.
func transfer(wait func(func(uintptr) bool) error, call uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	var n uintptr
	var errno unix.Errno
	err := wait(func(fd uintptr) bool {
		for errno = unix.EINTR; errno == unix.EINTR; {
			n, _, errno = unix.RawSyscall(call, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		}
		return errno != unix.EAGAIN
	})
	if err != nil {
		return 0, err
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
