package unpack

import (
	"encoding/binary"
	"unicode/utf16"
)

// utf16Name decodes a name in little-endian UTF-16.
func utf16Name(raw []byte) string {
	units := make([]uint16, 0, len(raw)/2)
	for b := raw; len(b) >= 2; b = b[2:] {
		units = append(units, u16(b))
	}
	return string(utf16.Decode(units))
}

// utf16Bytes is a password as 7z, RAR 3 and Office hash it.
func utf16Bytes(password string) (out []byte) {
	for _, u := range utf16.Encode([]rune(password)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}
