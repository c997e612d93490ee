package part

import (
	"bytes"
	"encoding/binary"
)

// BinHex 4.0 (RFC 1741 appendix A): six-bit characters, runs marked with 0x90,
// a header, the data fork, the resource fork.

const hqxAlphabet = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"

var hqxValues = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(hqxAlphabet) {
		t[hqxAlphabet[i]] = byte(i)
	}
	return t
}()

// maxSwell bounds what a run-length coded body may become, against bombs: an
// honest file swells little.
const maxSwell = 64

// maxComment is how far the data may stand behind the line that announces it.
const maxComment = 2048

// hqxFile reads a BinHex file out of text: from the first ':' that opens a
// line to the next ':'.
func hqxFile(text []byte) (f inlineFile, used int, ok bool) {
	head := text[:min(len(text), maxComment)]
	from := bytes.Index(head, []byte("\n:")) + 1
	if from == 0 && !bytes.HasPrefix(head, []byte(":")) {
		return f, 0, false
	}
	data := text[from+1:]
	if end := bytes.IndexByte(data, ':'); end >= 0 {
		data = data[:end]
	}
	f, ok = hqxForks(unrun(sixBits(data), maxSwell*(len(data)+1)))
	return f, from + 1 + len(data), ok
}

func sixBits(text []byte) []byte {
	out := make([]byte, 0, len(text)*3/4)
	var acc uint32
	bits := 0
	for _, c := range text {
		v := hqxValues[c]
		if v == 0xff {
			continue
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out
}

// unrun undoes the run-length coding: a byte, 0x90, a count; 0x90 0 is 0x90.
func unrun(src []byte, most int) []byte {
	const marker = 0x90
	out := make([]byte, 0, len(src))
	for i := 0; i < len(src) && len(out) < most; i++ {
		if src[i] != marker || i+1 >= len(src) {
			out = append(out, src[i])
			continue
		}
		i++
		if src[i] == 0 {
			out = append(out, marker)
		} else if len(out) > 0 {
			out = append(out, bytes.Repeat(out[len(out)-1:], int(src[i])-1)...)
		}
	}
	return out
}

// hqxForks takes name and data fork out of an unpacked file.
func hqxForks(b []byte) (f inlineFile, ok bool) {
	const fixed = 1 + 4 + 4 + 2 + 4 + 4 + 2 // version, type, creator, flags, two lengths, sum
	if len(b) == 0 || len(b) < 1+int(b[0])+fixed {
		return f, false
	}
	n := int(b[0])
	rest := b[1+n:]
	size := binary.BigEndian.Uint32(rest[11:15])
	data := rest[fixed:]
	return inlineFile{name: string(b[1 : 1+n]), source: "binhex", body: data[:min(int64(size), int64(len(data)))]}, true
}
