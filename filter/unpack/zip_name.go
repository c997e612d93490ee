package unpack

import (
	"bytes"
	"path"
	"strconv"
	"strings"

	"sekisho/filter/charset"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// names returns every candidate name of m, in the order in which programs
// prefer them.
func (z *zipReader) names(m *zipMember) []entity.Name {
	var names, more []entity.Name
	for _, r := range m.records() {
		source := "central"
		if r == m.local {
			source = "local"
		}
		n := decoded(r.name, source, r.has(flagUTF8))
		if n.Charset == "unknown" {
			// No Japanese name: Western archivers write the DOS code page.
			if text, ok := charset.Decode(r.name, "cp437"); ok {
				n.Text, n.Charset = text, "cp437"
			}
		}
		names = append(names, n)
		// C programs end a name at NUL.
		if head, _, cut := bytes.Cut(r.name, []byte{0}); cut {
			more = append(more, decoded(head, source, r.has(flagUTF8)))
		}
		if r.unicode != nil {
			more = append(more, decoded(r.unicode, "unicode-path", true))
		}
		for _, raw := range r.spellings {
			more = append(more, decoded(raw, "unicode-path", true))
		}
	}
	return append(names, more...)
}

// compare states where the headers of m disagree.
func (z *zipReader) compare(m *zipMember, e *entity.Entity) {
	for _, r := range m.records() {
		if r.fault != "" {
			z.note(finding.ContainerConflict, e.Path, "in", r.fault)
		}
		if r.cut {
			z.note(finding.ContainerBroken, e.Path, "record", "header")
		}
	}
	z.compareNames(m, e)
	for _, c := range m.central {
		if m.local != nil {
			z.compareFields(c, m.local, e)
		}
	}
	switch {
	case m.at < 0 || m.local == nil:
		z.note(finding.ContainerBroken, e.Path, "record", "local header")
	case !m.listed && len(z.ends) > 0:
		z.note(finding.ContainerHidden, e.Path, "name", e.Name())
	}
	if m.moved && m.at >= 0 {
		z.note(finding.ContainerConflict, e.Path, "in", "offset")
	}
	if len(m.central) > 1 {
		z.note(finding.ContainerOverlap, e.Path, "members", strconv.Itoa(len(m.central)))
	}
}

// compareFields compares what a central and a local header must have in
// common.
func (z *zipReader) compareFields(c, l *zipRecord, e *entity.Entity) {
	differ := func(in, a, b string) {
		z.note(finding.ContainerConflict, e.Path, "in", in, "central", a, "local", b)
	}
	if c.method != l.method {
		differ("method", strconv.Itoa(int(c.method)), strconv.Itoa(int(l.method)))
	}
	if c.has(flagEncrypted) != l.has(flagEncrypted) {
		differ("encryption", strconv.FormatBool(c.has(flagEncrypted)), strconv.FormatBool(l.has(flagEncrypted)))
	}
	// With a descriptor, or a masked header, the local values are left empty.
	late := l.has(flagDescriptor) || l.has(flagMasked)
	unlike := func(a, b uint64) bool { return a != b && !(late && b == 0) }
	if unlike(c.size, l.size) || unlike(c.packed, l.packed) {
		differ("size", sizes(c), sizes(l))
	}
	if unlike(uint64(c.crc), uint64(l.crc)) {
		differ("checksum", strconv.FormatUint(uint64(c.crc), 16), strconv.FormatUint(uint64(l.crc), 16))
	}
}

func sizes(r *zipRecord) string {
	return strconv.FormatUint(r.packed, 10) + "/" + strconv.FormatUint(r.size, 10)
}

// compareNames states that a member has names that differ, or one that
// another member has.
func (z *zipReader) compareNames(m *zipMember, e *entity.Entity) {
	base := ""
	for i, n := range e.Names {
		switch {
		case i == 0:
			base = n.Text
		case n.Source == "unicode-path" && m.unicodeAgrees(n.Text):
		default:
			z.note(finding.ContainerConflict, e.Path, "in", "name", "name", base, "other", n.Text)
		}
	}
	if m.local != nil && len(m.local.name) == 0 && base != "" {
		z.note(finding.ContainerConflict, e.Path, "in", "name", "name", base, "other", "")
	}
	key := fold(base)
	if key == "" || endsInSlash(base) {
		return
	}
	if z.folded[key] {
		z.note(finding.ContainerDuplicate, e.Path, "name", base)
	}
	z.folded[key] = true
}

// unicodeAgrees says that the Unicode path field does its honest duty: it was
// written for the header's name and spells what the old charset could not.
func (m *zipMember) unicodeAgrees(text string) (agrees bool) {
	for _, r := range m.records() {
		if string(r.unicode) != text {
			continue
		}
		if !r.unicodeFits || ascii(r.unicode) || path.Ext(text) != path.Ext(string(r.name)) {
			return false
		}
		agrees = true
	}
	return agrees
}

// fold makes names alike that one folder of Windows cannot both hold.
func fold(name string) string {
	return strings.ToLower(path.Clean("/" + strings.ReplaceAll(name, "\\", "/")))[1:]
}
