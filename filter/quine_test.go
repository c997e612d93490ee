package filter

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"
)

// quine returns head, a deflate stream and tail, in which the stream unpacks
// to all three. It follows Cox, "Zip Files All The Way Down" (2010): each
// instruction of the stream, "print the next n" (L) and "repeat the last n"
// (R), takes five bytes, so that instructions can print instructions.
func quine(t *testing.T, head, tail []byte) []byte {
	t.Helper()
	literal := func(b ...[]byte) []byte {
		all := bytes.Join(b, nil)
		n := uint16(len(all))
		out := binary.LittleEndian.AppendUint16([]byte{0}, n)
		return append(binary.LittleEndian.AppendUint16(out, ^n), all...)
	}
	empty := literal()
	lp, rp := literal(head, empty)[:5], repeat(t, len(head)+5, false)
	l1, l4, r4 := literal(empty)[:5], literal(make([]byte, 20))[:5], repeat(t, 20, false)
	rs := lastRepeat(t, len(tail))
	ls := literal(rs, tail)[:5]
	return bytes.Join([][]byte{head,
		literal(head, lp), rp, literal(rp), literal(l1), literal(rp, l1, l1, l4), r4,
		literal(r4, l4, r4, l4), r4, literal(r4, empty, empty, ls), r4, empty, empty, literal(rs, tail), rs, tail}, nil)
}

// lastRepeat repeats n bytes and itself.
func lastRepeat(t *testing.T, n int) []byte {
	t.Helper()
	for own := range 8 {
		if b := repeat(t, n+own, true); len(b) == own {
			return b
		}
	}
	t.Fatalf("no last block repeats %d bytes and itself", n)
	return nil
}

// repeat is a block with fixed codes that repeats the last n bytes: five bytes
// whole, or the last block, which may be shorter.
func repeat(t *testing.T, n int, last bool) []byte {
	t.Helper()
	var bits bitString
	mark := uint32(0)
	if last {
		mark = 1
	}
	switch {
	case n == 20: // twice ten, which fills five bytes
		bits.block(mark, 20, 10, 10)
	case n == 65 && !last: // and a block of nothing fills them up
		bits.block(0, n, n)
		bits.block(0, 0)
	case last && n >= 3 && n <= 114: // beyond, length codes have eight bits
		bits.block(1, n, n)
	default:
		t.Fatalf("no block that repeats %d bytes", n)
	}
	if !last && bits.n != 40 {
		t.Fatalf("%d bits repeat %d bytes, want 40", bits.n, n)
	}
	return bits.bytes()
}

// bitString gathers bits in the order of deflate.
type bitString struct {
	bits uint64
	n    uint
}

func (b *bitString) add(v uint32, n uint) {
	b.bits |= uint64(v) << b.n
	b.n += n
}

// code adds a Huffman code, whose first bit is its highest.
func (b *bitString) code(v uint32, n uint) {
	for i := n; i > 0; i-- {
		b.add(v>>(i-1)&1, 1)
	}
}

// block writes matches of the given lengths, all from distance back.
func (b *bitString) block(last uint32, distance int, lengths ...int) {
	b.add(last, 1)
	b.add(1, 2)
	for _, n := range lengths {
		// RFC 1951 §3.2.5: lengths 11 and up share a code with their kin.
		base, first, extra := 257, 3, uint(0)
		for code, at, x := 257, 3, uint(0); at <= n; code++ {
			base, first, extra = code, at, x
			if at += 1 << x; code >= 264 && (code-264)%4 == 0 {
				x++
			}
		}
		b.code(uint32(base-256), 7)
		b.add(uint32(n-first), extra)
		dist, from, more := 0, 1, uint(0)
		for code, at, x := 0, 1, uint(0); at <= distance; code++ {
			dist, from, more = code, at, x
			if at += 1 << x; code >= 3 && code%2 == 1 {
				x++
			}
		}
		b.code(uint32(dist), 5)
		b.add(uint32(distance-from), more)
	}
	b.code(0, 7)
}

func (b *bitString) bytes() []byte {
	return binary.LittleEndian.AppendUint64(nil, b.bits)[:(b.n+7)/8]
}

// selfChecked finds the checksum c for which make(c) has the checksum c. A
// CRC is affine in the bits of what it is taken of, so that 33 tries tell all
// and a system of equations gives c; ok is false when it has no solution.
func selfChecked(make func(c uint32) []byte) (b []byte, ok bool) {
	zero := crc32.ChecksumIEEE(make(0))
	var rows [32]uint64 // bit 32: the right side
	for i := range rows {
		rows[i] = uint64(zero>>i&1) << 32
	}
	for i := range 32 {
		column := crc32.ChecksumIEEE(make(1<<i)) ^ zero ^ 1<<i
		for r := range rows {
			rows[r] |= uint64(column>>r&1) << i
		}
	}
	for i := range 32 {
		for r := i; r < 32; r++ {
			if rows[r]>>i&1 == 1 {
				rows[i], rows[r] = rows[r], rows[i]
				break
			}
		}
		if rows[i]>>i&1 == 0 {
			return nil, false
		}
		for r := range rows {
			if r != i && rows[r]>>i&1 == 1 {
				rows[r] ^= rows[i]
			}
		}
	}
	var c uint32
	for i := range rows {
		c |= uint32(rows[i]>>32&1) << i
	}
	b = make(c)
	return b, crc32.ChecksumIEEE(b) == c
}

// gzipQuine is a gzip file that unpacks to itself.
func gzipQuine(t *testing.T) []byte {
	t.Helper()
	for year := byte(0); ; year++ { // any year whose equations have a solution
		head := append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, year, 0, 3}, "a-file-that-holds-itself-and-nothing-else-at-all.\x00"...)
		size := uint32(len(quine(t, head, make([]byte, 8))))
		b, ok := selfChecked(func(c uint32) []byte {
			tail := binary.LittleEndian.AppendUint32(nil, c)
			return quine(t, head, binary.LittleEndian.AppendUint32(tail, size))
		})
		if ok {
			return b
		}
	}
}

// zipQuine is a zip file whose one member is itself.
func zipQuine(t *testing.T) []byte {
	t.Helper()
	const name = "r/files-of-november-2026-1.zip"
	le := binary.LittleEndian
	for day := uint16(0); ; day++ {
		var size uint32
		parts := func(c uint32) (head, tail []byte) {
			head = append([]byte("PK\x03\x04"), 20, 0, 0, 0, 8, 0, 0, 0)
			head = le.AppendUint16(head, day)
			head = le.AppendUint32(head, c)
			head = le.AppendUint32(head, size-uint32(30+len(name)+46+len(name)+22))
			head = le.AppendUint32(head, size)
			head = append(le.AppendUint16(head, uint16(len(name))), 0, 0)
			tail = append([]byte("PK\x01\x02\x14\x00"), head[4:]...)
			tail = append(tail, make([]byte, 14)...)
			tail = append(tail, name...)
			n := len(tail)
			tail = append(tail, "PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00"...)
			tail = le.AppendUint32(tail, uint32(n))
			tail = le.AppendUint32(tail, size-uint32(n+22))
			return append(head, name...), append(tail, 0, 0)
		}
		make := func(c uint32) []byte {
			head, tail := parts(c)
			return quine(t, head, tail)
		}
		size = uint32(len(make(0)))
		if b, ok := selfChecked(make); ok {
			return b
		}
	}
}

// The quines are what they claim to be to Go's own readers.
func TestQuinesHoldThemselves(t *testing.T) {
	b := gzipQuine(t)
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, b) {
		t.Errorf("gzip: %d bytes hold %d: %v", len(b), len(got), err)
	}
	b = zipQuine(t)
	a, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, b) {
		t.Errorf("zip: %d bytes hold %d: %v", len(b), len(got), err)
	}
}
