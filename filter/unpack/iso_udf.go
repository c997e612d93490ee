package unpack

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Tags of UDF's records (ECMA-167 3/7.2 and 4/7.2).
const (
	udfAnchor    = 2
	udfPartition = 5
	udfVolume    = 6
	udfEnd       = 8
	udfFileSet   = 256
	udfName      = 257
	udfEntry     = 261
	udfExtended  = 266

	udfTagSize = 16
)

// Kinds of extents, in the two high bits of their length.
const (
	udfRecorded = 0
	udfGoesOn   = 3
)

// udf is the one partition of a UDF volume that has files.
type udf struct {
	*iso
	start int64 // of the partition, in bytes
	block int64
	root  int64 // where the file set stands, in blocks
	count map[string]int
	seen  map[int64]bool
}

// tagged returns the record of the given kind at at, nil for none. Checksums
// are not looked at: who reads files off a disk does not mind them either.
func (i *iso) tagged(at int64, kinds ...uint16) []byte {
	b := i.cut(isoExtent{at, isoSector})
	if len(b) < 512 {
		return nil
	}
	for _, k := range kinds {
		if u16(b) == k {
			return b
		}
	}
	return nil
}

// readUDF adds the files of the UDF view.
func (i *iso) readUDF() {
	u := &udf{iso: i, block: isoSector, count: map[string]int{}, seen: map[int64]bool{}}
	last := int64(len(i.b))/isoSector - 1
	for _, n := range []int64{256, last, last - 256, 512} {
		if a := i.tagged(n*isoSector, udfAnchor); a != nil && int64(u32(a[12:])) == n && u.volume(a) {
			break
		}
	}
	if u.start == 0 {
		return
	}
	set := i.tagged(u.start+u.root*u.block, udfFileSet)
	if set == nil {
		i.note(finding.ContainerBroken, i.of.Path, "record", "file set")
		return
	}
	i.views[viewUDF] = true
	u.folder(int64(u32(set[404:])), "", 0)
}

// volume reads the sequence of descriptors that an anchor names.
func (u *udf) volume(anchor []byte) bool {
	at := int64(u32(anchor[20:])) * isoSector
	found := false
	for range min(int64(u32(anchor[16:]))/isoSector, maxISODescriptors) {
		d := u.cut(isoExtent{at, isoSector})
		at += isoSector
		if len(d) < isoSector || u16(d) == udfEnd {
			break
		}
		switch u16(d) {
		case udfPartition:
			u.start = int64(u32(d[188:])) * isoSector
			u.end = max(u.end, u.start+int64(u32(d[192:]))*isoSector)
		case udfVolume:
			found = true
			if n := int64(u32(d[212:])); n >= 512 && n <= isoSector {
				u.block = n
			}
			u.root = int64(u32(d[252:]))
			if u32(d[268:]) != 1 || d[440] != 1 {
				// Virtual, sparable and metadata partitions of written disks.
				u.note(finding.ContainerMethod, u.of.Path, "method", "udf partition map")
			}
		}
	}
	return found && u.start > 0
}

// udfNode is a file entry: what it is and where its data are.
type udfNode struct {
	kind    byte
	size    int64
	extents []isoExtent
	inline  []byte
}

// node reads the entry at a block of the partition.
func (u *udf) node(block int64) (n udfNode, ok bool) {
	b := u.tagged(u.start+block*u.block, udfEntry, udfExtended)
	if b == nil || u.bud.Spend(u.of.Path, int64(len(b))) != nil {
		return n, false
	}
	head := 168
	if u16(b) == udfExtended {
		head = 208
	}
	n.kind, n.size = b[27], int64(min(u64(b[56:]), 1<<62))
	start := head + 8 + int(min(u32(b[head:]), isoSector))
	size := int(min(u32(b[head+4:]), isoSector))
	if start+size > len(b) {
		return n, false
	}
	list := b[start : start+size]
	switch u16(b[34:]) & 7 {
	case 0:
		u.extents(&n, list, 8)
	case 1:
		u.extents(&n, list, 16)
	case 3:
		n.inline = list
	default:
		return n, false
	}
	return n, true
}

// extents reads allocation descriptors of the given size, and those of the
// blocks that they go on in.
func (u *udf) extents(n *udfNode, list []byte, size int) {
	for hops := 0; len(list) >= size && len(n.extents) < maxISOExtents; {
		length, block := u32(list), int64(u32(list[4:]))
		list = list[size:]
		x := isoExtent{u.start + block*u.block, int64(length & (1<<30 - 1))}
		switch {
		case x.size == 0:
			return
		case length>>30 == udfGoesOn:
			const head = udfTagSize + 8
			b := u.cut(x)
			if hops++; hops > maxISODescriptors || len(b) < head {
				return
			}
			list = b[head:]
		case length>>30 == udfRecorded:
			n.extents = append(n.extents, x)
		default: // not recorded: zeros, which we need not see
			n.extents = append(n.extents, isoExtent{-1, x.size})
		}
	}
}

// folder gathers the files of the folder whose entry stands at block.
func (u *udf) folder(block int64, path string, depth int) {
	if u.seen[block] || depth > maxISODepth {
		u.note(finding.ContainerConflict, u.of.Path, "in", "folder", "name", path)
		return
	}
	u.seen[block] = true
	n, ok := u.node(block)
	if !ok {
		u.note(finding.ContainerBroken, u.of.Path, "record", "folder", "name", path)
		return
	}
	data, whole := u.content(&isoFile{extents: n.extents, inline: n.inline, size: n.size})
	if !whole {
		u.note(finding.ContainerBroken, u.of.Path, "record", "folder", "name", path)
	}
	if u.bud.Spend(u.of.Path, int64(len(data))) != nil {
		return
	}
	for len(data) >= 38 && u16(data) == udfName {
		const parent, deleted, folder = 1 << 3, 1 << 2, 1 << 1
		flags, length, use := data[18], int(data[19]), int(u16(data[36:]))
		next := (38 + use + length + 3) / 4 * 4
		if next > len(data) {
			return
		}
		name := data[38+use : 38+use+length]
		icb := int64(u32(data[24:]))
		data = data[next:]
		switch {
		case flags&(parent|deleted) != 0:
		case flags&folder != 0:
			u.folder(icb, path+udfText(name).Text+"/", depth+1)
		default:
			u.file(icb, path, udfText(name))
		}
	}
}

// file adds the file whose entry stands at block.
func (u *udf) file(block int64, path string, name entity.Name) {
	n, ok := u.node(block)
	if !ok {
		u.note(finding.ContainerBroken, u.of.Path, "record", "file entry", "name", path+name.Text)
		n.extents = []isoExtent{{-1, 1}}
		n.size = 1
	}
	key := fmt.Sprint("udf ", block)
	switch {
	case n.size == 0:
		key = strings.ToLower(name.Text)
	case len(n.extents) > 0:
		total := int64(0)
		for _, x := range n.extents[:1] {
			total += x.size
		}
		if len(n.extents) == 1 {
			total = n.size // rounded up by some writers
		}
		key = fmt.Sprint(n.extents[0].at, " ", total)
	}
	f := u.met(key, u.count)
	if f.extents == nil && f.inline == nil {
		f.extents, f.inline, f.size = n.extents, n.inline, n.size
	}
	const link = 12
	f.link = f.link || n.kind == link
	f.name(viewUDF, path, name)
}

// udfText decodes a name of OSTA's compressed Unicode: its first byte tells
// how many bits a character has.
func udfText(b []byte) entity.Name {
	if len(b) == 0 {
		return entity.Name{}
	}
	var units []uint16
	if b[0] == 16 || b[0] == 255 {
		for p := b[1:]; len(p) >= 2; p = p[2:] {
			units = append(units, binary.BigEndian.Uint16(p))
		}
	} else {
		for _, c := range b[1:] {
			units = append(units, uint16(c))
		}
	}
	return entity.Name{Text: string(utf16.Decode(units)), Charset: "utf-16be"}
}
