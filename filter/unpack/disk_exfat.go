package unpack

import (
	"bytes"

	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// isExFAT matches the boot sector (Microsoft's exFAT specification §3.1).
func isExFAT(boot []byte) bool { return len(boot) >= diskSector && string(boot[3:11]) == "EXFAT   " }

// exFAT reads a volume of exFAT.
func (i *image) exFAT(boot []byte) {
	shift, more := uint(boot[108]), uint(boot[109])
	if shift < 9 || shift > 12 || shift+more > 25 {
		i.note(finding.ContainerBroken, i.of.Path, "record", "boot sector")
		return
	}
	c := &clusters{image: i, width: 32, first: int64(u32(boot[88:])) << shift, size: 1 << (shift + more), count: int64(u32(boot[92:])), taken: map[uint32]bool{}}
	need := min((c.count+2)*4, int64(u32(boot[84:]))<<shift)
	if i.bud.Spend(i.of.Path, min(need, i.disk.size)/allotShare) != nil {
		return
	}
	c.table = i.disk.cut(int64(u32(boot[80:]))<<shift, min(need, i.disk.size))
	c.enter(folder{start: u32(boot[96:])})
	c.walk(c.exFolder)
}

// exFolder reads the sets of entries of one folder: a file's own, the one of
// its data, then its name.
func (c *clusters) exFolder(f folder, b []byte) bool {
	const file, data, name = 0x85, 0xc0, 0xc1
	for len(b) >= fatEntry && b[0] != 0 {
		n := 1
		if b[0] == file {
			n += int(b[1])
		}
		n = min(n, len(b)/fatEntry)
		set := b[:n*fatEntry]
		b = b[n*fatEntry:]
		if set[0] != file || n < 2 || set[fatEntry] != data {
			continue
		}
		var raw []byte
		for k := 2; k < n && set[k*fatEntry] == name; k++ {
			raw = append(raw, set[k*fatEntry+2:(k+1)*fatEntry]...)
		}
		raw = raw[:min(len(raw), 2*int(set[fatEntry+3]))]
		if !c.exFile(set, raw, f) {
			return false
		}
	}
	return true
}

// exFile yields the file of a set of entries, or keeps the folder for later.
func (c *clusters) exFile(set, raw []byte, f folder) bool {
	const chainless = 1 << 1
	stream := set[fatEntry:]
	start, size := u32(stream[20:]), int64(min(u64(stream[24:]), 1<<62))
	name := entity.Name{Text: f.path + utf16Name(raw), Source: "header", Charset: "utf-16le", Raw: bytes.Clone(raw)}
	var runs []run
	if stream[1]&chainless != 0 && c.holds(start) {
		runs = []run{{c.first + (int64(start)-2)*c.size, size}}
	}
	if u16(set[4:])&fatFolder != 0 {
		c.enter(folder{start: start, path: deeper(name.Text), depth: f.depth + 1, runs: runs})
		return true
	}
	m, ok := c.file(size, name)
	if !ok {
		return false
	}
	if size > 0 {
		c.take(m.Path, start)
	}
	if runs == nil {
		runs = c.runs(start, size)
	}
	c.fill(m, runs)
	return !c.spent()
}
