package unpack

import (
	"encoding/binary"
	"strings"
)

// compound reads a compound file (MS-CFB): a file system of sectors, with
// storages for folders and streams for files.
type compound struct {
	b       []byte
	shift   uint
	fat     []uint32
	mini    []uint32
	entries []compoundEntry
	// small is the stream of the root, which holds the small streams.
	small []byte
	// cut says that a chain ended early or led in a circle.
	cut bool
}

// compoundEntry is one entry of the directory.
type compoundEntry struct {
	name               string
	kind               byte
	left, right, child uint32
	start              uint32
	size               int64
}

const (
	compoundHead    = 512
	compoundEntrySz = 128
	compoundStorage = 1
	compoundStream  = 2
	compoundRoot    = 5
	compoundCutoff  = 4096 // streams below it stand in the mini stream
	compoundMini    = 6    // the shift of its sectors
	compoundLast    = 0xFFFFFFFA
)

// readCompound reads the tables; ok is false for what is no compound file.
func readCompound(b []byte) (c *compound, ok bool) {
	if len(b) < compoundHead || string(b[:8]) != "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" {
		return nil, false
	}
	c = &compound{b: b, shift: uint(u16(b[30:]))}
	if c.shift < 7 || c.shift > 16 {
		return nil, false
	}
	c.readFAT()
	c.readDirectory()
	if len(c.entries) == 0 || c.entries[0].kind != compoundRoot {
		return nil, false
	}
	c.mini = words(c.chain(u32(b[60:]), int64(len(b))))
	c.small = c.chain(c.entries[0].start, c.entries[0].size)
	return c, true
}

// sector returns the bytes of one sector, short at the end of the file.
func (c *compound) sector(n uint32) []byte {
	from := (int64(n) + 1) << c.shift
	if from >= int64(len(c.b)) {
		return nil
	}
	return c.b[from:min(from+1<<c.shift, int64(len(c.b)))]
}

// sectors is how many sectors the file can have.
func (c *compound) sectors() int { return len(c.b)>>c.shift + 1 }

// readFAT gathers the sectors that hold the chains: the first 109 are named in
// the header, the others in a chain of their own.
func (c *compound) readFAT() {
	const inHeader = 109
	list := words(c.b[76 : 76+4*inHeader])
	next := u32(c.b[68:])
	for n := 0; next < compoundLast && n < c.sectors(); n++ {
		more := words(c.sector(next))
		if len(more) == 0 {
			break
		}
		list = append(list, more[:len(more)-1]...)
		next = more[len(more)-1]
	}
	for i, n := range list {
		if n < compoundLast && i < c.sectors() {
			c.fat = append(c.fat, words(c.sector(n))...)
		}
	}
}

// chain returns up to size bytes of the sectors that hang together from start.
func (c *compound) chain(start uint32, size int64) []byte {
	var out []byte
	for n := 0; start < compoundLast && int64(len(out)) < size; n++ {
		s := c.sector(start)
		if s == nil || int(start) >= len(c.fat) || n > c.sectors() {
			c.cut = true
			break
		}
		out = append(out, s...)
		start = c.fat[start]
	}
	return out[:min(int64(len(out)), size)]
}

// smallChain is chain within the stream of the root.
func (c *compound) smallChain(start uint32, size int64) []byte {
	var out []byte
	for int64(len(out)) < size {
		from := int64(start) << compoundMini
		if start >= compoundLast || int(start) >= len(c.mini) || from >= int64(len(c.small)) {
			c.cut = true
			break
		}
		out = append(out, c.small[from:min(from+1<<compoundMini, int64(len(c.small)))]...)
		start = c.mini[start]
	}
	return out[:min(int64(len(out)), size)]
}

func (c *compound) readDirectory() {
	// More than the file holds, so that a chain that loops is seen to.
	dir := c.chain(u32(c.b[48:]), int64(len(c.b))+4<<c.shift)
	for ; len(dir) >= compoundEntrySz; dir = dir[compoundEntrySz:] {
		e := compoundEntry{kind: dir[66], left: u32(dir[68:]), right: u32(dir[72:]), child: u32(dir[76:]), start: u32(dir[116:])}
		e.size = int64(u32(dir[120:])) // the upper half is garbage in old files
		e.name = strings.TrimRight(utf16Name(dir[:min(int(u16(dir[64:])), 64)]), "\x00")
		c.entries = append(c.entries, e)
	}
}

// children are the entries of a storage, in the order of its tree. Each entry
// is given once in all: seen remembers which.
func (c *compound) children(of int, seen map[uint32]bool) []int {
	var out []int
	todo := []uint32{c.entries[of].child}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if int64(at) >= int64(len(c.entries)) || seen[at] {
			continue
		}
		seen[at] = true
		out = append(out, int(at))
		todo = append(todo, c.entries[at].right, c.entries[at].left)
	}
	return out
}

// stream returns the content of a stream.
func (c *compound) stream(at int) []byte {
	e := c.entries[at]
	size := min(e.size, int64(len(c.b)))
	if e.size < compoundCutoff {
		return c.smallChain(e.start, size)
	}
	return c.chain(e.start, size)
}

// words returns b as numbers.
func words(b []byte) []uint32 {
	out := make([]uint32, len(b)/4)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return out
}
