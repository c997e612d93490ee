package filetype

import (
	"bytes"
	"encoding/binary"
)

// Reading at an offset that may lie outside: false or zero there.

var little, big = binary.LittleEndian, binary.BigEndian

// at says that b holds mark at offset.
func at(b []byte, offset int, mark string) bool {
	return offset >= 0 && len(b)-len(mark) >= offset && string(b[offset:offset+len(mark)]) == mark
}

// starts returns a matcher of files that begin with one of the marks.
func starts(marks ...string) func([]byte) bool {
	return func(b []byte) bool {
		for _, m := range marks {
			if at(b, 0, m) {
				return true
			}
		}
		return false
	}
}

// there returns a matcher of files with mark at offset.
func there(offset int, mark string) func([]byte) bool {
	return func(b []byte) bool { return at(b, offset, mark) }
}

func u16(b []byte, offset int) int {
	if offset < 0 || len(b)-2 < offset {
		return 0
	}
	return int(little.Uint16(b[offset:]))
}

func u32(b []byte, offset int) int {
	if offset < 0 || len(b)-4 < offset {
		return 0
	}
	return int(little.Uint32(b[offset:]))
}

func b32(b []byte, offset int) int {
	if offset < 0 || len(b)-4 < offset {
		return 0
	}
	return int(big.Uint32(b[offset:]))
}

// head returns at most the first n bytes.
func head(b []byte, n int) []byte { return b[:min(n, len(b))] }

// tail returns at most the last n bytes.
func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// searched is how far into a file a container is looked for behind other
// data: 7-Zip looks no further, other programs less.
const searched = 8 << 20

// embedded returns the offset of mark in b, -1 if there is none. It looks for
// the mark's byte at pin, the rarest one, so that common bytes cost nothing.
func embedded(b []byte, mark string, pin int) int {
	b = head(b, searched)
	for from := pin; from < len(b); {
		i := bytes.IndexByte(b[from:], mark[pin])
		if i < 0 {
			return -1
		}
		if at(b, from+i-pin, mark) {
			return from + i - pin
		}
		from += i + 1
	}
	return -1
}
