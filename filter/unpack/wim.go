package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of a Windows Imaging file (Microsoft's Windows Imaging File Format, 2007).
const (
	wimHead     = 208
	wimEntry    = 50 // of the table of resources
	wimFolder   = 102
	wimSolid    = 0xe00 // the version whose resources share one stream
	wimXPRESS   = 0x20000
	wimLZX      = 0x40000
	wimLZMS     = 0x80000
	wimMetadata = 1 << 1 // flags of a resource
	wimPacked   = 1 << 2
	wimSpanned  = 1 << 3
	wimGroup    = 1 << 4
	wimDir      = 0x10
	wimReparse  = 0x400

	maxWIMChunk  = 1 << 21
	maxWIMImages = 64
)

// wimResource is a stretch of the file, perhaps packed in chunks.
type wimResource struct {
	at, packed, size int64
	flags            byte
	hash             string
	used             bool
}

// wim walks the images of one file.
type wim struct {
	*members
	b     []byte
	flags uint32
	chunk int64
	all   []*wimResource
	known map[string]*wimResource // by hash
	names map[string]bool
	lzx   lzx
}

// openWIM reads Windows images packed by XPRESS or LZX, or not at all.
func openWIM(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	w := &wim{members: newMembers(e, bud, yield), b: e.Body, known: map[string]*wimResource{}, names: map[string]bool{}}
	if len(w.b) < wimHead {
		w.note(finding.ContainerBroken, e.Path, "record", "header")
		return w.found
	}
	w.flags, w.chunk = u32(w.b[16:]), int64(u32(w.b[20:]))
	if w.chunk == 0 {
		w.chunk = cabFrame
	}
	if u16(w.b[42:]) > 1 {
		w.note(finding.ContainerVolume, e.Path, "type", "wim")
	}
	table, err := w.read(e.Path, wimAt(w.b[48:]))
	for ; len(table) >= wimEntry; table = table[wimEntry:] {
		r := wimAt(table)
		r.hash = string(table[30:50])
		w.all = append(w.all, &r)
		if r.flags&wimMetadata == 0 {
			w.known[r.hash] = &r
		}
	}
	if err != nil || len(w.all) == 0 {
		w.explain(e.Path, err)
	}
	w.images()
	return w.found
}

// wimAt reads the place of a resource.
func wimAt(b []byte) wimResource {
	return wimResource{packed: int64(u64(b) & (1<<56 - 1)), flags: b[7], at: int64(min(u64(b[8:]), 1<<62)), size: int64(min(u64(b[16:]), 1<<62))}
}

// images reads the trees of all images, then yields what stands in none.
func (w *wim) images() {
	n, whole := 0, true
	for _, r := range w.all {
		if r.flags&wimMetadata == 0 || n >= maxWIMImages || w.spent() {
			continue
		}
		n++
		tree, err := w.read(w.of.Path, *r)
		if err != nil {
			w.explain(w.of.Path, err)
			whole = false
		}
		w.tree(tree)
	}
	for _, r := range w.all {
		if r.used || r.flags&wimMetadata != 0 || r.size == 0 || w.spent() {
			continue
		}
		e, ok := w.next()
		if !ok {
			return
		}
		if whole {
			w.note(finding.ContainerHidden, e.Path, "view", "image")
		}
		w.give(e, r)
	}
}

// explain states why a resource could not be read.
func (w *wim) explain(path string, err error) {
	switch {
	case errors.Is(err, budget.ErrExceeded):
	case errors.Is(err, errMethod):
		w.note(finding.ContainerMethod, path, "method", w.method())
	default:
		w.note(finding.ContainerBroken, path, "record", "data")
	}
}

func (w *wim) method() string {
	switch {
	case w.flags&wimLZMS != 0:
		return "lzms"
	case u32(w.b[12:]) == wimSolid:
		return "solid"
	}
	return fmt.Sprintf("flags %#x, chunks of %d", w.flags, w.chunk)
}

// read draws a resource out.
func (w *wim) read(path string, r wimResource) ([]byte, error) {
	data := within(w.b, r.at, r.packed)
	switch {
	case r.flags&wimSpanned != 0:
		return nil, errVolume
	case r.flags&wimGroup != 0:
		return nil, errMethod
	case r.flags&wimPacked == 0:
		if len(data) == 0 && r.size > 0 || int64(len(data)) < r.size {
			return data, io.ErrUnexpectedEOF
		}
		return w.lend(path, data)
	case w.flags&(wimXPRESS|wimLZX) == 0 || w.chunk > maxWIMChunk || w.chunk&(w.chunk-1) != 0 || w.chunk < 1<<12:
		return nil, errMethod
	}
	if err := w.allot(2 * w.chunk); err != nil {
		return nil, err
	}
	in := &wimReader{wim: w, data: data, left: r.size}
	b, err := w.bud.ReadSized(path, &guarded{open: func() (io.Reader, error) { return in, in.table(r.size) }}, int64(len(data))*strongShare, r.size)
	if err == nil && int64(len(b)) < r.size {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// wimReader unpacks a resource chunk by chunk.
type wimReader struct {
	*wim
	data   []byte
	starts []int64 // of the chunks, and where the last one ends
	left   int64
	ready  []byte
	err    error
}

// table reads where the chunks begin: the first one right behind the table.
func (r *wimReader) table(size int64) error {
	width := int64(4)
	if size > 1<<32-1 {
		width = 8
	}
	n := (size + r.chunk - 1) / r.chunk
	if n == 0 {
		return nil
	}
	head := width * (n - 1)
	if head > int64(len(r.data)) {
		return io.ErrUnexpectedEOF
	}
	// Many names may lead to one resource, each with this table to read.
	if err := r.bud.Spend(r.of.Path, 8*n); err != nil {
		return err
	}
	r.starts = append(r.starts, head)
	for k := int64(0); k < n-1; k++ {
		v := int64(u32(r.data[k*width:]))
		if width == 8 {
			v = int64(min(u64(r.data[k*width:]), 1<<62))
		}
		r.starts = append(r.starts, head+v)
	}
	r.starts = append(r.starts, int64(len(r.data)))
	return nil
}

func (r *wimReader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.left == 0 || len(r.starts) < 2:
			return 0, io.EOF
		}
		size := min(r.left, r.chunk)
		data := within(r.data, r.starts[0], r.starts[1]-r.starts[0])
		r.starts = r.starts[1:]
		r.ready, r.err = r.unpack(data, int(size))
		r.left -= int64(len(r.ready))
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// unpack undoes one chunk. One that did not get smaller stands as it is.
func (r *wimReader) unpack(data []byte, size int) ([]byte, error) {
	if len(data) == size {
		return data, nil
	}
	if r.flags&wimLZX != 0 {
		bits := uint(12)
		for int64(1)<<bits < r.chunk {
			bits++
		}
		return r.lzx.chunk(data, size, max(bits, 15))
	}
	return unpackXPRESS(data, size)
}

// wimNode is a folder of an image that is to be read.
type wimNode struct {
	at    int64
	path  string
	depth int
}

// tree yields the files of one image. Its folders are lists of entries that
// end in an empty one; the first list holds the root alone.
func (w *wim) tree(b []byte) {
	if len(b) < 8 {
		return
	}
	seen := map[int64]bool{}
	for todo := []wimNode{{at: (max(int64(u32(b)), 8) + 7) &^ 7}}; len(todo) > 0 && !w.spent(); {
		f := todo[0]
		todo = todo[1:]
		if seen[f.at] || f.depth > maxFolders {
			w.note(finding.ContainerConflict, w.of.Path, "in", "folder", "name", f.path)
			continue
		}
		seen[f.at] = true
		more, ok := w.folder(b, f)
		if !ok {
			return
		}
		todo = append(todo, more...)
	}
}

// folder yields the files of one folder and returns the folders in it.
func (w *wim) folder(b []byte, f wimNode) (more []wimNode, ok bool) {
	for at := f.at; ; {
		e := within(b, at, int64(len(b)))
		if len(e) < 8 {
			w.note(finding.ContainerBroken, w.of.Path, "record", "folder", "name", f.path)
			return more, true
		}
		size := int64(min(u64(e), 1<<40))
		if size < wimFolder || size > int64(len(e)) {
			return more, true
		}
		d, next := w.entry(e, size, f)
		at += next
		switch {
		case d.folder > 0 && f.depth == 0:
			more = append(more, wimNode{d.folder, "", 1})
		case d.folder > 0:
			more = append(more, wimNode{d.folder, deeper(d.names[0].Text), f.depth + 1})
		case !w.file(d):
			return more, false
		}
	}
}

// wimDirent is an entry of a folder.
type wimDirent struct {
	names   []entity.Name
	folder  int64 // where its own entries stand
	link    bool
	streams []wimStream
}

// wimStream is the content of a file, or a further stream behind a colon.
type wimStream struct{ name, hash string }

// entry reads the entry at the start of e, which is size bytes long, and
// returns how far the next one is.
func (w *wim) entry(e []byte, size int64, f wimNode) (d wimDirent, next int64) {
	short, long := int64(u16(e[98:])), int64(u16(e[100:]))
	raw := within(e[:size], wimFolder, long)
	d.names = []entity.Name{{Text: f.path + utf16Name(raw), Source: "long", Charset: "utf-16le", Raw: bytes.Clone(raw)}}
	if raw := within(e[:size], wimFolder+long+2, short); len(raw) > 0 {
		d.names = append(d.names, entity.Name{Text: f.path + utf16Name(raw), Source: "short", Charset: "utf-16le", Raw: bytes.Clone(raw)})
	}
	attributes := u32(e[8:])
	if d.link = attributes&wimReparse != 0; attributes&wimDir != 0 && !d.link {
		d.folder = int64(min(u64(e[16:]), 1<<40))
	}
	d.streams = []wimStream{{"", string(e[64:84])}}
	next = (size + 7) &^ 7
	for range u16(e[96:]) {
		s := within(e, next, int64(len(e)))
		if len(s) < 40 || u64(s) < 38 {
			break
		}
		name := utf16Name(within(s, 38, int64(u16(s[36:]))))
		d.streams = append(d.streams, wimStream{name, string(s[16:36])})
		next += (int64(min(u64(s), 1<<40)) + 7) &^ 7
	}
	return d, next
}

// file yields the streams of a file. Where it has several, the first one's
// place is empty and it is listed with the others.
func (w *wim) file(d wimDirent) bool {
	const none = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	for k, s := range d.streams {
		if s.hash == none && len(d.streams) > 1 && (k == 0 || s.name == "") {
			continue
		}
		names := d.names
		if s.name != "" {
			names = []entity.Name{{Text: d.names[0].Text + ":" + s.name, Source: "stream", Charset: "utf-16le"}}
		}
		e, ok := w.next(names...)
		if !ok {
			return false
		}
		if key := fold(e.Name()); w.names[key] {
			w.note(finding.ContainerDuplicate, e.Path, "name", e.Name())
		} else {
			w.names[key] = true
		}
		e.Link = d.link
		r := w.known[s.hash]
		if r == nil && s.hash != none {
			w.note(finding.ContainerBroken, e.Path, "record", "resource", "name", e.Name())
			e.Unread = true
		}
		if r == nil {
			w.yield(e)
		} else if !w.give(e, r) {
			return false
		}
	}
	return true
}

// give yields the content of a resource.
func (w *wim) give(e *entity.Entity, r *wimResource) bool {
	r.used = true
	body, err := w.read(e.Path, *r)
	e.Body, e.Size, e.Unread = body, r.size, err != nil
	if err != nil {
		w.explain(e.Path, err)
	}
	w.yield(e)
	return !w.spent()
}
