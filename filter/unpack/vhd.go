package unpack

import (
	"encoding/binary"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Kinds of disks in a VHD's footer.
const (
	vhdFixed   = 2
	vhdDynamic = 3
	vhdChild   = 4 // the rest stands in a parent
)

const (
	vhdFooter = 512
	vhdMark   = "conectix"
	vhdUnused = 0xffffffff
)

// vhdFind returns the footer at the end, which old writers made 511 bytes
// long, else its copy at the start.
func vhdFind(b []byte) []byte {
	for _, at := range []int{len(b) - vhdFooter, len(b) - vhdFooter + 1, 0} {
		if at >= 0 && len(b) >= at+len(vhdMark) && string(b[at:at+len(vhdMark)]) == vhdMark {
			f := make([]byte, vhdFooter)
			copy(f, b[at:])
			return f
		}
	}
	return nil
}

// openVHD reads a virtual hard disk (Microsoft's Virtual Hard Disk Image
// Format Specification).
func openVHD(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	i := newImage(newMembers(e, bud, yield))
	f := vhdFind(e.Body)
	if f == nil {
		i.note(finding.ContainerBroken, e.Path, "record", "footer")
		return i.found
	}
	kind := binary.BigEndian.Uint32(f[60:])
	if kind == vhdFixed || string(e.Body[:len(vhdMark)]) != vhdMark {
		// A file that is also named .img is read without the table.
		i.whole(plainDisk(e.Body[:max(len(e.Body)-vhdFooter, 0)]))
	}
	if kind == vhdFixed {
		return i.found
	}
	if kind != vhdDynamic {
		i.note(finding.ContainerVolume, e.Path, "type", "vhd")
	}
	d := vhdTable(e.Body, f)
	if d == nil || bud.Spend(e.Path, int64(len(d.blocks))*8) != nil {
		i.note(finding.ContainerBroken, e.Path, "record", "block table")
		return i.found
	}
	i.whole(d)
	return i.found
}

// vhdTable reads where the blocks of a dynamic disk stand; nil where the
// table makes no sense.
func vhdTable(b, footer []byte) *disk {
	at := binary.BigEndian.Uint64(footer[16:])
	h := within(b, int64(min(at, 1<<40)), 1024)
	if len(h) < 40 || string(h[:8]) != "cxsparse" {
		return nil
	}
	d := &disk{b: b, size: int64(min(binary.BigEndian.Uint64(footer[48:]), 1<<44)), sector: diskSector, block: int64(binary.BigEndian.Uint32(h[32:]))}
	table := within(b, int64(min(binary.BigEndian.Uint64(h[16:]), 1<<40)), 4*int64(binary.BigEndian.Uint32(h[28:])))
	if d.block < diskSector || d.block%diskSector != 0 || len(table) < 4 {
		return nil
	}
	// Each block has a map of its sectors before it, a whole number of sectors.
	maps := (d.block/diskSector/8 + diskSector - 1) / diskSector * diskSector
	for ; len(table) >= 4; table = table[4:] {
		place := int64(noRun)
		if n := binary.BigEndian.Uint32(table); n != vhdUnused {
			place = int64(n)*diskSector + maps
		}
		d.blocks = append(d.blocks, place)
	}
	return d
}
