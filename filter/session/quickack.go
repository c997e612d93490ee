package session

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quickAck returns a function that acknowledges at once what has been read; it
// does nothing on a UNIX socket.
//
// Postfix sends several small packets in a row and we answer only the last.
// Without this, its kernel holds a packet back until the one before it is
// acknowledged (Nagle), ours holds the acknowledgement back for 40 ms in the
// hope of an answer to travel with, and each message takes 40 ms longer. The
// option does not last (tcp(7)), so it is set after each read.
func quickAck(conn net.Conn) func() {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return func() {}
	}
	sock, err := tcp.SyscallConn()
	if err != nil {
		return func() {}
	}
	on := int32(1)
	set := func(fd uintptr) {
		// Raw, as it never blocks (see package quiet). Without it we are slow,
		// not wrong.
		_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0)
	}
	return func() { _ = sock.Control(set) }
}
