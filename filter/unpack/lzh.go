package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// lzhMethod is a way of packing. One without a decoder stores.
type lzhMethod struct {
	dict    int
	history func([]byte)
	decoder func(packed []byte) lzhDecoder
}

// lzhMethods are the methods of LHA, LArc and PMarc. The history of -lh4- and
// -lh5- is twice what they declare, since some writers use it.
var lzhMethods = map[string]lzhMethod{
	"-lh0-": {},
	"-lh1-": {4 << 10, blankLZH, newLH1},
	"-lh2-": {8 << 10, blankLZH, newLH2},
	"-lh3-": {8 << 10, blankLZH, newLH3},
	"-lh4-": {16 << 10, blankLZH, newLZHBlock(4)},
	"-lh5-": {16 << 10, blankLZH, newLZHBlock(4)},
	"-lh6-": {64 << 10, blankLZH, newLZHBlock(5)},
	"-lh7-": {128 << 10, blankLZH, newLZHBlock(5)},
	"-lhx-": {1 << 20, blankLZH, newLZHBlock(5)},
	"-lz4-": {},
	"-lz5-": {lz5History, larcHistory, newLZ5},
	"-lzs-": {lzsHistory, blankLZH, newLZS},
	"-pm0-": {},
	"-pm1-": {16 << 10, blankLZH, newPM1},
	"-pm2-": {8 << 10, blankLZH, newPM2},
	"-pms-": {}, // the program of a PMarc self-extractor
}

// methodOf finds the method of a header. LHarK names its own method -lh7- too
// and is known by its system letter.
func methodOf(h *lzhHeader) (lzhMethod, bool) {
	if h.method == "-lh7-" && h.level == 1 && h.system == ' ' {
		return lzhMethod{128 << 10, blankLZH, newLHarK}, true
	}
	m, ok := lzhMethods[h.method]
	return m, ok
}

// stored says that the content stands as it is; a directory that has content
// is read so.
func (h *lzhHeader) stored() bool {
	m, known := methodOf(h)
	return known && m.decoder == nil || h.method == "-lhd-"
}

// lzh is one LZH archive being read.
type lzh struct {
	*members
	b []byte
	// hidden is what archivers stop at and we have passed over; resumed is
	// where members went on.
	hidden  string
	resumed int
}

// openLZH draws the members of an LHA, LArc or PMarc archive, wherever it
// begins, past its end mark and past junk between members.
func openLZH(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	a := &lzh{members: newMembers(e, bud, yield), b: e.Body}
	a.walk()
	return a.found
}

func (a *lzh) walk() {
	h := parseLZH(a.b, 0) // at the very start even a faulty header is taken at its word
	if h == nil {
		h = a.find(0)
	}
	if h == nil {
		a.note(finding.ContainerBroken, a.of.Path, "what", "no header")
		return
	}
	if h.at > 0 {
		a.note(finding.ContainerPrefix, a.of.Path, "type", prefixKind(a.b), "bytes", strconv.Itoa(h.at))
	}
	for h != nil && a.member(h) {
		h = a.after(h)
	}
}

func (a *lzh) find(from int) *lzhHeader {
	return findLZH(a.b, from, func(n int) bool { return a.bud.Spend(a.of.Path, int64(n)) == nil })
}

// after finds the header that follows the member of h.
func (a *lzh) after(h *lzhHeader) *lzhHeader {
	switch {
	case !h.whole(a.b):
		return a.search(h.data, "member larger than the archive")
	case len(h.faults) > 0: // its size may be the lie
		return a.search(h.data, "faulty header")
	}
	end := h.data + int(h.packed)
	if next := parseLZH(a.b, end); next != nil {
		return next
	}
	switch rest := a.b[end:]; {
	case padding(rest):
		return nil
	case rest[0] == 0:
		return a.search(end+1, "end mark")
	}
	return a.search(end, "junk")
}

// search looks for members where no archiver does. It states what else stands
// there.
func (a *lzh) search(from int, after string) *lzhHeader {
	if h := a.find(from); h != nil {
		a.hidden, a.resumed = after, h.at
		return h
	}
	rest := a.b[from:]
	switch {
	case after == "end mark":
		a.trail(rest, from)
	case after == "junk" && (len(rest) < lzhHead2 || lzhMethodAt(rest[2:])):
		a.note(finding.ContainerBroken, a.of.Path, "what", "header cut")
	case after == "junk":
		a.trail(rest, from)
	}
	return nil
}

// padding says that b is what archivers and transfer programs fill up with.
func padding(b []byte) bool { return len(bytes.Trim(b, "\x00\x1a")) == 0 }

// member yields the member of h; false ends the walk.
func (a *lzh) member(h *lzhHeader) bool {
	names := h.names()
	e, ok := a.next(names...)
	if !ok {
		return false
	}
	a.examine(e, h, names)
	e.Size = h.size
	method, known := methodOf(h)
	switch {
	case h.packed == 0 && (h.method == "-lhd-" || h.size == 0 && strings.HasSuffix(e.Name(), "/")):
		e.Link, e.Size = h.isLink(), 0
		e.Dir = !e.Link
	case h.method == "-lhd-":
		a.note(finding.ContainerConflict, e.Path, "in", "type", "member", "directory with content")
		e.Body = a.stored(e, h)
	case !known:
		a.note(finding.ContainerMethod, e.Path, "method", h.method)
		e.Unread = true
	case method.decoder == nil:
		e.Body = a.stored(e, h)
	default:
		a.decode(e, h, method)
		return !a.spent()
	}
	a.give(e, h)
	return !a.spent()
}

// examine states what is odd about a header.
func (a *lzh) examine(e *entity.Entity, h *lzhHeader, names []entity.Name) {
	if a.hidden != "" {
		e.Reading = "beyond-end"
	}
	if a.hidden != "" && h.at == a.resumed {
		a.note(finding.ContainerHidden, e.Path, "after", a.hidden)
	}
	for _, what := range h.faults {
		e.Reading = "faulty-header"
		a.note(finding.ContainerBroken, e.Path, "what", what)
	}
	if h.sizes {
		a.note(finding.ContainerConflict, e.Path, "in", "size")
	}
	if h.volume {
		a.note(finding.ContainerVolume, e.Path)
	}
	for _, n := range names[1:] {
		if n.Source != names[0].Source && disagree(names[0].Text, n.Text) {
			a.note(finding.ContainerConflict, e.Path, "in", "name", names[0].Source, names[0].Text, n.Source, n.Text)
		}
	}
	if e.Name() != "" && strings.HasPrefix(strings.TrimPrefix(e.Path, a.of.Path+"/"+shown(e.Name())), "#") {
		a.note(finding.ContainerDuplicate, e.Path, "name", e.Name())
	}
}

// stored returns the content of a member that is not packed.
func (a *lzh) stored(e *entity.Entity, h *lzhHeader) []byte {
	content := h.content(a.b)
	if int64(len(content)) < h.size {
		a.cut(e, h)
	}
	body, err := a.lend(e.Path, content[:min(int64(len(content)), h.size)])
	e.Unread = e.Unread || err != nil
	a.checksum(e, h, body)
	return body
}

// cut states that packed data are missing.
func (a *lzh) cut(e *entity.Entity, h *lzhHeader) {
	e.Unread = true
	a.note(finding.ContainerBroken, e.Path, "what", "content cut", "method", h.method)
}

// checksum compares body with the CRC of the header.
func (a *lzh) checksum(e *entity.Entity, h *lzhHeader, body []byte) bool {
	got := crc16(0, body)
	if e.Unread || got == h.crc {
		return true
	}
	a.note(finding.ContainerChecksum, e.Path, "method", h.method, "want", fmt.Sprintf("%04x", h.crc), "got", fmt.Sprintf("%04x", got))
	return false
}

// decode unpacks a member and yields it; where its checksum is wrong and
// packed data are left, also what comes of all of them.
func (a *lzh) decode(e *entity.Entity, h *lzhHeader, m lzhMethod) {
	packed := h.content(a.b)
	r := &lzhReader{w: newLZHWindow(m.dict, h.size, m.history), dec: m.decoder(packed), left: min(h.size, lzhNoEnd)}
	body, err := a.bud.ReadSized(e.Path, r, int64(len(packed)), h.size)
	defer a.bud.Free(body)
	switch {
	case errors.Is(err, budget.ErrExceeded):
		e.Unread = true
	case err != nil && !h.whole(a.b):
		a.cut(e, h)
	case err != nil:
		e.Unread = true
		a.note(finding.ContainerBroken, e.Path, "what", err.Error(), "method", h.method)
	}
	e.Body = body
	right := a.checksum(e, h, body)
	a.give(e, h)
	if right || r.dec.unused() < 2 {
		return
	}
	if longer, ok := a.again(e, "beyond-size"); ok {
		r.left = lzhNoEnd
		more, _ := a.bud.Read(longer.Path, r, int64(len(packed))) // it ends where bits run out
		longer.Body = append(body[:len(body):len(body)], more...)
		longer.Size = int64(len(longer.Body))
		a.yield(longer)
	}
}

// give yields a member, then what else could be seen in it.
func (a *lzh) give(e *entity.Entity, h *lzhHeader) {
	if !e.Unread && !e.Dir && !e.Link {
		e.Size = int64(len(e.Body))
	}
	body := e.Body
	a.yield(e)
	a.macBinary(e, h, body)
	if h.stored() && int64(len(h.content(a.b))) > h.size {
		a.surplus(e, h)
	}
}

// surplus yields all that stands between a stored member's header and the
// next, where that is more than the declared size.
func (a *lzh) surplus(e *entity.Entity, h *lzhHeader) {
	a.note(finding.ContainerConflict, e.Path, "in", "size", "packed", strconv.FormatInt(h.packed, 10), "size", strconv.FormatInt(h.size, 10))
	more, ok := a.again(e, "packed-size")
	if !ok {
		return
	}
	body, err := a.lend(more.Path, h.content(a.b))
	more.Body, more.Size, more.Unread = body, int64(len(body)), err != nil
	a.yield(more)
}

// macHead is the size of a MacBinary header, macBlock the unit that it and both
// forks are filled up to.
const macHead, macBlock = 128, 128

// macBinary yields the data fork of a file that LHA for Macintosh has wrapped
// (MacBinary standard, 1985): other unpackers leave the wrapper on.
func (a *lzh) macBinary(e *entity.Entity, h *lzhHeader, b []byte) {
	if h.system != 'm' && h.level > 0 || e.Unread || len(b) < macHead || b[0] != 0 || b[1] == 0 || b[1] > 63 || b[74] != 0 || b[82] != 0 {
		return
	}
	data, resource := int64(binary.BigEndian.Uint32(b[83:])), int64(binary.BigEndian.Uint32(b[87:]))
	filled := func(n int64) int64 { return (n + macBlock - 1) / macBlock * macBlock }
	if data == 0 || macHead+filled(data)+filled(resource) != int64(len(b)) && macHead+data != int64(len(b)) {
		return
	}
	if fork, ok := a.again(e, "macbinary"); ok {
		fork.Body, fork.Size = b[macHead:macHead+data], data
		a.yield(fork)
	}
}

// prefixKind names what a file with an archive further on begins with.
func prefixKind(b []byte) string {
	for _, k := range []struct{ kind, magic string }{
		{"program", "MZ"}, {"program", "\x7fELF"}, {"pdf", "%PDF"}, {"png", "\x89PNG"}, {"gif", "GIF8"},
		{"jpeg", "\xff\xd8\xff"}, {"zip", "PK"}, {"ole", "\xd0\xcf\x11\xe0"}, {"rtf", "{\\rtf"},
	} {
		if bytes.HasPrefix(b, []byte(k.magic)) {
			return k.kind
		}
	}
	return "data"
}
