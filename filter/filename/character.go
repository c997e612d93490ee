package filename

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// isDot says that r is a full stop or is read as one: some Windows code pages
// turn each of these into the ASCII dot ("best fit").
func isDot(r rune) bool {
	switch r {
	case '.', '\uFF0E', '\u2024', '\u2025', '\uFE52', '\u3002', '\uFF61', '\u06D4', '\u0701', '\u0702', '\uA4F8', '\uA60E':
		return true
	}
	return false
}

// isBlank says that r is drawn as empty space.
func isBlank(r rune) bool {
	switch r {
	case '\u2800', // Braille pattern blank
		'\u3164', '\u115F', '\u1160', '\uFFA0', // Hangul fillers
		'\u180E', '\t':
		return true
	}
	return unicode.Is(unicode.Zs, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// isInvisible says that r takes no room and is drawn as nothing.
func isInvisible(r rune) bool {
	switch {
	case r < 0xAD, isBlank(r), isBidi(r):
		return false
	case r == '\u00AD', r == '\u034F', r == '\u17B4', r == '\u17B5':
		return true
	case r >= 0xE0000 && r <= 0xE0FFF: // tags and variation selectors
		return true
	}
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r)
}

// isBidi says that r steers the order of display (UAX #9 §2).
func isBidi(r rune) bool {
	return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0x200E || r == 0x200F || r == 0x061C
}

// isControl says that r is a C0 or C1 control or DEL. A tab is a blank: it is
// what a folded header leaves behind.
func isControl(r rune) bool { return unicode.IsControl(r) && r != '\t' }

// isHidden says that r leaves no mark of its own on the screen.
func isHidden(r rune) bool { return isControl(r) || isBidi(r) || isInvisible(r) }

// columns is the display width of r (UAX #11); ambiguous characters count one.
func columns(r rune) int {
	if isHidden(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// fold returns an extension as a program may read it: compatibility forms
// undone, look-alike letters replaced, hidden characters removed, lower case.
func fold(ext string) string {
	if plainExt(ext) {
		return strings.ToLower(ext)
	}
	return strings.TrimSpace(strings.Map(likeness, norm.NFKC.String(visible(ext))))
}

// plainExt says that there is nothing to fold but case.
func plainExt(ext string) bool {
	for i := range len(ext) {
		if c := ext[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// visible removes what leaves no mark on the screen.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if isHidden(r) {
			return -1
		}
		return r
	}, s)
}

// likeness returns the small ASCII letter that r is or looks like, else r in
// lower case.
func likeness(r rune) rune {
	if ascii, ok := confusables[r]; ok {
		return ascii
	}
	low := unicode.ToLower(r)
	if ascii, ok := confusables[low]; ok {
		return ascii
	}
	return low
}

// confusables are the letters of other scripts that spell an extension to the
// eye or to case folding, from the data of UTS #39. Capitals come by way of
// their small letter, except where only the capital looks alike.
var confusables = letters(
	"aа", "aα", "aɑ", "bЬ", "bΒ", "bВ", "cс", "cϲ", "cᴄ", "cⅽ", "dԁ", "dⅾ", "eе", "eҽ", "eΕ", "gɡ", "gց",
	"hһ", "hհ", "hН", "hΗ", "iі", "iı", "iι", "iİ", "iɩ", "iӏ", "jј", "jϳ", "kк", "kκ", "kᴋ", "lӀ", "mм", "mΜ", "mⅿ",
	"nո", "nΝ", "nп", "oо", "oο", "oօ", "pр", "pρ", "qԛ", "rг", "rᴦ", "sѕ", "sſ", "sꜱ", "tт", "tτ", "tΤ",
	"uս", "uυ", "uʋ", "vѵ", "vν", "vᴠ", "wԝ", "wѡ", "wᴡ", "xх", "xχ", "xΧ", "yу", "yγ", "yү", "yΥ", "zᴢ", "zΖ",
)

// letters builds a map from pairs of an ASCII letter and its look-alike.
func letters(pairs ...string) map[rune]rune {
	out := make(map[rune]rune, len(pairs))
	for _, p := range pairs {
		r := []rune(p)
		out[r[1]] = r[0]
	}
	return out
}
