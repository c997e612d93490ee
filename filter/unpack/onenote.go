package unpack

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of a OneNote section (MS-ONESTORE §2.6.13 and §2.5.25, MS-ONE §2.2.71).
const (
	oneObject   = "\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac" // begins the content of a file
	oneHead     = 36
	oneFileName = "\x9c\x1d\x00\x1c" // the property that names an embedded file
	oneRefers   = 0x094              // a node that says where the content with an identifier stands

	maxOneName       = 1024 // in bytes
	maxOneProperties = 64
)

// oneNote is what a section says of its embedded files.
type oneNote struct {
	*members
	b     []byte
	exts  map[int64]string // by where the content stands
	names []entity.Name
	gone  map[int]bool // names that were given to a file
}

// openOneNote draws the embedded files out of a OneNote section. The tree of
// revisions is not walked: contents and names are found by their marks, so
// that deleted ones come out too.
func openOneNote(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	o := &oneNote{members: newMembers(e, bud, yield), b: e.Body, exts: map[int64]string{}, gone: map[int]bool{}}
	o.readNames()
	o.readExts()
	found := false
	for at := 0; !o.spent(); at += len(oneObject) {
		i := bytes.Index(o.b[at:], []byte(oneObject))
		if i < 0 {
			break
		}
		at += i
		found = true
		if !o.give(at) {
			return o.found
		}
	}
	if !found {
		o.carve(o.b) // OneNote for the web stores files in another way
	}
	return o.found
}

// give yields the file whose content begins at at.
func (o *oneNote) give(at int) bool {
	head := within(o.b, int64(at), oneHead)
	if len(head) < oneHead {
		o.note(finding.ContainerBroken, o.of.Path, "record", "file data")
		return false
	}
	size := int64(min(u64(head[len(oneObject):]), 1<<62))
	e, ok := o.next(o.fileNames(o.exts[int64(at)])...)
	if !ok {
		return false
	}
	data := within(o.b, int64(at)+oneHead, size)
	body, err := o.lend(e.Path, data)
	e.Body, e.Size, e.Unread = body, size, err != nil || int64(len(data)) < size
	if int64(len(data)) < size {
		o.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
	o.yield(e)
	return true
}

// fileNames are the names for the next content that is said to have an
// extension: the first unused name that ends in it. Names that fit no content
// are given to all of them.
func (o *oneNote) fileNames(ext string) []entity.Name {
	for i, n := range o.names {
		if !o.gone[i] && ext != "" && strings.HasSuffix(strings.ToLower(n.Text), strings.ToLower(ext)) {
			o.gone[i] = true
			return []entity.Name{n}
		}
	}
	names := []entity.Name{{Text: "object" + ext, Source: "derived"}}
	for _, n := range o.names {
		if !slices.Contains(o.known(), strings.ToLower(n.Text[strings.LastIndexByte(n.Text, '.')+1:])) {
			names = append(names, n)
		}
	}
	return names
}

// known are the extensions that contents are said to have, without the dot.
func (o *oneNote) known() []string {
	var out []string
	for _, ext := range o.exts {
		out = append(out, strings.TrimPrefix(strings.ToLower(ext), "."))
	}
	return out
}

// readNames gathers the names of embedded files.
func (o *oneNote) readNames() {
	for at := 0; len(o.names) < maxRepeats; at++ {
		i := bytes.Index(o.b[at:], []byte(oneFileName))
		if i < 0 {
			return
		}
		at += i
		for nth := range maxOneProperties {
			if raw := o.property(at-4*nth-2, nth); raw != nil {
				n := entity.Name{Text: strings.TrimRight(utf16Name(raw), "\x00"), Source: "property", Charset: "utf-16le", Raw: bytes.Clone(raw)}
				o.names = append(o.names, n)
				break
			}
		}
	}
}

// property reads the nth value of the set of properties at at (MS-ONESTORE
// §2.6.7): first all identifiers, whose high bits tell how long each value is,
// then the values.
func (o *oneNote) property(at, nth int) []byte {
	head := within(o.b, int64(at), 2)
	if len(head) < 2 || int(u16(head)) <= nth || u16(head) > maxOneProperties {
		return nil
	}
	list := within(o.b, int64(at)+2, 4*int64(u16(head)))
	value := int64(at) + 2 + 4*int64(u16(head))
	for k := 0; 4*k+4 <= len(list); k++ {
		const counted = 7
		kind := u32(list[4*k:]) >> 26 & 0x1f
		size, plain := map[uint32]int64{1: 0, 2: 0, 3: 1, 4: 2, 5: 4, 6: 8, counted: 4, 8: 0, 9: 4, 10: 0, 11: 4, 12: 0, 13: 4}[kind]
		if !plain {
			return nil
		}
		if kind == counted {
			n := within(o.b, value, 4)
			if len(n) < 4 {
				return nil
			}
			if k == nth {
				raw := within(o.b, value+4, min(int64(u32(n)), maxOneName))
				if int64(len(raw)) < int64(u32(n)) || len(raw) < 4 || len(raw)%2 != 0 {
					return nil
				}
				return raw
			}
			size += int64(u32(n))
		}
		value += size
	}
	return nil
}

// readExts finds out which extension each content is said to have. It stands
// beside an identifier in text; a node says where the content with that
// identifier is.
func (o *oneNote) readExts() {
	ids := map[string]string{}
	mark := []byte("<\x00i\x00f\x00n\x00d\x00f\x00>\x00{\x00")
	for at, n := 0, 0; n < maxRepeats; n++ {
		i := bytes.Index(o.b[at:], mark)
		if i < 0 {
			break
		}
		at += i + len(mark)
		const digits = 36
		id, ok := oneGUID(utf16Name(within(o.b, int64(at), 2*digits)))
		rest := within(o.b, int64(at)+2*digits+2, 4+32)
		if !ok || len(rest) < 4 || u32(rest) > 16 {
			continue
		}
		ext := utf16Name(within(rest, 4, 2*int64(u32(rest))))
		ids[string(id)] = ext
	}
	if len(ids) > 0 {
		o.refers(ids)
	}
}

// oneGUID returns the bytes of an identifier written in text. Its first three
// fields are numbers, the low byte first.
func oneGUID(s string) ([]byte, bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return nil, false
	}
	slices.Reverse(b[:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b, true
}

// refers passes over the nodes that say where content stands: a place, a
// length and the identifier, each of the first two in one of four widths
// (MS-ONESTORE §2.4.3).
func (o *oneNote) refers(ids map[string]string) {
	for at := 0; ; at++ {
		i := bytes.IndexByte(o.b[at:], oneRefers&0xff)
		if i < 0 {
			return
		}
		at += i
		head := within(o.b, int64(at), 4+8+8+16)
		if len(head) < 4+4+1+16 || u32(head)&0x3ff != oneRefers {
			continue
		}
		v := u32(head)
		place, count := [4]int{8, 4, 2, 4}[v>>23&3], [4]int{4, 8, 1, 2}[v>>25&3]
		size := 4 + place + count + 16
		if int(v>>10&0x1fff) != size || len(head) < size {
			continue
		}
		ext, known := ids[string(head[size-16:size])]
		if !known {
			continue
		}
		var wide [8]byte
		copy(wide[:], head[4:4+place])
		where := int64(min(u64(wide[:]), 1<<40))
		if v>>23&3 >= 2 { // counted in eights
			where *= 8
		}
		o.exts[where] = ext
	}
}
