package unpack

import mathbits "math/bits"

// An entry of a table says how many bits the code has (entryBits), how many
// bits follow it (entryExtra, eight places up), what the symbol is (the flags)
// and its value (sixteen places up). No bits mean no such code.
const (
	entryBits    = 0x0f
	entryExtra   = 0x0f
	entryLiteral = 1 << 12
	entryEnd     = 1 << 13
	entryBad     = 1 << 14
	entryMore    = 1 << 15 // the code is longer: its value is a place in more
)

const (
	longestCode = 15 // bits of the longest code
	rootBits    = 10
	moreBits    = longestCode - rootBits
	rootMask    = 1<<rootBits - 1
	moreMask    = 1<<moreBits - 1
	rootSize    = 1 << rootBits
	moreTable   = 1 << moreBits
)

// inflateTable finds a symbol by the bits ahead.
type inflateTable struct {
	root [rootSize]uint32
	more []uint32
}

// at returns the entry of the code that the bits begin with.
func (t *inflateTable) at(ahead uint64) uint32 {
	e := t.root[ahead&rootMask]
	if e&entryMore != 0 {
		e = t.more[int(e>>16)+int(ahead>>rootBits&moreMask)]
	}
	return e
}

// build makes the table of a canonical code (RFC 1951 §3.2.2) out of the
// lengths; symbols are the entries to give. It refuses what no code can be.
// Two codes are incomplete and still used: none at all, and one of one bit.
func (t *inflateTable) build(lengths []uint8, symbols []uint32) bool {
	var count, next [longestCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	code, longest := 0, 0
	for n := 1; n <= longestCode; n++ {
		code = (code + count[n-1]) << 1
		if next[n] = code; count[n] > 0 {
			longest = n
		}
	}
	t.root, t.more = [rootSize]uint32{}, t.more[:0]
	if longest == 0 {
		return true
	}
	if sum := next[longest] + count[longest]; sum != 1<<longest && (sum != 1 || longest != 1) {
		return false
	}
	for s, n := range lengths {
		if n > 0 {
			t.put(next[n], int(n), symbols[s])
			next[n]++
		}
	}
	return true
}

// put enters a code of n bits at every place that begins with it. Codes stand
// in the stream with their first bit lowest.
func (t *inflateTable) put(code, n int, entry uint32) {
	entry |= uint32(n)
	ahead := int(mathbits.Reverse16(uint16(code)) >> (16 - n))
	if n <= rootBits {
		for ; ahead < rootSize; ahead += 1 << n {
			t.root[ahead] = entry
		}
		return
	}
	head := &t.root[ahead&rootMask]
	if *head&entryMore == 0 {
		*head = entryMore | uint32(len(t.more))<<16
		t.more = append(t.more, emptyMore[:]...)
	}
	more := t.more[*head>>16:][:moreTable]
	for at := ahead >> rootBits; at < moreTable; at += 1 << (n - rootBits) {
		more[at] = entry
	}
}

var emptyMore [moreTable]uint32

// literalSymbols are the literals, the end, and the lengths (§3.2.5).
var literalSymbols = func() (out [288]uint32) {
	for i := range 256 {
		out[i] = entryLiteral | uint32(i)<<16
	}
	out[256] = entryEnd
	length := uint32(3)
	for i := range uint32(28) {
		extra := uint32(0)
		if i >= 8 {
			extra = i/4 - 1
		}
		out[257+i] = extra<<8 | length<<16
		length += 1 << extra
	}
	out[285] = 258 << 16
	out[286], out[287] = entryBad, entryBad
	return out
}()

// distanceSymbols are the distances (§3.2.5).
var distanceSymbols = func() (out [32]uint32) {
	distance := uint32(1)
	for i := range uint32(30) {
		extra := uint32(0)
		if i >= 4 {
			extra = i/2 - 1
		}
		out[i] = extra<<8 | distance<<16
		distance += 1 << extra
	}
	out[30], out[31] = entryBad, entryBad
	return out
}()

// plainSymbols stand for themselves.
var plainSymbols = func() (out [19]uint32) {
	for i := range out {
		out[i] = uint32(i) << 16
	}
	return out
}()

// fixedLiterals and fixedDistances are the lengths of the fixed codes (§3.2.6).
var (
	fixedLiterals = func() (out [288]uint8) {
		for i := range out {
			switch {
			case i < 144:
				out[i] = 8
			case i < 256:
				out[i] = 9
			case i < 280:
				out[i] = 7
			default:
				out[i] = 8
			}
		}
		return out
	}()
	fixedDistances = func() (out [32]uint8) {
		for i := range out {
			out[i] = 5
		}
		return out
	}()
)
