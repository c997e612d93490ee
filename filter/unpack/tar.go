package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/mholt/archives"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// tarBlock is the unit in which a tar file is written.
const tarBlock = 512

// tarReader walks one tar file. Where archive/tar gives up, at damage or at an
// end mark with more behind it, the walk goes on at the next header whose
// checksum is right, as bsdtar and tar -i do.
type tarReader struct {
	*members
	body  []byte
	from  int // where this run of members began
	files map[string][]byte
	err   error // what ended the walk early
}

func openTar(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	t := &tarReader{members: newMembers(e, bud, yield), body: e.Body, files: map[string][]byte{}}
	for t.err == nil && t.from >= 0 {
		t.run()
	}
	return t.found
}

// run reads members from t.from on and moves t.from to where the next run may
// begin, -1 for nowhere.
func (t *tarReader) run() {
	in := bytes.NewReader(t.body[t.from:])
	start := t.from
	// ContinueOnError would log and loop for ever on a cut file.
	err := archives.Tar{}.Extract(context.Background(), in, func(_ context.Context, f archives.FileInfo) error {
		return t.member(f, in)
	})
	at := len(t.body) - in.Len()
	t.from = nextTarHeader(t.body, max(at/tarBlock*tarBlock, start+tarBlock))
	switch {
	case t.err != nil:
	case err != nil:
		t.note(finding.ContainerBroken, t.of.Path, "record", "tar header", "at", strconv.Itoa(at))
	case t.from >= 0:
		t.note(finding.ContainerTrailing, t.of.Path, "kind", "tar", "at", strconv.Itoa(t.from), "bytes", strconv.Itoa(len(t.body)-t.from))
	default:
		t.end(at)
	}
}

// end looks at what stands behind the end mark.
func (t *tarReader) end(at int) {
	if rest := t.body[at:]; kindOf(rest) != "padding" {
		t.trail(rest, at)
	}
}

// nextTarHeader returns the first block from at on that is a header, -1 for
// none.
func nextTarHeader(b []byte, at int) int {
	for ; at+tarBlock <= len(b); at += tarBlock {
		if tarHeader(b[at : at+tarBlock]) {
			return at
		}
	}
	return -1
}

// tarHeader checks the sum of a header block: all its bytes with the field of
// the sum itself as blanks.
func tarHeader(b []byte) bool {
	field := strings.Trim(string(b[148:156]), " \x00")
	want, err := strconv.ParseUint(field, 8, 32)
	if err != nil || b[0] == 0 {
		return false
	}
	total, signed := uint64(8*' '), int64(8*' ')
	for i, c := range b {
		if i < 148 || i >= 156 {
			total += uint64(c)
			signed += int64(int8(c)) // old Sun tar summed signed bytes
		}
	}
	return total == want || signed == int64(want)
}

// member yields one member; in stands at its data.
func (t *tarReader) member(f archives.FileInfo, in *bytes.Reader) error {
	h, ok := f.Header.(*tar.Header)
	if !ok {
		return nil
	}
	at := len(t.body) - in.Len()
	e, ok := t.next(t.names(h, at)...)
	if !ok {
		t.err = budget.ErrExceeded
		return t.err
	}
	e.Dir = h.Typeflag == tar.TypeDir
	e.Link = h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink
	e.Size = max(h.Size, 0)
	switch {
	case h.Typeflag == tar.TypeLink:
		t.lendTo(e, t.files[h.Linkname])
	case e.Dir || e.Link:
		e.Size = 0
	case sparse(h):
		t.readSparse(e, f)
	default:
		t.readPlain(e, h, at)
	}
	t.yield(e)
	return nil
}

func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// readPlain lends a member that stands in the file as it is.
func (t *tarReader) readPlain(e *entity.Entity, h *tar.Header, at int) {
	body := t.body[at:]
	if e.Size <= int64(len(body)) {
		body = body[:e.Size]
	} else {
		e.Unread = true
		t.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
	t.lendTo(e, body)
	t.files[h.Name] = body
}

func (t *tarReader) lendTo(e *entity.Entity, body []byte) {
	cut := e.Unread
	lent, err := t.lend(e.Path, body)
	e.Body, e.Unread = lent, cut || err != nil
	if !e.Unread {
		e.Size = int64(len(lent))
	}
}

// readSparse reads a member with holes. Holes cost no input, so the whole file
// is what its output is measured against.
func (t *tarReader) readSparse(e *entity.Entity, f archives.FileInfo) {
	body, err := t.bud.Read(e.Path, &guarded{open: func() (io.Reader, error) { return f.Open() }}, int64(len(t.body)))
	if e.Body, e.Unread = body, err != nil; err == nil {
		e.Size = int64(len(body))
		return
	}
	if err != budget.ErrExceeded {
		t.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
}

// names returns the name in force and, where a longer one from a pax record
// has replaced it, the one in the header itself, unless that was merely cut.
func (t *tarReader) names(h *tar.Header, at int) []entity.Name {
	names := []entity.Name{decoded([]byte(h.Name), "header", false)}
	if h.PAXRecords["path"] == "" || at < tarBlock {
		return names
	}
	names[0].Source = "pax"
	block := t.body[at-tarBlock : at]
	if raw, _, _ := bytes.Cut(block[:100], []byte{0}); len(raw) > 0 && len(raw) < 99 && block[345] == 0 {
		names = append(names, decoded(raw, "header", false))
	}
	return names
}
