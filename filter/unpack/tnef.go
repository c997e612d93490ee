package unpack

import (
	"strconv"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Attributes of a TNEF stream that carry or name files (MS-OXTNEF §2.1.3.2).
const (
	tnefHead       = 6 // signature and key
	tnefAttribute  = 9 // level, identifier, length; a checksum of two bytes follows the data
	tnefSum        = 2
	tnefBody       = 0x800C
	tnefAttachData = 0x800F
	tnefTitle      = 0x8010
	tnefRendering  = 0x9002
	tnefMessage    = 0x9003
	tnefAttachment = 0x9005
	tnefCodePage   = 0x9007
	tnefObjectHead = 16 // the class of an attached object stands before it
)

// tnefReader reads the attributes one after the other: those of an attachment
// follow its rendering data.
type tnefReader struct {
	*members
	page uint32
	open *item
}

// openTNEF draws attachments and bodies out of what Outlook sends as
// winmail.dat (MS-OXTNEF). An attached message is a TNEF stream again.
func openTNEF(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	t := &tnefReader{members: newMembers(e, bud, yield)}
	for pos := tnefHead; pos >= 0 && pos < len(e.Body); {
		pos = t.attribute(pos)
	}
	t.close()
	return t.found
}

// attribute reads the attribute at pos and returns where the next one begins,
// -1 where there is none.
func (t *tnefReader) attribute(pos int) int {
	b := t.of.Body
	rest := b[pos:]
	if len(rest) < tnefAttribute || rest[0] != 1 && rest[0] != 2 {
		if kindOf(rest) != "padding" {
			t.note(finding.ContainerBroken, t.of.Path, "record", "attribute", "at", strconv.Itoa(pos))
		}
		return -1
	}
	id, size := uint16(u32(rest[1:])), int64(u32(rest[5:]))
	data := rest[tnefAttribute:]
	if size > int64(len(data)) {
		t.note(finding.ContainerBroken, t.of.Path, "record", "attribute", "at", strconv.Itoa(pos))
		size = int64(len(data))
	}
	if !t.take(id, data[:size]) {
		return -1
	}
	return pos + tnefAttribute + int(size) + tnefSum
}

// take keeps one attribute; false ends the reading.
func (t *tnefReader) take(id uint16, data []byte) bool {
	switch id {
	case tnefCodePage:
		if len(data) >= 4 {
			t.page = u32(data)
		}
	case tnefRendering:
		ok := t.close()
		t.open = &item{page: t.page}
		return ok
	case tnefTitle:
		t.attached().short = append(t.attached().short, paged(data, t.page, "title"))
	case tnefAttachData:
		t.attached().add(data)
	case tnefAttachment:
		t.properties(data, t.attached().take)
	case tnefMessage:
		return t.bodies(data)
	case tnefBody:
		return t.give(&item{media: "text/plain", bodies: [][]byte{data}}, "body")
	}
	return true
}

// bodies gives the bodies among the properties of a message.
func (t *tnefReader) bodies(data []byte) bool {
	html, plain := &item{media: "text/html"}, &item{media: "text/plain"}
	var rtf [][]byte
	t.properties(data, func(p property) {
		switch p.id {
		case propHTML:
			html.add(p.value)
		case propBody:
			plain.add([]byte(p.text(t.page).Text))
		case propRTF:
			rtf = append(rtf, p.value)
		}
	})
	for _, packed := range rtf {
		if !t.rtf(packed) {
			return false
		}
	}
	return t.give(html, "body") && t.give(plain, "body")
}

// attached is the attachment that is being read. One whose rendering data is
// missing begins with whatever comes first.
func (t *tnefReader) attached() *item {
	if t.open == nil {
		t.open = &item{page: t.page}
	}
	return t.open
}

func (t *tnefReader) close() bool {
	if t.open == nil {
		return true
	}
	done := t.open
	t.open = nil
	return t.give(done, "")
}

// properties reads a list of properties (MS-OXTNEF §2.1.3.4).
func (t *tnefReader) properties(b []byte, take func(property)) {
	r := propertyReader{b: b}
	for n := r.number(); n > 0 && len(r.b) > 0 && !r.cut; n-- {
		if p, ok := r.next(); ok {
			take(p)
		}
	}
	if r.cut {
		t.note(finding.ContainerBroken, t.of.Path, "record", "properties")
	}
}

// propertyReader takes properties off the front of b.
type propertyReader struct {
	b   []byte
	cut bool // more was asked for than there is
}

// take returns the next n bytes and drops the padding to a multiple of four.
func (r *propertyReader) take(n int64) []byte {
	if n > int64(len(r.b)) {
		r.cut = true
		n = int64(len(r.b))
	}
	out := r.b[:n]
	r.b = r.b[min(int(n+3)&^3, len(r.b)):]
	return out
}

func (r *propertyReader) number() int64 {
	b := r.take(4)
	if len(b) < 4 {
		return 0
	}
	return int64(u32(b))
}

// next reads one property; ok is false where it has no value.
func (r *propertyReader) next() (p property, ok bool) {
	head := r.number()
	p.kind, p.id = uint16(head), uint16(head>>16)
	if p.id >= 0x8000 { // named: a class, then a number or a name
		const class, byNumber = 16, 0
		r.take(class)
		if r.number() == byNumber {
			r.number()
		} else {
			r.take(r.number())
		}
	}
	count, several := int64(1), p.kind&kindMultiple != 0
	p.kind &^= kindMultiple
	if several || p.variable() {
		count = r.number()
	}
	for i := int64(0); i < count && len(r.b) > 0; i++ {
		v := r.take(r.width(p))
		if i == 0 {
			p.value, ok = v, true
		}
	}
	if p.kind == kindObject && len(p.value) > tnefObjectHead {
		p.value = p.value[tnefObjectHead:]
	}
	return p, ok && !r.cut
}

func (p property) variable() bool {
	return p.kind == kindString || p.kind == kindUnicode || p.kind == kindObject || p.kind == kindBinary
}

// width is the size of the next value; those of no fixed size state it.
func (r *propertyReader) width(p property) int64 {
	if p.variable() {
		return r.number()
	}
	switch p.kind {
	case 0x0005, 0x0006, 0x0007, 0x0014, 0x0040: // float, currency, times, 64 bits
		return 8
	case 0x0048: // a class
		return 16
	}
	return 4
}
