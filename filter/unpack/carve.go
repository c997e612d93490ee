package unpack

import (
	"bytes"
)

// maxCarved bounds the programs that are cut out of one file.
const maxCarved = 16

// peSize returns how long the program at the start of b is by its table of
// sections (PE/COFF §3); 0 for what is no program. It may be more than b has.
func peSize(b []byte) int64 {
	const least, entry = 64, 40
	if len(b) < least || string(b[:2]) != "MZ" {
		return 0
	}
	at := int64(u32(b[60:]))
	head := within(b, at, 24)
	if len(head) < 24 || string(head[:4]) != "PE\x00\x00" {
		return 0
	}
	at += 24 + int64(u16(head[20:]))
	end := at
	for range u16(head[6:]) {
		s := within(b, at, entry)
		if len(s) < entry {
			break
		}
		at += entry
		end = max(end, at)
		if size := int64(u32(s[16:])); size > 0 {
			end = max(end, int64(u32(s[20:]))+size)
		}
	}
	return end
}

// carve yields the programs that stand within b as they are, for formats of
// which only some versions are understood.
func (m *members) carve(b []byte) {
	for at, n := 0, 0; n < maxCarved; at++ {
		i := bytes.Index(b[at:], []byte("MZ"))
		if i < 0 {
			return
		}
		at += i
		size := peSize(b[at:])
		if size == 0 {
			continue
		}
		n++
		if !m.part("carved", within(b, int64(at), size)) {
			return
		}
	}
}

// part yields bytes of the container that need no unpacking and have no name.
func (m *members) part(reading string, b []byte) bool {
	e, ok := m.next()
	if !ok {
		return false
	}
	body, err := m.lend(e.Path, b)
	e.Reading, e.Body, e.Size, e.Unread = reading, body, int64(len(b)), err != nil
	m.yield(e)
	return !m.spent()
}
