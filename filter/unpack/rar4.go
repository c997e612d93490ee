package unpack

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sekisho/filter/entity"
)

// Kinds of blocks of RAR 1.5 to 4.
const (
	rar4Main       = 0x73
	rar4File       = 0x74
	rar4Comment    = 0x75
	rar4Signature  = 0x76
	rar4OldService = 0x77
	rar4OldSign    = 0x79
	rar4Service    = 0x7a
	rar4End        = 0x7b
)

// Flags of blocks.
const (
	rar4HasData = 0x8000

	rar4MainVolume  = 0x0001
	rar4MainComment = 0x0002
	rar4MainSolid   = 0x0008
	rar4MainLocked  = 0x0080

	rar4Before   = 0x0001
	rar4After    = 0x0002
	rar4Locked   = 0x0004
	rar4Remark   = 0x0008
	rar4Solid    = 0x0010
	rar4Window   = 0x00e0
	rar4Large    = 0x0100
	rar4Unicode  = 0x0200
	rar4Salt     = 0x0400
	rar4Version  = 0x0800
	rar4Owner    = 0x0101 // kind of an old service record
	rar4FullHead = 7
)

// rar4Block is one header as it stands.
type rar4Block struct {
	at    int
	kind  byte
	flags uint16
	body  []byte // behind the seven bytes that all have
	right bool   // the checksum, where the kind has one that can be known
}

// end is where the header ends and its data begins.
func (h rar4Block) end() int { return h.at + rar4FullHead + len(h.body) }

// readRAR4Block reads the header at b[at:]; ok says that it is whole and its
// checksum right.
func readRAR4Block(b []byte, at int) (h rar4Block, ok bool) {
	if at < 0 || at+rar4FullHead > len(b) {
		return h, false
	}
	h = rar4Block{at: at, kind: b[at+2], flags: u16(b[at+3:])}
	size := int(u16(b[at+5:]))
	if h.kind == rar4Main && h.flags&rar4MainComment != 0 && size > 13 {
		size = 13 // a comment block stands inside the main header
	}
	if size < rar4FullHead || size > len(b)-at {
		return h, false
	}
	h.body = b[at+rar4FullHead : at+size]
	summed := size
	switch {
	case h.kind == rar4Comment:
		summed = min(size, 13) // the text behind it has a sum of its own
	case h.kind == rar4File && h.flags&rar4Remark != 0:
		summed = rar4FullHead + h.beforeRemark()
	case h.kind == rar4Signature || h.kind == rar4OldSign:
		h.right = true // old writers left wrong ones
	case h.kind == rar4OldService && len(h.body) >= 11 && u16(h.body[4:]) == rar4Owner:
		// Names of owner and group belong to the sum, not always to the size.
		named := size + int(u16(h.body[7:])) + int(u16(h.body[9:]))
		h.right = named <= len(b)-at && u16(b[at:]) == rarSum(b[at+2:at+named])
	}
	h.right = h.right || u16(b[at:]) == rarSum(b[at+2:at+summed])
	return h, h.right
}

// beforeRemark is how long the body of a file header is without the comment
// that RAR 2 puts into it.
func (h rar4Block) beforeRemark() int {
	n := 25
	if h.flags&rar4Large != 0 {
		n += 8
	}
	if len(h.body) >= 21 {
		n += int(u16(h.body[19:]))
	}
	if h.flags&rar4Salt != 0 {
		n += 8
	}
	return min(n, len(h.body))
}

// walkRAR4 reads all headers of an archive that begins at b[0].
func walkRAR4(b []byte, limit int) *rarIndex {
	x := &rarIndex{end: len(b)}
	for at := len(rarMagic4); at < len(b) && len(x.files) <= limit; {
		h, ok := readRAR4Block(b, at)
		if !ok {
			// Old volumes have no end block.
			if next := x.nextVolume(b, at, rarMagic4); next >= 0 {
				at = next
				continue
			}
			x.broken(at, "rar header")
			if at = nextRAR4(b, at+1); at < 0 || len(x.faults) > maxRARFaults {
				return x
			}
			continue
		}
		switch h.kind {
		case rar4Main:
			x.solid = h.flags&rar4MainSolid != 0
			x.volume = x.volume || h.flags&rar4MainVolume != 0
			if h.flags&rar4MainLocked != 0 {
				x.hidden = true
				return x
			}
		case rar4End:
			x.end = h.end()
			if at = x.nextVolume(b, x.end, rarMagic4); at < 0 {
				return x
			}
			x.end = len(b)
			continue
		}
		at = x.addRAR4(b, h)
	}
	return x
}

// nextRAR4 returns where the next file header with the right checksum begins,
// -1 for none.
func nextRAR4(b []byte, at int) int {
	for tries := 0; tries < maxRARFaults; at++ {
		i := bytes.IndexByte(b[min(at+2, len(b)):], rar4File)
		if i < 0 {
			return -1
		}
		at += i
		if h, ok := readRAR4Block(b, at); ok && len(h.body) >= 25 {
			return at
		} else if len(h.body) > 0 {
			tries++
		}
	}
	return -1
}

// addRAR4 keeps what h says of a member and returns where the next header is.
func (x *rarIndex) addRAR4(b []byte, h rar4Block) int {
	f := rarFields{b: h.body}
	var packed uint64
	if h.flags&rar4HasData != 0 || h.kind == rar4File || h.kind == rar4Service {
		packed = uint64(f.u32())
	}
	if h.kind == rar4File || h.kind == rar4Service {
		r := rar4FileOf(h, &f, packed)
		if r.nameless {
			x.broken(h.at, "name")
		}
		if f.short {
			x.broken(h.at, "rar header")
			return h.end()
		}
		packed = r.packed
		r.place(h.end(), len(b))
		x.keep(h.at, r)
	}
	if packed > uint64(len(b)-h.end()) {
		return len(b)
	}
	return h.end() + int(packed)
}

// keep adds a member and states what disagrees within its header.
func (x *rarIndex) keep(at int, r rarFile) {
	switch {
	case r.dir && r.packed > 0:
		x.conflict(at, "directory")
	case r.method == 0 && !r.locked && !r.before && !r.after && !r.isLink && r.size >= 0 && uint64(r.size) != r.packed:
		x.conflict(at, "size")
	}
	x.volume = x.volume || r.before || r.after
	x.files = append(x.files, r)
}

// place gives the member the bytes behind its header.
func (r *rarFile) place(at, end int) {
	r.data = span{at, at + int(min(r.packed, uint64(end-at)))}
}

// rar4FileOf reads a file header whose packed size has been read.
func rar4FileOf(h rar4Block, f *rarFields, packed uint64) rarFile {
	size := uint64(f.u32())
	system := f.byte()
	r := rarFile{crc: f.u32(), checked: true}
	f.u32() // time
	r.version, r.method = f.byte(), f.byte()-'0'
	length := f.u16()
	attr := f.u32()
	if h.flags&rar4Large != 0 {
		packed |= uint64(f.u32()) << 32
		high := f.u32()
		if size |= uint64(high) << 32; high == 1<<32-1 {
			size = 1<<64 - 1
		}
	} else if size == 1<<32-1 {
		size = 1<<64 - 1
	}
	r.packed, r.size = packed, int64(size)
	raw := f.bytes(uint64(length))
	if h.flags&rar4Salt != 0 {
		r.lock = f.bytes(8)
	}
	r.names, r.nameless = rar4Names(raw, h.flags)
	if h.kind == rar4Service && string(raw) == "STM" {
		r.stream(szText(units16(f.b)))
	}
	r.solid, r.locked = h.flags&rar4Solid != 0, h.flags&rar4Locked != 0
	r.before, r.after = h.flags&rar4Before != 0, h.flags&rar4After != 0
	const unix, typeMask, symlink = 3, 0xf000, 0xa000
	r.isLink = system == unix && attr&typeMask == symlink
	if window := h.flags & rar4Window >> 5; h.kind == rar4Service {
		r.reading, r.window = "service", 1<<16<<(window%7)
	} else if r.dir = window == 7; !r.dir {
		r.window = 1 << 16 << window
	}
	return r
}

// rar4Names returns the names in force first. With the flag for Unicode the
// name stands twice, in the maker's charset and coded, or once in UTF-8. lost
// says that the coded one makes no name.
func rar4Names(raw []byte, flags uint16) (names []entity.Name, lost bool) {
	plain, coded, both := bytes.Cut(raw, []byte{0})
	names = []entity.Name{decoded(plain, "header", flags&rar4Unicode != 0 && !both && utf8.Valid(plain))}
	if both && flags&rar4Unicode != 0 {
		text := rar4Unicoded(plain, coded)
		if lost = text == "" && len(plain) > 0; text != "" {
			names = append([]entity.Name{{Text: text, Source: "unicode", Charset: "utf-16le"}}, names...)
		}
	} else if both {
		names = append(names, decoded(raw, "header", false))
	}
	for i := range names {
		names[i].Text = versioned(strings.ReplaceAll(names[i].Text, "\\", "/"), flags)
	}
	return names, lost
}

// versioned leaves the number of an older version at the end of a name, where
// WinRAR puts it too.
func versioned(name string, flags uint16) string {
	if flags&rar4Version == 0 || strings.Contains(name, ";") {
		return name
	}
	return name + ";"
}

// rar4Unicoded decodes the second form of a name. Pairs of bits tell where
// each letter comes from: its low byte alone, with the common high byte, both
// bytes, or a run of the plain name.
func rar4Unicoded(plain, coded []byte) string {
	f := rarFields{b: coded}
	high := uint16(f.byte()) << 8
	var units []uint16
	flags, left := byte(0), 0
	for len(f.b) > 0 && len(units) < 1<<16 {
		if left == 0 {
			flags, left = f.byte(), 4
		}
		how := flags >> 6
		flags, left = flags<<2, left-1
		if len(f.b) == 0 {
			break
		}
		switch how {
		case 0:
			units = append(units, uint16(f.byte()))
		case 1:
			units = append(units, high|uint16(f.byte()))
		case 2:
			units = append(units, f.u16())
		case 3:
			units = rar4Run(units, plain, &f, high)
		}
	}
	return string(utf16.Decode(units))
}

// rar4Run copies a run of the plain name, moved by a byte where the run says
// so.
func rar4Run(units []uint16, plain []byte, f *rarFields, high uint16) []uint16 {
	n := f.byte()
	moved := n&0x80 != 0
	add := byte(0)
	if moved {
		add = f.byte()
	}
	for range int(n&0x7f) + 2 {
		if len(units) >= len(plain) {
			break
		}
		u := uint16(plain[len(units)])
		if moved {
			u = high | uint16(plain[len(units)]+add)
		}
		units = append(units, u)
	}
	return units
}

// rarHead4 writes a signature and a main header.
func rarHead4(solid bool) []byte {
	b := make([]byte, 13)
	b[2], b[5] = rar4Main, 13
	if solid {
		b[3] = rar4MainSolid
	}
	return append([]byte(rarMagic4), summed4(b)...)
}

// rarHeader4 writes what a decoder needs to know of r and nothing else.
func rarHeader4(r rarFile) []byte {
	flags := uint16(rar4HasData | rar4Large)
	for n := uint16(0); n < 6 && 1<<16<<n < r.window; n++ {
		flags += 1 << 5
	}
	if r.solid {
		flags |= rar4Solid
	}
	if r.locked {
		flags |= rar4Locked
	}
	if len(r.lock) > 0 {
		flags |= rar4Salt
	}
	packed, size := uint64(r.data.end-r.data.start), uint64(r.size)
	version := r.version
	if version > 29 {
		version = 29 // 3.6 wrote 36 for what 2.9 reads
	}
	b := []byte{0, 0, rar4File}
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(packed))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint32(b, r.crc)
	b = append(b, 0, 0, 0, 0, version, '0'+r.method, 1, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(packed>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(size>>32))
	b = append(append(b, 'x'), r.lock...)
	binary.LittleEndian.PutUint16(b[5:], uint16(len(b)))
	return summed4(b)
}

// summed4 puts the checksum into a header.
func summed4(b []byte) []byte {
	binary.LittleEndian.PutUint16(b, rarSum(b[2:]))
	return b
}
