package unpack

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"

	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of a FAT's folders (Microsoft's FAT specification 1.03, §6 and §7).
const (
	fatEntry   = 32
	fatVolume  = 1 << 3
	fatFolder  = 1 << 4
	fatLong    = 0x0f // attributes of a piece of a long name
	fatDeleted = 0xe5
	fatKanji   = 0x05 // stands for 0xe5, a lead byte of Shift_JIS
)

// maxFATFolder is the largest folder in bytes: 65,536 entries.
const maxFATFolder = 65536 * fatEntry

// clusters is the part of a volume that files stand in, and the table by
// which they hang together.
type clusters struct {
	*image
	table []byte
	width int   // bits of an entry
	first int64 // where cluster 2 stands
	size  int64
	count int64
	taken map[uint32]bool // first clusters of files and folders met
	todo  []folder
}

// folder is a folder that is to be read.
type folder struct {
	start uint32
	path  string
	depth int
	runs  []run // of a folder outside the clusters, or one without a chain
}

// after returns the cluster that follows n; ok is false at the end.
func (c *clusters) after(n uint32) (next uint32, ok bool) {
	at := int64(n) * int64(c.width) / 8
	switch c.width {
	case 12:
		if at+2 > int64(len(c.table)) {
			return 0, false
		}
		next = uint32(u16(c.table[at:])) >> (n % 2 * 4) & 0xfff
	case 16:
		if at+2 > int64(len(c.table)) {
			return 0, false
		}
		next = uint32(u16(c.table[at:]))
	default:
		if at+4 > int64(len(c.table)) {
			return 0, false
		}
		next = u32(c.table[at:]) & 0x0fffffff
	}
	return next, c.holds(next)
}

func (c *clusters) holds(n uint32) bool { return n >= 2 && int64(n)-2 < c.count }

// runs follows the chain from start until size bytes are found.
func (c *clusters) runs(start uint32, size int64) (out []run) {
	ok, n := c.holds(start), int64(0)
	for ; ok && n*c.size < size && n <= c.count && len(out) < maxDiskRuns; n++ {
		at := c.first + (int64(start)-2)*c.size
		if k := len(out) - 1; k >= 0 && out[k].at+out[k].size == at {
			out[k].size += c.size
		} else {
			out = append(out, run{at, c.size})
		}
		start, ok = c.after(start)
	}
	// Where nothing stands in the clusters, only the way there costs.
	if c.bud.Spend(c.of.Path, n*int64(c.width)/8) != nil {
		return nil
	}
	return out
}

// take remembers that a file or folder begins at start. Two that share it are
// a trick, or damage.
func (c *clusters) take(path string, start uint32) bool {
	if c.taken[start] {
		c.note(finding.ContainerOverlap, c.of.Path, "name", path)
		return false
	}
	c.taken[start] = true
	return true
}

// enter keeps a folder to be read.
func (c *clusters) enter(f folder) {
	if f.depth > maxFolders {
		c.note(finding.ContainerConflict, c.of.Path, "in", "folder", "name", f.path)
	} else if c.take(f.path, f.start) {
		c.todo = append(c.todo, f)
	}
}

// walk reads all folders, each by read, until the budget ends.
func (c *clusters) walk(read func(f folder, b []byte) bool) {
	for len(c.todo) > 0 && !c.spent() {
		f := c.todo[0]
		c.todo = c.todo[1:]
		if f.runs == nil {
			f.runs = c.runs(f.start, maxFATFolder)
		}
		size := int64(0)
		for _, r := range f.runs {
			size = min(size+r.size, maxFATFolder)
		}
		if c.bud.Spend(c.of.Path, size) != nil {
			return
		}
		b, whole := c.join(c.of.Path, f.runs, size)
		if !whole || size == 0 {
			c.note(finding.ContainerBroken, c.of.Path, "record", "folder", "name", f.path)
		}
		if !read(f, b) {
			return
		}
	}
}

// fatLayout is what the boot sector of a FAT says, in sectors.
type fatLayout struct {
	sector, cluster      int64
	reserved, fats, each int64
	root, total          int64
	wide                 bool // FAT32
	rootStart            uint32
	active               int64
}

func layOutFAT(boot []byte) (l fatLayout, ok bool) {
	if len(boot) < diskSector {
		return l, false
	}
	l = fatLayout{sector: int64(u16(boot[11:])), cluster: int64(boot[13]), reserved: int64(u16(boot[14:])), fats: int64(boot[16]),
		root: int64(u16(boot[17:])), total: int64(u16(boot[19:])), each: int64(u16(boot[22:]))}
	if l.total == 0 {
		l.total = int64(u32(boot[32:]))
	}
	if l.each == 0 {
		l.wide, l.each, l.rootStart = true, int64(u32(boot[36:])), u32(boot[44:])
		if flags := boot[40]; flags&0x80 != 0 { // one table only is kept
			l.active = int64(flags & 0x0f)
		}
	}
	power := func(n, least, most int64) bool { return n >= least && n <= most && n&(n-1) == 0 }
	ok = power(l.sector, 128, 4096) && power(l.cluster, 1, 128) && l.reserved > 0 && l.fats > 0 && l.fats <= 4 &&
		l.each > 0 && l.total > 0 && (boot[21] == 0xf0 || boot[21] >= 0xf8) && (l.wide || l.root > 0)
	return l, ok
}

func isFAT(boot []byte) bool {
	_, ok := layOutFAT(boot)
	return ok
}

// fat reads a volume of FAT12, FAT16 or FAT32.
func (i *image) fat(boot []byte) {
	l, _ := layOutFAT(boot)
	rootAt := (l.reserved + l.fats*l.each) * l.sector
	rootSize := (l.root*fatEntry + l.sector - 1) / l.sector * l.sector
	c := &clusters{image: i, first: rootAt + rootSize, size: l.cluster * l.sector, taken: map[uint32]bool{}, width: 32}
	c.count = max((l.total*l.sector-c.first)/c.size, 0)
	switch {
	case l.wide:
	case c.count < 4085: // the count alone decides, whatever the label says
		c.width = 12
	default:
		c.width = 16
	}
	need := ((c.count+2)*int64(c.width) + 7) / 8
	if i.bud.Spend(i.of.Path, min(need, l.each*l.sector)/allotShare) != nil {
		return
	}
	c.table = i.disk.cut((l.reserved+l.active*l.each)*l.sector, min(need, l.each*l.sector))
	if int64(len(c.table)) < need {
		i.note(finding.ContainerBroken, i.of.Path, "record", "allocation table")
	}
	if l.wide {
		c.enter(folder{start: l.rootStart})
	} else {
		c.todo = []folder{{runs: []run{{rootAt, l.root * fatEntry}}}}
	}
	c.walk(c.fatFolder)
}

// fatFolder reads the entries of one folder.
func (c *clusters) fatFolder(f folder, b []byte) bool {
	var long fatName
	for ; len(b) >= fatEntry && b[0] != 0; b = b[fatEntry:] {
		e := b[:fatEntry]
		switch {
		case e[0] == fatDeleted:
			long = fatName{}
			continue
		case e[11]&0x3f == fatLong:
			long.take(e)
			continue
		case e[11]&fatVolume != 0 || e[0] == '.':
			long = fatName{}
			continue
		}
		names := fatNames(e, long, f.path)
		long = fatName{}
		if !c.fatFile(e, names, f) {
			return false
		}
	}
	return true
}

// fatFile yields the file of an entry, or keeps the folder for later.
func (c *clusters) fatFile(e []byte, names []entity.Name, f folder) bool {
	start, size := uint32(u16(e[26:])), int64(u32(e[28:]))
	if c.width == 32 {
		start |= uint32(u16(e[20:])) << 16
	}
	if e[11]&fatFolder != 0 {
		c.enter(folder{start: start, path: deeper(names[0].Text), depth: f.depth + 1})
		return true
	}
	m, ok := c.file(size, names...)
	if !ok {
		return false
	}
	if len(names) > 1 && extsDiffer(names[0].Text, names[1].Text) {
		c.note(finding.ContainerConflict, m.Path, "in", "name", "name", names[0].Text, "other", names[1].Text)
	}
	if size > 0 {
		c.take(m.Path, start)
	}
	c.fill(m, c.runs(start, size))
	return !c.spent()
}

// extsDiffer says that a long name and the short one beside it end in
// extensions of which the second is not made from the first.
func extsDiffer(long, short string) bool {
	ext := func(s string) string {
		s = strings.ToLower(last(s))
		return s[strings.LastIndexByte(s, '.')+1:]
	}
	if !strings.Contains(strings.Trim(last(long), "."), ".") {
		return strings.Contains(last(short), ".")
	}
	l, s := ext(long), ext(short)
	for _, r := range l {
		if r >= 0x80 || !('a' <= r && r <= 'z' || '0' <= r && r <= '9') {
			return false
		}
	}
	return s != l[:min(len(l), 3)]
}

// fatName gathers the pieces of a long name, of which the last comes first.
type fatName struct {
	sum    byte
	pieces map[byte][]uint16
	most   byte
}

func (n *fatName) take(e []byte) {
	const lastPiece = 0x40
	if e[0]&lastPiece != 0 || n.pieces == nil || e[13] != n.sum {
		*n = fatName{sum: e[13], pieces: map[byte][]uint16{}, most: e[0] & 0x1f}
	}
	var units []uint16
	for _, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
		units = append(units, u16(e[at:]))
	}
	n.pieces[e[0]&0x1f] = units
}

// text is the name, "" where it does not belong to the entry with that sum.
func (n *fatName) text(sum byte) (s string, raw []byte) {
	var units []uint16
	for k := byte(1); k <= n.most; k++ {
		if n.pieces[k] == nil {
			return "", nil
		}
		units = append(units, n.pieces[k]...)
	}
	if end := slices.Index(units, 0); end >= 0 {
		units = units[:end]
	}
	if n.sum != sum || len(units) == 0 {
		return "", nil
	}
	for _, u := range units {
		raw = binary.LittleEndian.AppendUint16(raw, u)
	}
	return string(utf16.Decode(units)), raw
}

// fatNames are the names of an entry: the long one, then the one in eight and
// three bytes. Windows shows the first.
func fatNames(e []byte, long fatName, path string) []entity.Name {
	sum := byte(0)
	for _, b := range e[:11] {
		sum = (sum>>1 | sum<<7) + b
	}
	names := []entity.Name{fatShort(e, path)}
	if text, raw := long.text(sum); text != "" {
		wide := entity.Name{Text: path + text, Source: "long", Charset: "utf-16le", Raw: raw}
		if ascii([]byte(text)) {
			wide.Charset, wide.Raw = "", nil
		}
		names = append([]entity.Name{wide}, names...)
	}
	return names
}

// fatShort is the name in eight and three bytes. Windows NT marks which half is
// to be shown in small letters.
func fatShort(e []byte, path string) entity.Name {
	base, ext := bytes.TrimRight(bytes.Clone(e[:8]), " "), bytes.TrimRight(e[8:11], " ")
	if len(base) > 0 && base[0] == fatKanji {
		base[0] = fatDeleted
	}
	const smallBase, smallExt = 1 << 3, 1 << 4
	if e[12]&smallBase != 0 {
		base = bytes.ToLower(base)
	}
	if e[12]&smallExt != 0 {
		ext = bytes.ToLower(ext)
	}
	raw := base
	if len(ext) > 0 {
		raw = slices.Concat(base, []byte("."), ext)
	}
	n := decoded(raw, "short", false)
	n.Text = path + n.Text
	return n
}
