package unpack

import (
	"archive/tar"
	"bytes"
	"math"
	"strconv"
	"strings"

	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// maxTarViews bounds the places from which a tar file is read once more.
const maxTarViews = 8

// tarMeta is what the records before a header say of its member: each reader
// takes some of them, the first or the last.
type tarMeta struct {
	long, pax []string // names
	sizes     []int64
}

// tarMetaOf reads the records between the member before and the header at end.
func tarMetaOf(b []byte) (m tarMeta) {
	for len(b) >= tarBlock && tarHeader(b[:tarBlock]) {
		size, ok := tarNumber(b[124:136])
		if !ok || size > int64(len(b)-tarBlock) {
			return m
		}
		data := b[tarBlock : tarBlock+size]
		switch b[156] {
		case tar.TypeGNULongName:
			name, _, _ := bytes.Cut(data, []byte{0})
			m.long = append(m.long, string(name))
		case tar.TypeXHeader, 'X': // X is that of Solaris
			m.readPax(data)
		}
		b = b[min(int64(roundUp(tarBlock+int(size), tarBlock)), int64(len(b))):]
	}
	return m
}

// readPax reads records "length key=value\n" (POSIX.1-2017, pax).
func (m *tarMeta) readPax(b []byte) {
	for len(b) > 0 {
		digits, _, found := bytes.Cut(b, []byte(" "))
		n, err := strconv.Atoi(string(digits))
		if !found || err != nil || n <= len(digits)+1 || n > len(b) {
			return
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(string(b[len(digits)+1:n]), "\n"), "=")
		switch key {
		case "path":
			m.pax = append(m.pax, value)
		case "size":
			if v, err := strconv.ParseInt(value, 10, 64); err == nil {
				m.sizes = append(m.sizes, v)
			}
		}
		b = b[n:]
	}
}

// tarNumber reads a number in octal, or in base 256 as GNU has it.
func tarNumber(field []byte) (int64, bool) {
	if field[0]&0x80 == 0 {
		text := strings.Trim(string(field), " \x00")
		if text == "" {
			return 0, true
		}
		v, err := strconv.ParseInt(text, 8, 64)
		return v, err == nil && v >= 0
	}
	v := int64(field[0] & 0x7f)
	for _, c := range field[1:] {
		if v > math.MaxInt64>>8 {
			return 0, false
		}
		v = v<<8 | int64(c)
	}
	return v, true
}

// names returns the name in force, then every other that a reader may take:
// those of further records, and the one in the header itself unless it was
// merely cut.
func (t *tarReader) names(h *tar.Header, meta tarMeta, block []byte) []entity.Name {
	names := []entity.Name{decoded([]byte(h.Name), "header", false)}
	if h.PAXRecords["path"] != "" {
		names[0].Source = "pax"
	}
	for _, n := range meta.long {
		names = append(names, decoded([]byte(n), "long", false))
	}
	for _, n := range meta.pax {
		names = append(names, decoded([]byte(n), "pax", false))
	}
	if len(meta.long)+len(meta.pax) == 0 || block == nil {
		return names
	}
	if raw, _, _ := bytes.Cut(block[:100], []byte{0}); len(raw) > 0 && len(raw) < 99 && block[345] == 0 {
		names = append(names, decoded(raw, "header", false))
	}
	return names
}

// compare states where the records of a member disagree. A header beside a
// long name may hold a cut or plainer form of it.
func (t *tarReader) compare(e *entity.Entity, h *tar.Header, meta tarMeta, block []byte, at int) {
	for i, n := range e.Names {
		if i > 0 && !sparse(h) && (n.Source != "header" || extsPart(e.Names[0].Text, n.Text)) {
			t.note(finding.ContainerConflict, e.Path, "in", "name", "name", e.Names[0].Text, "other", n.Text)
		}
	}
	if len(meta.sizes) == 0 || block == nil || sparse(h) {
		return
	}
	own, ok := tarNumber(block[124:136])
	last := meta.sizes[len(meta.sizes)-1]
	const octalMost = 1<<33 - 1 // what eleven digits can say
	if last > octalMost && own == 0 {
		return
	}
	for _, size := range append(meta.sizes, own) {
		if size == last && ok {
			continue
		}
		t.note(finding.ContainerConflict, e.Path, "in", "size", "declared", strconv.FormatInt(own, 10), "pax", strconv.FormatInt(last, 10))
		if size >= 0 && size < last && len(t.views) < maxTarViews {
			end := min(int64(len(t.body)-at), last)
			t.views = append(t.views, span{at + roundUp(int(min(size, end)), tarBlock), at + int(end)})
		}
	}
}

// review reads what a reader that takes the shorter size of a member would
// take for headers.
func (t *tarReader) review() {
	for _, v := range t.views {
		if v.start >= v.end || nextTarHeader(t.body[:v.end], v.start) < 0 {
			continue
		}
		other := &tarReader{members: t.members, body: t.body[:v.end], from: v.start, files: t.files, reading: "shorter-size"}
		for other.err == nil && other.from >= 0 {
			other.run()
		}
	}
}
