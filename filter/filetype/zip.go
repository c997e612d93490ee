package filetype

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
)

const (
	zipEnd = "PK\x05\x06"
	// zipTail is how far from the end an end record can begin (APPNOTE
	// §4.3.16): itself and the longest comment.
	zipTail = 22 + 0xFFFF
	// maxEntries bounds the walk over a central directory: the names that
	// tell a format stand among the first.
	maxEntries = 2048
	// maxContentTypes bounds what is inflated of [Content_Types].xml.
	maxContentTypes = 256 << 10
)

// isZIP matches local headers at the start, and an end record at the end of
// anything. One inside a container, or before a PDF's own end, is a member.
func isZIP(l *look) bool {
	b := l.b
	if at(b, 0, "PK\x03\x04") || at(b, 0, "PK\x07\x08PK\x03\x04") || at(b, 0, "PK00PK\x03\x04") || at(b, 0, zipEnd) && len(b) >= 22 {
		return true
	}
	end, ok := endRecord(b)
	if !ok {
		return false
	}
	if l.boxed() {
		return end+22+u16(b, end+20) == len(b) && behindBox(b, end)
	}
	return end+22+u16(b, end+20) == len(b) || !bytes.Contains(b[end:], []byte("%%EOF"))
}

// behindBox says that the ZIP which ends at end and reaches the end of the
// file stands behind the container at the file's start, and is no member that
// happens to be the last.
func behindBox(b []byte, end int) bool {
	start := end - u32(b, end+12) - u32(b, end+16)
	switch {
	case at(b, 0, "MSCF"):
		return start >= u32(b, 8)
	case at(b, 0, "7z\xbc\xaf\x27\x1c"):
		return start >= 32+u32(b, 12)+u32(b, 20)
	}
	return isISO(b) || isUDF(b) || isTar(b) || isOLE(b)
}

// endRecord finds the last end record that has a directory before it.
func endRecord(b []byte) (offset int, ok bool) {
	base := max(0, len(b)-zipTail)
	marks := endMarks(b[base:])
	for n := len(marks) - 1; n >= 0; n-- {
		if _, ok := directory(b, base+marks[n]); ok {
			return base + marks[n], true
		}
	}
	return 0, false
}

// endMarks finds all marks of end records in one search forward: that is what
// the machine does fast, and what a tail full of marks does not make slow.
func endMarks(area []byte) (marks []int) {
	for from := 0; ; {
		i := embedded(area[from:], zipEnd, 2)
		if i < 0 {
			return marks
		}
		marks = append(marks, from+i)
		from += i + len(zipEnd)
	}
}

// directory returns where the central directory of an end record begins.
func directory(b []byte, end int) (offset int, ok bool) {
	if len(b)-end < 22 {
		return 0, false
	}
	start := end - u32(b, end+12)
	return start, at(b, start, "PK\x01\x02") || zip64Locator(b, end)
}

func zip64Locator(b []byte, end int) bool { return at(b, end-20, "PK\x06\x07") }

// zipEntry is what a central record says that we ask for.
type zipEntry struct {
	name   string // in lower case, folders parted by '/'
	method int
	packed int
	header int
}

// entries returns the members of a ZIP that begins the file.
func (l *look) entries() []zipEntry {
	if !at(l.b, 0, "PK") {
		return nil
	}
	if l.zip == nil {
		read := zipEntries(l.b)
		l.zip = &read
	}
	return *l.zip
}

// zipEntries returns the first entries of the central directory, or the first
// local header's where there is none.
func zipEntries(b []byte) []zipEntry {
	end, ok := endRecord(b)
	if !ok {
		return localEntries(b)
	}
	pos, _ := directory(b, end)
	var out []zipEntry
	for at(b, pos, "PK\x01\x02") && len(b)-pos >= 46 && len(out) < maxEntries {
		n := u16(b, pos+28)
		if len(b)-pos-46 < n {
			break
		}
		out = append(out, zipEntry{entryName(b[pos+46 : pos+46+n]), u16(b, pos+10), u32(b, pos+20), u32(b, pos+42)})
		pos += 46 + n + u16(b, pos+30) + u16(b, pos+32)
	}
	return out
}

// localEntries walks local headers as far as their sizes are known.
func localEntries(b []byte) []zipEntry {
	var out []zipEntry
	for pos := 0; at(b, pos, "PK\x03\x04") && len(out) < maxEntries; {
		n, packed := u16(b, pos+26), u32(b, pos+18)
		if len(b)-pos-30 < n {
			break
		}
		out = append(out, zipEntry{entryName(b[pos+30 : pos+30+n]), u16(b, pos+8), packed, pos})
		pos += 30 + n + u16(b, pos+28) + packed
	}
	return out
}

func entryName(raw []byte) string {
	return strings.ToLower(strings.ReplaceAll(string(raw), `\`, "/"))
}

// member says that a ZIP has a member of which name says so.
func member(name func(string) bool) func(*look) bool {
	return func(l *look) bool {
		for _, e := range l.entries() {
			if name(e.name) {
				return true
			}
		}
		return false
	}
}

func isName(want string) func(string) bool {
	return func(name string) bool { return strings.TrimPrefix(name, "/") == want }
}

func under(folder string) func(string) bool {
	return func(name string) bool { return strings.HasPrefix(strings.TrimPrefix(name, "/"), folder) }
}

// contents returns the start of a member, stored or deflated.
func contents(b []byte, e zipEntry) []byte {
	if !at(b, e.header, "PK\x03\x04") {
		return nil
	}
	from := e.header + 30 + u16(b, e.header+26) + u16(b, e.header+28)
	if from > len(b) {
		return nil
	}
	switch e.method {
	case 0:
		return head(b[from:], min(e.packed, maxContentTypes))
	case 8:
		out, _ := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[from:])), maxContentTypes))
		return out
	}
	return nil
}

// isODF matches the media type that an OpenDocument file stores first,
// uncompressed, or its manifest.
func isODF(l *look) bool {
	return at(l.b, 0, "PK") && (at(l.b, 30, "mimetypeapplication/vnd.oasis.opendocument") ||
		at(l.b, 30, "mimetypeapplication/vnd.sun.xml") || odfManifest(l))
}

var odfManifest = member(isName("meta-inf/manifest.xml"))

func isEPUB(l *look) bool {
	return at(l.b, 30, "mimetypeapplication/epub+zip") || at(l.b, 0, "PK") && epubContainer(l)
}

var epubContainer = member(isName("meta-inf/container.xml"))

// macroWords are the content types of what carries code in an OOXML file.
var macroWords = []string{"macroenabled", "vbaproject", "ms-office.vba", "ms-excel.intlmacrosheet", "ms-excel.macrosheet"}

// maxTypeParts bounds the lists of content types that are inflated. A document
// has one; one with more than these shows every program another.
const maxTypeParts = 4

// isOOXMLMacro matches by the content types, which say it whatever the part
// is called, and by the usual name.
func isOOXMLMacro(l *look) bool {
	lists := 0
	for _, e := range l.entries() {
		if !contentTypes(e.name) {
			continue
		}
		if lists++; lists > maxTypeParts || holdsAny(lower(contents(l.b, e)), macroWords) {
			return true
		}
	}
	return lists > 0 && vbaPart(l)
}

var contentTypes = isName("[content_types].xml")

func holdsAny(text []byte, marks []string) bool {
	for _, m := range marks {
		if bytes.Contains(text, []byte(m)) {
			return true
		}
	}
	return false
}

var vbaPart = member(func(name string) bool {
	return strings.HasSuffix(name, "vbaproject.bin") || strings.Contains(name, "xl/macrosheets/")
})
