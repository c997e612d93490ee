package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Sizes of the fixed parts of a cabinet (MS-CAB 2.2 to 2.5).
const (
	cabHead   = 36
	cabFolder = 8
	cabEntry  = 16
	cabBlock  = 8
)

// Flags of the header, values of a file's folder, and the attribute that says
// that its name is UTF-8.
const (
	cabPrevious = 1
	cabNext     = 2
	cabReserve  = 4

	cabFromPrevious = 0xfffd
	cabToNext       = 0xfffe
	cabBoth         = 0xffff

	cabNameUTF8 = 0x80
)

// maxCABName is the longest name in bytes that is looked at; cabinets allow
// 255.
const maxCABName = 1024

// cabBlockCost is what one block costs of the budget whatever it holds, in
// bytes.
const cabBlockCost = 512

// errVolume says that a block goes on in another cabinet.
var errVolume = errors.New("goes on in another cabinet")

// cabFile is an entry of a cabinet's list of files.
type cabFile struct {
	size, offset int64
	folder       int
	utf8         bool
	name         []byte
	cut          bool // its record runs over the end
}

// cabHeader is what the head of a cabinet says.
type cabHeader struct {
	at, size       int
	files, folders int
	listAt         int // of the first file
	folderAt       int
	folderSize     int
	blockReserve   int
	flags          uint16
	signature      int // bytes of a signature that stands behind the cabinet
}

// cab walks the cabinets in one file: the one at its start, or those that a
// self-extractor carries.
type cab struct {
	*members
	b      []byte
	names  map[string]bool
	codecs cabCodecs
}

// openCAB reads Microsoft's cabinets (MS-CAB, MS-PATCH appendix for LZX): all
// in the file, as cabextract does.
func openCAB(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	c := &cab{members: newMembers(e, bud, yield), b: e.Body, names: map[string]bool{}}
	at := c.find(0)
	if at < 0 {
		c.note(finding.ContainerBroken, e.Path, "record", "cabinet header")
		return c.found
	}
	if at > 0 {
		c.note(finding.ContainerPrefix, e.Path, "kind", kindOf(c.b[:at]), "bytes", strconv.Itoa(at))
	}
	for {
		end := c.cabinet(at)
		next := c.find(end)
		switch {
		case c.spent():
			return c.found
		case next < 0:
			if end < len(c.b) {
				c.trail(c.b[end:], end)
			}
			return c.found
		case next > end:
			c.note(finding.ContainerConflict, e.Path, "in", "gap", "at", strconv.Itoa(end), "bytes", strconv.Itoa(next-end))
		}
		at = next
	}
}

// find returns where the next cabinet begins, -1 for none. At the very start
// its mark is enough.
func (c *cab) find(from int) int {
	for at := from; at < len(c.b); at += 4 {
		i := bytes.Index(c.b[at:], []byte("MSCF"))
		if i < 0 {
			return -1
		}
		if at += i; at == 0 || plausibleCAB(c.b[at:]) {
			return at
		}
	}
	return -1
}

// plausibleCAB says that b begins with a cabinet and not with four letters of
// a program that knows cabinets.
func plausibleCAB(b []byte) bool {
	return len(b) > cabHead && u32(b[4:]) == 0 && b[25] == 1 && u32(b[16:]) >= cabHead && int64(u32(b[16:])) < int64(len(b)) &&
		int64(u32(b[8:])) <= int64(len(b))
}

// cabinet yields the members of the cabinet at at and returns where it ends.
func (c *cab) cabinet(at int) int {
	h, ok := c.header(at)
	if !ok {
		c.note(finding.ContainerBroken, c.of.Path, "record", "cabinet header")
		return len(c.b)
	}
	if h.flags&(cabPrevious|cabNext) != 0 {
		c.note(finding.ContainerVolume, c.of.Path, "type", "cab")
	}
	files := c.list(h)
	if len(files) == 0 {
		c.note(finding.ContainerBroken, c.of.Path, "record", "list of files")
	}
	for i, f := range files {
		files[i].folder = h.place(f.folder)
	}
	slices.SortStableFunc(files, func(a, b cabFile) int { return a.folder - b.folder })
	for len(files) > 0 && !c.spent() {
		n := 1
		for n < len(files) && files[n].folder == files[0].folder {
			n++
		}
		if !c.folder(h, files[:n]) {
			break
		}
		files = files[n:]
	}
	return min(at+h.size+h.signature, len(c.b))
}

// place returns the number of the folder that a file's field means.
func (h cabHeader) place(folder int) int {
	switch folder {
	case cabFromPrevious, cabBoth:
		return 0
	case cabToNext:
		return max(h.folders-1, 0)
	}
	return folder
}

// header reads the head of the cabinet at at.
func (c *cab) header(at int) (h cabHeader, ok bool) {
	b := c.b[at:]
	if len(b) < cabHead {
		return h, false
	}
	h = cabHeader{at: at, size: int(u32(b[8:])), listAt: at + int(u32(b[16:])), folders: int(u16(b[26:])), files: int(u16(b[28:])),
		flags: u16(b[30:]), folderAt: at + cabHead, folderSize: cabFolder}
	if h.flags&cabReserve != 0 && !c.reserve(&h) {
		return h, false
	}
	for range 2 * (int(h.flags&cabPrevious) + int(h.flags&cabNext)>>1) { // name and disk of each neighbour
		n := bytes.IndexByte(c.b[min(h.folderAt, len(c.b)):], 0)
		if n < 0 {
			return h, false
		}
		h.folderAt += n + 1
	}
	if h.size < cabHead || h.size > len(b) {
		c.note(finding.ContainerBroken, c.of.Path, "record", "size", "declared", strconv.Itoa(h.size))
		h.size = len(b)
	}
	return h, h.listAt <= len(c.b)
}

// reserve reads the sizes of reserved areas, and the place of an Authenticode
// signature in the one of the header.
func (c *cab) reserve(h *cabHeader) bool {
	b := c.b[h.folderAt:]
	if len(b) < 4 || len(b) < 4+int(u16(b)) {
		return false
	}
	n := int(u16(b))
	h.folderSize += int(b[2])
	h.blockReserve = int(b[3])
	h.folderAt += 4 + n
	const signed = 0x00100000
	if n >= 20 && u32(b[4:]) == signed && int(u32(b[8:])) == h.size {
		h.signature = int(u32(b[12:]))
	}
	return true
}

// list reads the entries of all files.
func (c *cab) list(h cabHeader) (files []cabFile) {
	at := h.listAt
	for range h.files {
		if at+cabEntry > len(c.b) {
			if len(files) > 0 {
				c.note(finding.ContainerBroken, c.of.Path, "record", "list of files")
			}
			return files
		}
		b := c.b[at:]
		f := cabFile{size: int64(u32(b)), offset: int64(u32(b[4:])), folder: int(u16(b[8:])), utf8: u16(b[14:])&cabNameUTF8 != 0}
		name := b[cabEntry:min(cabEntry+maxCABName, len(b))]
		end := bytes.IndexByte(name, 0)
		if f.cut = end < 0; f.cut {
			end = 0
		}
		f.name = name[:end]
		files = append(files, f)
		at += cabEntry + end + 1
	}
	return files
}

// folder unpacks one folder and yields the files that lie in it; false ends
// the walk.
func (c *cab) folder(h cabHeader, files []cabFile) bool {
	r := &cabReader{members: c.members, b: c.b, reserve: h.blockReserve, err: io.ErrUnexpectedEOF}
	kind := uint16(0)
	number := files[0].folder
	if at := h.folderAt + number*h.folderSize; number < h.folders && at+cabFolder <= len(c.b) {
		b := c.b[at:]
		kind = u16(b[6:])
		r.at, r.left, r.err = h.at+int(u32(b)), int(u16(b[4:])), nil
		r.codec, r.err = c.codecs.open(kind)
	}
	need := int64(0)
	for _, f := range files {
		need = max(need, f.offset+f.size)
	}
	out, err := c.bud.Read(c.of.Path, &guarded{open: func() (io.Reader, error) { return io.LimitReader(r, need), nil }}, cabPacked(kind, len(c.b)))
	if err == nil && int64(len(out)) < need {
		err = io.ErrUnexpectedEOF
	}
	if r.unlike > 0 {
		c.note(finding.ContainerChecksum, c.of.Path, "blocks", strconv.Itoa(r.unlike))
	}
	end := int64(0)
	for _, f := range files {
		shares := f.offset < end && f.size > 0
		if !c.give(f, kind, out, err, shares) {
			return false
		}
		end = max(end, f.offset+f.size)
	}
	return true
}

// cabPacked is how many packed bytes count for the ratio.
func cabPacked(kind uint16, n int) int64 {
	if kind&cabKind == cabMSZIP {
		return int64(n)
	}
	return int64(n) * strongShare
}

// give yields the file f of a folder of which out could be unpacked.
func (c *cab) give(f cabFile, kind uint16, out []byte, err error, shares bool) bool {
	e, ok := c.next(f.names()...)
	if !ok {
		return false
	}
	e.Size = f.size
	start, end := min(f.offset, int64(len(out))), min(f.offset+f.size, int64(len(out)))
	e.Body = out[start:end]
	if shares {
		// The folder's bytes are paid for; those that it shows twice are not.
		c.note(finding.ContainerOverlap, e.Path, "name", e.Name())
		body, spent := c.lend(e.Path, e.Body)
		e.Body, e.Unread = body, spent != nil
	}
	if end-start < f.size {
		e.Unread = true
		c.explain(e, kind, err)
	}
	if f.cut || len(f.name) == 0 {
		c.note(finding.ContainerBroken, e.Path, "record", "name")
	}
	if key := fold(e.Name()); key != "" && c.names[key] {
		c.note(finding.ContainerDuplicate, e.Path, "name", e.Name())
	} else {
		c.names[key] = true
	}
	c.yield(e)
	return !c.spent()
}

// explain states why content is missing.
func (c *cab) explain(e *entity.Entity, kind uint16, err error) {
	switch {
	case errors.Is(err, budget.ErrExceeded):
	case errors.Is(err, errMethod):
		c.note(finding.ContainerMethod, e.Path, "method", cabMethod(kind), "name", e.Name())
	case errors.Is(err, errVolume):
		c.note(finding.ContainerVolume, e.Path, "type", "cab")
	default:
		c.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
}

// names are the readings of the file's name. Both separators mean the same:
// tools on Unix write their own.
func (f cabFile) names() []entity.Name {
	n := decoded(f.name, "header", f.utf8)
	if text := strings.ReplaceAll(n.Text, "\\", "/"); text != n.Text {
		n.Text, n.Raw = text, bytes.Clone(f.name)
	}
	return []entity.Name{n}
}

// cabReader unpacks the blocks of one folder.
type cabReader struct {
	*members
	b       []byte
	at      int // of the next block
	left    int // blocks
	reserve int
	codec   cabCodec
	ready   []byte
	unlike  int // blocks whose checksum is wrong
	err     error
}

func (r *cabReader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.left == 0:
			return 0, io.EOF
		}
		r.left--
		r.ready, r.err = r.block()
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// block unpacks the next block; what came before an error counts.
func (r *cabReader) block() ([]byte, error) {
	start := r.at + cabBlock + r.reserve
	if r.at < 0 || start > len(r.b) {
		return nil, io.ErrUnexpectedEOF
	}
	head := r.b[r.at : r.at+cabBlock]
	packed, size := int(u16(head[4:])), int(u16(head[6:]))
	data := r.b[start:min(start+packed, len(r.b))]
	r.at = start + packed
	// Many folders may name the same blocks, and a block may hold one byte.
	if err := r.bud.Spend(r.of.Path, int64(len(data)/4+cabBlockCost)); err != nil {
		return nil, err
	}
	if want := u32(head); want != 0 && cabSum(r.b[start-r.reserve-4:start], data) != want {
		r.unlike++
	}
	if size == 0 {
		return nil, errVolume // MS-CAB 2.4: the rest stands in the next cabinet
	}
	out, err := r.codec.block(data, size)
	if err == nil && (len(out) < size || len(data) < packed) {
		err = io.ErrUnexpectedEOF
	}
	return out, err
}

// cabSum is the checksum of a block: all 32-bit words taken together by XOR,
// first those of the data, then those of the head. The last bytes of the data
// form a word from its high end down.
func cabSum(head, data []byte) uint32 {
	var sum uint32
	for _, b := range [][]byte{data, head} {
		for ; len(b) >= 4; b = b[4:] {
			sum ^= binary.LittleEndian.Uint32(b)
		}
		var last uint32
		for _, v := range b {
			last = last<<8 | uint32(v)
		}
		sum ^= last
	}
	return sum
}
