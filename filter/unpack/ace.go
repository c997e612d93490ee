package unpack

import (
	"bytes"
	"hash/crc32"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of ACE's headers, by what free readers know of the format.
const (
	aceMark   = "**ACE**"
	aceMarkAt = 7
	aceFile   = 1 // kinds of headers
	aceWide   = 2 // a file with sizes of 64 bits

	aceSized    = 1 << 0 // the header brings data
	aceGoesOn   = 1<<12 | 1<<13
	aceGarbled  = 1 << 14
	aceFolder   = 1 << 4 // of the attributes
	aceStored   = 0
	maxACEStubs = 1 << 20 // how far into a self-extractor the mark is looked for
)

// aceHeader is the header of a file.
type aceHeader struct {
	flags        uint16
	packed, size int64
	attributes   uint32
	crc          uint32
	method       byte
	name         []byte
}

// openACE lists ACE, whose names are judged. Stored files are read; no free
// reader of the other methods has been held against hostile bytes.
func openACE(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	at := bytes.Index(e.Body[:min(len(e.Body), maxACEStubs)], []byte(aceMark)) - aceMarkAt
	if at < 0 {
		m.note(finding.ContainerBroken, e.Path, "record", "main header")
		return m.found
	}
	if at > 0 {
		m.note(finding.ContainerPrefix, e.Path, "kind", kindOf(e.Body[:at]), "bytes", strconv.Itoa(at))
	}
	for first := true; at < len(e.Body) && !m.spent(); first = false {
		h := within(e.Body, int64(at), 4)
		size := 0
		if len(h) == 4 {
			size = int(u16(h[2:]))
		}
		b := within(e.Body, int64(at)+4, int64(size))
		if len(b) < size || size < 3 {
			m.note(finding.ContainerBroken, e.Path, "record", "header", "at", strconv.Itoa(at))
			return m.found
		}
		if u16(h) != uint16(^crc32.ChecksumIEEE(b)) {
			m.note(finding.ContainerChecksum, e.Path, "record", "header", "at", strconv.Itoa(at))
		}
		at += 4 + size
		f, more, ok := readACE(b)
		data := within(e.Body, int64(at), more)
		at += len(data)
		if !first && ok && !m.giveACE(f, data) {
			return m.found
		}
	}
	return m.found
}

// readACE reads a header and says how many bytes of data stand behind it. ok
// is false for what is no file.
func readACE(b []byte) (h aceHeader, more int64, ok bool) {
	h.flags = u16(b[1:])
	wide := b[0] == aceWide
	if h.flags&aceSized != 0 && len(b) >= 11 {
		if more = int64(u32(b[3:])); wide {
			more = int64(min(u64(b[3:]), 1<<62))
		}
	}
	h.packed = more
	at := 7
	if h.size = int64(u32(grown(b, at))); wide {
		at = 11
		h.size = int64(min(u64(grown(b, at)), 1<<62))
		at += 4
	}
	rest := grown(b, at+8) // behind the size and the time
	h.attributes, h.crc, h.method = u32(rest), u32(rest[4:]), rest[8]
	h.name = within(rest, 16, int64(u16(rest[14:])))
	return h, more, b[0] == aceFile || wide
}

// grown is b from at on, with zeros behind it for the numbers of a head that
// is cut.
func grown(b []byte, at int) []byte {
	return append(bytes.Clone(b[min(at, len(b)):]), make([]byte, 16)...)
}

// giveACE yields one file.
func (m *members) giveACE(h aceHeader, data []byte) bool {
	n := decoded(bytes.TrimRight(h.name, "\x00"), "header", false)
	if text := strings.ReplaceAll(n.Text, "\\", "/"); text != n.Text {
		n.Text, n.Raw = text, bytes.Clone(h.name)
	}
	e, ok := m.next(n)
	if !ok {
		return false
	}
	e.Size, e.Dir = h.size, h.attributes&aceFolder != 0
	if h.flags&aceGoesOn != 0 {
		m.note(finding.ContainerVolume, e.Path, "type", "ace")
	}
	switch {
	case e.Dir:
	case h.flags&aceGarbled != 0:
		e.Encrypted = true
		m.note(finding.ContainerEncrypted, e.Path, "name", e.Name())
	case h.method != aceStored:
		e.Unread = true
		m.note(finding.ContainerMethod, e.Path, "method", strconv.Itoa(int(h.method)), "name", e.Name())
	default:
		m.storedACE(e, h, data)
	}
	m.yield(e)
	return !m.spent()
}

func (m *members) storedACE(e *entity.Entity, h aceHeader, data []byte) {
	body, err := m.lend(e.Path, data)
	e.Body, e.Unread = body, err != nil || int64(len(data)) < h.size
	switch {
	case err != nil:
	case int64(len(data)) < h.size:
		m.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	case ^sum(body) != h.crc:
		m.note(finding.ContainerChecksum, e.Path, "name", e.Name())
	}
}
