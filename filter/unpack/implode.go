package unpack

import (
	"bytes"
	"io"
)

// Bits of the general purpose flag for method 6.
const (
	flagWide     = 1 << 1 // window of 8 KiB, else 4 KiB
	flagLiterals = 1 << 2 // a tree for literals, and matches of 3 and more
)

// implode decodes method 6 of APPNOTE (5.3): LZ77 with Shannon-Fano trees,
// which are canonical codes with every bit turned over.
type implode struct {
	bits           bitReader
	out            window
	lit, len, dist huffman
	low            uint // bits of a distance that stand as they are
	trees          int  // 2 or 3
}

func openImplode(_ *zipReader, in *bytes.Reader, c zipClaim) (io.Reader, error) {
	f := &implode{bits: bitReader{in: in}, out: window{past: 8 << 10}, low: 6, trees: 2}
	if c.flags&flagWide != 0 {
		f.low = 7
	}
	if c.flags&flagLiterals != 0 {
		f.trees = 3
		if err := f.tree(&f.lit, 256); err != nil {
			return nil, err
		}
	}
	// A match may reach before the start, where the window holds zeros.
	f.out.buf = make([]byte, f.out.past)
	f.out.read = f.out.past
	if err := f.tree(&f.len, 64); err != nil {
		return nil, err
	}
	return io.LimitReader(f, int64(c.size)), f.tree(&f.dist, 64)
}

// tree reads the lengths of n codes: runs of (length, times), both less one,
// in one byte.
func (f *implode) tree(h *huffman, n int) error {
	lengths := make([]uint8, 0, n)
	for range f.bits.take(8) + 1 {
		run := f.bits.take(8)
		for range run>>4 + 1 {
			lengths = append(lengths, uint8(run&15)+1)
		}
	}
	if len(lengths) != n {
		return errCode
	}
	h.inverted = true
	return h.build(lengths)
}

func (f *implode) Read(p []byte) (int, error) {
	var err error
	for err == nil && !f.out.ready() {
		if err = f.step(); err == nil && f.bits.over() {
			err = io.EOF
		}
	}
	if n := f.out.take(p); n > 0 {
		return n, nil
	}
	return 0, err
}

func (f *implode) step() error {
	if f.bits.take(1) == 1 {
		return f.literal()
	}
	low := int(f.bits.take(f.low))
	high, err := f.dist.next(&f.bits)
	if err != nil {
		return err
	}
	n, err := f.len.next(&f.bits)
	if err != nil {
		return err
	}
	if n == 63 {
		n += int(f.bits.take(8))
	}
	return f.out.copy(high<<f.low+low+1, n+f.trees)
}

func (f *implode) literal() error {
	if f.trees == 2 {
		f.out.put(byte(f.bits.take(8)))
		return nil
	}
	c, err := f.lit.next(&f.bits)
	f.out.put(byte(c))
	return err
}
