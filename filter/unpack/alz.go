package unpack

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of ALZ, the format of ESTsoft's ALZip, by what free readers know of it.
const (
	alzMember = "BLZ\x01"
	alzMark   = 8  // of the file
	alzFixed  = 13 // of a member's header, up to its sizes

	alzGarbled = 1 << 0
	alzFolder  = 1 << 4 // in the attributes
)

// alzHeader is the header of a member.
type alzHeader struct {
	name         []byte
	folder       bool
	garbled      bool
	method       byte
	crc          uint32
	packed, size int64
}

// openALZ reads ALZ: members that are stored, deflated or packed by bzip2.
func openALZ(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	rest := e.Body[min(alzMark, len(e.Body)):]
	for len(rest) > 4 && string(rest[:4]) == alzMember && !m.spent() {
		h, n := readALZ(rest)
		if n == 0 {
			break
		}
		data := within(rest, int64(n), h.packed)
		rest = rest[min(int64(n)+h.packed, int64(len(rest))):]
		if !m.giveALZ(h, data) {
			return m.found
		}
	}
	// The directory at the end repeats nothing that is needed.
	if !m.spent() && !bytes.HasPrefix(rest, []byte("CLZ\x01")) {
		m.note(finding.ContainerBroken, e.Path, "record", "header")
	}
	return m.found
}

// readALZ reads the header at the start of b and returns how long it is, 0
// where it is cut. How many bytes a size has stands in its flags.
func readALZ(b []byte) (h alzHeader, n int) {
	if len(b) < alzFixed {
		return h, 0
	}
	width := int(b[11] >> 4)
	h = alzHeader{folder: b[6]&alzFolder != 0, garbled: b[11]&alzGarbled != 0}
	n = alzFixed
	if width > 0 {
		if width > 8 || len(b) < n+6+2*width {
			return h, 0
		}
		h.method, h.crc = b[n], u32(b[n+2:])
		h.packed, h.size = alzNumber(b[n+6:n+6+width]), alzNumber(b[n+6+width:n+6+2*width])
		n += 6 + 2*width
	}
	h.name = within(b, int64(n), int64(u16(b[4:])))
	if n += int(u16(b[4:])); h.garbled {
		n += 12
	}
	if n > len(b) {
		return h, 0
	}
	return h, n
}

func alzNumber(b []byte) int64 {
	var wide [8]byte
	copy(wide[:], b)
	return int64(min(u64(wide[:]), 1<<62))
}

// giveALZ yields one member.
func (m *members) giveALZ(h alzHeader, data []byte) bool {
	const korean = 949 // what ALZip writes, wherever it runs
	names := []entity.Name{paged(h.name, korean, "header"), decoded(h.name, "header", false)}
	for i, n := range names {
		if text := strings.ReplaceAll(n.Text, "\\", "/"); text != n.Text {
			names[i].Text, names[i].Raw = text, bytes.Clone(h.name)
		}
	}
	e, ok := m.next(names...)
	if !ok {
		return false
	}
	e.Size, e.Dir = h.size, h.folder
	switch {
	case h.folder:
	case h.garbled:
		e.Encrypted = true
		m.note(finding.ContainerEncrypted, e.Path, "name", e.Name())
	default:
		m.unpackALZ(h, data, e)
	}
	m.yield(e)
	m.bud.Free(e.Body)
	return !m.spent()
}

func (m *members) unpackALZ(h alzHeader, data []byte, e *entity.Entity) {
	body, err := m.bud.ReadSized(e.Path, &guarded{open: func() (io.Reader, error) { return m.alzReader(h, data) }}, int64(len(data))*strongShare, h.size)
	if err == nil && (int64(len(body)) < h.size || int64(len(data)) < h.packed) {
		err = io.ErrUnexpectedEOF
	}
	e.Body, e.Unread = body, err != nil
	switch {
	case errors.Is(err, budget.ErrExceeded):
	case errors.Is(err, errMethod):
		m.note(finding.ContainerMethod, e.Path, "method", fmt.Sprint(h.method), "name", e.Name())
	case err != nil:
		m.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	case sum(body) != h.crc:
		m.note(finding.ContainerChecksum, e.Path, "name", e.Name())
	}
}

func (m *members) alzReader(h alzHeader, data []byte) (io.Reader, error) {
	in := bytes.NewReader(data)
	switch h.method {
	case 0:
		return in, nil
	case 1:
		return bzip2.NewReader(in), m.allot(bzip2Memory)
	case 2:
		return flate.NewReader(in), nil
	}
	return nil, errMethod
}
