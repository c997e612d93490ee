package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// memory is where one worker finds its message: the gate writes, the worker
// can only read. Its size is fixed once, so that neither side can pull it away
// under the other; pages exist only where a message has been.
type memory struct {
	fd   int
	size int64
}

func newMemory(size int64) (*memory, error) {
	fd, err := unix.MemfdCreate("sekisho-message", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("making message memory: %w", err)
	}
	m := &memory{fd: fd, size: size}
	if err := m.seal(); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *memory) seal() error {
	if err := unix.Ftruncate(m.fd, m.size); err != nil {
		return fmt.Errorf("sizing message memory: %w", err)
	}
	// Readable is all that a second opening may ask for.
	if err := unix.Fchmod(m.fd, 0o400); err != nil {
		return fmt.Errorf("closing message memory to writers: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(m.fd), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("sealing message memory: %w", err)
	}
	return nil
}

// reader opens the memory once more, for reading only.
func (m *memory) reader() (int, error) {
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", m.fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening message memory for reading: %w", err)
	}
	return fd, nil
}

// put writes a message. It is written, not mapped: the gate's own memory does
// not grow by it. The calls are raw, as they never block (see package quiet),
// and of bounded length, as nothing else runs on their processor meanwhile.
func (m *memory) put(b []byte) error {
	const most = 1 << 20
	for at := 0; at < len(b); {
		piece := b[at:min(len(b), at+most)]
		n, _, errno := unix.RawSyscall6(unix.SYS_PWRITE64, uintptr(m.fd), uintptr(unsafe.Pointer(unsafe.SliceData(piece))), uintptr(len(piece)), uintptr(at), 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return fmt.Errorf("writing message memory: %w", errno)
		}
		at += int(n)
	}
	return nil
}

// forget gives back the pages of the first n bytes.
func (m *memory) forget(n int64) error {
	return unix.Fallocate(m.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, n)
}

func (m *memory) close() { _ = unix.Close(m.fd) } // nothing is lost with it
