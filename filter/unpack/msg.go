package unpack

import (
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Names of streams and storages of an Outlook item (MS-OXMSG §2.2).
const (
	msgAttachment = "__attach_version1.0_"
	msgProperty   = "__substg1.0_"
	msgProperties = "__properties_version1.0"
)

// msgReader reads an Outlook item saved as a file, and those within it.
type msgReader struct {
	*members
	file *compound
	seen map[uint32]bool
	// begun are the sectors where streams were read from: no two begin at one.
	begun map[streamStart]bool
}

type streamStart struct {
	small bool
	at    uint32
}

// openMSG draws attachments and bodies out of an Outlook item.
func openMSG(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	r := &msgReader{members: newMembers(e, bud, yield), seen: map[uint32]bool{}, begun: map[streamStart]bool{}}
	file, ok := readCompound(e.Body)
	if !ok {
		r.note(finding.ContainerBroken, e.Path, "record", "compound file")
		return r.found
	}
	r.file = file
	if r.message(0, 0); r.file.cut {
		r.note(finding.ContainerBroken, e.Path, "record", "chain of sectors")
	}
	return r.found
}

// message reads the item in a storage; nested says how many items it is in.
func (r *msgReader) message(at, nested int) bool {
	if r.bud.Enter(r.of.Path, r.of.Depth+nested) != nil {
		return false
	}
	for _, c := range r.file.children(at, r.seen) {
		e := r.file.entries[c]
		ok := true
		switch {
		case e.kind == compoundStorage && strings.HasPrefix(e.name, msgAttachment):
			ok = r.attachment(c, nested)
		case e.kind == compoundStream:
			ok = r.body(c)
		}
		if !ok {
			return false
		}
	}
	return true
}

// property reads a stream that holds one property. Its name states which and
// of what kind, in hexadecimal digits.
func (r *msgReader) property(at int) (p property, ok bool) {
	e := r.file.entries[at]
	digits, ok := strings.CutPrefix(e.name, msgProperty)
	if !ok || len(digits) < 8 {
		return p, false
	}
	tag, err := strconv.ParseUint(digits[:8], 16, 32)
	if err != nil {
		return p, false
	}
	p.id, p.kind = uint16(tag>>16), uint16(tag)
	return p, p.kind&kindMultiple == 0 && p.kind != kindObject
}

// value reads the content of the stream at within the budget. One that shares
// its sectors with another was given before and is left out.
func (r *msgReader) value(at int) ([]byte, bool) {
	e := r.file.entries[at]
	start := streamStart{e.size < compoundCutoff, e.start}
	if r.begun[start] && e.size > 0 {
		r.note(finding.ContainerOverlap, r.of.Path, "stream", e.name)
		return nil, true
	}
	r.begun[start] = true
	if r.bud.Spend(r.of.Path, min(e.size, int64(len(r.of.Body)))) != nil {
		return nil, false
	}
	return r.file.stream(at), true
}

// body gives the text of the item.
func (r *msgReader) body(at int) bool {
	p, ok := r.property(at)
	if !ok || p.id != propBody && p.id != propHTML && p.id != propRTF {
		return true
	}
	if p.value, ok = r.value(at); !ok {
		return false
	}
	if p.id == propRTF {
		return len(p.value) == 0 || r.rtf(p.value)
	}
	i := &item{media: "text/plain"}
	if p.id == propHTML {
		i.media = "text/html"
	}
	if len(p.value) == 0 {
		return true
	}
	if p.kind != kindBinary {
		p.value = []byte(p.text(0).Text)
	}
	i.add(p.value)
	return r.give(i, "body")
}

// attachment reads one attachment: its properties are streams, but for an
// attached item or object, which is a storage.
func (r *msgReader) attachment(at, nested int) bool {
	i := &item{}
	var objects []int
	for _, c := range r.file.children(at, r.seen) {
		p, ok := r.property(c)
		switch e := r.file.entries[c]; {
		case e.kind == compoundStorage:
			objects = append(objects, c)
		case ok:
			if p.value, ok = r.value(c); !ok {
				return false
			}
			i.take(p)
		}
	}
	if !r.give(i, "") {
		return false
	}
	for _, c := range objects {
		if !r.object(c, nested) {
			return false
		}
	}
	return true
}

// object reads an attached item, or gives the streams of an object that
// another program embedded.
func (r *msgReader) object(at, nested int) bool {
	children := r.file.children(at, map[uint32]bool{})
	for _, c := range children {
		if r.file.entries[c].name == msgProperties {
			return r.message(at, nested+1)
		}
	}
	for _, c := range children {
		e := r.file.entries[c]
		if e.kind != compoundStream || r.seen[uint32(c)] {
			continue
		}
		r.seen[uint32(c)] = true
		b, ok := r.value(c)
		if !ok || !r.give(&item{bodies: [][]byte{b}}, "object") {
			return false
		}
	}
	return true
}
