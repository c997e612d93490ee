package link

import (
	"bytes"
	"encoding/binary"
)

// The marks of a bare URL are "://", "www." and "WWW.". Each begins with a pair
// that is rare in text, ":/" and "ww": both are looked for in one pass, eight
// places at a time, since every text of every mail is searched for them.

// urlStart returns where the first bare URL at or after from begins. raw are the
// bytes of text.
func urlStart(text string, raw []byte, from int) (start int, ok bool) {
	for at := from; ; at++ {
		if at = markAt(raw, at); at == len(text) {
			return 0, false
		}
		if text[at] == ':' {
			return schemeStart(text, from, at), true
		}
		if at == from || !schemeByte(text[at-1]) && text[at-1] != '/' && text[at-1] != '@' {
			return at, true
		}
	}
}

// markAt returns the place of the first mark in s at or after from, len(s)
// where there is none.
func markAt(s []byte, from int) int {
	for {
		if from = pairAt(s, from); from == len(s) || marked(s[from:]) {
			return from
		}
		from++
	}
}

func marked(s []byte) bool {
	switch {
	case len(s) >= 3 && s[0] == ':':
		return s[1] == '/' && s[2] == '/'
	case len(s) < 4 || s[0] != s[1] || s[0] != s[2] || s[3] != '.':
		return false
	}
	return s[0] == 'w' || s[0] == 'W'
}

// pairAt returns the first place at or after from where ":/" or two of 'w' may
// stand, len(s) where there is none: some places hold a near relative, so the
// caller looks closer.
func pairAt(s []byte, from int) int {
	const (
		colons  = 0x3a3a3a3a3a3a3a3a
		slashes = 0x2f2f2f2f2f2f2f2f
		doubles = 0x7777777777777777
		small   = 0x2020202020202020
	)
	for ; from+9 <= len(s); from += 8 {
		nine := s[from : from+9 : from+9]
		here := binary.LittleEndian.Uint64(nine)
		behind := here>>8 | uint64(nine[8])<<56
		scheme := (here ^ colons) | (behind ^ slashes)
		web := ((here | small) ^ doubles) | ((behind | small) ^ doubles)
		if (zeros(scheme)|zeros(web))&highs != 0 {
			return firstPair(s, from)
		}
	}
	return firstPair(s, from)
}

// firstPair is pairAt byte for byte.
func firstPair(s []byte, from int) int {
	for ; from+1 < len(s); from++ {
		if a, b := s[from], s[from+1]; a == ':' && b == '/' || a|0x20 == 'w' && b|0x20 == 'w' {
			return from
		}
	}
	return len(s)
}

// zeros sets the highest bit of a byte of v that is zero, and of none if there is
// none; the other bits mean nothing.
func zeros(v uint64) uint64 { return (v - ones) &^ v }

const ones, highs = 0x0101010101010101, 0x8080808080808080

// Words returns the words of b that hold a mark of a bare URL or share, each on a line of
// its own: Text finds the same in them as in all of b, as long as bytes of ASCII
// mean themselves in b's charset, since no URL goes on behind a blank.
func Words(b []byte) []byte {
	var out []byte
	for from := 0; ; {
		at := markAt(b, from)
		if at == len(b) {
			return shareWords(out, b)
		}
		start, end := wordAt(b, from, at)
		out = append(append(out, b[start:end]...), '\n')
		from = end
	}
}

// shareWords adds the words that hold two backslashes.
func shareWords(out, b []byte) []byte {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(`\\`))
		if i < 0 {
			return out
		}
		start, end := wordAt(b, from, from+i)
		out = append(append(out, b[start:end]...), '\n')
		from = end
	}
}

// wordAt returns the bounds of the word round at that begins no earlier than
// from.
func wordAt(b []byte, from, at int) (start, end int) {
	start, end = at, at
	for start > from && b[start-1] > ' ' {
		start--
	}
	for end < len(b) && b[end] > ' ' {
		end++
	}
	return start, end
}
