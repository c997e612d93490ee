package charset

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/unicode"
)

// readUTF7 reads RFC 2152: base64 of UTF-16 between '+' and the first byte
// that is not of its alphabet.
func readUTF7(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		i := bytes.IndexByte(b, '+')
		if i < 0 {
			i = len(b)
		}
		out.WriteString(readUTF8(b[:i]))
		if b = b[i:]; len(b) > 0 {
			b = b[shifted(&out, b):]
		}
	}
	return out.String()
}

// shifted reads one shifted sequence at the front of b and returns its length.
func shifted(out *strings.Builder, b []byte) int {
	n := 1
	for n < len(b) && base64Byte(b[n]) {
		n++
	}
	if n == 1 && len(b) > 1 && b[1] == '-' {
		out.WriteByte('+')
		return 2
	}
	raw, err := base64.RawStdEncoding.DecodeString(string(b[1:n]))
	if err != nil || n == 1 {
		out.WriteRune('\uFFFD')
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	out.WriteString(string(utf16.Decode(units)))
	if n < len(b) && b[n] == '-' {
		n++
	}
	return n
}

func base64Byte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

// readUTF16 obeys a byte order mark; without one it takes the order in which
// the ASCII of a text would stand, big-endian where nothing tells (RFC 2781).
func readUTF16(b []byte) string {
	order := unicode.BigEndian
	if littleEndian(b) {
		order = unicode.LittleEndian
	}
	return wrap(unicode.UTF16(order, unicode.UseBOM))(b)
}

func littleEndian(b []byte) bool {
	var even, odd int
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 {
			even++
		}
		if b[i+1] == 0 {
			odd++
		}
	}
	return odd > even
}
