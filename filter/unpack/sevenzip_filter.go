package unpack

import (
	"encoding/binary"
	"slices"
)

// szFilters undo what a packer does to programs and tables so that they pack
// better: they change bytes in place and add none.
var szFilters = map[string]func(b, props []byte){
	"\x03":             undelta,
	"\x04":             func(b, _ []byte) { unBCJ(b) },
	"\x03\x03\x01\x03": func(b, _ []byte) { unBCJ(b) },
	"\x05":             func(b, _ []byte) { unPowerPC(b) },
	"\x03\x03\x02\x05": func(b, _ []byte) { unPowerPC(b) },
	"\x07":             func(b, _ []byte) { unARM(b) },
	"\x03\x03\x05\x01": func(b, _ []byte) { unARM(b) },
	"\x08":             func(b, _ []byte) { unThumb(b) },
	"\x03\x03\x07\x01": func(b, _ []byte) { unThumb(b) },
	"\x09":             func(b, _ []byte) { unSPARC(b) },
	"\x03\x03\x08\x05": func(b, _ []byte) { unSPARC(b) },
	"\x0a":             unARM64,
	"\x02\x03\x02":     func(b, _ []byte) { swapped(b, 2) },
	"\x02\x03\x04":     func(b, _ []byte) { swapped(b, 4) },
}

// undelta adds to each byte the one that stands a fixed distance before.
func undelta(b []byte, props []byte) {
	distance := 1
	if len(props) > 0 {
		distance += int(props[0])
	}
	for i := distance; i < len(b); i++ {
		b[i] += b[i-distance]
	}
}

// unBCJ turns the absolute targets of x86 calls and jumps back into distances.
// An instruction is left alone where bytes just before it could be the start
// of another: marks has a bit for each of them, the nearest lowest.
func unBCJ(b []byte) {
	const far = 5 // bytes of an instruction
	marks, last := uint32(0), -far
	for at := 0; at+far <= len(b); at++ {
		if b[at]&0xfe != 0xe8 {
			continue
		}
		if step := at - last; step > far {
			marks = 0
		} else {
			for range step {
				marks = marks & 0x77 << 1
			}
		}
		last = at
		high := b[at+4]
		if !highest(high) || !calm(marks>>1) {
			if marks |= 1; highest(high) {
				marks |= 0x10
			}
			continue
		}
		target := distanceOf(u32(b[at+1:]), uint32(at+far), marks)
		target = target&0x1ffffff | -(target>>24&1)<<24
		binary.LittleEndian.PutUint32(b[at+1:], target)
		marks, last = 0, at
		at += far - 1
	}
}

// highest says that c may be the high byte of a near target.
func highest(c byte) bool { return c == 0 || c == 0xff }

// calm says that the bytes before an instruction allow it to be one.
func calm(marks uint32) bool {
	return marks < 0x10 && slices.Contains([]uint32{0, 1, 2, 4}, marks&7)
}

// distanceOf undoes the addition of here; where a byte marked before would
// have become a high byte, it was turned over by the packer.
func distanceOf(target, here, marks uint32) uint32 {
	for {
		distance := target - here
		if marks == 0 {
			return distance
		}
		shift := [8]uint{0, 1, 2, 2, 3, 3, 3, 3}[marks>>1&7] * 8
		if !highest(byte(distance >> (24 - shift))) {
			return distance
		}
		target = distance ^ (1<<(32-shift) - 1)
	}
}

// unPowerPC does for the calls of PowerPC what unBCJ does for those of x86.
func unPowerPC(b []byte) {
	for at := 0; at+4 <= len(b); at += 4 {
		if v := binary.BigEndian.Uint32(b[at:]); v&0xfc000003 == 0x48000001 {
			binary.BigEndian.PutUint32(b[at:], 0x48000001|(v-uint32(at))&0x03fffffc)
		}
	}
}

// unARM does it for ARM, whose instructions count words from two on.
func unARM(b []byte) {
	for at := 0; at+4 <= len(b); at += 4 {
		if b[at+3] == 0xeb {
			v := u32(b[at:])<<2 - uint32(at+8)
			binary.LittleEndian.PutUint32(b[at:], 0xeb000000|v>>2&0x00ffffff)
		}
	}
}

// unThumb does it for the pairs of half words that are a call in Thumb.
func unThumb(b []byte) {
	for at := 0; at+4 <= len(b); at += 2 {
		high, low := uint32(u16(b[at:])), uint32(u16(b[at+2:]))
		if high&0xf800 != 0xf000 || low&0xf800 != 0xf800 {
			continue
		}
		v := ((high&0x7ff<<11|low&0x7ff)<<1 - uint32(at+4)) >> 1
		binary.LittleEndian.PutUint16(b[at:], uint16(0xf000|v>>11&0x7ff))
		binary.LittleEndian.PutUint16(b[at+2:], uint16(0xf800|v&0x7ff))
		at += 2
	}
}

// unSPARC does it for the calls of SPARC that lead near, either way.
func unSPARC(b []byte) {
	for at := 0; at+4 <= len(b); at += 4 {
		v := binary.BigEndian.Uint32(b[at:])
		if top := v >> 22; top != 0x100 && top != 0x1ff {
			continue
		}
		v = (v<<2 - uint32(at)) >> 2
		v = -(v>>22&1)<<22&0x3fffffff | v&0x3fffff | 0x40000000
		binary.BigEndian.PutUint32(b[at:], v)
	}
}

// unARM64 does it for the calls of 64-bit ARM, and for the loads of addresses
// (ADRP) that lead near. A property may say from where addresses count.
func unARM64(b, props []byte) {
	start := uint32(0)
	if len(props) >= 4 {
		start = u32(props)
	}
	for at := 0; at+4 <= len(b); at += 4 {
		here, v := start+uint32(at), u32(b[at:])
		switch {
		case v>>26 == 0x25:
			v = 0x25<<26 | (v-here>>2)&(1<<26-1)
		case v&0x9f000000 == 0x90000000:
			v = unADRP(v, here)
		default:
			continue
		}
		binary.LittleEndian.PutUint32(b[at:], v)
	}
}

// unADRP takes the page of here from a page that stands in two fields: two low
// bits at the top, nineteen in the middle.
func unADRP(v, here uint32) uint32 {
	const near = 1 << 20 // pages either way, shifted by three
	shifted := v - 0x90000000 + near
	if shifted&(1<<24-2*near) != 0 {
		return v // leads too far to have been changed
	}
	page := shifted&^0x1f | shifted>>26
	page -= here >> 9 &^ 7
	return 0x90000000 | v&0x1f | page<<26 | (page&(2*near-1)-near)&0x00ffffe0
}

// swapped turns the bytes of each word of n round.
func swapped(b []byte, n int) {
	for ; len(b) >= n; b = b[n:] {
		slices.Reverse(b[:n])
	}
}
