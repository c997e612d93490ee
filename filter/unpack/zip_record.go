package unpack

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Signatures of APPNOTE 4.3, as they stand in the file.
const (
	sigLocal      = "PK\x03\x04"
	sigCentral    = "PK\x01\x02"
	sigEnd        = "PK\x05\x06"
	sigEnd64      = "PK\x06\x06"
	sigLocator64  = "PK\x06\x07"
	sigDescriptor = "PK\x07\x08"
	sigSignature  = "PK\x05\x05"
	sigExtraData  = "PK\x06\x08"
)

// Sizes of the fixed parts of the records.
const (
	localSize     = 30
	centralSize   = 46
	endSize       = 22
	end64Size     = 56
	locator64Size = 20
)

// Bits of the general purpose flag (APPNOTE 4.4.4).
const (
	flagEncrypted  = 1 << 0
	flagEOS        = 1 << 1 // with method 14: the LZMA stream ends with a mark
	flagDescriptor = 1 << 3
	flagStrong     = 1 << 6
	flagUTF8       = 1 << 11
	flagMasked     = 1 << 13
)

// Extra fields that we read.
const (
	extraZip64   = 0x0001
	extraComment = 0x6375 // Unicode comment
	extraUnicode = 0x7075 // Unicode path
	extraAES     = 0x9901
)

// zipRecord is what a central or a local header says of one member.
type zipRecord struct {
	at, end      int // end of a local header is where the data begins
	made         uint16
	flags        uint16
	method       uint16
	crc          uint32
	packed, size uint64
	attr         uint32
	offset       uint64
	name         []byte
	unicode      []byte   // name of the Unicode path extra field
	unicodeFits  bool     // its checksum is that of name
	spellings    [][]byte // of further such fields: readers take the first or the last
	comment      uint32   // checksum in the Unicode comment extra field
	time         uint16
	aes          zipAES
	fault        string // what is malformed, "" for nothing
	cut          bool   // runs over the end of the file
}

func u16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// signed says that sig stands at b[at:], with room for size bytes.
func signed(b []byte, at int, sig string, size int) bool {
	return at >= 0 && at <= len(b)-size && string(b[at:at+4]) == sig
}

// readLocal reads the local header at b[at:]; the caller has seen that it has
// room. Its signature is not looked at.
func readLocal(b []byte, at int) *zipRecord {
	h := b[at:]
	r := &zipRecord{
		at: at, flags: u16(h[6:]), method: u16(h[8:]), time: u16(h[10:]), crc: u32(h[14:]),
		packed: uint64(u32(h[18:])), size: uint64(u32(h[22:])),
	}
	r.end = at + localSize
	r.name = r.part(b, int(u16(h[26:])))
	extra := r.part(b, int(u16(h[28:])))
	r.readExtra(extra, false)
	return r
}

// readCentral reads the central header at b[at:] with its comment.
func readCentral(b []byte, at int) *zipRecord {
	h := b[at:]
	r := &zipRecord{
		at: at, made: u16(h[4:]), flags: u16(h[8:]), method: u16(h[10:]), time: u16(h[12:]), crc: u32(h[16:]),
		packed: uint64(u32(h[20:])), size: uint64(u32(h[24:])),
		attr: u32(h[38:]), offset: uint64(u32(h[42:])),
	}
	r.end = at + centralSize
	r.name = r.part(b, int(u16(h[28:])))
	extra := r.part(b, int(u16(h[30:])))
	comment := r.part(b, int(u16(h[32:])))
	r.readExtra(extra, true)
	if r.comment != 0 && r.comment != crc32.ChecksumIEEE(comment) {
		r.fault = cmp.Or(r.fault, "comment")
	}
	return r
}

// part cuts the next n bytes off, or what is left of the file.
func (r *zipRecord) part(b []byte, n int) []byte {
	if left := len(b) - r.end; n > left {
		n, r.cut = left, true
	}
	p := b[r.end : r.end+n]
	r.end += n
	return p
}

func (r *zipRecord) readExtra(x []byte, central bool) {
	var zip64 bool
	for len(x) >= 4 {
		id, n := u16(x), int(u16(x[2:]))
		if x = x[4:]; n > len(x) {
			// Android's zipalign pads with zeros that are no field.
			if id != 0 || n != 0 {
				r.fault = "extra"
			}
			break
		}
		if id == extraZip64 && zip64 {
			r.fault = "extra"
		}
		zip64 = zip64 || id == extraZip64
		r.readField(id, x[:n], central)
		x = x[n:]
	}
	if !zip64 && (r.size == math.MaxUint32 || r.packed == math.MaxUint32) {
		r.fault = "zip64"
	}
}

func (r *zipRecord) readField(id uint16, x []byte, central bool) {
	switch id {
	case extraZip64:
		r.readZip64(x, central)
	case extraUnicode:
		switch {
		case len(x) <= 5:
		case r.unicode != nil:
			r.spellings = append(r.spellings, x[5:])
		default:
			r.unicode = x[5:]
			r.unicodeFits = u32(x[1:]) == crc32.ChecksumIEEE(r.name)
		}
	case extraComment:
		if len(x) >= 5 {
			r.comment = u32(x[1:])
		}
	case extraAES:
		if len(x) >= 7 && r.method == methodAES {
			r.flags |= flagEncrypted
			r.aes = zipAES{version: u16(x), strength: x[4], method: u16(x[5:])}
		}
	}
}

// readZip64 takes the long values of those fields that say "see there", in
// the order of APPNOTE 4.5.3.
func (r *zipRecord) readZip64(x []byte, central bool) {
	fields := []*uint64{&r.size, &r.packed}
	if central {
		fields = append(fields, &r.offset)
	}
	if r.idle64(x, fields) {
		return
	}
	for _, f := range fields {
		if *f != math.MaxUint32 {
			continue
		}
		if len(x) < 8 {
			r.fault = "zip64"
			return
		}
		*f, x = u64(x), x[8:]
	}
}

// idle64 says that no field asks for a long value. Some readers take it all
// the same: then it must say what the field says, or nothing.
func (r *zipRecord) idle64(x []byte, fields []*uint64) bool {
	for _, f := range fields {
		if *f == math.MaxUint32 {
			return false
		}
	}
	for _, f := range fields {
		if len(x) < 8 {
			break
		}
		if v := u64(x); v != 0 && v != *f {
			r.fault = "zip64"
		}
		x = x[8:]
	}
	return true
}

func (r *zipRecord) has(flag uint16) bool { return r.flags&flag != 0 }

// mode returns the Unix file type bits, 0 where the maker was no Unix.
func (r *zipRecord) mode() uint32 {
	switch r.made >> 8 {
	case 3, 19: // Unix, OS X (APPNOTE 4.4.2)
		return r.attr >> 16 & 0xf000
	}
	return 0
}
