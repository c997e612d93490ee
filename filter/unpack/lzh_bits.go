package unpack

import (
	"encoding/binary"
	"errors"
)

// The two ways in which a packed stream can fail.
var (
	errLZHShort   = errors.New("packed data end too early")
	errLZHCorrupt = errors.New("packed data make no sense")
)

// lzhBits reads a stream of bits, the high bit of each byte first. Past the
// end it gives zeros and remembers how many.
type lzhBits struct {
	in  []byte
	pos int
	acc uint64 // the next bits, from the high end down
	n   uint   // how many bits of acc count
	pad uint   // zero bits that were added past the end of in
}

// fill brings n to 56 or more.
func (r *lzhBits) fill() {
	if r.pos+8 > len(r.in) {
		r.fillLast()
		return
	}
	r.acc |= binary.BigEndian.Uint64(r.in[r.pos:]) >> r.n
	whole := (63 - r.n) >> 3
	r.pos += int(whole)
	r.n += whole << 3
}

func (r *lzhBits) fillLast() {
	for ; r.n <= 56; r.n += 8 {
		if r.pos < len(r.in) {
			r.acc |= uint64(r.in[r.pos]) << (56 - r.n)
			r.pos++
			continue
		}
		r.pad += 8
	}
}

// drop takes k bits that are known to be there.
func (r *lzhBits) drop(k uint) {
	r.acc <<= k
	r.n -= k
}

// get reads k bits as a number; k is 32 at most.
func (r *lzhBits) get(k uint) int {
	if r.n < k {
		r.fill()
	}
	v := int(r.acc >> (64 - k))
	r.drop(k)
	return v
}

// short says that bits past the end were taken.
func (r *lzhBits) short() bool { return r.pad > r.n }

// left is the number of whole bytes not yet used.
func (r *lzhBits) left() int {
	if r.short() {
		return 0
	}
	return len(r.in) - r.pos + int(r.n-r.pad)/8
}
