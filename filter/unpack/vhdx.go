package unpack

import (
	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Places and marks of a VHDX (MS-VHDX §2).
const (
	vhdxHeaders = 64 << 10 // two headers, one after the other
	vhdxRegions = 192 << 10
	vhdxStep    = 64 << 10
	vhdxUnit    = 1 << 20 // in which places in the file are counted
	vhdxWhole   = 6       // states of a block that has data
	vhdxPartly  = 7
)

// Identifiers of regions and of items, as they stand in the file.
const (
	vhdxTable     = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08"
	vhdxMetadata  = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"
	vhdxFile      = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"
	vhdxSize      = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8"
	vhdxSector    = "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f"
	maxVHDXRegion = 2048
)

// openVHDX reads a virtual hard disk of Hyper-V.
func openVHDX(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	i := newImage(newMembers(e, bud, yield))
	d, child, ok := readVHDX(e.Body)
	if !ok || bud.Spend(e.Path, int64(len(d.blocks))*8) != nil {
		i.note(finding.ContainerBroken, e.Path, "record", "block table")
		return i.found
	}
	if child {
		i.note(finding.ContainerVolume, e.Path, "type", "vhdx")
	}
	if vhdxLogged(e.Body) {
		// Windows writes the log into the disk before it shows it.
		i.note(finding.ContainerMethod, e.Path, "method", "vhdx log")
	}
	i.whole(d)
	return i.found
}

// vhdxLogged says that the header that counts names a log.
func vhdxLogged(b []byte) bool {
	var best []byte
	for n := range int64(2) {
		h := within(b, vhdxHeaders+n*vhdxStep, 4096)
		if len(h) == 4096 && string(h[:4]) == "head" && (best == nil || u64(h[8:]) > u64(best[8:])) {
			best = h
		}
	}
	return best != nil && string(best[48:64]) != string(make([]byte, 16))
}

// readVHDX reads the table of blocks. child says that a parent holds the rest.
func readVHDX(b []byte) (d *disk, child, ok bool) {
	regions := vhdxList(b, vhdxRegions, "regi", 8, 16)
	if regions == nil {
		regions = vhdxList(b, vhdxRegions+vhdxStep, "regi", 8, 16)
	}
	at := func(id string) (int64, int64) {
		r := regions[id]
		if r == nil {
			return 0, 0
		}
		return int64(min(u64(r[16:]), 1<<40)), int64(u32(r[24:]))
	}
	place, size := at(vhdxMetadata)
	items := vhdxList(b, place, "metadata", 10, 32)
	item := func(id string, n int64) []byte {
		if items[id] == nil {
			return nil
		}
		if v := within(b, place+int64(u32(items[id][16:])), n); int64(len(v)) == n {
			return v
		}
		return nil
	}
	file, whole, sector := item(vhdxFile, 8), item(vhdxSize, 8), item(vhdxSector, 4)
	if file == nil || whole == nil || sector == nil || size == 0 {
		return nil, false, false
	}
	d = &disk{b: b, size: int64(min(u64(whole), 1<<46)), sector: int64(u32(sector)), block: int64(u32(file))}
	if d.block < vhdxUnit || d.block&(d.block-1) != 0 || d.sector != diskSector && d.sector != 4096 {
		return nil, false, false
	}
	place, size = at(vhdxTable)
	d.blocks = vhdxBlocks(within(b, place, size), d)
	return d, file[4]&2 != 0, len(d.blocks) > 0
}

// vhdxList reads a table of entries of 32 bytes, by their identifiers.
func vhdxList(b []byte, at int64, mark string, count, head int64) map[string][]byte {
	t := within(b, at, vhdxStep)
	if at == 0 || len(t) < 32 || string(t[:len(mark)]) != mark {
		return nil
	}
	out := map[string][]byte{}
	n := min(int64(u16(t[count:])), maxVHDXRegion)
	for t = t[head:]; len(t) >= 32 && n > 0; t, n = t[32:], n-1 {
		out[string(t[:16])] = t[:32]
	}
	return out
}

// vhdxBlocks reads where the blocks stand. After so many of them one entry
// stands for a map of sectors.
func vhdxBlocks(table []byte, d *disk) (out []int64) {
	apart := int((1 << 23) * d.sector / d.block)
	need := (d.size + d.block - 1) / d.block
	for n := 0; len(table) >= 8 && int64(len(out)) < need; table = table[8:] {
		if n == apart {
			n = 0
			continue
		}
		n++
		v := u64(table)
		place := int64(noRun)
		if state := v & 7; state == vhdxWhole || state == vhdxPartly {
			place = int64(v>>20) * vhdxUnit
		}
		out = append(out, place)
	}
	return out
}
