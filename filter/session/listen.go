package session

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Listen opens a milter socket. The address is written as in Postfix's
// smtpd_milters, "unix:/path" or "inet:host:port", or as in Sendmail's,
// "inet:port@host". Whoever reaches the socket sees mail and can make us work:
// a host beyond loopback needs allowRemote, and a UNIX socket gets mode.
func Listen(address string, allowRemote bool, mode os.FileMode) (net.Listener, error) {
	kind, rest, _ := strings.Cut(address, ":")
	switch {
	case kind == "unix" && rest != "":
		return listenUNIX(rest, mode)
	case kind == "inet" && rest != "":
		return listenInet(rest, allowRemote)
	}
	return nil, fmt.Errorf("milter socket %q: want unix:/path, inet:host:port or inet:port@host", address)
}

func listenInet(address string, allowRemote bool) (net.Listener, error) {
	if port, host, ok := strings.Cut(address, "@"); ok {
		address = net.JoinHostPort(host, port)
	}
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("milter socket %q: %w", "inet:"+address, err)
	}
	if !addr.IP.IsLoopback() && !allowRemote {
		return nil, fmt.Errorf("milter socket %q: not a loopback address, and remote clients are not allowed", "inet:"+address)
	}
	l, err := net.ListenTCP("tcp", addr)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("milter socket %q: another program listens there already", "inet:"+address)
	}
	if err != nil {
		return nil, fmt.Errorf("milter socket %q: %w", "inet:"+address, err)
	}
	return l, nil
}

// unixListener is a UNIX socket together with the lock that makes it ours.
type unixListener struct {
	*net.UnixListener
	path string
	lock *os.File
}

// listenUNIX takes the lock beside the socket first. The lock decides between
// two servers that start at once; it stays in place, since removing a lock
// file opens the race that it closes.
func listenUNIX(path string, mode os.FileMode) (net.Listener, error) {
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("milter socket %q: %w", "unix:"+path, err)
	}
	l, err := bind(path, mode)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("milter socket %q: %w", "unix:"+path, err)
	}
	return &unixListener{UnixListener: l, path: path, lock: lock}, nil
}

var errServed = errors.New("another server is using it")

func takeLock(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errServed
		}
		return nil, err
	}
	return lock, nil
}

// bind opens the socket under a name nobody knows, sets its mode, and only
// then moves it into place over a stale one: at no moment can it be reached
// with a wrong mode.
func bind(path string, mode os.FileMode) (*net.UnixListener, error) {
	if err := checkStale(path); err != nil {
		return nil, err
	}
	aside := path + ".new"
	if err := removeSocket(aside); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: aside, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(aside, mode); err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		l.Close()
		os.Remove(aside)
		return nil, err
	}
	return l, nil
}

// removeSocket removes what a start that was cut short has left.
func removeSocket(path string) error {
	if err := checkStale(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// checkStale refuses a path that is no socket, and a socket that answers: its
// server may be of a kind that knows nothing of our lock.
func checkStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("there is something that is not a socket")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return errServed
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil
	}
	return fmt.Errorf("asking whether it is in use: %w", err)
}

// Close removes the socket while the lock is still ours.
func (l *unixListener) Close() error {
	err := l.UnixListener.Close()
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return errors.Join(err, os.Remove(l.path), l.lock.Close())
}
