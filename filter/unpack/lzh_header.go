package unpack

import (
	"bytes"
	"encoding/binary"
)

// lzhHeader is what stands before a member's packed data, of any of the four
// levels.
type lzhHeader struct {
	at, data     int // where it begins, where the packed data begin
	level        int
	method       string
	packed, size int64
	crc          uint16
	system       byte // letter of the system it was made on, 0 when not told
	mode         int  // Unix file mode, 0 when not told
	codepage     uint32
	volume       bool // one of several disks
	sizes        bool // the 64-bit sizes contradict the plain ones

	base, name, dir   []byte // of the header proper, extended, extended directory
	wideName, wideDir []byte // UTF-16, little end first

	// faults are the ways in which it contradicts itself. Without any it can
	// hardly be chance.
	faults []string
}

// Sizes of the fixed part of a header by level; 0 and 1 do not count the name.
const (
	lzhCommon = 22 // up to the name length of levels 0 and 1
	lzhHead0  = lzhCommon + 2
	lzhHead1  = lzhHead0 + 3
	lzhHead2  = 26
	lzhHead3  = 32
	lzhMost3  = 1 << 20 // as much header as any archiver takes
)

// parseLZH reads the header at b[at:]; nil when there is none.
func parseLZH(b []byte, at int) *lzhHeader {
	if at < 0 || at+lzhCommon > len(b) || !lzhMethodAt(b[at+2:]) {
		return nil
	}
	h := &lzhHeader{
		at: at, level: int(b[at+20]), method: string(b[at+2 : at+7]),
		packed: int64(u32(b[at+7:])), size: int64(u32(b[at+11:])),
	}
	ok := false
	switch h.level {
	case 0, 1:
		ok = h.readOld(b)
	case 2:
		ok = h.readSized(b, int(u16(b[at:])), lzhHead2, 2)
	case 3:
		ok = u16(b[at:]) == 4 && at+lzhHead3 <= len(b) && u32(b[at+24:]) <= lzhMost3 &&
			h.readSized(b, int(u32(b[at+24:])), lzhHead3, 4)
	}
	if !ok {
		return nil
	}
	return h
}

// lzhMethodAt says that b begins with the name of a method of the LHA, LArc
// or PMarc families.
func lzhMethodAt(b []byte) bool {
	if len(b) < 5 || b[0] != '-' || b[4] != '-' || b[3] < '0' || b[3] > 'z' {
		return false
	}
	switch string(b[1:3]) {
	case "lh", "lz", "pm":
		return true
	}
	return false
}

// readOld reads levels 0 and 1: a size of one byte, a checksum, the name.
func (h *lzhHeader) readOld(b []byte) bool {
	least := lzhHead0
	if h.level == 1 {
		least = lzhHead1
	}
	end := h.at + 2 + int(b[h.at])
	if end > len(b) || end < h.at+least {
		return false
	}
	named := h.at + lzhCommon + int(b[h.at+21])
	if named > end-(least-lzhCommon) {
		named = end - (least - lzhCommon)
		h.fault("name length")
	}
	h.base, h.crc = b[h.at+lzhCommon:named], u16(b[named:])
	if sum8(b[h.at+2:end]) != b[h.at+1] {
		h.fault("header checksum")
	}
	if h.level == 0 {
		h.readUnix0(b[named+2 : end])
		h.data = end
		return true
	}
	h.system = b[named+2]
	h.data = h.extend(b, end, len(b), 2)
	h.packed -= int64(h.data - end)
	if h.packed < 0 {
		h.packed = 0
		h.fault("packed size")
	}
	return true
}

// readUnix0 reads what LHA for UNIX adds to level 0; PMarc puts comments there.
func (h *lzhHeader) readUnix0(b []byte) {
	if len(b) >= 12 && (b[0] == 'U' || b[0] == 'K') && b[1] == 0 && h.method[1] == 'l' {
		h.system = b[0]
		h.mode = int(u16(b[len(b)-6:]))
	}
}

// readSized reads levels 2 and 3: a size for the whole header, no name.
func (h *lzhHeader) readSized(b []byte, total, head, field int) bool {
	end := h.at + total
	if total < head || end > len(b) {
		return false
	}
	h.crc, h.system = u16(b[h.at+21:]), b[h.at+23]
	if h.level == 2 && h.system == 'K' && end+2 <= len(b) {
		end += 2 // LHA for OS-9/68k does not count the size field itself
	}
	h.data = end
	h.extend(b, h.at+head, end, field)
	return true
}

// extend reads the chain of extended headers whose first size stands before
// pos, and returns where it ends. No header may go beyond limit.
func (h *lzhHeader) extend(b []byte, pos, limit, field int) int {
	crcAt := -1
	for {
		size := int(u16(b[pos-field:]))
		if field == 4 {
			size = int(u32(b[pos-field:]))
		}
		if size == 0 {
			break
		}
		if size < field+1 || size > limit-pos {
			h.fault("extended header")
			break
		}
		if b[pos] == 0 && size >= field+3 {
			crcAt = pos + 1
		}
		h.take(b[pos], b[pos+1:pos+size-field])
		pos += size
	}
	h.checkCRC(b, crcAt, max(pos, h.data))
	return pos
}

// checkCRC checks the CRC of the whole header, which counts its own two bytes
// as zero.
func (h *lzhHeader) checkCRC(b []byte, crcAt, end int) {
	if crcAt < 0 {
		return
	}
	crc := crc16(crc16(crc16(0, b[h.at:crcAt]), []byte{0, 0}), b[crcAt+2:end])
	if crc != u16(b[crcAt:]) {
		h.fault("header checksum")
	}
}

// take keeps what an extended header says.
func (h *lzhHeader) take(kind byte, b []byte) {
	switch kind {
	case 0x01:
		h.name = b
	case 0x02:
		h.dir = b
	case 0x39:
		h.volume = true
	case 0x42:
		h.takeSizes(b)
	case 0x44:
		h.wideName = b
	case 0x45:
		h.wideDir = b
	case 0x46:
		if len(b) >= 4 {
			h.codepage = u32(b)
		}
	case 0x50:
		if len(b) >= 2 {
			h.mode = int(u16(b))
		}
	}
}

// takeSizes takes the 64-bit sizes, and notes when the plain fields, which
// hold their lower halves or all ones, say something else.
func (h *lzhHeader) takeSizes(b []byte) {
	if len(b) < 16 {
		return
	}
	packed, size := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	odd := func(plain int64, long uint64) bool {
		return plain != int64(long&0xffffffff) && plain != 0xffffffff
	}
	h.sizes = odd(h.packed, packed) || odd(h.size, size)
	h.packed, h.size = int64(min(packed, lzhNoEnd)), int64(min(size, lzhNoEnd))
}

// lzhNoEnd is a size beyond all that can be.
const lzhNoEnd = 1 << 60

func (h *lzhHeader) fault(what string) { h.faults = append(h.faults, what) }

// whole says that the packed data are all there.
func (h *lzhHeader) whole(b []byte) bool { return h.packed <= int64(len(b)-h.data) }

// content is as much of the packed data as there is.
func (h *lzhHeader) content(b []byte) []byte {
	if h.whole(b) {
		return b[h.data : h.data+int(h.packed)]
	}
	return b[h.data:]
}

// findLZH finds the first header at or after from, and nil when there is none.
// Amid other data a header must be without fault, or at least have its
// content there. spend is told of the work and may end it.
func findLZH(b []byte, from int, spend func(n int) bool) *lzhHeader {
	for at := from; at+lzhCommon <= len(b); at++ {
		dash := bytes.IndexByte(b[at+2:], '-')
		if dash < 0 {
			return nil
		}
		at += dash
		h := parseLZH(b, at)
		if h == nil {
			continue
		}
		if !spend(h.data - h.at) {
			return nil
		}
		if len(h.faults) == 0 || h.whole(b) && h.named() {
			return h
		}
	}
	return nil
}

func (h *lzhHeader) named() bool {
	return len(h.base)+len(h.name)+len(h.dir)+len(h.wideName) > 0
}

func sum8(b []byte) (sum byte) {
	for _, v := range b {
		sum += v
	}
	return sum
}
