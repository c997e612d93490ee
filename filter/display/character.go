package display

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// IsBlank says that r is drawn as empty space.
func IsBlank(r rune) bool {
	switch r {
	case '\u2800', // Braille pattern blank
		'\u3164', '\u115F', '\u1160', '\uFFA0', // Hangul fillers
		'\u180E', '\t':
		return true
	}
	return unicode.Is(unicode.Zs, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// IsInvisible says that r takes no room and is drawn as nothing.
func IsInvisible(r rune) bool {
	switch {
	case r < 0xAD, IsBlank(r), IsBidi(r):
		return false
	case r == '\u00AD', r == '\u034F', r == '\u17B4', r == '\u17B5':
		return true
	case r >= 0xE0000 && r <= 0xE0FFF: // tags and variation selectors
		return true
	}
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r)
}

// IsBidi says that r steers the order of display (UAX #9 §2).
func IsBidi(r rune) bool {
	return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0x200E || r == 0x200F || r == 0x061C
}

// IsControl says that r is a C0 or C1 control or DEL. A tab is a blank: it is
// what a folded header leaves behind.
func IsControl(r rune) bool { return unicode.IsControl(r) && r != '\t' }

// IsHidden says that r leaves no mark of its own on the screen.
func IsHidden(r rune) bool { return IsControl(r) || IsBidi(r) || IsInvisible(r) }

// Columns is the display width of r (UAX #11); ambiguous characters count one.
func Columns(r rune) int {
	if IsHidden(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Visible removes what leaves no mark on the screen.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		if IsHidden(r) {
			return -1
		}
		return r
	}, s)
}
