package unpack

import (
	"bytes"
	"errors"
)

var (
	errCode     = errors.New("code lengths form no tree")
	errSymbol   = errors.New("no such symbol")
	errDistance = errors.New("distance before the start")
	errBlock    = errors.New("no such block")
)

// bitReader reads bits from the least significant end, as deflate does. Past
// the end it gives zeros and remembers; callers ask over after a step.
type bitReader struct {
	in   *bytes.Reader
	bits uint64
	n    uint // bits held
	lack uint // bits given beyond the end
}

func (b *bitReader) need(n uint) {
	for b.n < n {
		c, err := b.in.ReadByte()
		if err != nil {
			b.lack, b.n = b.lack+8, b.n+8
			continue
		}
		b.bits |= uint64(c) << b.n
		b.n += 8
	}
}

func (b *bitReader) take(n uint) uint32 {
	b.need(n)
	v := uint32(b.bits & (1<<n - 1))
	b.drop(n)
	return v
}

func (b *bitReader) drop(n uint) {
	b.bits >>= n
	b.n -= n
}

// over says that bits beyond the end were used.
func (b *bitReader) over() bool { return b.lack > b.n }

// align drops the rest of the current byte.
func (b *bitReader) align() { b.drop(b.n % 8) }

// giveBack returns whole bytes that were not used.
func (b *bitReader) giveBack() {
	b.align()
	for ; b.n >= b.lack+8; b.n -= 8 {
		_ = b.in.UnreadByte() // bytes.Reader takes back any that it gave
	}
	b.bits, b.n, b.lack = 0, 0, 0
}

// maxCode is the longest code of deflate and its kin.
const maxCode = 16

// quickBits is how long a code may be to be found in one step.
const quickBits = 9

// huffman is a canonical code, read bit by bit from its first bit on.
type huffman struct {
	quick  [1 << quickBits]uint16 // symbol<<4 | length, 0 for longer codes
	count  [maxCode + 1]int
	symbol []uint16 // by length, then by value
	// inverted says that the code is written with every bit turned over.
	inverted bool
}

// build makes the code of the given lengths. A code with one symbol, or none,
// may be incomplete: deflate writes those for distances.
func (h *huffman) build(lengths []uint8) error {
	h.count = [maxCode + 1]int{}
	for _, n := range lengths {
		h.count[n]++
	}
	left, used := 1, len(lengths)-h.count[0]
	for n := 1; n <= maxCode; n++ {
		if left = left<<1 - h.count[n]; left < 0 {
			return errCode
		}
	}
	if left > 0 && used > 1 {
		return errCode
	}
	h.count[0] = 0
	h.place(lengths, used)
	return nil
}

func (h *huffman) place(lengths []uint8, used int) {
	var at, code [maxCode + 2]int
	for n := 1; n <= maxCode; n++ {
		at[n+1] = at[n] + h.count[n]
		code[n+1] = (code[n] + h.count[n]) << 1
	}
	h.quick = [1 << quickBits]uint16{}
	h.symbol = make([]uint16, used)
	for s, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbol[at[n]] = uint16(s)
		at[n]++
		if n <= quickBits {
			for i := reverse(code[n], n); i < 1<<quickBits; i += 1 << n {
				h.quick[i] = uint16(s)<<4 | uint16(n)
			}
		}
		code[n]++
	}
}

// reverse turns the first n bits of code around.
func reverse(code int, n uint8) int {
	out := 0
	for range n {
		out, code = out<<1|code&1, code>>1
	}
	return out
}

// next reads one symbol.
func (h *huffman) next(b *bitReader) (int, error) {
	b.need(maxCode)
	bits := b.bits
	if h.inverted {
		bits = ^bits
	}
	if q := h.quick[bits&(1<<quickBits-1)]; q != 0 {
		b.drop(uint(q & 15))
		return int(q >> 4), nil
	}
	code, first, index := 0, 0, 0
	for n := 1; n <= maxCode; n++ {
		code |= int(bits>>(n-1)) & 1
		if i := code - first; i < h.count[n] {
			b.drop(uint(n))
			return int(h.symbol[index+i]), nil
		}
		index += h.count[n]
		first = (first + h.count[n]) << 1
		code <<= 1
	}
	return 0, errSymbol
}

// window is the output of an LZ77 decoder: what a reader has not yet taken and
// the past that matches reach into.
type window struct {
	buf  []byte
	read int
	past int // how far back a match may reach
}

// ready says that enough waits to be read.
func (w *window) ready() bool { return len(w.buf)-w.read >= 32<<10 }

func (w *window) put(c byte) { w.buf = append(w.buf, c) }

// copy repeats n bytes from distance bytes back.
func (w *window) copy(distance, n int) error {
	if distance > len(w.buf) || distance > w.past {
		return errDistance
	}
	for range n {
		w.buf = append(w.buf, w.buf[len(w.buf)-distance])
	}
	return nil
}

// take moves out what is there and forgets what no match can reach.
func (w *window) take(p []byte) int {
	n := copy(p, w.buf[w.read:])
	w.read += n
	if w.read == len(w.buf) && w.read > 4*w.past {
		w.buf = append(w.buf[:0], w.buf[w.read-w.past:]...)
		w.read = len(w.buf)
	}
	return n
}
