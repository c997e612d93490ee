package unpack

import "encoding/binary"

// xpress undoes XPRESS with Huffman codes, one chunk at a time (MS-XCA §2.2).
// Bits come in words of 16 of which at least one is always read ahead; the
// bytes of long lengths stand between the words.
type xpress struct {
	in   []byte
	bits lzhBits
	code lzhCode
	out  []byte
}

const (
	xpressHead    = 256 // two lengths of codes in a byte
	xpressSymbols = 512
	xpressMinRun  = 3
)

// unpackXPRESS unpacks a chunk of size bytes. What came before an error counts.
func unpackXPRESS(data []byte, size int) ([]byte, error) {
	if len(data) < xpressHead {
		return nil, errLZHShort
	}
	var lengths [xpressSymbols]uint8
	for i, b := range data[:xpressHead] {
		lengths[2*i], lengths[2*i+1] = b&15, b>>4
	}
	x := &xpress{in: data[xpressHead:], out: make([]byte, 0, size)}
	if !x.code.build(lengths[:]) {
		return nil, errLZHCorrupt
	}
	x.ahead()
	x.ahead()
	for len(x.out) < size {
		if err := x.step(size); err != nil {
			return x.out, err
		}
	}
	return x.out, nil
}

// ahead reads a word where less than one is ready.
func (x *xpress) ahead() {
	if x.bits.n > 16 {
		return
	}
	word := uint64(0)
	if len(x.in) >= 2 {
		word = uint64(binary.LittleEndian.Uint16(x.in))
		x.in = x.in[2:]
	} else {
		x.bits.pad += 16
	}
	x.bits.acc |= word << (48 - x.bits.n)
	x.bits.n += 16
}

// drop takes n bits and reads ahead.
func (x *xpress) drop(n uint) int {
	v := 0
	if n > 0 {
		v = int(x.bits.acc >> (64 - n))
	}
	x.bits.drop(n)
	if x.bits.n < 16 {
		x.ahead()
	}
	return v
}

// step undoes a literal or a match.
func (x *xpress) step(size int) error {
	s := x.code.next(&x.bits)
	if x.bits.n < 16 {
		x.ahead()
	}
	if s < 0 || x.bits.pad > 48 {
		return errLZHCorrupt
	}
	if s < 256 {
		x.out = append(x.out, byte(s))
		return nil
	}
	n := s & 15
	if n == 15 {
		n += x.long()
	}
	n += xpressMinRun
	width := uint(s>>4) & 15
	dist := 1<<width + x.drop(width)
	if dist > len(x.out) || n > size-len(x.out) {
		return errDistance
	}
	for from := len(x.out) - dist; n > 0; n-- {
		x.out = append(x.out, x.out[from])
		from++
	}
	return nil
}

// long reads the rest of a length: a byte, or two behind a full one.
func (x *xpress) long() int {
	if len(x.in) == 0 {
		return 0
	}
	v := int(x.in[0])
	x.in = x.in[1:]
	if v < 255 || len(x.in) < 2 {
		return v
	}
	v = int(binary.LittleEndian.Uint16(x.in)) - 15
	x.in = x.in[2:]
	return max(v, 0)
}
