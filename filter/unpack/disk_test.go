package unpack

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
)

const longName = "議事録 2026年11月.txt"

// onFAT are the files of the specimens with FAT, as Windows shows them.
var onFAT = []string{"readme.txt", "big.bin", longName + "|___202~1.TXT", "sub/form.exe"}

// exFATOf makes a volume of exFAT with a file in the root and one, whose
// clusters hang together by the table, in a folder.
func exFATOf() []byte {
	const sector = 512
	b := make([]byte, 32*sector)
	copy(b[3:], "EXFAT   ")
	for at, v := range map[int]int{80: 2, 84: 1, 88: 4, 92: 24, 96: 2} {
		copy(b[at:], le32(v))
	}
	b[108], b[109] = 9, 0
	copy(b[510:], "\x55\xaa")
	for cluster, next := range []int{-8, -1, -1, -1, -1, 8, -1, -1, 5} { // 8 is the first of form.exe, 5 its second
		copy(b[2*sector+4*cluster:], le32(next))
	}
	copy(b[2*sector+4*8:], le32(-1))
	at := func(cluster int) []byte { return b[(4+cluster-2)*sector:] }
	set := func(attributes, flags int, name string, start, size int) []byte {
		w := wide(name)
		out := slices.Concat([]byte{0x85, byte(1 + (len(w)+29)/30), 0, 0}, le16(attributes), make([]byte, 26))
		out = slices.Concat(out, []byte{0xc0, byte(flags), 0, byte(len(w) / 2), 0, 0, 0, 0}, le32(size), le32(0), le32(0), le32(start), le32(size), le32(0))
		for len(w) > 0 {
			n := min(30, len(w))
			out = slices.Concat(out, []byte{0xc1, 0}, w[:n], make([]byte, 30-n))
			w = w[n:]
		}
		return out
	}
	copy(at(2), slices.Concat(set(0x20, 3, longName, 3, len(packedFiles[longName])), set(0x10, 1, "sub", 4, sector)))
	copy(at(3), packedFiles[longName])
	copy(at(4), set(0x20, 1, "form.exe", 7, len(stub)))
	copy(at(7), packedFiles["form.exe"])
	return b
}

func TestDisks(t *testing.T) {
	twice := slices.Concat(onFAT, onFAT)
	fat12 := readSpecimen(t, "disk/fat12.img.gz")
	mbr := readSpecimen(t, "disk/mbr.img.gz")
	dynamic := readSpecimen(t, "disk/dynamic.vhd.gz")
	ntfs := readSpecimen(t, "disk/ntfs.img.gz")
	fixed := slices.Concat(fat12, over(dynamic[:vhdFooter], 60, "\x00\x00\x00\x02"))
	onNTFS := []string{"readme.txt", "readme.txt:form.exe", "big.bin", longName}
	runHeld(t, []heldCase{
		{"a floppy with documents", "disk-image", fat12, onFAT, nil},
		{"FAT16", "disk-image", readSpecimen(t, "disk/fat16.img.gz"), onFAT, nil},
		{"FAT32", "disk-image", readSpecimen(t, "disk/fat32.img.gz"), onFAT, nil},
		{"exFAT", "disk-image", exFATOf(), []string{longName, "sub/form.exe"}, nil},
		{"NTFS with a stream behind a file", "disk-image", ntfs, onNTFS, nil},
		{"a primary and a logical partition", "disk-image", mbr, twice, nil},
		{"a GPT", "disk-image", readSpecimen(t, "disk/gpt.img.gz"), onFAT, nil},
		{"the GPT at the end alone", "disk-image", over(readSpecimen(t, "disk/gpt.img.gz"), 512, "gone    "), onFAT, []finding.Kind{finding.ContainerBroken}},
		{"a dynamic virtual disk", "vhd", dynamic, twice, nil},
		{"a fixed one", "vhd", fixed, onFAT, nil},
		{"a VHDX", "vhdx", readSpecimen(t, "disk/disk.vhdx.gz"), twice, nil},
	})
}

// entryOf is where the entry of a file stands in a FAT.
func entryOf(b []byte, short string) int { return bytes.Index(b, []byte(short)) }

func TestDisksThatLie(t *testing.T) {
	fat12 := readSpecimen(t, "disk/fat12.img.gz")
	readme, big := entryOf(fat12, "README  TXT"), entryOf(fat12, "BIG     BIN")
	form := entryOf(fat12, "___202~1TXT")
	dynamic := readSpecimen(t, "disk/dynamic.vhd.gz")
	mbr := readSpecimen(t, "disk/mbr.img.gz")
	ntfs := readSpecimen(t, "disk/ntfs.img.gz")
	vhdx := readSpecimen(t, "disk/disk.vhdx.gz")
	unread := []string{"readme.txt", "big.bin unread", onFAT[2], onFAT[3]}
	footer := dynamic[:vhdFooter]
	bitlocker := over(mbr, 2048*512+3, "-FVE-FS-")
	runHeld(t, []heldCase{
		{"two files begin in one cluster", "disk-image", over(fat12, big+26, string(fat12[readme+26:readme+28])), unread, []finding.Kind{finding.ContainerOverlap, finding.ContainerBroken}},
		{"the file is longer than its chain", "disk-image", over(fat12, big+28, "\x00\x00\x01\x00"), unread, []finding.Kind{finding.ContainerBroken}},
		{"a size of four gigabytes", "disk-image", over(fat12, big+28, "\xff\xff\xff\xff"), unread, []finding.Kind{finding.ContainerBroken}},
		{"a deleted file", "disk-image", over(fat12, readme, "\xe5"), onFAT[1:], nil},
		{"the short name is of a program", "disk-image", shortNamed(fat12, form, "FORM    EXE"), []string{onFAT[0], onFAT[1], longName + "|FORM.EXE", onFAT[3]}, []finding.Kind{finding.ContainerConflict}},
		{"the long name belongs to another entry", "disk-image", over(fat12, form, "FORM    EXE"), []string{onFAT[0], onFAT[1], "FORM.EXE 440 bytes", onFAT[3]}, nil},
		{"cut behind the tables", "disk-image", fat12[:8192], []string{"readme.txt", "big.bin unread", onFAT[2] + " unread"}, []finding.Kind{finding.ContainerBroken, finding.ContainerBroken, finding.ContainerBroken}},
		{"no partition", "disk-image", make([]byte, 4096), nil, []finding.Kind{finding.ContainerBroken}},
		{"a partition that is locked", "disk-image", bitlocker, slices.Concat(onFAT, onFAT), []finding.Kind{finding.ContainerMethod}},
		{"a partition of noise", "disk-image", over(mbr, 2048*512, strings.Repeat("noise", 200)), onFAT, []finding.Kind{finding.ContainerMethod}},
		{"a virtual disk that is a floppy without its table", "vhd", slices.Concat(fat12, footer), onFAT, []finding.Kind{finding.ContainerBroken}},
		{"a virtual disk whose parent is missing", "vhd", over(over(dynamic, 60, "\x00\x00\x00\x04"), len(dynamic)-vhdFooter+60, "\x00\x00\x00\x04"), slices.Concat(onFAT, onFAT), []finding.Kind{finding.ContainerVolume}},
		{"no footer", "vhd", make([]byte, 1024), nil, []finding.Kind{finding.ContainerBroken}},
		{"a VHDX without regions", "vhdx", vhdx[:vhdxRegions], nil, []finding.Kind{finding.ContainerBroken}},
		{"a VHDX with a log to be replayed", "vhdx", over(over(vhdx, vhdxHeaders+48, "log"), vhdxHeaders+vhdxStep+48, "log"), slices.Concat(onFAT, onFAT), []finding.Kind{finding.ContainerMethod}},
		{"an encrypted file", "disk-image", ntfsFlagged(ntfs, ntfsCipher), []string{"readme.txt", "readme.txt:form.exe", "big.bin encrypted", longName}, []finding.Kind{finding.ContainerEncrypted}},
		{"a compressed file", "disk-image", ntfsFlagged(ntfs, ntfsPacked), []string{"readme.txt", "readme.txt:form.exe", "big.bin unread", longName}, []finding.Kind{finding.ContainerMethod}},
	})
}

// shortNamed gives an entry another short name and its long name the sum of
// that.
func shortNamed(b []byte, at int, name string) []byte {
	out := over(b, at, name)
	sum := byte(0)
	for _, c := range []byte(name) {
		sum = (sum>>1 | sum<<7) + c
	}
	for n := 1; out[at-n*fatEntry+11] == fatLong; n++ {
		out[at-n*fatEntry+13] = sum
	}
	return out
}

// ntfsFlagged sets flags on the content of big.bin.
func ntfsFlagged(b []byte, flags int) []byte {
	out := bytes.Clone(b)
	record := bytes.LastIndex(out[:bytes.Index(out, wide("big.bin"))], []byte("FILE"))
	for at := record + int(u16(out[record+20:])); u32(out[at:]) != ntfsStop; at += int(u32(out[at+4:])) {
		if u32(out[at:]) == ntfsData {
			copy(out[at+12:], le16(flags))
		}
	}
	return out
}

// A chain that leads in a circle ends, and costs what was walked.
func TestDiskCircle(t *testing.T) {
	b := bytes.Clone(readSpecimen(t, "disk/fat16.img.gz"))
	l, _ := layOutFAT(b)
	table := b[l.reserved*l.sector:]
	for n := 2; n < int(l.each*l.sector/2); n++ {
		copy(table[2*n:], le16(2+(n+1)%2))
	}
	big := entryOf(b, "BIG     BIN")
	copy(b[big+28:], "\xff\xff\xff\x7f")
	_, kinds := held("disk-image", b, budget.Small)
	if !slices.Contains(kinds, "limit member") && !slices.Contains(kinds, finding.ContainerBroken) {
		t.Errorf("a circle: %v", kinds)
	}
}

// A path is repeated for each file in its folder.
func TestDeepFolders(t *testing.T) {
	path := ""
	for range maxFolders {
		path = deeper(path + strings.Repeat("長", 255))
	}
	if got := deeper("資料") + "a.txt"; got != "資料/a.txt" || len(path) > maxFolderPath+len("…") || !strings.HasSuffix(path, "長/") {
		t.Errorf("deeper: %q, and %d bytes", got, len(path))
	}
}

// FuzzDisk takes the kind of disk from the first byte.
func FuzzDisk(f *testing.F) {
	types := []string{"disk-image", "vhd", "vhdx"}
	fat12 := readSpecimen(f, "disk/fat12.img.gz")
	f.Add(append([]byte{0}, fat12[:48<<10]...))
	f.Add(append([]byte{0}, exFATOf()...))
	f.Add(append([]byte{0}, readSpecimen(f, "disk/ntfs.img.gz")[:96<<10]...))
	f.Add(slices.Concat([]byte{1}, fat12[:32<<10], readSpecimen(f, "disk/dynamic.vhd.gz")[:vhdFooter]))
	f.Add(append([]byte{1}, readSpecimen(f, "disk/dynamic.vhd.gz")[:16<<10]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			promise(t, types[int(b[0])%len(types)], b[1:])
		}
	})
}
