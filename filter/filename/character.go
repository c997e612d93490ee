package filename

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"sekisho/filter/display"
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

// fold returns an extension as a program may read it: compatibility forms
// undone, look-alike letters replaced, hidden characters removed, lower case.
// Accents go where plain letters are left: Windows' code pages have none for
// most letters and take the plain one ("best fit").
func fold(ext string) string {
	if plainExt(ext) {
		return strings.ToLower(ext)
	}
	bare := strings.Map(unaccented, norm.NFKD.String(display.Visible(ext)))
	if bare = strings.Map(display.Likeness, bare); plainExt(bare) {
		return bare
	}
	return strings.TrimSpace(strings.Map(display.Likeness, norm.NFKC.String(display.Visible(ext))))
}

func unaccented(r rune) rune {
	if unicode.Is(unicode.Mn, r) {
		return -1
	}
	return r
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
