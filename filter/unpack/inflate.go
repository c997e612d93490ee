package unpack

import (
	"encoding/binary"
	"errors"
	"io"
)

// Deflate is inflated by our own decoder: what is packed and what comes of it
// are both in memory whole, so it needs no window of its own, out of which a
// library's reader copies every byte once more.

// inflater reads one deflate stream (RFC 1951) of src.
type inflater struct {
	src  []byte
	pos  int
	bits uint64 // read and not yet used, the next one lowest
	have uint   // how many of them count

	in     func(f *inflater, out []byte, n, end int) (int, error) // the block that is being read
	final  bool
	stored int
	// A match that had no room to end.
	length, distance int

	fixed     bool // literals and distances hold the fixed codes
	literals  inflateTable
	distances inflateTable
}

var errDeflate = errors.New("deflate: corrupt data")

// reset begins another stream.
func (f *inflater) reset(src []byte) {
	f.src, f.pos, f.bits, f.have = src, 0, 0, 0
	f.in, f.final, f.stored, f.length = nil, false, 0, 0
}

// Fill appends to out up to room bytes within its capacity, and says how many.
// out must hold all that came before. The error is io.EOF at the end.
func (f *inflater) Fill(out []byte, room int) (int, error) {
	start := len(out)
	n, end := start, start+room
	out = out[:end]
	for n < end {
		if f.length > 0 {
			n = f.match(out, n, end)
			continue
		}
		if f.in == nil {
			if f.final {
				return n - start, io.EOF
			}
			if err := f.head(); err != nil {
				return n - start, err
			}
		}
		var err error
		if n, err = f.in(f, out, n, end); err != nil {
			return n - start, err
		}
	}
	return n - start, nil
}

// used is how many bytes of src the stream has taken, the open one counted.
func (f *inflater) used() int { return f.pos - int(f.have>>3) }

// need makes n bits available, 32 at most.
func (f *inflater) need(n uint) error {
	for f.have < n {
		if f.pos == len(f.src) {
			return io.ErrUnexpectedEOF
		}
		f.bits |= uint64(f.src[f.pos]) << f.have
		f.pos++
		f.have += 8
	}
	return nil
}

func (f *inflater) take(n uint) int {
	v := f.bits & (1<<n - 1)
	f.bits >>= n
	f.have -= n
	return int(v)
}

// head reads the header of a block (RFC 1951 §3.2.3).
func (f *inflater) head() error {
	if err := f.need(3); err != nil {
		return err
	}
	f.final = f.take(1) == 1
	switch f.take(2) {
	case 0:
		return f.openStored()
	case 1:
		if !f.fixed {
			f.fixed = f.literals.build(fixedLiterals[:], literalSymbols[:]) && f.distances.build(fixedDistances[:], distanceSymbols[:])
		}
		f.in = (*inflater).codes
		return nil
	case 2:
		f.fixed = false
		f.in = (*inflater).codes
		return f.readCodes()
	}
	return errDeflate
}

// openStored reads the lengths of a stored block (§3.2.4).
func (f *inflater) openStored() error {
	f.take(f.have & 7)
	if err := f.need(32); err != nil {
		return err
	}
	n := f.take(16)
	if n != f.take(16)^0xffff {
		return errDeflate
	}
	f.pos -= int(f.have >> 3)
	f.bits, f.have = 0, 0
	f.stored, f.in = n, (*inflater).copyStored
	return nil
}

func (f *inflater) copyStored(out []byte, n, end int) (int, error) {
	k := copy(out[n:min(end, n+f.stored)], f.src[f.pos:])
	f.pos += k
	if f.stored -= k; f.stored == 0 {
		f.in = nil
	} else if f.pos == len(f.src) {
		return n + k, io.ErrUnexpectedEOF
	}
	return n + k, nil
}

// readCodes reads the codes of a block that brings its own (§3.2.7).
func (f *inflater) readCodes() error {
	if err := f.need(14); err != nil {
		return err
	}
	literals, distances, lengths := f.take(5)+257, f.take(5)+1, f.take(4)+4
	if literals > maxLiterals || distances > maxDistances {
		return errDeflate
	}
	var first [19]uint8
	for _, at := range lengthOrder[:lengths] {
		if err := f.need(3); err != nil {
			return err
		}
		first[at] = uint8(f.take(3))
	}
	// The table of distances lends itself for the code of the code lengths.
	if !f.distances.build(first[:], plainSymbols[:]) {
		return errDeflate
	}
	var all [maxLiterals + maxDistances]uint8
	if err := f.readLengths(all[:literals+distances]); err != nil {
		return err
	}
	if !f.literals.build(all[:literals], literalSymbols[:]) || !f.distances.build(all[literals:literals+distances], distanceSymbols[:]) {
		return errDeflate
	}
	return nil
}

// The most symbols that a block may describe.
const maxLiterals, maxDistances = 286, 30

// readLengths reads code lengths and the repetitions among them.
func (f *inflater) readLengths(all []uint8) error {
	for i := 0; i < len(all); {
		e, err := f.symbol(&f.distances)
		if err != nil {
			return err
		}
		v := int(e >> 16)
		if v < 16 {
			all[i] = uint8(v)
			i++
			continue
		}
		again, extra, least := uint8(0), uint(7), 11
		switch v {
		case 16:
			if i == 0 {
				return errDeflate
			}
			again, extra, least = all[i-1], 2, 3
		case 17:
			extra, least = 3, 3
		}
		if err := f.need(extra); err != nil {
			return err
		}
		n := least + f.take(extra)
		if i+n > len(all) {
			return errDeflate
		}
		for range n {
			all[i] = again
			i++
		}
	}
	return nil
}

// symbol reads one symbol, byte for byte: nothing behind it is touched.
func (f *inflater) symbol(t *inflateTable) (uint32, error) {
	for {
		e := t.at(f.bits)
		if n := uint(e & entryBits); n > 0 && n <= f.have {
			f.take(n)
			return e, nil
		}
		// The code is longer than what is here; without more it is cut, and
		// with all bits that a code can have it is none.
		if f.have >= longestCode {
			return 0, errDeflate
		}
		if err := f.need(f.have + 1); err != nil {
			return 0, err
		}
	}
}

// quickRoom is the room that the quick way needs: the longest match, and what it
// writes beyond the end of one.
const quickRoom = 258 + 16

// codes reads symbols until the block ends or out is full.
func (f *inflater) codes(out []byte, n, end int) (int, error) {
	if end-n >= quickRoom && len(f.src)-f.pos >= 8 {
		var err error
		if n, err = f.quick(out, n, end); err != nil || f.in == nil {
			return n, err
		}
	}
	for n < end {
		e, err := f.symbol(&f.literals)
		switch {
		case err != nil:
			return n, err
		case e&entryLiteral != 0:
			out[n] = byte(e >> 16)
			n++
			continue
		case e&entryEnd != 0:
			f.in = nil
			return n, nil
		case e&entryBad != 0:
			return n, errDeflate
		}
		if err := f.readMatch(e, n); err != nil {
			return n, err
		}
		n = f.match(out, n, end)
		if end-n >= quickRoom && len(f.src)-f.pos >= 8 {
			return n, nil // a long way to go again
		}
	}
	return n, nil
}

// readMatch reads the rest of a match whose length has the entry e.
func (f *inflater) readMatch(e uint32, n int) error {
	extra := uint(e>>8) & entryExtra
	if err := f.need(extra); err != nil {
		return err
	}
	length := int(e>>16) + f.take(extra)
	d, err := f.symbol(&f.distances)
	if err != nil {
		return err
	}
	if d&entryBad != 0 {
		return errDeflate
	}
	extra = uint(d>>8) & entryExtra
	if err := f.need(extra); err != nil {
		return err
	}
	distance := int(d>>16) + f.take(extra)
	if distance > n {
		return errDeflate
	}
	f.length, f.distance = length, distance
	return nil
}

// match copies as much of the open match as there is room for.
func (f *inflater) match(out []byte, n, end int) int {
	k := min(f.length, end-n)
	repeat(out, n, f.distance, k)
	f.length -= k
	return n + k
}

// repeat appends to out[:n] the length bytes that begin distance before.
func repeat(out []byte, n, distance, length int) {
	to := out[n : n+length]
	k := copy(to, out[n-distance:n])
	for k < length {
		k += copy(to[k:], to[:k])
	}
}

// stamp is repeat for distances that eight bytes are a multiple of. It may
// write seven bytes more.
func stamp(out []byte, n, distance, length int) {
	for i := n; i < n+8; i++ {
		out[i] = out[i-distance]
	}
	eight := binary.LittleEndian.Uint64(out[n:])
	for k := 8; k < length; k += 8 {
		binary.LittleEndian.PutUint64(out[n+k:], eight)
	}
}

// quick is codes where there is room and data enough to ask for neither at
// each step. It leaves the block at its end, or before either runs short.
func (f *inflater) quick(out []byte, n, end int) (int, error) {
	src, pos, bits, have := f.src, f.pos, f.bits, f.have
	var err error
	for end-n >= quickRoom && len(src)-pos >= 8 {
		// 56 bits at least: three literals, or a literal and a match (§3.2.5:
		// 15+5 bits of length, 15+13 of distance).
		bits |= binary.LittleEndian.Uint64(src[pos:]) << have
		pos += int((63 - have) >> 3)
		have |= 56
		e := f.literals.at(bits)
		bits, have = bits>>(e&entryBits), have-uint(e&entryBits)
		if e&entryLiteral != 0 {
			out[n] = byte(e >> 16)
			n++
			if e = f.literals.at(bits); e&entryLiteral != 0 {
				bits, have = bits>>(e&entryBits), have-uint(e&entryBits)
				out[n] = byte(e >> 16)
				n++
				if e = f.literals.at(bits); e&entryLiteral != 0 {
					bits, have = bits>>(e&entryBits), have-uint(e&entryBits)
					out[n] = byte(e >> 16)
					n++
				}
			}
			continue
		}
		if e&(entryEnd|entryBad) != 0 || e&entryBits == 0 {
			if e&entryEnd != 0 {
				f.in = nil
			} else {
				err = errDeflate
			}
			break
		}
		extra := uint(e>>8) & entryExtra
		length := int(e>>16) + int(bits&(1<<extra-1))
		bits, have = bits>>extra, have-extra
		d := f.distances.at(bits)
		bits, have = bits>>(d&entryBits), have-uint(d&entryBits)
		extra = uint(d>>8) & entryExtra
		distance := int(d>>16) + int(bits&(1<<extra-1))
		bits, have = bits>>extra, have-extra
		if d&entryBad != 0 || d&entryBits == 0 || distance > n {
			err = errDeflate
			break
		}
		switch {
		case distance >= 8 && length <= 16:
			from := n - distance
			binary.LittleEndian.PutUint64(out[n:], binary.LittleEndian.Uint64(out[from:]))
			binary.LittleEndian.PutUint64(out[n+8:], binary.LittleEndian.Uint64(out[from+8:]))
		case distance <= 2 || distance == 4:
			stamp(out, n, distance, length)
		default:
			repeat(out, n, distance, length)
		}
		n += length
	}
	// Whole bytes that were not used are given back.
	f.pos = pos - int(have>>3)
	f.have = have & 7
	f.bits = bits & (1<<f.have - 1)
	return n, err
}
