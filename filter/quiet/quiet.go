// Package quiet reads and writes sockets without waking the runtime's monitor.
//
// Each system call that might block wakes a thread of Go's runtime (sysmon)
// that then looks round every 20 µs for a millisecond, and longer while there
// is work. A program that answers a thousand short messages a second spends a
// fifth of its time on that. What is read and written here never blocks in the
// kernel: waiting is the poller's work, as in package net, whose deadlines
// hold. A connection that has no descriptor is served by its own methods.
//
// It knows nothing of messages or packets.
package quiet

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Conn reads and writes one socket. One goroutine may read while another
// writes.
type Conn struct {
	raw     syscall.RawConn
	plain   io.ReadWriter // in use where there is no descriptor
	in, out side
	// read and write are the methods of in and out as values, made once: made
	// for each call they would be garbage.
	read, write func(uintptr) bool
}

// Wake wakes the monitor for work that may take long: without it nobody takes
// the processor away from a goroutine that neither waits nor allocates.
func Wake() { _, _ = unix.Write(2, nil) } // writes nothing, but might block

// New returns a Conn for the socket of conn, which stays the caller's to close.
func New(conn net.Conn) *Conn {
	c := &Conn{plain: conn}
	if s, ok := conn.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			c.Use(raw)
		}
	}
	return c
}

// Of returns a Conn for a descriptor that is in the runtime's poller.
func Of(raw syscall.RawConn) *Conn {
	c := &Conn{}
	c.Use(raw)
	return c
}

// Use makes c move bytes through raw.
func (c *Conn) Use(raw syscall.RawConn) {
	c.raw = raw
	c.in.call, c.out.call = unix.SYS_READ, unix.SYS_WRITE
	c.read, c.write = c.in.try, c.out.try
}

// Lender lends room for what is read, from the moment when something is there:
// a connection that waits holds none.
type Lender interface {
	Lend() []byte
	// TakeBack ends a loan into which nothing was read.
	TakeBack()
}

// ReadLent reads into what l lends.
func (c *Conn) ReadLent(l Lender) (int, error) {
	if c.raw == nil {
		n, err := c.plain.Read(l.Lend())
		if n == 0 {
			l.TakeBack()
		}
		return n, err
	}
	c.in.lender = l
	n, err := c.receive()
	c.in.lender = nil
	if n == 0 && c.in.p != nil {
		l.TakeBack()
	}
	c.in.p = nil
	return n, err
}

// Read reads into p.
func (c *Conn) Read(p []byte) (int, error) {
	if c.raw == nil {
		return c.plain.Read(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	c.in.p = p
	n, err := c.receive()
	c.in.p = nil
	return n, err
}

func (c *Conn) receive() (int, error) {
	c.in.n, c.in.errno = 0, 0
	if err := c.raw.Read(c.read); err != nil {
		return 0, err
	}
	if c.in.errno != 0 {
		return 0, os.NewSyscallError("read", c.in.errno)
	}
	if c.in.n == 0 {
		return 0, io.EOF
	}
	return c.in.n, nil
}

// Write writes all of p.
func (c *Conn) Write(p []byte) (int, error) {
	if c.raw == nil {
		return c.plain.Write(p)
	}
	defer func() { c.out.p = nil }()
	sent := 0
	for sent < len(p) {
		c.out.p, c.out.n, c.out.errno = p[sent:], 0, 0
		if err := c.raw.Write(c.write); err != nil {
			return sent, err
		}
		if c.out.errno != 0 {
			return sent, os.NewSyscallError("write", c.out.errno)
		}
		sent += c.out.n
	}
	return sent, nil
}

// side is one direction: a call and what it moves.
type side struct {
	call   uintptr
	lender Lender
	p      []byte
	n      int
	errno  unix.Errno
}

// try makes the call; false asks the poller to wait.
func (s *side) try(fd uintptr) bool {
	if s.lender != nil {
		s.p = s.lender.Lend()
	}
	n, errno := uintptr(0), unix.EINTR
	for errno == unix.EINTR {
		n, _, errno = unix.RawSyscall(s.call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(s.p))), uintptr(len(s.p)))
	}
	if errno == unix.EAGAIN {
		if s.lender != nil {
			s.lender.TakeBack()
			s.p = nil
		}
		return false
	}
	s.errno = errno
	if errno == 0 {
		s.n = int(n)
	}
	return true
}
