package unpack

import (
	"bytes"
	"errors"
	"io"
)

var errLZW = errors.New("not compress")

// The format of compress(1): codes of 9 to 16 bits, least significant bit
// first, 256 clears the table in block mode.
const (
	lzwMinBits = 9
	lzwMaxBits = 16
	lzwClear   = 256
	lzwBlock   = 0x80 // in the third byte: code 256 clears
)

// lzw decodes a .Z file.
type lzw struct {
	in     []byte
	bit    int // next bit to read
	base   int // bit where the current code width began
	width  int
	limit  int // widest code
	block  bool
	prefix [1 << lzwMaxBits]uint16
	suffix [1 << lzwMaxBits]byte
	free   int // next code to define
	last   int // code before, -1 after a clear
	first  byte
	out    bytes.Buffer
	stack  []byte
}

func newLZW(b []byte) (io.Reader, error) {
	if len(b) < 3 || b[0] != 0x1f || b[1] != 0x9d {
		return nil, errLZW
	}
	limit := int(b[2] & 0x1f)
	if limit < lzwMinBits || limit > lzwMaxBits {
		return nil, errLZW
	}
	z := &lzw{in: b[3:], limit: limit, block: b[2]&lzwBlock != 0, width: lzwMinBits, last: -1}
	z.free = z.firstFree()
	for i := range 256 {
		z.suffix[i] = byte(i)
	}
	return z, nil
}

func (z *lzw) firstFree() int {
	if z.block {
		return lzwClear + 1
	}
	return lzwClear
}

func (z *lzw) Read(p []byte) (int, error) {
	var err error
	for z.out.Len() < len(p) && err == nil {
		err = z.step()
	}
	if z.out.Len() > 0 {
		return z.out.Read(p)
	}
	return 0, err
}

// step decodes one code.
func (z *lzw) step() error {
	if z.free >= 1<<z.width && z.width < z.limit {
		z.widen(z.width + 1)
	}
	code, ok := z.code()
	switch {
	case !ok:
		return io.EOF
	case code == lzwClear && z.block:
		z.widen(lzwMinBits)
		z.free, z.last = z.firstFree(), -1
		return nil
	case z.last < 0 && code > 255, code > z.free, code == z.free && z.free >= 1<<z.limit:
		return errLZW
	}
	z.emit(code)
	return nil
}

// emit writes the string of code and defines the next one.
func (z *lzw) emit(code int) {
	c := code
	z.stack = z.stack[:0]
	if code == z.free { // the one that is being defined
		z.stack = append(z.stack, z.first)
		c = z.last
	}
	for c > 255 {
		z.stack = append(z.stack, z.suffix[c])
		c = int(z.prefix[c])
	}
	z.first = byte(c)
	z.out.WriteByte(z.first)
	for i := len(z.stack) - 1; i >= 0; i-- {
		z.out.WriteByte(z.stack[i])
	}
	if z.last >= 0 && z.free < 1<<z.limit {
		z.prefix[z.free], z.suffix[z.free] = uint16(z.last), z.first
		z.free++
	}
	z.last = code
}

// widen changes the width. Codes stand in groups of eight; the rest of a
// group is skipped.
func (z *lzw) widen(width int) {
	group := z.width * 8
	if used := (z.bit - z.base) % group; used > 0 {
		z.bit += group - used
	}
	z.base, z.width = z.bit, width
}

func (z *lzw) code() (int, bool) {
	if z.bit+z.width > len(z.in)*8 {
		return 0, false
	}
	at, v := z.bit/8, 0
	for i := range 3 {
		if at+i < len(z.in) {
			v |= int(z.in[at+i]) << (8 * i)
		}
	}
	v = v >> (z.bit % 8) & (1<<z.width - 1)
	z.bit += z.width
	return v, true
}
