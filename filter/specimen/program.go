package specimen

import "unicode/utf16"

// The layout of the program: headers in the first file block, code in the
// second.
const (
	peHeaderAt  = 0x80
	peBlock     = 0x200
	pePage      = 0x1000
	peImageBase = 0x400000
)

// PE returns a program for 32-bit Windows that does nothing but return 0.
func PE() []byte {
	code := []byte{0x31, 0xc0, 0xc3} // xor eax, eax; ret
	file := make([]byte, 2*peBlock)
	copy(file, peStub())
	copy(file[peHeaderAt:], join([]byte("PE\x00\x00"), peFileHeader(), peOptionalHeader(), peSection(len(code))))
	copy(file[peBlock:], code)
	return file
}

// peStub is what DOS sees: a program that says it cannot run.
func peStub() []byte {
	head := make([]byte, 0x40)
	copy(head, join([]byte("MZ"), u16(0x90), u16(3), u16(0), u16(4), u16(0), u16(0xffff), u16(0), u16(0xb8), u16(0), u16(0), u16(0), u16(0x40)))
	copy(head[0x3c:], u32(peHeaderAt))
	code := []byte{0x0e, 0x1f, 0xba, 0x0e, 0x00, 0xb4, 0x09, 0xcd, 0x21, 0xb8, 0x01, 0x4c, 0xcd, 0x21}
	return join(head, code, []byte("This program cannot be run in DOS mode.\r\r\n$"))
}

func peFileHeader() []byte {
	const executable32 = 0x0102 | 0x0001 // no relocations, 32-bit words
	return join(u16(0x14c), u16(1), u32(0), u32(0), u32(0), u16(0xe0), u16(executable32))
}

func peOptionalHeader() []byte {
	return join(
		u16(0x10b), []byte{14, 0}, // PE32, a linker's version
		u32(peBlock), u32(0), u32(0), // sizes of code and data
		u32(pePage), u32(pePage), u32(pePage), // entry, code, data
		u32(peImageBase), u32(pePage), u32(peBlock),
		u16(6), u16(0), u16(0), u16(0), u16(6), u16(0), u32(0), // versions
		u32(2*pePage), u32(peBlock), u32(0), // size of image and headers, checksum
		u16(3), u16(0), // a console program
		u32(1<<20), u32(pePage), u32(1<<20), u32(pePage), // stack and heap
		u32(0), u32(16), make([]byte, 16*8), // no directories
	)
}

func peSection(size int) []byte {
	const codeReadRun = 0x60000020
	return join([]byte(".text\x00\x00\x00"), u32(size), u32(pePage), u32(peBlock), u32(peBlock), make([]byte, 12), u32(codeReadRun))
}

// LNK returns a shortcut ([MS-SHLLINK]) to target by its relative path.
func LNK(target string) []byte {
	const relativePath, unicode = 0x08, 0x80
	classID := []byte{0x01, 0x14, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46}
	head := join(u32(0x4c), classID, u32(relativePath|unicode), u32(0x20), make([]byte, 24), u32(0), u32(0), u32(1), make([]byte, 12))
	units := utf16.Encode([]rune(target))
	path := u16(len(units))
	for _, u := range units {
		path = append(path, u16(int(u))...)
	}
	return join(head, path, u32(0))
}
