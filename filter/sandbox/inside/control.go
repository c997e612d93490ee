package inside

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sekisho/filter/quiet"
	"sekisho/filter/sandbox/frame"
)

// shortWait is how long the worker waits within a read before it waits in the
// runtime's poller, which takes three system calls in place of one. While mail
// flows the next message comes sooner.
const shortWait = 2_000 // µs

// newControl takes the socket to the gate over. It makes the poller, so it
// comes before the lock.
func newControl() (*quiet.Conn, error) {
	if err := unix.SetNonblock(frame.Control, true); err != nil {
		return nil, fmt.Errorf("taking the socket to the gate: %w", err)
	}
	conn, err := os.NewFile(frame.Control, "gate").SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("taking the socket to the gate: %w", err)
	}
	// In the poller now, so it may block for a while.
	err = unix.SetsockoptTimeval(frame.Control, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: shortWait})
	if err == nil {
		err = unix.SetNonblock(frame.Control, false)
	}
	if err != nil {
		return nil, fmt.Errorf("setting the wait for the gate: %w", err)
	}
	return quiet.Of(conn), nil
}
