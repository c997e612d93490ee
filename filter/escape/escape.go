// Package escape makes untrusted text safe to show: in a log line, on a
// terminal, in a reply to a mail program.
//
// Nothing is dropped: what cannot be shown is made visible, since a hidden
// character is evidence. zerolog does not do this (it passes U+202E, C1
// controls and U+2028 through), so every sink of hostile text comes here first.
package escape

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns s with every character that a reader cannot see, that moves
// other characters, or that a terminal or a line-based reader acts on written
// as ⟨U+202E⟩, and every byte that is not UTF-8 as ⟨0x82⟩. Line ends and tabs
// are escaped as well: the result is always one line.
func Text(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "⟨0x%02X⟩", s[i])
		case hidden(r):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// plain says that s is printable ASCII, the common case.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// hidden says that r is not to be shown as it is.
func hidden(r rune) bool {
	switch {
	case r == ' ' || r == '\u3000':
		return false
	case r == '⟨' || r == '⟩':
		return true // or an escape could be forged
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs):
		return true // bidi controls, zero widths, soft hyphen, tags, BOM
	case unicode.Is(unicode.Zs, r):
		return true // NBSP and the other odd blanks
	case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		return true // Hangul fillers and the like: drawn as nothing
	case r == '\u2800':
		return true // Braille blank
	}
	return false
}

// ASCII returns s as printable ASCII: Text, and all that is left beyond ASCII
// written as ⟨..⟩ in the ASCII form <U+6A19>. For SMTP replies.
func ASCII(s string) string {
	var b strings.Builder
	for _, r := range Text(s) {
		switch {
		case r == '⟨':
			b.WriteByte('<')
		case r == '⟩':
			b.WriteByte('>')
		case r < 0x7f:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}

// JSON returns JSON text with every hidden character within its strings
// written as \uXXXX: the same value for a program, inert on a terminal.
func JSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r < 0x7f || r != '⟨' && r != '⟩' && !hidden(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
