package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of ARJ's headers (Robert Jung's technical note that comes with the
// archiver).
const (
	arjMark    = "\x60\xea"
	arjLeast   = 30 // of a header's first part
	maxARJHead = 2600

	arjGarbled  = 1 << 0
	arjVolume   = 1 << 2 // goes on in the next file
	arjGoesOn   = 1 << 3 // came from the one before
	arjMain     = 2      // kinds of entries
	arjFolder   = 3
	arjLabel    = 4
	arjChapter  = 5
	arjFastest  = 4
	arjDict     = 32 << 10 // more than its 26,624, as all readers have it
	maxARJExtra = 64       // extended headers of one member
	maxARJStub  = 8 << 20  // how far into a self-extractor the archive is looked for
)

// arjHeader is the header of a member.
type arjHeader struct {
	flags, method, kind byte
	packed, size        int64
	crc                 uint32
	name                []byte
	data                int // where its content stands
}

// arj walks one archive.
type arj struct {
	*members
	b     []byte
	names map[string]bool
}

// openARJ reads ARJ. The archive may stand behind a self-extractor.
func openARJ(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	a := &arj{members: newMembers(e, bud, yield), b: e.Body, names: map[string]bool{}}
	at := a.find()
	if at < 0 {
		a.note(finding.ContainerBroken, e.Path, "record", "main header")
		return a.found
	}
	if at > 0 {
		a.note(finding.ContainerPrefix, e.Path, "kind", kindOf(a.b[:at]), "bytes", strconv.Itoa(at))
	}
	main, ok := a.header(at)
	if !ok {
		a.note(finding.ContainerBroken, e.Path, "record", "main header")
		return a.found
	}
	for at = main.data; !a.spent(); {
		if string(within(a.b, int64(at), 4)) == arjMark+"\x00\x00" {
			a.end(at + 4)
			return a.found
		}
		h, ok := a.header(at)
		if !ok {
			a.note(finding.ContainerBroken, e.Path, "record", "header", "at", strconv.Itoa(at))
			return a.found
		}
		if !a.give(h) {
			return a.found
		}
		at = h.data + int(min(h.packed, int64(len(a.b)-h.data)))
	}
	return a.found
}

// find returns where the main header stands: at the start, or in a
// self-extractor where its checksum is right.
func (a *arj) find() int {
	if bytes.HasPrefix(a.b, []byte(arjMark)) {
		return 0
	}
	area := a.b[:min(len(a.b), maxARJStub)]
	for at := 0; ; at++ {
		i := bytes.Index(area[at:], []byte(arjMark))
		if i < 0 {
			return -1
		}
		if at += i; arjWhole(a.b[at:]) {
			return at
		}
	}
}

// arjWhole says that a main header with the right checksum begins b.
func arjWhole(b []byte) bool {
	if len(b) < 4+arjLeast {
		return false
	}
	n := int(u16(b[2:]))
	return n >= arjLeast && n <= maxARJHead && len(b) >= n+8 && b[10] == arjMain && sum(b[4:4+n]) == u32(b[4+n:])
}

// end looks at what stands behind the archive's end.
func (a *arj) end(at int) {
	if at < len(a.b) && kindOf(a.b[at:]) != "padding" {
		a.trail(a.b[at:], at)
	}
}

// header reads the header at at and passes over its extensions.
func (a *arj) header(at int) (h arjHeader, ok bool) {
	b := a.b[min(at, len(a.b)):]
	if len(b) < 4+arjLeast || string(b[:2]) != arjMark {
		return h, false
	}
	n := int(u16(b[2:]))
	if n < arjLeast || n > maxARJHead || len(b) < n+8 {
		return h, false
	}
	if sum(b[4:4+n]) != u32(b[4+n:]) {
		a.note(finding.ContainerChecksum, a.of.Path, "record", "header", "at", strconv.Itoa(at))
	}
	f := b[4 : 4+n]
	h = arjHeader{flags: f[4], method: f[5], kind: f[6], packed: int64(u32(f[12:])), size: int64(u32(f[16:])), crc: u32(f[20:])}
	h.name, _, _ = bytes.Cut(f[min(int(f[0]), n):], []byte{0})
	at += 4 + n + 4
	for range maxARJExtra {
		extra := within(a.b, int64(at), 2)
		if len(extra) < 2 {
			return h, false
		}
		if at += 2; u16(extra) == 0 {
			h.data = at
			return h, true
		}
		at += int(u16(extra)) + 4
	}
	return h, false
}

// give yields one member.
func (a *arj) give(h arjHeader) bool {
	if h.kind == arjLabel || h.kind == arjChapter {
		return true
	}
	e, ok := a.next(h.names()...)
	if !ok {
		return false
	}
	e.Size, e.Dir = h.size, h.kind == arjFolder
	if key := fold(e.Name()); a.names[key] {
		a.note(finding.ContainerDuplicate, e.Path, "name", e.Name())
	} else {
		a.names[key] = true
	}
	if h.flags&(arjVolume|arjGoesOn) != 0 {
		a.note(finding.ContainerVolume, e.Path, "type", "arj")
	}
	switch {
	case e.Dir:
	case h.flags&arjGarbled != 0:
		e.Encrypted = true
		a.note(finding.ContainerEncrypted, e.Path, "name", e.Name())
	default:
		a.unpack(h, e)
		a.yield(e)
		a.bud.Free(e.Body)
		return !a.spent()
	}
	a.yield(e)
	return !a.spent()
}

// unpack draws out the content of one member.
func (a *arj) unpack(h arjHeader, e *entity.Entity) {
	data := within(a.b, int64(h.data), h.packed)
	r, err := h.reader(data)
	if err == nil {
		e.Body, err = a.bud.ReadSized(e.Path, &guarded{open: func() (io.Reader, error) { return r, nil }}, int64(len(data)), h.size)
	}
	if err == nil && (int64(len(e.Body)) < h.size || int64(len(data)) < h.packed) {
		err = io.ErrUnexpectedEOF
	}
	e.Unread = err != nil
	switch {
	case errors.Is(err, budget.ErrExceeded):
	case errors.Is(err, errMethod):
		a.note(finding.ContainerMethod, e.Path, "method", fmt.Sprint(h.method), "name", e.Name())
	case err != nil:
		a.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	case sum(e.Body) != h.crc && h.flags&(arjVolume|arjGoesOn) == 0:
		a.note(finding.ContainerChecksum, e.Path, "name", e.Name())
	}
}

// reader undoes the method of a member.
func (h arjHeader) reader(data []byte) (io.Reader, error) {
	switch {
	case h.method == 0:
		return io.LimitReader(bytes.NewReader(data), h.size), nil
	case h.method < arjFastest:
		return newLZHReader(newLZHBlock(5)(data), arjDict, h.size), nil
	case h.method == arjFastest:
		return newLZHReader(&arjFast{in: lzhBits{in: data}}, arjDict, h.size), nil
	}
	return nil, errMethod
}

func newLZHReader(dec lzhDecoder, dict int, size int64) io.Reader {
	return &lzhReader{w: newLZHWindow(dict, size, func([]byte) {}), dec: dec, left: size}
}

// names are the readings of the member's name. Both separators are met.
func (h arjHeader) names() []entity.Name {
	n := decoded(h.name, "header", false)
	if text := strings.ReplaceAll(n.Text, "\\", "/"); text != n.Text {
		n.Text, n.Raw = text, bytes.Clone(h.name)
	}
	return []entity.Name{n}
}

// arjFast undoes method 4, "fastest": lengths and distances in a code that
// tells in one-bits how many bits follow.
type arjFast struct{ in lzhBits }

func (d *arjFast) unused() int { return d.in.left() }

func (d *arjFast) fill(w *lzhWindow) error {
	const lengthBits, distLeast, distMost = 7, 9, 13
	for w.pos < w.stop {
		n := d.number(0, lengthBits)
		if n == 0 {
			w.put(byte(d.in.get(8)))
		} else {
			w.repeat(d.number(distLeast, distMost)+1, n+lzhMinRun-1)
		}
		if d.in.short() {
			return errLZHShort
		}
	}
	return nil
}

// number reads a number: one-bits up to a zero say how many bits it has above
// the least; each such step begins where the one before ended.
func (d *arjFast) number(least, most uint) int {
	base, bits := 0, least
	for bits < most && d.in.get(1) == 1 {
		base += 1 << bits
		bits++
	}
	return base + d.in.get(bits)
}
