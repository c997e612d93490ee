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

// tarContinued is the type of a member that began in another volume (GNU).
const tarContinued = 'M'

// maxTarAgain bounds how often a refused pax record, up to 1 MiB each, is read
// past block by block.
const maxTarAgain = 64

// tarReader walks one tar file. Where archive/tar gives up, at damage or at an
// end mark with more behind it, the walk goes on at the next header whose
// checksum is right, as bsdtar and tar -i do.
type tarReader struct {
	*members
	body  []byte
	from  int  // where this run of members began
	last  int  // where the last member's data ended
	again int  // runs that began right after a bad header
	vague bool // where the last member's data ended is not known
	files map[string][]byte
	views []span // to be read once more
	err   error  // what ended the walk early
	// reading is that of all members, where this is not the usual one.
	reading string
}

func openTar(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	t := &tarReader{members: newMembers(e, bud, yield), body: e.Body, files: map[string][]byte{}}
	for t.err == nil && t.from >= 0 {
		t.run()
	}
	t.review()
	return t.found
}

// run reads members from t.from on and moves t.from to where the next run may
// begin, -1 for nowhere.
func (t *tarReader) run() {
	in := bytes.NewReader(t.body[t.from:])
	start := t.from
	t.last, t.vague = start, false
	// ContinueOnError would log and loop for ever on a cut file.
	err := archives.Tar{}.Extract(context.Background(), in, func(_ context.Context, f archives.FileInfo) error {
		return t.member(f, in)
	})
	at := len(t.body) - in.Len()
	if err != nil && t.err == nil {
		t.readRefused(roundUp(t.last, tarBlock))
	}
	t.from = nextTarHeader(t.body, t.resume(err, start, at))
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

// readRefused reads the member whose header is at at by the fields that every
// tar has. archive/tar refuses a header for an odd time or owner; tar itself
// does not look at those before it unpacks.
func (t *tarReader) readRefused(at int) {
	if at+tarBlock > len(t.body) || !tarHeader(t.body[at:at+tarBlock]) {
		return
	}
	block := t.body[at : at+tarBlock]
	size, err := strconv.ParseInt(strings.Trim(string(block[124:136]), " \x00"), 8, 64)
	if flag := block[156]; err != nil || size < 0 || flag != 0 && flag != tar.TypeReg {
		return
	}
	name, _, _ := bytes.Cut(block[:100], []byte{0})
	e, ok := t.next(decoded(name, "header", false))
	if !ok {
		t.err = budget.ErrExceeded
		return
	}
	e.Size = size
	t.readPlain(e, string(name), at+tarBlock)
	t.yield(e)
}

// resume returns where to look for the next header after a run from start
// that came to at. archive/tar refuses a member for one bad pax record: the
// header behind that record can still be read by itself.
func (t *tarReader) resume(err error, start, at int) int {
	from := max(at/tarBlock*tarBlock, start+tarBlock)
	if err == nil || t.again >= maxTarAgain {
		return from
	}
	t.again++
	if last := roundUp(t.last, tarBlock); last > start {
		return last
	}
	return min(from, start+tarBlock)
}

// end looks at what stands behind the end mark.
func (t *tarReader) end(at int) {
	if last := min(roundUp(t.last, tarBlock), at); !t.vague && kindOf(t.body[last:at]) != "padding" {
		// Headers that lead to no member: it has been cut off.
		t.note(finding.ContainerBroken, t.of.Path, "record", "tar header", "at", strconv.Itoa(last))
	}
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
	meta, block := t.before(at)
	e, ok := t.next(t.names(h, meta, block)...)
	if !ok {
		t.err = budget.ErrExceeded
		return t.err
	}
	e.Reading = t.reading
	t.compare(e, h, meta, block, at)
	e.Dir = h.Typeflag == tar.TypeDir
	e.Link = h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink
	e.Size = max(h.Size, 0)
	t.last, t.vague = at, false
	if e.Dir && at >= tarBlock && declaresSize(t.body[at-tarBlock:at]) {
		t.note(finding.ContainerConflict, e.Path, "in", "size", "declared", "directory with content")
	}
	switch {
	case h.Typeflag == tarContinued:
		t.readPlain(e, h.Name, at)
		e.Unread = true
		t.note(finding.ContainerVolume, e.Path, "type", "tar")
	case h.Typeflag == tar.TypeLink:
		t.lendTo(e, t.files[h.Linkname])
	case e.Dir || e.Link:
		e.Size = 0
		if outside(e.Name(), h.Linkname) {
			t.note(finding.ContainerLink, e.Path, "name", e.Name(), "target", h.Linkname)
		}
	case sparse(h):
		t.readSparse(e, f)
	default:
		t.readPlain(e, h.Name, at)
	}
	t.yield(e)
	return nil
}

// before returns what the records before the data at at say: those of the
// member, and its header.
func (t *tarReader) before(at int) (meta tarMeta, block []byte) {
	if at < tarBlock {
		return meta, nil
	}
	block = t.body[at-tarBlock : at]
	if start := roundUp(t.last, tarBlock); !t.vague && start < at-tarBlock {
		meta = tarMetaOf(t.body[start : at-tarBlock])
	}
	return meta, block
}

// declaresSize says that the header block gives its member a size. Readers
// differ on whether a directory then has content to skip.
func declaresSize(block []byte) bool {
	return strings.Trim(string(block[124:136]), "0 \x00") != ""
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
func (t *tarReader) readPlain(e *entity.Entity, name string, at int) {
	body := t.body[at:]
	if e.Size <= int64(len(body)) {
		body = body[:e.Size]
	} else {
		e.Unread = true
		t.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
	t.last = at + len(body)
	t.lendTo(e, body)
	t.files[name] = body
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
	t.vague = true
	body, err := t.bud.Read(e.Path, &guarded{open: func() (io.Reader, error) { return f.Open() }}, int64(len(t.body)))
	if e.Body, e.Unread = body, err != nil; err == nil {
		e.Size = int64(len(body))
		return
	}
	if err != budget.ErrExceeded {
		t.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
}
