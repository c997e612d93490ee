// Package specimen makes harmless files and mails for tests and for the
// demonstration: archives, documents, a program that returns at once, and the
// mails of real attacks with that program in place of theirs.
//
// All it makes is the same on every run: no clock, no chance, no network.
// Nothing outside tests and the demonstration may import it.
//
// It follows the PE/COFF specification, [MS-SHLLINK], PKWARE's APPNOTE 6.3.10,
// ECMA-376, ISO 32000-1, RFC 5545, RFC 5322, 2045 to 2047 and 2231, and for LZH
// what LHA for UNIX writes.
package specimen

import "encoding/binary"

// Member is one file of an archive.
type Member struct {
	Name string
	// Raw are the bytes of the name where they are not those that the
	// archive's own charset gives.
	Raw  []byte
	Data []byte
	// Method is "-lh5-" (when empty) or "-lh0-" in LZH, "deflate" (when
	// empty), "fast" (deflate in haste) or "store" in zip.
	Method string
	// Level is the header level of LZH: 0, 1 or 2.
	Level int
}

// u16 and u32 are numbers as they stand in most formats here, the low byte
// first.
func u16(n int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(n)) }
func u32(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

// join puts pieces in a row.
func join(pieces ...[]byte) (all []byte) {
	for _, p := range pieces {
		all = append(all, p...)
	}
	return all
}

// cp932 returns s in the Shift_JIS of Windows.
func cp932(s string) []byte { return encode(ShiftJIS, s) }
