package filetype

import (
	"bytes"
	"hash/crc32"
)

var archives = []Type{
	looking("zip", holds, isZIP),
	looking("lzh", holds, isLZH), // lzh.go
	looking("rar", holds, isRAR),
	looking("7z", holds, is7z),
	{Name: "tar", Holds: true, Match: isTar},
	{Name: "gzip", Holds: true, Match: starts("\x1f\x8b\x08")},
	{Name: "bzip2", Holds: true, Match: isBzip2},
	{Name: "xz", Holds: true, Match: starts("\xfd7zXZ\x00")},
	{Name: "zstd", Holds: true, Match: isZstd},
	{Name: "lz4", Holds: true, Match: starts("\x04\x22\x4d\x18", "\x02\x21\x4c\x18")},
	{Name: "lzip", Holds: true, Match: starts("LZIP\x01", "LZIP\x00")},
	{Name: "lzma", Holds: true, Match: isLZMA},
	{Name: "lzop", Holds: true, Match: starts("\x89LZO\x00\r\n\x1a\n")},
	{Name: "szdd", Holds: true, Match: starts("SZDD\x88\xf0\x27\x33")},
	{Name: "compress", Holds: true, Match: isCompress},
	looking("cab", holds, isCAB),
	{Name: "arj", Holds: true, Match: isARJ},
	{Name: "ace", Holds: true, Match: there(7, "**ACE**")},
	{Name: "arc", Holds: true, Match: isARC},
	{Name: "zoo", Holds: true, Match: there(20, "\xdc\xa7\xc4\xfd")},
	{Name: "cpio", Holds: true, Match: starts("070701", "070702", "070707", "\xc7\x71", "\x71\xc7")},
	{Name: "ar", Holds: true, Match: starts("!<arch>\n", "!<thin>\n")},
	{Name: "deb", Holds: true, Match: isDeb},
	{Name: "rpm", Holds: true, Match: starts("\xed\xab\xee\xdb")},
	{Name: "alz", Holds: true, Match: starts("ALZ\x01")},
	{Name: "egg", Holds: true, Match: starts("EGGA")},
	{Name: "wim", Holds: true, Match: starts("MSWIM\x00\x00\x00")},
	{Name: "xar", Holds: true, Match: starts("xar!\x00")},
	{Name: "sit", Holds: true, Match: isStuffIt},
	{Name: "zpaq", Holds: true, Match: starts("7kSt\xa0\x31\x83\xd3", "zPQ")},
	{Name: "squashfs", Holds: true, Match: starts("hsqs", "sqsh")},
}

// container says that b begins as a container that stores members unpacked.
func container(b []byte) bool {
	return isTar(b) || isOLE(b) || isDisk(b) || lzhStart(b) || boxMark(b)
}

var boxMark = starts("PK\x03\x04", "Rar!\x1a\x07", "7z\xbc\xaf\x27\x1c", "MSCF", "!<arch>\n", "070701", "070707",
	"MSWIM\x00", "xar!", "!BDN", "\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zXZ", "\x78\x9f\x3e\x22")

func isRAR(l *look) bool {
	const mark = "Rar!\x1a\x07"
	return at(l.b, 0, mark) || at(l.b, 0, "RE~^") || !l.boxed() && embedded(l.b, mark, 4) >= 0
}

func is7z(l *look) bool {
	const mark = "7z\xbc\xaf\x27\x1c"
	return at(l.b, 0, mark) || !l.boxed() && embedded(l.b, mark, 2) >= 0
}

// isCAB matches a cabinet, also one that a self-extractor carries or that
// stands behind something else, and the kind of InstallShield.
func isCAB(l *look) bool {
	const mark = "MSCF\x00\x00\x00\x00"
	switch {
	case at(l.b, 0, mark) || at(l.b, 0, "ISc("):
		return true
	case isPE(l.b):
		return embedded(l.b, mark, 3) >= 0
	case l.boxed():
		return false
	}
	i := embedded(l.b, mark, 3)
	// A program that knows cabinets holds the mark, but no version behind it.
	return i >= 0 && at(l.b, i+24, "\x03\x01")
}

// isTar matches a tar header by its checksum (POSIX.1-1988 ustar and before).
func isTar(b []byte) bool {
	if len(b) < 512 || b[0] == 0 {
		return false
	}
	want, ok := octal(b[148:156])
	if !ok || want == 0 {
		return false
	}
	unsigned, signed := 0, 0
	for i, c := range b[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		unsigned, signed = unsigned+int(c), signed+int(int8(c))
	}
	return want == unsigned || want == signed
}

// octal reads a number in octal digits between blanks and NULs.
func octal(field []byte) (int, bool) {
	digits := bytes.Trim(field, " \x00")
	n := 0
	for _, c := range digits {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n*8 + int(c-'0')
	}
	return n, len(digits) > 0
}

// isBzip2 matches the stream header and the mark of its first block or end.
func isBzip2(b []byte) bool {
	return at(b, 0, "BZh") && len(b) > 9 && b[3] >= '1' && b[3] <= '9' &&
		(at(b, 4, "1AY&SY") || at(b, 4, "\x17\x72\x45\x38\x50\x90"))
}

// isZstd matches frames of RFC 8878, skippable ones, and the drafts before it.
func isZstd(b []byte) bool {
	m := u32(b, 0)
	return m >= 0xFD2FB522 && m <= 0xFD2FB528 || m&0xFFFFFFF0 == 0x184D2A50 && len(b) > 8
}

// isLZMA matches the header without a mark by its usual values: properties
// 5D, a dictionary of a power of two, a size that is unknown or sane.
func isLZMA(b []byte) bool {
	if len(b) < 14 || b[0] != 0x5d || b[1] != 0 || b[2] != 0 || b[13] != 0 {
		return false
	}
	dict := u32(b, 1)
	unknown := at(b, 5, "\xff\xff\xff\xff\xff\xff\xff\xff")
	return dict >= 1<<12 && dict&(dict-1) == 0 && (unknown || u32(b, 9) < 256)
}

func isCompress(b []byte) bool {
	return at(b, 0, "\x1f\x9d") && len(b) > 3 && b[2]&0x60 == 0 && b[2]&0x1f >= 9 && b[2]&0x1f <= 16
}

// isARJ matches the main header, also one that a self-extractor carries; there
// its checksum must be right.
func isARJ(b []byte) bool {
	if arjHeader(b) {
		return true
	}
	if !isPE(b) && !isDOS(b) {
		return false
	}
	b = head(b, searched)
	for from := 1; from < len(b); from++ {
		i := bytes.IndexByte(b[from:], 0xea)
		if i < 0 {
			return false
		}
		from += i
		if h := b[from-1:]; arjHeader(h) {
			n := u16(h, 2)
			if len(h) >= n+8 && int64(crc32.ChecksumIEEE(h[4:4+n])) == int64(uint32(u32(h, 4+n))) {
				return true
			}
		}
	}
	return false
}

// arjHeader says that b begins with a main header by its mark, a size within
// the limit, and the first part's size within that.
func arjHeader(b []byte) bool {
	size := u16(b, 2)
	return at(b, 0, "\x60\xea") && len(b) > 34 && size >= 30 && size <= 2600 && b[4] >= 30 && int(b[4]) <= size && b[10] == 2
}

// isARC matches the header of SEA's ARC: mark, method, and a DOS name.
func isARC(b []byte) bool {
	if len(b) < 29 || b[0] != 0x1a || b[1] == 0 || b[1] > 11 {
		return false
	}
	name, _, ended := bytes.Cut(b[2:15], []byte{0})
	for _, c := range name {
		if c <= ' ' || c > 'z' {
			return false
		}
	}
	return ended && len(name) > 0
}

func isDeb(b []byte) bool { return at(b, 0, "!<arch>\ndebian-binary") }

func isStuffIt(b []byte) bool {
	return at(b, 0, "StuffIt (c)1997") || at(b, 0, "StuffIt!") || at(b, 0, "SIT!") && at(b, 10, "rLau") ||
		at(b, 10, "rLau") && at(b, 0, "SIT") || at(b, 0, "SITD")
}
