package unpack

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"sekisho/filter/entity"
)

// rarFile is what the headers say of one member, or of a service record that
// holds content. All that a decoder will be asked for stands here, checked.
type rarFile struct {
	names   []entity.Name
	data    span // its packed bytes, as far as the file goes
	packed  uint64
	size    int64 // -1 where the writer did not know it
	crc     uint32
	checked bool   // crc is there
	method  byte   // 0 for stored
	version byte   // of the packer, as RAR 4 counts; 50 and 70 for RAR 5 and 7
	window  uint64 // the dictionary it asks for
	lock    []byte // what a decoder must know to decrypt it
	link    string // where a link leads
	reading string // of a service record
	solid   bool   // goes on with the dictionary of the one before
	locked  bool
	// unlocked says that data was decrypted, tweaked that the checksum is not
	// that of the content alone.
	unlocked, tweaked bool

	before bool // continues from an earlier volume
	after  bool // continues in the next volume
	dir    bool
	isLink bool
	sameAs bool // link names an earlier member with the same content
	// nameless says that one form of the name makes none.
	nameless bool
}

// rarIndex is all that the headers of one archive say.
type rarIndex struct {
	files  []rarFile
	end    int  // where the archive ends
	volume bool // one of several
	joined int  // volumes that follow in the same bytes
	hidden bool // the headers need a password
	solid  bool
	faults []rarFault
}

// rarFault is something wrong with a header. conflict names what disagrees,
// "" says that the header is broken.
type rarFault struct {
	at       int
	conflict string
	record   string
}

func (x *rarIndex) broken(at int, record string) {
	x.faults = append(x.faults, rarFault{at: at, record: record})
}

func (x *rarIndex) conflict(at int, in string) {
	x.faults = append(x.faults, rarFault{at: at, conflict: in})
}

// maxRARFaults bounds how often a walk looks for the next header behind a
// faulty one.
const maxRARFaults = 64

// maxRARHeader is the longest header of RAR 5 (its technical note). RAR 4
// cannot write a longer one than 64 KiB.
const maxRARHeader = 2 << 20

// rarMagics are the signatures of the forms that we know.
const (
	rarMagic4 = rarMagic + "\x00"
	rarMagic5 = rarMagic + "\x01\x00"
)

// findRAR returns where the archive begins: at the first signature that a
// whole main header follows, since a stub may hold the bytes of a signature;
// else at the first of all, -1 for none.
func findRAR(b []byte) int {
	first := -1
	for at, tries := 0, 0; tries < maxRARFaults; tries++ {
		i := bytes.Index(b[at:], []byte(rarMagic))
		if i < 0 {
			break
		}
		at += i
		if first < 0 {
			first = at
		}
		if rarBegins(b[at:]) {
			return at
		}
		at += len(rarMagic)
	}
	return first
}

// rarBegins says that a header with the right checksum follows the signature.
func rarBegins(b []byte) bool {
	switch {
	case bytes.HasPrefix(b, []byte(rarMagic5)):
		_, ok := readRAR5Block(b, len(rarMagic5))
		return ok
	case bytes.HasPrefix(b, []byte(rarMagic4)):
		h, ok := readRAR4Block(b, len(rarMagic4))
		return ok && h.kind == rar4Main
	}
	return false
}

// nextVolume returns where the headers of the next volume begin behind at, when
// the volumes of a set stand one behind the other; -1 when none does. A volume
// may be padded.
func (x *rarIndex) nextVolume(b []byte, at int, magic string) int {
	rest := bytes.TrimLeft(b[min(at, len(b)):], "\x00")
	if !x.volume || !bytes.HasPrefix(rest, []byte(magic)) {
		return -1
	}
	x.joined++
	return len(b) - len(rest) + len(magic)
}

// merge puts the pieces together of members that go on in a volume behind, and
// returns b with what was put together at its end.
func (x *rarIndex) merge(b []byte) []byte {
	var files []rarFile
	pieces := map[int][]span{}
	open := -1
	for _, f := range x.files {
		if f.reading == "" && f.before && open >= 0 && files[open].after && f.names[0].Text == files[open].names[0].Text {
			first := &files[open]
			pieces[open] = append(pieces[open], f.data)
			first.after, first.crc, first.checked = f.after, f.crc, f.checked
			continue
		}
		files = append(files, f)
		if f.reading == "" {
			open = len(files) - 1
			pieces[open] = []span{f.data}
		}
	}
	b = b[:len(b):len(b)]
	whole := x.joined > 0
	for i := range files {
		f := &files[i]
		whole = whole && !f.before && !f.after
		if len(pieces[i]) < 2 {
			continue
		}
		start := len(b)
		for _, p := range pieces[i] {
			b = append(b, b[p.start:p.end]...)
		}
		f.data, f.packed = span{start, len(b)}, uint64(len(b)-start)
	}
	x.files, x.volume = files, x.volume && !whole
	return b
}

// rarFields reads the fields of a header one after the other; reading past the
// end gives zeros and sets short.
type rarFields struct {
	b     []byte
	short bool
}

func (f *rarFields) bytes(n uint64) []byte {
	if n > uint64(len(f.b)) {
		n, f.short = uint64(len(f.b)), true
	}
	p := f.b[:n]
	f.b = f.b[n:]
	return p
}

func (f *rarFields) byte() byte {
	p := f.bytes(1)
	if len(p) == 0 {
		return 0
	}
	return p[0]
}

func (f *rarFields) u16() uint16 {
	p := f.padded(2)
	return binary.LittleEndian.Uint16(p[:])
}

func (f *rarFields) u32() uint32 {
	p := f.padded(4)
	return binary.LittleEndian.Uint32(p[:])
}

// padded returns the next n bytes, zeros for those that are not there.
func (f *rarFields) padded(n uint64) (p [4]byte) {
	copy(p[:], f.bytes(n))
	return p
}

// number reads a number of RAR 5: seven bits a byte, the lowest first.
func (f *rarFields) number() (v uint64) {
	for shift := uint(0); shift < 70; shift += 7 {
		c := f.byte()
		v |= uint64(c&0x7f) << min(shift, 63)
		if c < 0x80 {
			return v
		}
	}
	f.short = true
	return v
}

// units16 reads b as UTF-16 of low byte first.
func units16(b []byte) (units []uint16) {
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, u16(b))
	}
	return units
}

// rarSum is the checksum of RAR 4's headers.
func rarSum(b []byte) uint16 { return uint16(crc32.ChecksumIEEE(b)) }
