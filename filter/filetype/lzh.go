package filetype

import "bytes"

// isLZH matches an LZH archive at the start, behind a self-extractor, or
// behind anything else that is no container itself.
func isLZH(l *look) bool {
	return lzhStart(l.b) || !l.boxed() && lzhWithin(l.b)
}

// lzhStart says that b begins with a member header. Unpackers read on after a
// wrong sum there, so it need not be right.
func lzhStart(b []byte) bool {
	return lzhHeader(b, 0) || len(b) >= 22 && b[2] == '-' && b[6] == '-' && lzhMethod(string(b[3:6])) && b[20] <= 3
}

// lzhWithin looks for a member header anywhere, by the dash that its method
// begins with. Where dashes stand thick the search stops too often; there one
// for each method's first letters is faster.
func lzhWithin(b []byte) bool {
	b = head(b, searched)
	for from, stops := 2, 0; from < len(b); from++ {
		i := bytes.IndexByte(b[from:], '-')
		if i < 0 {
			return false
		}
		if from += i; lzhFamily(b, from) && lzhHeader(b, from-2) {
			return true
		}
		if stops++; stops*thick > from+thick*thick {
			return lzhAmongDashes(b, from)
		}
	}
	return false
}

// lzhFamilies begin the methods of archives that are found behind other data.
var lzhFamilies = [...]string{"-lh", "-lz", "-pm"}

func lzhFamily(b []byte, offset int) bool {
	for _, mark := range lzhFamilies {
		if at(b, offset, mark) {
			return true
		}
	}
	return false
}

// thick is one dash in so many bytes; noise has one in 256.
const thick = 64

func lzhAmongDashes(b []byte, start int) bool {
	for _, mark := range lzhFamilies {
		for from := start; from < len(b); from++ {
			i := bytes.Index(b[from:], []byte(mark))
			if i < 0 {
				break
			}
			from += i
			if lzhHeader(b, from-2) {
				return true
			}
		}
	}
	return false
}

// lzhHeader says that a plausible member header begins at offset: the method
// between dashes, a known level, and that level's own check.
func lzhHeader(b []byte, offset int) bool {
	if offset < 0 || len(b)-offset < 22 {
		return false
	}
	h := b[offset:]
	if h[6] != '-' || h[2] != '-' || !lzhMethod(string(h[3:6])) {
		return false
	}
	switch h[20] {
	case 0, 1:
		return lzhSum(h)
	case 2:
		return u16(h, 0) >= 26 && u16(h, 0)+u32(h, 7) <= len(h)
	case 3:
		return u16(h, 0) == 4 && u32(h, 24) >= 32 && u32(h, 24)+u32(h, 7) <= len(h)
	}
	return false
}

func lzhMethod(m string) bool {
	switch m {
	case "lh0", "lh1", "lh2", "lh3", "lh4", "lh5", "lh6", "lh7", "lh8", "lh9", "lha", "lhb", "lhc", "lhe", "lhd", "lhx",
		"lzs", "lz2", "lz3", "lz4", "lz5", "lz7", "lz8", "pm0", "pm1", "pm2", "pms", "pc1":
		return true
	}
	return false
}

// lzhSum checks the one-byte sum of a level 0 or 1 header.
func lzhSum(h []byte) bool {
	size := int(h[0])
	if size < 20 || size+2 > len(h) || int(h[21])+22 > size+2 {
		return false
	}
	sum := byte(0)
	for _, c := range h[2 : size+2] {
		sum += c
	}
	return sum == h[1]
}
