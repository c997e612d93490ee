package filetype

var programs = []Type{
	{Name: "pe", Runs: true, Match: isPE},
	{Name: "ne", Runs: true, Match: isNE},
	{Name: "dos-mz", Runs: true, Match: isDOS},
	{Name: "elf", Runs: true, Match: starts("\x7fELF")},
	{Name: "macho", Runs: true, Match: isMachO},
	{Name: "class", Runs: true, Match: isClass},
	{Name: "dex", Runs: true, Match: starts("dex\n03")},
	{Name: "flash", Runs: true, Match: isFlash},
	{Name: "wasm", Runs: true, Match: starts("\x00asm")},
	{Name: "python-bytecode", Runs: true, Match: isPythonBytecode},
	{Name: "chm", Runs: true, Holds: true, Match: starts("ITSF\x03\x00\x00\x00", "ITSF\x02\x00\x00\x00")},
	{Name: "hlp", Runs: true, Match: starts("?_\x03\x00")},
}

// newHeader is the offset of the header behind the DOS one (PE/COFF §2.1).
func newHeader(b []byte) int {
	if !at(b, 0, "MZ") && !at(b, 0, "ZM") || len(b) < 0x40 {
		return -1
	}
	return u32(b, 0x3c)
}

func isPE(b []byte) bool { return at(b, newHeader(b), "PE\x00\x00") }

func isNE(b []byte) bool {
	n := newHeader(b)
	return n >= 0x40 && (at(b, n, "NE") || at(b, n, "LE\x00\x00") || at(b, n, "LX\x00\x00"))
}

// isDOS matches a DOS program by the sums in its header: "MZ" alone begins
// many a text.
func isDOS(b []byte) bool {
	if !at(b, 0, "MZ") && !at(b, 0, "ZM") || isPE(b) || isNE(b) || len(b) < 28 {
		return false
	}
	lastPage, pages, paragraphs := u16(b, 2), u16(b, 4), u16(b, 8)
	return lastPage < 512 && pages > 0 && paragraphs >= 2 && paragraphs*16 <= pages*512 && !isText(b)
}

// isMachO matches thin images of either byte order, and fat ones, whose mark
// is shared with Java classes: a fat image has few architectures.
func isMachO(b []byte) bool {
	switch b32(b, 0) {
	case 0xFEEDFACE, 0xFEEDFACF, 0xCEFAEDFE, 0xCFFAEDFE:
		return len(b) >= 28
	case 0xCAFEBABE, 0xCAFEBABF:
		return len(b) >= 28 && b32(b, 4) > 0 && b32(b, 4) < 40
	}
	return false
}

// isClass matches a Java class by its version, 45 to some way ahead of ours.
func isClass(b []byte) bool {
	major := b32(b, 4) & 0xFFFF
	return len(b) >= 10 && b32(b, 0) == 0xCAFEBABE && major >= 45 && major < 120
}

func isFlash(b []byte) bool {
	return (at(b, 0, "FWS") || at(b, 0, "CWS") || at(b, 0, "ZWS")) && len(b) > 20 && b[3] > 0 && b[3] < 60 && !isText(b)
}

// isPythonBytecode matches the two version bytes with CR LF behind them, and
// the flags word of PEP 552.
func isPythonBytecode(b []byte) bool {
	return at(b, 2, "\r\n") && len(b) > 16 && b[1] >= 0x0C && b[1] <= 0x10 && u32(b, 4) <= 3 && !isText(b)
}
