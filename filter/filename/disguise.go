package filename

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sekisho/filter/display"
	"sekisho/filter/finding"
)

// reordered finds bidirectional controls. They are honest in the name of a
// document, not of a program, whose extension stays where it belongs: marks
// anywhere, embeddings and isolates round letters that run right to left.
func reordered(c candidate) (finding.Finding, bool) {
	if !strings.ContainsFunc(c.text, display.IsBidi) {
		return none()
	}
	document := !c.acts() || acting[c.folded] == "html" && !strings.ContainsFunc(c.text, steers)
	if document && !forced(c.text) && endsShown(c) {
		return none()
	}
	return c.found(finding.NameReordered, "controls", codes(c.text, display.IsBidi))
}

// forced says that name holds a bidirectional control without need: an
// override, or an embedding without a letter that runs right to left.
func forced(name string) bool {
	if strings.ContainsAny(name, "\u202d\u202e") {
		return true
	}
	marksOnly := !strings.ContainsAny(name, "\u202a\u202b\u202c\u2066\u2067\u2068\u2069")
	return !marksOnly && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko)
	})
}

// steers says that r is more than a mark: an embedding, override or isolate.
func steers(r rune) bool {
	return display.IsBidi(r) && r != '\u200e' && r != '\u200f' && r != '\u061c'
}

// endsShown says that the name is shown with its true extension at the end.
func endsShown(c candidate) bool {
	shown := display.Drawn(display.Ordered([]rune(c.text)))
	return strings.HasSuffix(strings.TrimRightFunc(shown, dropped), c.dot+display.Visible(c.ext))
}

// codes lists the characters of s for which is answers true: "U+202E U+200F".
func codes(s string, is func(rune) bool) string {
	var out []string
	for _, r := range s {
		if is(r) {
			if code := unicodeName(r); !slices.Contains(out, code) {
				out = append(out, code)
			}
		}
	}
	return strings.Join(out, " ")
}

func unicodeName(r rune) string {
	const digits = "0123456789ABCDEF"
	var hex []byte
	for shift := 20; shift >= 0; shift -= 4 {
		if d := r >> shift & 0xF; d != 0 || len(hex) > 0 || shift < 16 {
			hex = append(hex, digits[d])
		}
	}
	return "U+" + string(hex)
}

// invisible finds invisible characters in a known extension or at its dot;
// before one that is acted on, anywhere in the name.
func invisible(c candidate) (finding.Finding, bool) {
	tail := c.text[strings.LastIndex(c.text, c.base):]
	seen := documents[c.folded] && (strings.ContainsFunc(tail[len(c.stem):], display.IsInvisible) || hiddenBeforeDot(c.stem))
	if !seen && !(c.acts() && strings.ContainsFunc(tail, display.IsInvisible)) {
		return none()
	}
	return c.found(finding.NameInvisible, "characters", codes(c.text, display.IsInvisible))
}

// hiddenBeforeDot says that an invisible character stands at the end of stem
// that its neighbour does not account for: joiners belong to Persian and
// Indic words, variation selectors to kanji and emoji.
func hiddenBeforeDot(stem string) bool {
	last, n := utf8.DecodeLastRuneInString(stem)
	if !display.IsInvisible(last) {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(stem[:len(stem)-n])
	joins := last == '\u200c' || last == '\u200d' || unicode.Is(unicode.Variation_Selector, last)
	return !joins || before < 0x0300
}

// Limits of honest blanks in columns: two full-width blanks part the words of
// a Japanese title, and a form's name may hold a line to write on.
const (
	maxBlank, maxFill             = 8, 24
	maxBlankActing, maxFillActing = 4, 8
)

// padded finds a run of blanks, dots or lines that pushes the extension out of
// sight.
func padded(c candidate) (finding.Finding, bool) {
	blank, fill := widest(c.stem)
	limitBlank, limitFill := maxBlank, maxFill
	if c.acts() {
		limitBlank, limitFill = maxBlankActing, maxFillActing
	}
	if c.dot == "" || blank <= limitBlank && fill <= limitFill {
		return none()
	}
	return c.found(finding.NamePadded, "columns", decimal(max(blank, fill)), "blanks", codes(c.stem, display.IsBlank))
}

// widest measures the widest run of fillers in stem after its first letter:
// the blanks in it, and all of it.
func widest(stem string) (blank, fill int) {
	blanks, all := 0, 0
	for _, r := range strings.TrimLeftFunc(stem, display.IsBlank) {
		switch {
		case display.IsBlank(r):
			blanks, all = blanks+display.Columns(r), all+display.Columns(r)
		case isDot(r), strings.ContainsRune("_-\u2026\u30fb\u2015\u2014\u2013\uff3f", r):
			all += display.Columns(r)
		case !display.IsHidden(r):
			blanks, all = 0, 0
		}
		blank, fill = max(blank, blanks), max(fill, all)
	}
	return blank, fill
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + string(rune('0'+n%10))
}

// doubled finds a document's extension before one that is acted on.
func doubled(c candidate) (finding.Finding, bool) {
	first := strings.IndexFunc(c.stem, isDot)
	if !c.acts() || first < 0 {
		return none()
	}
	for _, part := range strings.FieldsFunc(c.stem[first:], isDot) {
		decoy := decoyIn(part)
		if documents[decoy] && (acting[c.folded] != "html" || exported[decoy]) {
			return c.found(finding.NameDoubleExtension, "decoy", decoy)
		}
	}
	return none()
}

// decoyIn returns the extension that the reader sees in one part of a name:
// what stands before a blank, a bracket, a line or another mark.
func decoyIn(part string) string {
	words := strings.FieldsFunc(display.Visible(part), func(r rune) bool { return r != ':' && !unicode.In(r, unicode.L, unicode.Nd, unicode.Mn) })
	if len(words) == 0 {
		return ""
	}
	return fold(words[0])
}

// lookalike finds an extension that is written in other characters than the
// ones it is read as. Full-width forms of a document's extension are a typing
// habit and pass; letters of other scripts are not.
func lookalike(c candidate) (finding.Finding, bool) {
	if c.dot == "." && plainExt(display.Visible(c.ext)) || c.folded == "" {
		return none()
	}
	if c.acts() || documents[c.folded] && strings.ContainsFunc(c.ext, foreign) {
		return c.found(finding.NameLookalike, "written", c.dot+c.ext)
	}
	return none()
}

// foreign says that r is a look-alike of another script.
func foreign(r rune) bool { return r >= 0x80 && display.Likeness(r) < 0x80 }
