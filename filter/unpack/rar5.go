package unpack

import (
	"bytes"
	"encoding/binary"
	"strings"

	"sekisho/filter/entity"
)

// Kinds of blocks of RAR 5 (the technical note of its maker).
const (
	rar5Main    = 1
	rar5File    = 2
	rar5Service = 3
	rar5Lock    = 4
	rar5End     = 5
)

// Flags of blocks, and kinds of extra records.
const (
	rar5HasExtra = 1
	rar5HasData  = 2
	rar5Before   = 8
	rar5After    = 16

	rar5MainVolume = 1
	rar5MainNumber = 2
	rar5MainSolid  = 4

	rar5Dir     = 1
	rar5Time    = 2
	rar5Sum     = 4
	rar5Unknown = 8

	rar5ExtraLock    = 1
	rar5ExtraVersion = 4
	rar5ExtraLink    = 5
	rar5ExtraStream  = 7
)

// rar5Block is one header as it stands.
type rar5Block struct {
	at, end     int // end is where its data begins
	kind, flags uint64
	fields      rarFields
	extra       []byte
	packed      uint64
}

// readRAR5Block reads the header at b[at:]; ok says that it is whole and its
// checksum right.
func readRAR5Block(b []byte, at int) (h rar5Block, ok bool) {
	if at < 0 || at+7 > len(b) {
		return h, false
	}
	f := rarFields{b: b[at+4:]}
	size := f.number()
	start := len(b) - len(f.b)
	if size == 0 || size > maxRARHeader || size > uint64(len(f.b)) {
		return h, false
	}
	h = rar5Block{at: at, end: start + int(size)}
	if sum(b[at+4:h.end]) != u32(b[at:]) {
		return h, false
	}
	f.b = b[start:h.end]
	h.kind, h.flags = f.number(), f.number()
	var extra uint64
	if h.flags&rar5HasExtra != 0 {
		extra = f.number()
	}
	if h.flags&rar5HasData != 0 {
		h.packed = f.number()
	}
	if f.short || extra > uint64(len(f.b)) {
		return h, false
	}
	cut := len(f.b) - int(extra)
	h.fields, h.extra = rarFields{b: f.b[:cut]}, f.b[cut:]
	return h, true
}

// walkRAR5 reads all headers of an archive that begins at b[0].
func walkRAR5(b []byte, limit int) *rarIndex {
	x := &rarIndex{end: len(b)}
	for at := len(rarMagic5); at < len(b) && len(x.files) <= limit; {
		h, ok := readRAR5Block(b, at)
		if !ok {
			x.broken(at, "rar header")
			if at = nextRAR5(b, at+1); at < 0 || len(x.faults) > maxRARFaults {
				return x
			}
			continue
		}
		switch h.kind {
		case rar5Main:
			flags := h.fields.number()
			x.volume = x.volume || flags&rar5MainVolume != 0
			x.solid = flags&rar5MainSolid != 0
		case rar5Lock:
			x.hidden = true
			return x
		case rar5File, rar5Service:
			x.addRAR5(b, h)
		case rar5End:
			x.end = h.end
			if at = x.nextVolume(b, x.end, rarMagic5); at < 0 {
				return x
			}
			x.end = len(b)
			continue
		}
		at = h.end + int(min(h.packed, uint64(len(b)-h.end)))
	}
	return x
}

// nextRAR5 returns where the next header with the right checksum begins behind
// a faulty one, -1 for none. A file header begins with a size below 16 KiB, its
// kind and its flags.
func nextRAR5(b []byte, at int) int {
	for tries := 0; at+7 <= len(b) && tries < maxRARFaults; at++ {
		i := bytes.IndexByte(b[at+5:], rar5File)
		if i < 0 {
			return -1
		}
		at += i
		for _, back := range []int{1, 0} { // the size takes one byte or two
			if h, ok := readRAR5Block(b, at-back); ok && h.kind == rar5File {
				return at - back
			} else if h.end > 0 {
				tries++
			}
		}
	}
	return -1
}

func (x *rarIndex) addRAR5(b []byte, h rar5Block) {
	r := rar5FileOf(&h)
	if h.fields.short {
		x.broken(h.at, "rar header")
		return
	}
	r.place(h.end, len(b))
	if h.kind == rar5Service && r.names[0].Text == "QO" {
		x.quickOpen(b, h, r)
		return
	}
	x.keep(h.at, r)
}

func rar5FileOf(h *rar5Block) rarFile {
	f := &h.fields
	flags := f.number()
	r := rarFile{packed: h.packed, size: int64(f.number()), dir: flags&rar5Dir != 0}
	f.number() // attributes
	if flags&rar5Time != 0 {
		f.u32()
	}
	if flags&rar5Sum != 0 {
		r.crc, r.checked = f.u32(), true
	}
	if flags&rar5Unknown != 0 || r.size < 0 {
		r.size = -1
	}
	r.packing(f.number())
	f.number() // system
	raw := f.bytes(f.number())
	r.names = []entity.Name{decoded(raw, "header", true)}
	if head, _, both := bytes.Cut(raw, []byte{0}); both {
		r.names = append(r.names, decoded(head, "header", true))
	}
	r.before, r.after = h.flags&rar5Before != 0, h.flags&rar5After != 0
	if h.kind == rar5Service {
		r.reading = "service"
	}
	r.extras(rarFields{b: h.extra})
	return r
}

// packing reads the field that tells how a member is packed: version, solid,
// method, dictionary as a power of two and, from RAR 7 on, 32nds of it.
func (r *rarFile) packing(v uint64) {
	r.method, r.solid = byte(v>>7&7), v&0x40 != 0
	r.window = 1 << 17 << (v >> 10 & 15)
	switch v & 0x3f {
	case 0:
		r.version = 50
	case 1:
		r.window = 1<<17<<(v>>10&31) + 1<<12<<(v>>10&31)*(v>>15&31)
		if r.version = 70; v&(1<<20) != 0 {
			r.version = 50
		}
	}
}

// extras reads the records behind the fields that all members have.
func (r *rarFile) extras(f rarFields) {
	for len(f.b) > 0 && !f.short {
		record := rarFields{b: f.bytes(f.number())}
		whole := record.b
		switch record.number() {
		case rar5ExtraLock:
			r.locked, r.lock = true, whole
		case rar5ExtraVersion:
			record.number()
			if n := record.number(); n > 0 {
				r.addToNames(";" + decimal(n))
			}
		case rar5ExtraLink:
			kind := record.number()
			record.number()
			r.link, r.isLink = string(record.bytes(record.number())), true
			r.sameAs = kind == 4 || kind == 5 // hard link, copy
		case rar5ExtraStream:
			if r.names[0].Text == "STM" {
				r.stream(decoded(record.b, "stream", true).Text)
			}
		}
	}
}

// stream names the member after an NTFS stream, which WinRAR before 7.13 let
// lead anywhere (CVE-2025-8088).
func (r *rarFile) stream(name string) {
	r.reading = "stream"
	r.names = append([]entity.Name{{Text: strings.TrimPrefix(name, ":"), Source: "stream"}}, r.names...)
}

func (r *rarFile) addToNames(end string) {
	for i := range r.names {
		r.names[i].Text += end
	}
}

// quickOpen compares the copies of headers that WinRAR shows, to be quick, in
// place of the headers themselves.
func (x *rarIndex) quickOpen(b []byte, h rar5Block, r rarFile) {
	if r.method != 0 || r.locked {
		x.conflict(h.at, "quick open")
		return
	}
	f := rarFields{b: b[r.data.start:r.data.end]}
	for len(f.b) > 0 {
		f.u32() // checksum
		record := rarFields{b: f.bytes(f.number())}
		record.number() // flags
		back := record.number()
		copied := record.bytes(record.number())
		at := h.at - int(min(back, uint64(h.at)))
		if f.short || record.short || !bytes.HasPrefix(b[at:], copied) {
			x.conflict(h.at, "quick open")
			x.cached(copied)
			return
		}
	}
}

// cached keeps the name of a member that only the quick open record knows.
func (x *rarIndex) cached(header []byte) {
	h, ok := readRAR5Block(header, 0)
	if !ok || h.kind != rar5File {
		return
	}
	r := rar5FileOf(&h)
	r.reading, r.after = "quick-open", true
	x.files = append(x.files, r)
}

// rarHeader5 writes what a decoder needs to know of r and nothing else.
func rarHeader5(r rarFile) []byte {
	flags, extra := uint64(rar5HasData), []byte(nil)
	if r.locked {
		flags |= rar5HasExtra
		extra = append(binary.AppendUvarint(nil, uint64(len(r.lock))), r.lock...)
	}
	b := binary.AppendUvarint([]byte{rar5File}, flags)
	if r.locked {
		b = binary.AppendUvarint(b, uint64(len(extra)))
	}
	b = binary.AppendUvarint(b, uint64(r.data.end-r.data.start))
	fields := uint64(0)
	if r.checked {
		fields |= rar5Sum
	}
	if r.size < 0 {
		fields |= rar5Unknown
	}
	b = binary.AppendUvarint(b, fields)
	b = binary.AppendUvarint(b, uint64(max(r.size, 0)))
	b = append(b, 0)
	if r.checked {
		b = binary.LittleEndian.AppendUint32(b, r.crc)
	}
	b = binary.AppendUvarint(b, r.packs())
	b = append(append(b, 0, 1, 'x'), extra...)
	b = append(binary.AppendUvarint(nil, uint64(len(b))), b...)
	return append(binary.LittleEndian.AppendUint32(nil, sum(b)), b...)
}

// packs writes the field that packing reads, with a dictionary of a power of
// two.
func (r *rarFile) packs() uint64 {
	v := uint64(r.method) << 7
	for n := uint64(0); 1<<17<<n < r.window; n++ {
		v += 1 << 10
	}
	if r.solid {
		v |= 0x40
	}
	if r.version == 70 {
		v |= 1
	}
	return v
}
