package unpack

import (
	"bytes"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// rtfData is the word of RTF that begins the bytes of an object, written in
// hexadecimal digits (RTF 1.9.1, "Objects").
const rtfData = `\objdata`

// maxRTFObjects bounds the objects of one document.
const maxRTFObjects = 1000

// openRTF draws the embedded objects out of a document. It reads their digits
// as Word does: white space, groups for other readers, words and bytes in
// binary may stand between them.
func openRTF(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	o := &rtfObject{b: e.Body}
	for range maxRTFObjects {
		if !o.find() {
			return m.found
		}
		o.read()
		if m.bud.Spend(e.Path, int64(len(o.plain.out)+len(o.all.out))) != nil || !m.giveRTF(o) {
			return m.found
		}
	}
	if o.find() {
		_ = m.bud.Exceed(budget.Members, e.Path) // remembered in the budget
	}
	return m.found
}

// rtfObject gathers the bytes of one object after the other.
type rtfObject struct {
	b     []byte
	at    int
	plain hexer // without what stands in groups for other readers
	all   hexer
	depth int
	skip  int // the depth of the group that is passed over, 0 for none
}

// find goes to the next object.
func (o *rtfObject) find() bool {
	i := bytes.Index(o.b[o.at:], []byte(rtfData))
	if i < 0 {
		return false
	}
	o.at += i + len(rtfData)
	o.number()
	o.plain, o.all, o.depth, o.skip = hexer{}, hexer{}, 0, 0
	return true
}

// read reads up to the end of the object's group, or to the next object.
func (o *rtfObject) read() {
	for o.at < len(o.b) && o.depth >= 0 && !bytes.HasPrefix(o.b[o.at:], []byte(rtfData)) {
		c := o.b[o.at]
		o.at++
		switch c {
		case '{':
			o.depth++
		case '}':
			if o.depth--; o.depth < o.skip {
				o.skip = 0
			}
		case '\\':
			o.control()
		default:
			if o.all.digit(c); o.skip == 0 {
				o.plain.digit(c)
			}
		}
	}
}

// control reads what stands behind a backslash: a symbol, a character in
// digits, or a word, of which one brings raw bytes.
func (o *rtfObject) control() {
	if o.at == len(o.b) {
		return
	}
	switch c := o.b[o.at]; {
	case c == '*' && o.skip == 0 && o.depth > 0:
		o.skip = o.depth
	case c == '\'':
		o.at += 2
	case rtfLetter(c):
		from := o.at
		for o.at < len(o.b) && rtfLetter(o.b[o.at]) {
			o.at++
		}
		word := string(o.b[from:o.at])
		if n := o.number(); word == "bin" && n > 0 {
			raw := within(o.b, int64(o.at), int64(n))
			o.plain.raw(raw)
			o.all.raw(raw)
			o.at += len(raw)
		}
		return
	}
	o.at = min(o.at+1, len(o.b))
}

func rtfLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// number reads the number of a word and the blank that ends it; none is zero.
func (o *rtfObject) number() (v int) {
	const longest = 11
	n := o.at
	for n < len(o.b) && n-o.at < longest && (o.b[n] >= '0' && o.b[n] <= '9' || n == o.at && o.b[n] == '-') {
		n++
	}
	if n > o.at {
		v, _ = strconv.Atoi(string(o.b[o.at:n])) // too large a one is none
	}
	if o.at = n; n < len(o.b) && o.b[n] == ' ' {
		o.at++
	}
	return v
}

// hexer joins digits by twos.
type hexer struct {
	out  []byte
	half byte
	odd  bool
}

func (h *hexer) digit(c byte) {
	v := strings.IndexByte("0123456789abcdef", c|0x20)
	if v < 0 || c < '0' {
		return
	}
	if h.odd {
		h.out = append(h.out, h.half<<4|byte(v))
	}
	h.half, h.odd = byte(v), !h.odd
}

func (h *hexer) raw(b []byte) {
	h.out = append(h.out, b...)
	h.odd = false
}

// giveRTF yields what an object holds. Where the digits in groups make a
// difference, both readings are followed.
func (m *members) giveRTF(o *rtfObject) bool {
	if !m.embedded(o.plain.out) {
		return false
	}
	return bytes.Equal(o.plain.out, o.all.out) || m.embedded(o.all.out)
}

// embedded yields the file in an object of OLE 1 (MS-OLEDS §2.2.5): behind
// three names a package, or a compound file. Where the head makes no sense,
// the first file that the bytes hold is taken.
func (m *members) embedded(b []byte) bool {
	data := objectData(b)
	if pack, names, ok := readPackage(data); ok {
		return m.yieldFile(pack, names...)
	}
	for _, b := range [][]byte{data, b} {
		if at := firstFile(b); at >= 0 {
			return m.yieldFile(b[at:])
		}
	}
	return true
}

// objectData returns the native data of an object, nil where its head makes no
// sense. Versions and formats are not looked at, as Word does not either.
func objectData(b []byte) []byte {
	const head = 8
	at := int64(head)
	for range 3 {
		n := within(b, at, 4)
		if len(n) < 4 || int64(u32(n)) > int64(len(b)) {
			return nil
		}
		at += 4 + int64(u32(n))
	}
	n := within(b, at, 4)
	if len(n) < 4 {
		return nil
	}
	return within(b, at+4, int64(u32(n)))
}

// firstFile returns where in b the first thing stands that is a file for
// itself, -1 for none. A program is told by its second header.
func firstFile(b []byte) int {
	first := -1
	for _, mark := range oleMarks {
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], []byte(mark))
			if i < 0 {
				break
			}
			if at += i; mark != "MZ" || at == 0 || peSize(b[at:]) > 0 {
				if first < 0 || at < first {
					first = at
				}
				break
			}
		}
	}
	return first
}
