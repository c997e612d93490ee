package unpack

import (
	"errors"
	"hash/adler32"
	"io"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of an lzop file (lzop 1.04): flags of its header, and its largest block.
const (
	lzopMark     = "\x89LZO\x00\r\n\x1a\n"
	lzopPlainSum = 1 << 0 // Adler-32 of what a block unpacks to
	lzopSum      = 1 << 1 // of the block itself
	lzopExtra    = 1 << 6
	lzopPlainCRC = 1 << 8
	lzopCRC      = 1 << 9
	lzopFilter   = 1 << 11

	maxLZOBlock = 64 << 20
)

var errLZO = errors.New("not LZO")

// lzopFile reads the blocks of one file.
type lzopFile struct {
	b     []byte
	flags uint32
	name  []byte
	block []byte
	err   error
}

func openLzop(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	f := &lzopFile{b: e.Body}
	f.err = f.header()
	names := streamNames(e, ".lzo", ".tzo")
	if len(f.name) > 0 {
		names = append([]entity.Name{decoded(f.name, "header", false)}, names...)
	}
	return openStream(m, names, func() (io.Reader, error) { return f, nil })
}

// take returns the next n bytes of the file, fewer where it ends: that error
// stays.
func (f *lzopFile) take(n int) []byte {
	if n > len(f.b) {
		f.err, n = io.ErrUnexpectedEOF, len(f.b)
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

// number reads a number of n bytes, the high one first.
func (f *lzopFile) number(n int) uint32 {
	v := uint32(0)
	for _, b := range f.take(n) {
		v = v<<8 | uint32(b)
	}
	return v
}

// header reads the header: its fields depend on the version that is needed.
func (f *lzopFile) header() error {
	const timed = 0x0940 // the version that writes level and both halves of the time
	f.take(len(lzopMark))
	version := f.number(2)
	f.take(2)
	if version >= timed {
		f.take(2)
	}
	method := f.number(1)
	if version >= timed {
		f.take(1)
	}
	f.flags = f.number(4)
	if f.flags&lzopFilter != 0 {
		f.take(4)
	}
	f.take(8)
	if version >= timed {
		f.take(4)
	}
	f.name = f.take(int(f.number(1)))
	f.take(4)
	if f.flags&lzopExtra != 0 {
		f.take(int(min(f.number(4), maxLZOBlock)) + 4)
	}
	if f.err == nil && (method < 1 || method > 3) {
		return errMethod
	}
	return f.err
}

func (f *lzopFile) Read(p []byte) (int, error) {
	for len(f.block) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		f.next()
	}
	n := copy(p, f.block)
	f.block = f.block[n:]
	return n, nil
}

// next unpacks the next block.
func (f *lzopFile) next() {
	size := int(f.number(4))
	if f.err == nil && size == 0 {
		f.err = io.EOF
	}
	if f.err != nil {
		return
	}
	packed := int(f.number(4))
	if size > maxLZOBlock || packed > size {
		f.err = errLZO
		return
	}
	var sums [2]uint32
	for i, flag := range []uint32{lzopPlainSum, lzopPlainCRC} {
		if f.flags&flag != 0 {
			sums[i] = f.number(4)
		}
	}
	for _, flag := range []uint32{lzopSum, lzopCRC} {
		if packed < size && f.flags&flag != 0 {
			f.take(4)
		}
	}
	f.block = f.take(packed)
	if packed < size {
		var err error
		if f.block, err = unpackLZO(f.block, size); err != nil && f.err == nil {
			f.err = err
		}
	}
	if f.err == nil && f.flags&lzopPlainSum != 0 && adler32.Checksum(f.block) != sums[0] {
		f.err = errLZO
	}
}
