package unpack

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// diskSector is the sector of nearly all disks; a VHDX may have 4096.
const diskSector = 512

// Bounds on what a disk may lead us through.
const (
	maxVolumes  = 128 // as many partitions as a GPT has room for by custom
	maxFolders  = 64  // folders within folders
	maxPiece    = 1 << 20
	noRun       = -1 // where a run of zeros that stand nowhere begins
	maxDiskRuns = 1 << 16
)

// run is a stretch of a disk.
type run struct{ at, size int64 }

// disk is what a computer sees of a disk: the bytes of the file as they stand,
// or blocks of it that a table puts in order.
type disk struct {
	b      []byte
	start  int64 // of this part of the disk
	size   int64
	sector int64
	block  int64   // 0 where the disk is the file as it stands
	blocks []int64 // where each block stands in b, noRun for zeros
}

func plainDisk(b []byte) *disk { return &disk{b: b, size: int64(len(b)), sector: diskSector} }

// part is the part of a disk from at on.
func (d *disk) part(at, size int64) *disk {
	if at < 0 || at > d.size || size < 0 {
		at, size = d.size, 0
	}
	p := *d
	p.start, p.size = d.start+at, min(size, d.size-at)
	return &p
}

// cut returns n bytes from at on, fewer where the disk or the file ends. What
// is not in one piece is copied: the caller has seen that there is room.
func (d *disk) cut(at, n int64) []byte {
	if at < 0 || n <= 0 || at >= d.size {
		return nil
	}
	n = min(n, d.size-at)
	at += d.start
	if d.block == 0 {
		return within(d.b, at, n)
	}
	first := d.piece(at, n)
	if int64(len(first)) == n {
		return first
	}
	out := make([]byte, 0, n)
	for out = append(out, first...); int64(len(out)) < n && len(first) > 0; out = append(out, first...) {
		first = d.piece(at+int64(len(out)), n-int64(len(out)))
	}
	return out
}

// piece returns what stands at at in one block.
func (d *disk) piece(at, n int64) []byte {
	i := at / d.block
	if i >= int64(len(d.blocks)) {
		return nil
	}
	n = min(n, d.block-at%d.block)
	if d.blocks[i] == noRun {
		return make([]byte, n)
	}
	return within(d.b, d.blocks[i]+at%d.block, n)
}

// within returns n bytes of b from at on, fewer where b ends.
func within(b []byte, at, n int64) []byte {
	size := int64(len(b))
	if at < 0 || n < 0 || at >= size {
		return nil
	}
	return b[at : at+min(n, size-at)]
}

// image walks the volumes of one disk.
type image struct {
	*members
	disk  *disk // the volume that is being read
	files map[string]bool
	read  int // volumes that were read
}

func newImage(m *members) *image { return &image{members: m, files: map[string]bool{}} }

// openDisk reads a disk or floppy as it stands on the medium: one file system,
// or a table of partitions.
func openDisk(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	i := newImage(newMembers(e, bud, yield))
	i.whole(plainDisk(e.Body))
	return i.found
}

// whole reads all volumes of a disk. A boot sector may be that of a file
// system and a table at once; both are followed.
func (i *image) whole(d *disk) {
	bare := i.volume(d)
	for _, p := range i.partitions(d) {
		if i.spent() {
			return
		}
		if head := p.cut(0, maxPiece/16); !i.volume(p) && !bare && kindOf(head) != "padding" {
			i.read++
			i.note(finding.ContainerMethod, i.of.Path, "method", "file system")
		}
	}
	if i.read > 0 {
		return
	}
	i.note(finding.ContainerBroken, i.of.Path, "record", "partition table")
}

// volume reads the file system at the start of d; false for what is none.
func (i *image) volume(d *disk) bool {
	boot := d.cut(0, 8*diskSector)
	for _, fs := range fileSystems {
		if !fs.is(boot) {
			continue
		}
		i.read++
		i.disk = d
		if string(boot[3:11]) == bitLocker { // it shows a FAT where it is not known
			i.note(finding.ContainerMethod, i.of.Path, "method", "bitlocker")
		}
		fs.read(i, boot)
		return true
	}
	if isoBegins(d) {
		return i.optical(d)
	}
	if name := otherSystem(boot); name != "" {
		i.read++
		i.note(finding.ContainerMethod, i.of.Path, "method", name)
		return true
	}
	return false
}

// bitLocker is the name in the boot sector of an encrypted volume.
const bitLocker = "-FVE-FS-"

// fileSystems are those that are read.
var fileSystems = []struct {
	is   func(boot []byte) bool
	read func(*image, []byte)
}{
	{isExFAT, (*image).exFAT},
	{isNTFS, (*image).ntfs},
	{isFAT, (*image).fat},
}

// otherSystem names file systems that are not read, by their marks.
func otherSystem(boot []byte) string {
	for _, o := range []struct {
		at         int
		mark, name string
	}{
		{1080, "\x53\xef", "ext"}, {1024, "H+", "hfs+"}, {1024, "HX", "hfs+"}, {1024, "BD", "hfs"}, {32, "NXSB", "apfs"}, {0, "XFSB", "xfs"},
		{0, "hsqs", "squashfs"}, {3, "ReFS\x00", "refs"}, {3, bitLocker, "bitlocker"}, {0, "LUKS\xba\xbe", "luks"}, {0, "KOLY", "dmg"},
	} {
		if len(boot) > o.at && bytes.HasPrefix(boot[o.at:], []byte(o.mark)) {
			return o.name
		}
	}
	return ""
}

// isoBegins says that a volume of an optical disk stands at the start of a
// part of a disk. One at the very start of the file has a type of its own.
func isoBegins(d *disk) bool {
	return d.start+d.block > 0 && string(d.cut(isoFirst*isoSector+1, 5)) == "CD001"
}

// optical yields a volume of an optical disk as a file: it is opened in its
// turn.
func (i *image) optical(d *disk) bool {
	i.read++
	e, ok := i.next(entity.Name{Text: "volume.iso", Source: "derived"})
	if !ok {
		return true
	}
	e.Size = d.size
	i.fill(e, []run{{0, d.size}})
	return true
}

// fill gives e the content of runs of the volume and yields it.
func (i *image) fill(e *entity.Entity, runs []run) {
	body, whole := i.join(e.Path, runs, e.Size)
	if !whole && len(i.bud.Reached()) == 0 {
		i.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
	body, err := i.lend(e.Path, body)
	e.Body, e.Unread = body, !whole || err != nil
	i.yield(e)
}

// join puts runs of the volume together, size bytes in all.
func (i *image) join(path string, runs []run, size int64) (b []byte, whole bool) {
	if len(runs) == 1 && runs[0].at >= 0 && i.disk.block == 0 {
		b = i.disk.cut(runs[0].at, min(runs[0].size, size))
		return b, int64(len(b)) == size
	}
	room := min(i.bud.Limits().Member, max(i.bud.Limits().Bytes-i.bud.Bytes(), 0))
	if size > room {
		_ = i.bud.Exceed(budget.Member, path) // remembered in the budget
	}
	for _, r := range runs {
		n := min(r.size, min(size, room)-int64(len(b)))
		if n <= 0 {
			break
		}
		if r.at < 0 {
			b = append(b, make([]byte, n)...)
			continue
		}
		part := i.disk.cut(r.at, n)
		if b = append(b, part...); int64(len(part)) < n {
			break
		}
	}
	return b, int64(len(b)) == size
}

// partitions returns the parts of a disk that its tables name: of a GPT, else
// of the boot sector.
func (i *image) partitions(d *disk) []*disk {
	for _, sector := range []int64{d.sector, 4096} {
		if parts := i.gpt(d, sector, sector); parts != nil {
			return parts
		}
	}
	if parts := i.gpt(d, d.size/d.sector*d.sector-d.sector, d.sector); parts != nil {
		i.note(finding.ContainerBroken, i.of.Path, "record", "partition table")
		return parts
	}
	return i.mbr(d)
}

// gpt reads the table whose header stands at at (UEFI 2.10 §5.3); nil where
// there is none.
func (i *image) gpt(d *disk, at, sector int64) []*disk {
	const entryLeast = 128
	h := d.cut(at, diskSector)
	if len(h) < diskSector || string(h[:8]) != "EFI PART" {
		return nil
	}
	size := int64(u32(h[84:]))
	if size < entryLeast || size > maxPiece/maxVolumes {
		return nil
	}
	list := d.cut(int64(min(u64(h[72:]), 1<<40))*sector, min(int64(u32(h[80:])), maxVolumes)*size)
	parts := []*disk{}
	for ; int64(len(list)) >= size; list = list[size:] {
		first, last := u64(list[32:]), u64(list[40:])
		if first == 0 || last < first || last > 1<<40 {
			continue
		}
		parts = append(parts, d.part(int64(first)*sector, int64(last-first+1)*sector))
	}
	return parts
}

// mbr reads the four entries of the boot sector and the chain of those in an
// extended partition.
func (i *image) mbr(d *disk) (parts []*disk) {
	type table struct{ at, base int64 }
	seen := map[int64]bool{}
	for todo := []table{{0, 0}}; len(todo) > 0 && len(seen) < maxVolumes; {
		t := todo[0]
		todo = todo[1:]
		boot := d.cut(t.at*d.sector, diskSector)
		if seen[t.at] || len(boot) < diskSector || string(boot[510:]) != "\x55\xaa" {
			continue
		}
		seen[t.at] = true
		for n := range 4 {
			p := boot[446+16*n:]
			first, count := int64(u32(p[8:])), int64(u32(p[12:]))
			switch {
			case p[0]&0x7f != 0 || p[4] == 0 || count == 0:
			case slices.Contains([]byte{0x05, 0x0f, 0x85}, p[4]):
				base := t.base
				if base == 0 { // the first of the chain: the others count from it
					base = first
					todo = append(todo, table{first, base})
					continue
				}
				todo = append(todo, table{base + first, base})
			default:
				parts = append(parts, d.part((t.at+first)*d.sector, count*d.sector))
			}
		}
	}
	return parts
}

// maxFolderPath is how much of a folder's path its files are named by, in
// bytes: sixty folders of long names would be repeated for each file.
const maxFolderPath = 1024

// deeper is what the files in the folder at path are named by.
func deeper(path string) string {
	path += "/"
	if len(path) <= maxFolderPath {
		return path
	}
	return "…" + strings.ToValidUTF8(path[len(path)-maxFolderPath:], "")
}

// file begins a file of a volume; a second one of the same name is stated.
func (i *image) file(size int64, names ...entity.Name) (*entity.Entity, bool) {
	e, ok := i.next(names...)
	e.Size = size
	if key := strconv.Itoa(i.read) + "/" + fold(e.Name()); i.files[key] {
		i.note(finding.ContainerDuplicate, e.Path, "name", e.Name())
	} else {
		i.files[key] = true
	}
	return e, ok
}
