package unpack

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of NTFS's file records. The format has no public document; this follows what
// the free drivers read.
const (
	ntfsNames = 0x30
	ntfsData  = 0x80
	ntfsStop  = 0xffffffff

	ntfsRoot    = 5  // the record of the root folder
	ntfsExtend  = 11 // of the folder of the system's own files
	ntfsMeta    = 16 // the first record that may be a user's
	ntfsDOSName = 2  // a name in eight and three bytes

	ntfsPacked = 1
	ntfsCipher = 0x4000
)

// ntfsRecord is what the records of one file say together.
type ntfsRecord struct {
	used, folder bool
	parent       uint64
	names        []entity.Name
	streams      []*ntfsStream
}

// ntfsStream is the content of a file, or a further stream behind a colon.
type ntfsStream struct {
	name   string
	size   int64
	inline []byte
	pieces []ntfsPiece
	flags  uint16
}

// ntfsPiece is a list of runs, which begins at a cluster of the stream.
type ntfsPiece struct {
	from uint64
	runs []run
}

// ntfs is a volume of NTFS.
type ntfs struct {
	*image
	cluster int64
	sector  int64
	record  int64
	records []ntfsRecord
}

func isNTFS(boot []byte) bool {
	if len(boot) < diskSector || string(boot[3:11]) != "NTFS    " {
		return false
	}
	sector := int64(u16(boot[11:]))
	return sector >= 256 && sector <= 4096 && sector&(sector-1) == 0 && boot[13] > 0
}

// ntfs reads a volume of NTFS.
func (i *image) ntfs(boot []byte) {
	n := &ntfs{image: i, sector: int64(u16(boot[11:]))}
	n.cluster = n.sector * int64(boot[13])
	if boot[13] > 0x80 { // as a power of two
		n.cluster = n.sector << min(0x100-uint(boot[13]), 12)
	}
	if n.record = n.cluster * int64(boot[64]); boot[64] >= 0x80 {
		n.record = 1 << min(0x100-uint(boot[64]), 16)
	}
	if n.record < 256 || n.record > 64<<10 {
		i.note(finding.ContainerBroken, i.of.Path, "record", "boot sector")
		return
	}
	n.load(int64(min(u64(boot[48:]), 1<<40)) * n.cluster)
	for k := ntfsMeta; k < len(n.records) && !i.spent(); k++ {
		if r := &n.records[k]; r.used && !r.folder && len(r.names) > 0 && r.parent != ntfsExtend && !n.give(r) {
			return
		}
	}
}

// load reads the table of records, whose first one tells where it stands.
func (n *ntfs) load(at int64) {
	n.records = make([]ntfsRecord, 1)
	n.take(n.disk.cut(at, n.record), 0)
	if len(n.records[0].streams) == 0 {
		n.note(finding.ContainerBroken, n.of.Path, "record", "file table")
		return
	}
	table := n.records[0].streams[0]
	size := min(table.size, n.disk.size)
	if n.bud.Spend(n.of.Path, size) != nil {
		return
	}
	b, whole := n.join(n.of.Path, table.runs(), size)
	if !whole {
		n.note(finding.ContainerBroken, n.of.Path, "record", "file table")
	}
	count := int64(len(b)) / n.record
	if most := 2*int64(n.bud.Limits().Members) + ntfsMeta; count > most {
		_ = n.bud.Exceed(budget.Members, n.of.Path) // remembered in the budget
		count = most
	}
	n.records = make([]ntfsRecord, count)
	for k := range n.records {
		n.take(b[int64(k)*n.record:int64(k+1)*n.record], k)
	}
}

// take reads one record, which may add to another one's.
func (n *ntfs) take(raw []byte, at int) {
	if int64(len(raw)) < n.record || string(raw[:4]) != "FILE" {
		return
	}
	b := n.mended(raw)
	to := &n.records[at]
	if base := u64(b[32:]) & (1<<48 - 1); base != 0 {
		if base >= uint64(len(n.records)) {
			return
		}
		to = &n.records[base]
	} else {
		const used, folder = 1, 2
		to.used, to.folder = u16(b[22:])&used != 0, u16(b[22:])&folder != 0
	}
	for p := b[min(int(u16(b[20:])), len(b)):]; len(p) >= 24; {
		kind, size := u32(p), int64(u32(p[4:]))
		if kind == ntfsStop || size < 24 || size > int64(len(p)) {
			return
		}
		to.attribute(kind, p[:size], n.cluster)
		p = p[size:]
	}
}

// mended undoes the marks at each sector's end, which tell torn writes. Their
// true bytes stand in the record's head.
func (n *ntfs) mended(raw []byte) []byte {
	b := bytes.Clone(raw)
	at, count := int(u16(b[4:])), int(u16(b[6:]))
	for k := 1; k < count; k++ {
		from, to := at+2*k, k*diskSector-2
		if from+2 > len(b) || to+2 > len(b) {
			break
		}
		copy(b[to:to+2], raw[from:from+2])
	}
	return b
}

// attribute keeps a name or a stream.
func (r *ntfsRecord) attribute(kind uint32, p []byte, cluster int64) {
	name := within(p, int64(u16(p[10:])), 2*int64(p[9]))
	switch resident := p[8] == 0; {
	case kind == ntfsNames && resident:
		r.name(within(p, int64(u16(p[20:])), int64(u32(p[16:]))))
	case kind == ntfsData && resident:
		body := within(p, int64(u16(p[20:])), int64(u32(p[16:])))
		r.streams = append(r.streams, &ntfsStream{name: utf16Name(name), size: int64(u32(p[16:])), inline: body, flags: u16(p[12:])})
	case kind == ntfsData && len(p) >= 64:
		r.stream(utf16Name(name), p, cluster)
	}
}

func (r *ntfsRecord) name(b []byte) {
	if len(b) < 66 {
		return
	}
	raw := within(b, 66, 2*int64(b[64]))
	source := "long"
	if b[65] == ntfsDOSName {
		source = "short"
	}
	r.parent = u64(b) & (1<<48 - 1)
	n := entity.Name{Text: utf16Name(raw), Source: source, Charset: "utf-16le", Raw: bytes.Clone(raw)}
	if source == "long" {
		r.names = slices.Insert(r.names, 0, n)
	} else {
		r.names = append(r.names, n)
	}
}

// stream adds the runs of an attribute to the stream of that name.
func (r *ntfsRecord) stream(name string, p []byte, cluster int64) {
	i := slices.IndexFunc(r.streams, func(s *ntfsStream) bool { return s.name == name && s.inline == nil })
	if i < 0 {
		i = len(r.streams)
		r.streams = append(r.streams, &ntfsStream{name: name})
	}
	s := r.streams[i]
	from := u64(p[16:])
	if from == 0 {
		s.size, s.flags = int64(min(u64(p[48:]), 1<<62)), u16(p[12:])
	}
	s.pieces = append(s.pieces, ntfsPiece{from, ntfsRuns(p[min(int(u16(p[32:])), len(p)):], cluster)})
}

// runs are the runs of all pieces, in the order of the stream.
func (s *ntfsStream) runs() (out []run) {
	slices.SortStableFunc(s.pieces, func(a, b ntfsPiece) int { return cmp.Compare(a.from, b.from) })
	for _, p := range s.pieces {
		out = append(out, p.runs...)
	}
	return out
}

// ntfsRuns decodes a list of runs: each has its length, and how far it lies
// from the one before, in as many bytes as the first one tells.
func ntfsRuns(b []byte, cluster int64) (out []run) {
	at := int64(0)
	for len(b) > 0 && b[0] != 0 && len(out) < maxDiskRuns {
		n, m := int(b[0]&15), int(b[0]>>4)
		if n > 8 || m > 8 || len(b) < 1+n+m {
			return out
		}
		count, step := ntfsNumber(b[1:1+n]), ntfsNumber(b[1+n:1+n+m])
		b = b[1+n+m:]
		if count <= 0 || count > 1<<40 || step > 1<<40 || step < -1<<40 {
			return out
		}
		if at += step; m == 0 {
			out = append(out, run{noRun, count * cluster})
			continue
		}
		out = append(out, run{at * cluster, count * cluster})
	}
	return out
}

// ntfsNumber is a signed number of up to eight bytes.
func ntfsNumber(b []byte) int64 {
	if len(b) == 0 {
		return 0
	}
	var wide [8]byte
	if b[len(b)-1] >= 0x80 {
		wide = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	copy(wide[:], b)
	return int64(binary.LittleEndian.Uint64(wide[:]))
}

// path is the path of the folder with that record.
func (n *ntfs) path(at uint64) string {
	path := ""
	for range maxFolders {
		if at == ntfsRoot || at >= uint64(len(n.records)) || len(n.records[at].names) == 0 || len(path) > maxCABName {
			break
		}
		path = n.records[at].names[0].Text + "/" + path
		at = n.records[at].parent
	}
	return path
}

// give yields the streams of one file.
func (n *ntfs) give(r *ntfsRecord) bool {
	path := n.path(r.parent)
	for _, s := range r.streams {
		names := slices.Clone(r.names)
		for k := range names {
			if names[k].Text = path + names[k].Text; s.name != "" {
				names[k].Text += ":" + s.name
			}
		}
		e, ok := n.file(s.size, names...)
		if !ok {
			return false
		}
		n.giveStream(e, s)
		if n.spent() {
			return false
		}
	}
	return true
}

func (n *ntfs) giveStream(e *entity.Entity, s *ntfsStream) {
	switch {
	case s.flags&ntfsCipher != 0:
		n.note(finding.ContainerEncrypted, e.Path, "method", "efs", "name", e.Name())
		e.Encrypted = true
	case s.flags&ntfsPacked != 0 && s.inline == nil:
		n.note(finding.ContainerMethod, e.Path, "method", "lznt1", "name", e.Name())
		e.Unread = true
	case s.inline != nil || s.size == 0:
		body, err := n.lend(e.Path, s.inline)
		e.Body, e.Unread = body, err != nil || int64(len(s.inline)) < s.size
		n.yield(e)
		return
	default:
		n.fill(e, s.runs())
		return
	}
	n.yield(e)
}
