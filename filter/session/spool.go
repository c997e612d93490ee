package session

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// contentSizes are the sizes of buffers that are kept for the next message. Most
// mail fits the first two; the last holds what may stay in memory by default.
var contentSizes = [...]int{8 << 10, 64 << 10, 256 << 10, 1<<20 + 8<<10}

var contents [len(contentSizes)]sync.Pool

// newBuffer returns an empty buffer with room for n bytes.
func newBuffer(n int) []byte {
	for i, size := range contentSizes {
		if n > size {
			continue
		}
		if b, ok := contents[i].Get().(*[]byte); ok {
			return *b
		}
		return make([]byte, 0, size)
	}
	return make([]byte, 0, n+n/2)
}

// recycle keeps a buffer for the next message.
func recycle(b []byte) {
	for i, size := range contentSizes {
		if cap(b) == size {
			b = b[:0]
			contents[i].Put(&b)
		}
	}
}

// content keeps the bytes of one message: in memory first, in an unlinked file
// when they grow or memory is short.
type content struct {
	dir    string
	over   int64         // more than this goes to the file
	memory *atomic.Int64 // held in memory by all messages
	most   int64         // that may be held by all

	mem  []byte
	held int64 // what of memory is ours
	file *os.File
	sum  hash.Hash
	size int64
	view []byte // the file's mapping
}

func newContent(s *Server) *content {
	c := &content{dir: s.cfg.SpoolDir, over: s.cfg.SpoolOver, memory: &s.memory, most: s.cfg.MaxMemory}
	c.reserve(1)
	return c
}

// reserve makes room for n more bytes in memory.
func (c *content) reserve(n int) {
	need := len(c.mem) + n
	if need <= cap(c.mem) {
		return
	}
	larger := append(newBuffer(need), c.mem...)
	recycle(c.mem)
	c.mem = larger
	c.account()
}

// account brings the common count up to what mem holds now.
func (c *content) account() {
	c.memory.Add(int64(cap(c.mem)) - c.held)
	c.held = int64(cap(c.mem))
}

// header appends to the header, which stays in memory: it is small and is
// looked at again.
func (c *content) header(parts ...[]byte) {
	for _, p := range parts {
		c.reserve(len(p))
		c.mem = append(c.mem, p...)
		c.size += int64(len(p))
	}
}

// body appends to the body.
func (c *content) body(p []byte) error {
	if c.file == nil && !c.fits(len(p)) {
		if err := c.spill(); err != nil {
			return err
		}
	}
	c.size += int64(len(p))
	if c.file != nil {
		return c.append(p)
	}
	c.reserve(len(p))
	c.mem = append(c.mem, p...)
	return nil
}

// fits tells whether n more bytes may be kept in memory.
func (c *content) fits(n int) bool {
	if c.size+int64(n) > c.over {
		return false
	}
	return len(c.mem)+n <= cap(c.mem) || c.memory.Load()+int64(n) <= c.most
}

// spill moves the message from memory to a file.
func (c *content) spill() error {
	file, err := unlinked(c.dir)
	if err != nil {
		return err
	}
	c.file, c.sum = file, sha256.New()
	err = c.append(c.mem)
	c.dropMemory()
	return err
}

func (c *content) append(p []byte) error {
	c.sum.Write(p)
	if _, err := c.file.Write(p); err != nil {
		return fmt.Errorf("spooling: %w", err)
	}
	return nil
}

// unlinked makes a file that no name leads to: it is gone with the process.
func unlinked(dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC|unix.O_EXCL, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), dir), nil
	}
	// Not every file system knows O_TMPFILE.
	file, err := os.CreateTemp(dir, ".sekisho-")
	if err != nil {
		return nil, fmt.Errorf("spooling: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, fmt.Errorf("spooling: %w", err)
	}
	return file, nil
}

// seal returns all bytes and their digest. The bytes are valid until release.
func (c *content) seal() ([]byte, string, error) {
	if c.file == nil {
		sum := sha256.Sum256(c.mem)
		return c.mem, hex.EncodeToString(sum[:]), nil
	}
	view, err := unix.Mmap(int(c.file.Fd()), 0, int(c.size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, "", fmt.Errorf("mapping the spool: %w", err)
	}
	c.view = view
	return view, hex.EncodeToString(c.sum.Sum(nil)), nil
}

// release gives everything back.
func (c *content) release() {
	c.dropMemory()
	if c.view != nil {
		_ = unix.Munmap(c.view)
		c.view = nil
	}
	if c.file != nil {
		_ = c.file.Close()
		c.file = nil
	}
}

func (c *content) dropMemory() {
	recycle(c.mem)
	c.mem = nil
	c.account()
}
