package unpack

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/klauspost/compress/zlib"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
)

// Names of streams that hold what was put into a document.
const (
	oleNative  = "\x01Ole10Native" // an object of OLE 1, as the packager's
	olePackage = "Package"
	oleContent = "CONTENTS"
	pptStream  = "PowerPoint Document"
)

// oleMarks begin streams that are files for themselves.
var oleMarks = []string{"MZ", "PK\x03\x04", "MSCF", "Rar!\x1a\x07", "7z\xbc\xaf\x27\x1c", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "%PDF-", "{\\rt", "ITSF", "\x7fELF", "L\x00\x00\x00\x01\x14\x02\x00"}

// oleReader reads what documents of the compound format carry.
type oleReader struct {
	*msgReader
	installer bool
}

// unlockOLE draws embedded files out of a compound file: packages and objects
// of documents, and of an installer every stream that is no table. What the
// document itself consists of is left, but for one that is locked as a whole.
func unlockOLE(e *entity.Entity, keys *key.Ring, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := &msgReader{members: newMembers(e, bud, yield), begun: map[streamStart]bool{}}
	file, ok := readCompound(e.Body)
	if !ok {
		m.note(finding.ContainerBroken, e.Path, "record", "compound file")
		return m.found
	}
	m.file = file
	r := &oleReader{msgReader: m, installer: slices.ContainsFunc(file.entries, func(c compoundEntry) bool { return msiTable(c.name) })}
	if r.officePackage(e, keys) {
		return m.found
	}
	if method := r.officeOld(); method != "" {
		r.encrypted(e.Path, locked{}, "name", e.Name(), "method", method)
	}
	for at, c := range file.entries {
		if c.name == msgProperties {
			return m.found // an Outlook item, which is read as such
		}
		if c.kind == compoundStream && !r.stream(at) {
			break
		}
	}
	return m.found
}

// stream yields the stream at at if it is a file for itself.
func (r *oleReader) stream(at int) bool {
	c := r.file.entries[at]
	name := c.name
	switch {
	case name == oleNative:
		b, ok := r.value(at)
		return ok && r.native(b)
	case name == pptStream:
		b, ok := r.value(at)
		return ok && r.slides(b)
	case r.installer:
		if msiTable(name) || strings.HasPrefix(name, "\x05") {
			return true
		}
		name = msiName(name)
	case name == olePackage || name == oleContent:
		name = ""
	default:
		head := r.beginning(at)
		if !slices.ContainsFunc(oleMarks, func(m string) bool { return bytes.HasPrefix(head, []byte(m)) }) {
			return true
		}
		name = ""
	}
	b, ok := r.value(at)
	return ok && r.yieldFile(b, entity.Name{Text: name, Source: "stream"})
}

// beginning is the start of a stream.
func (r *oleReader) beginning(at int) []byte {
	c := r.file.entries[at]
	const enough = 8
	if c.size < compoundCutoff {
		return r.file.smallChain(c.start, min(c.size, enough))
	}
	return r.file.chain(c.start, enough)
}

// slides yields the objects of a presentation: records of the first level that
// hold a compound file, most of them deflated (MS-PPT §2.10.34).
func (r *oleReader) slides(b []byte) bool {
	const object, deflated, head = 0x1011, 1, 8
	for len(b) >= head {
		data := within(b, head, int64(u32(b[4:])))
		kind, instance := u16(b[2:]), u16(b)>>4
		b = b[head+len(data):]
		if kind != object {
			continue
		}
		if instance == deflated && len(data) > 4 {
			if !r.inflated(data[4:], int64(u32(data))) {
				return false
			}
		} else if !r.yieldFile(data) {
			return false
		}
	}
	return true
}

// inflated yields what a stream of zlib holds, size bytes. PowerPoint leaves
// the checksum behind them off at times.
func (m *members) inflated(data []byte, size int64) bool {
	e, ok := m.next()
	if !ok {
		return false
	}
	body, err := m.bud.Read(e.Path, &guarded{open: func() (io.Reader, error) { return zlib.NewReader(bytes.NewReader(data)) }}, int64(len(data)))
	e.Body, e.Size, e.Unread = body, size, int64(len(body)) < size
	if e.Unread && !errors.Is(err, budget.ErrExceeded) {
		m.note(finding.ContainerBroken, e.Path, "record", "data")
	}
	m.yield(e)
	return !m.spent()
}

// yieldFile yields a file that stands in one piece.
func (m *members) yieldFile(b []byte, names ...entity.Name) bool {
	e, ok := m.next(names...)
	if !ok {
		return false
	}
	body, err := m.lend(e.Path, b)
	e.Body, e.Size, e.Unread = body, int64(len(b)), err != nil
	m.yield(e)
	return !m.spent()
}

// native yields what an object of OLE 1 holds: the packager's is a file with
// its names, another's are the bytes as they are (MS-OLEDS §2.3.6).
func (m *members) native(b []byte) bool {
	if len(b) < 4 {
		return true
	}
	if data, names, ok := readPackage(b[4:]); ok {
		return m.yieldFile(data, names...)
	}
	return m.yieldFile(b[4:])
}

// readPackage reads the packager's own form: a label, the path that the file
// came from, the path it is to be unpacked to, the file; newer ones repeat the
// names in UTF-16.
func readPackage(b []byte) (data []byte, names []entity.Name, ok bool) {
	const packaged, embedded = 2, 3
	if len(b) < 8 || u16(b) != packaged {
		return nil, nil, false
	}
	label, rest, ok := bytes.Cut(b[2:], []byte{0})
	path, rest, more := bytes.Cut(rest, []byte{0})
	if !ok || !more || len(rest) < 8 || u16(rest[2:]) != embedded {
		return nil, nil, false
	}
	target := within(rest, 8, int64(u32(rest[4:])))
	at := 8 + int64(u32(rest[4:]))
	size := within(rest, at, 4)
	if len(size) < 4 {
		return nil, nil, false
	}
	data = within(rest, at+4, int64(u32(size)))
	for _, raw := range [][]byte{label, target, path} {
		raw, _, _ = bytes.Cut(raw, []byte{0})
		n := decoded(raw, "package", false)
		n.Text = lastOfPath(n.Text)
		names = append(names, n)
	}
	return data, append(names, packageWide(rest[min(at+4+int64(u32(size)), int64(len(rest))):])...), true
}

// packageWide are the names in UTF-16 behind a package: the target, the label,
// the path.
func packageWide(b []byte) (names []entity.Name) {
	for len(b) >= 4 && len(names) < 3 {
		raw := within(b, 4, 2*min(int64(u32(b)), maxCABName))
		b = b[min(4+2*min(int64(u32(b)), maxCABName), int64(len(b))):]
		if len(raw) == 0 {
			break
		}
		names = append(names, entity.Name{Text: lastOfPath(utf16Name(raw)), Source: "package-wide", Charset: "utf-16le", Raw: bytes.Clone(raw)})
	}
	return names
}

// lastOfPath is what stands behind the last separator of either kind.
func lastOfPath(s string) string { return s[strings.LastIndexAny(s, `\/`)+1:] }

// Characters in which an installer writes two letters in one, one letter, and
// the mark of a table.
const (
	msiPair   = 0x3800
	msiSingle = 0x4800
	msiMark   = 0x4840
	msiEnd    = 0x4841
)

// msiTable says that a stream is a table of the installer's database.
func msiTable(name string) bool { return strings.HasPrefix(name, string(rune(msiMark))) }

// msiName undoes the writing of an installer's streams.
func msiName(name string) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"
	var out []rune
	for _, u := range utf16.Encode([]rune(name)) {
		switch {
		case u >= msiPair && u < msiSingle:
			out = append(out, rune(letters[(u-msiPair)&63]), rune(letters[(u-msiPair)>>6]))
		case u >= msiSingle && u < msiMark:
			out = append(out, rune(letters[u-msiSingle]))
		case u < msiMark || u >= msiEnd:
			out = append(out, rune(u))
		}
	}
	return string(out)
}
