package unpack

import (
	"bytes"
	"io"
)

// inflate64 decodes Deflate64 (method 9 of APPNOTE): RFC 1951 with a window of
// 64 KiB, two more distance codes, and a last length code that carries 16
// bits.
type inflate64 struct {
	bits        bitReader
	out         window
	lit, dist   huffman
	last, block bool // in the last block; within a Huffman block
	err         error
}

func newInflate64(in *bytes.Reader) *inflate64 {
	return &inflate64{bits: bitReader{in: in}, out: window{past: 64 << 10}}
}

func (f *inflate64) Read(p []byte) (int, error) {
	for f.err == nil && !f.out.ready() {
		f.err = f.step()
		if f.err == nil && f.bits.over() {
			f.err = io.ErrUnexpectedEOF
		}
	}
	if n := f.out.take(p); n > 0 {
		return n, nil
	}
	return 0, f.err
}

// step decodes one symbol or begins one block.
func (f *inflate64) step() error {
	switch {
	case f.block:
		return f.symbol()
	case f.last:
		f.bits.giveBack()
		return io.EOF
	}
	f.last = f.bits.take(1) == 1
	switch f.bits.take(2) {
	case 0:
		return f.stored()
	case 1:
		f.block = true
		return f.fixed()
	case 2:
		f.block = true
		return f.dynamic()
	}
	return errBlock
}

func (f *inflate64) stored() error {
	f.bits.align()
	n, check := f.bits.take(16), f.bits.take(16)
	if n != ^check&0xffff {
		return errBlock
	}
	for ; n > 0 && !f.bits.over(); n-- {
		f.out.put(byte(f.bits.take(8)))
	}
	return nil
}

func (f *inflate64) fixed() error {
	var lit [288]uint8
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	var dist [32]uint8
	for i := range dist {
		dist[i] = 5
	}
	if err := f.lit.build(lit[:]); err != nil {
		return err
	}
	return f.dist.build(dist[:])
}

// lengthOrder is the order in which code lengths stand (RFC 1951 §3.2.7).
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (f *inflate64) dynamic() error {
	lits, dists, n := int(f.bits.take(5))+257, int(f.bits.take(5))+1, int(f.bits.take(4))+4
	var lengths [19]uint8
	for _, i := range lengthOrder[:n] {
		lengths[i] = uint8(f.bits.take(3))
	}
	var code huffman
	if err := code.build(lengths[:]); err != nil {
		return err
	}
	all, err := f.lengths(&code, lits+dists)
	if err != nil {
		return err
	}
	if err := f.lit.build(all[:lits]); err != nil {
		return err
	}
	return f.dist.build(all[lits:])
}

// lengths reads n run-length coded code lengths.
func (f *inflate64) lengths(code *huffman, n int) ([]uint8, error) {
	out := make([]uint8, 0, n)
	for len(out) < n {
		s, err := code.next(&f.bits)
		if err != nil {
			return nil, err
		}
		value, times := uint8(s), 1
		switch s {
		case 16:
			if len(out) == 0 {
				return nil, errCode
			}
			value, times = out[len(out)-1], int(f.bits.take(2))+3
		case 17:
			value, times = 0, int(f.bits.take(3))+3
		case 18:
			value, times = 0, int(f.bits.take(7))+11
		}
		if len(out)+times > n {
			return nil, errCode
		}
		for range times {
			out = append(out, value)
		}
	}
	return out, nil
}

const endOfBlock = 256

func (f *inflate64) symbol() error {
	s, err := f.lit.next(&f.bits)
	switch {
	case err != nil:
		return err
	case s < endOfBlock:
		f.out.put(byte(s))
		return nil
	case s == endOfBlock:
		f.block = false
		return nil
	case s > 285:
		return errSymbol
	}
	n := f.length(s - 257)
	d, err := f.dist.next(&f.bits)
	if err != nil {
		return err
	}
	return f.out.copy(f.distance(d), n)
}

// length decodes the length that code c (0 to 28) begins.
func (f *inflate64) length(c int) int {
	switch {
	case c < 8:
		return c + 3
	case c == 28:
		return int(f.bits.take(16)) + 3
	}
	extra := uint(c)/4 - 1
	return 3 + (4+c%4)<<extra + int(f.bits.take(extra))
}

// distance decodes the distance that code c begins; codes 30 and 31 are those
// that RFC 1951 leaves unused.
func (f *inflate64) distance(c int) int {
	if c < 4 {
		return c + 1
	}
	extra := uint(c)/2 - 1
	return 1 + (2+c%2)<<extra + int(f.bits.take(extra))
}
