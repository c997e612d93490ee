package unpack

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of a compiled help file. The format has no public document; this follows
// what free readers know of it.
const (
	chmHead    = 0x60
	chmChunk   = 20 // what stands before the entries of a piece of the directory
	chmContent = "::DataSpace/Storage/MSCompressed/Content"
	chmControl = "::DataSpace/Storage/MSCompressed/ControlData"
	chmResets  = "::DataSpace/Storage/MSCompressed/Transform/{7FC28940-9D31-11D0-9B27-00A0C91E9C7C}/InstanceData/ResetTable"

	maxCHMChunks = 1 << 16
)

// chmFile is an entry of the directory. Section 0 stands as it is, 1 is packed
// in one stream.
type chmFile struct {
	name         []byte
	section      uint64
	offset, size int64
}

// chm reads one help file.
type chm struct {
	*members
	b     []byte
	data  int64 // where section 0 begins
	files []chmFile
	own   map[string]chmFile // the format's own entries
}

// openCHM reads compiled HTML help, whose pages stand in one stream of LZX.
func openCHM(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	c := &chm{members: newMembers(e, bud, yield), b: e.Body, own: map[string]chmFile{}}
	if !c.directory() {
		c.note(finding.ContainerBroken, e.Path, "record", "directory")
		return c.found
	}
	packed, err := c.unpack()
	for _, f := range c.files {
		data := c.cut(f)
		if f.section != 0 {
			data = within(packed, f.offset, f.size)
		}
		m, ok := c.next(f.reading())
		if !ok {
			break
		}
		body, spent := c.lend(m.Path, data)
		m.Body, m.Size = body, f.size
		if m.Unread = spent != nil || int64(len(data)) < f.size; m.Unread && spent == nil {
			c.explain(m, f, err)
		}
		if c.yield(m); c.spent() {
			break
		}
	}
	return c.found
}

func (c *chm) explain(m *entity.Entity, f chmFile, err error) {
	switch {
	case f.section != 0 && errors.Is(err, budget.ErrExceeded):
	case f.section > 1 || errors.Is(err, errMethod):
		c.note(finding.ContainerMethod, m.Path, "name", m.Name())
	default:
		c.note(finding.ContainerBroken, m.Path, "record", "data", "name", m.Name())
	}
}

// reading is the name of a file. All stand below one root.
func (f chmFile) reading() entity.Name {
	n := decoded(f.name, "header", true)
	n.Text = strings.TrimPrefix(n.Text, "/")
	return n
}

func (c *chm) cut(f chmFile) []byte {
	if f.offset > int64(len(c.b)) {
		return nil
	}
	return within(c.b, c.data+f.offset, f.size)
}

// directory reads the pieces of the directory in the order of their chain.
func (c *chm) directory() bool {
	if len(c.b) < chmHead-8 {
		return false
	}
	at, size := int64(min(u64(c.b[0x48:]), 1<<40)), int64(min(u64(c.b[0x50:]), 1<<40))
	if c.data = at + size; u32(c.b[4:]) >= 3 && len(c.b) >= chmHead {
		c.data = int64(min(u64(c.b[0x58:]), 1<<40))
	}
	h := within(c.b, at, 84)
	if len(h) < 84 || string(h[:4]) != "ITSP" {
		return false
	}
	first, chunk := at+int64(u32(h[8:])), int64(u32(h[16:]))
	if chunk <= chmChunk || chunk > 1<<20 {
		return false
	}
	// All pieces, in the order they stand in: a chain could pass one over.
	for n := range min(int64(u32(h[44:])), maxCHMChunks) {
		p := within(c.b, first+n*chunk, chunk)
		if len(p) < chmChunk || len(c.files) > c.bud.Limits().Members || c.bud.Spend(c.of.Path, int64(len(p))) != nil {
			break
		}
		if string(p[:4]) == "PMGL" {
			c.entries(p[chmChunk:max(int64(len(p))-int64(u32(p[4:])), chmChunk)])
		}
	}
	return len(c.files)+len(c.own) > 0
}

// entries reads the entries of one piece.
func (c *chm) entries(b []byte) {
	for len(b) > 0 {
		size, n := chmNumber(b)
		if n == 0 || size == 0 || size > uint64(len(b)-n) {
			return
		}
		f := chmFile{name: b[n : n+int(size)]}
		b = b[n+int(size):]
		var v [3]uint64
		for i := range v {
			if v[i], n = chmNumber(b); n == 0 {
				return
			}
			b = b[n:]
		}
		f.section, f.offset, f.size = v[0], int64(min(v[1], 1<<40)), int64(min(v[2], 1<<40))
		switch name := string(f.name); {
		case strings.HasPrefix(name, "::"):
			c.own[name] = f
		case !strings.HasSuffix(name, "/"):
			c.files = append(c.files, f)
		}
	}
}

// chmNumber reads a number in seven bits a byte, the high ones first.
func chmNumber(b []byte) (v uint64, n int) {
	for n < len(b) && n < 9 {
		v = v<<7 | uint64(b[n]&0x7f)
		if n++; b[n-1] < 0x80 {
			return v, n
		}
	}
	return 0, 0
}

// chmReader unpacks the stream of section 1, frame by frame.
type chmReader struct {
	codec  lzx
	data   []byte
	starts []byte // where each frame stands, in eight bytes
	bits   uint
	every  int64 // frames after which all begins anew
	frame  int64
	left   int64
	ready  []byte
	err    error
}

// unpack draws out section 1 as a whole: files stand across its frames.
func (c *chm) unpack() ([]byte, error) {
	content := c.own[chmContent]
	control, resets := c.cut(c.own[chmControl]), c.cut(c.own[chmResets])
	if content.size == 0 {
		return nil, nil
	}
	if len(control) < 24 || string(control[4:8]) != "LZXC" || len(resets) < 40 {
		return nil, io.ErrUnexpectedEOF
	}
	r := &chmReader{data: c.cut(content), every: int64(u32(control[12:])), left: int64(min(u64(resets[16:]), 1<<40))}
	window := int64(u32(control[16:]))
	if u32(control[8:]) == 2 { // counted in frames
		window *= cabFrame
	} else {
		r.every /= cabFrame
	}
	for r.bits = 15; int64(1)<<r.bits < window && r.bits < 22; r.bits++ {
	}
	if r.bits > 21 || r.every <= 0 || u64(resets[32:]) != cabFrame {
		return nil, errMethod
	}
	r.starts = within(resets, int64(u32(resets[12:])), 8*int64(u32(resets[4:])))
	if err := c.allot(1 << r.bits); err != nil {
		return nil, err
	}
	return c.bud.ReadSized(c.of.Path, &guarded{open: func() (io.Reader, error) { return r, nil }}, int64(len(r.data))*strongShare, r.left)
}

func (r *chmReader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.left <= 0:
			return 0, io.EOF
		}
		r.ready, r.err = r.next()
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// next unpacks the next frame.
func (r *chmReader) next() ([]byte, error) {
	at := 8 * r.frame
	if at+8 > int64(len(r.starts)) {
		return nil, io.ErrUnexpectedEOF
	}
	from, to := binary.LittleEndian.Uint64(r.starts[at:]), uint64(len(r.data))
	if at+16 <= int64(len(r.starts)) {
		to = binary.LittleEndian.Uint64(r.starts[at+8:])
	}
	if to = min(to, uint64(len(r.data))); from > to {
		return nil, io.ErrUnexpectedEOF
	}
	if r.frame%r.every == 0 {
		r.codec.reset(r.bits)
	}
	r.frame++
	size := min(r.left, cabFrame)
	r.left -= size
	// The last frame is packed as a whole one; what is behind the end is no
	// one's.
	out, err := r.codec.block(r.data[from:to], cabFrame)
	if int64(len(out)) >= size {
		return out[:size], nil
	}
	return out, err
}
