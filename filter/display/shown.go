// Package display says what a person sees of a text that another wrote: in
// which order its characters stand, how wide they are, which of them leave no
// mark, and which letter each is taken for.
//
// It judges nothing and escapes nothing: what it returns is evidence, to be
// passed through package escape before anybody prints it.
//
// It follows UAX #9 (bidirectional algorithm, without bracket pairs), UAX #11
// (display width) and UTS #39 (confusables, the few that pass for ASCII).
package display

import "strings"

const (
	// window is the width in columns of the name in a list of attachments or
	// files; what lies beyond is out of sight until somebody widens it.
	window = 60
	// maxRead bounds the bytes of one text that are looked at: an RFC 2231
	// name of a thousand pieces is longer than any file system keeps.
	maxRead = 16 << 10
)

// Shown returns text as the victim sees it in a narrow list: Line, cut to a
// window of 60 columns.
func Shown(text string) string { return cutColumns(Line(text)) }

// Line returns text in display order, without what draws nothing.
func Line(text string) string { return Drawn(Ordered([]rune(Bounded(text)))) }

// Bounded keeps the end of a text that is longer than we read, and enough of
// its start to show it.
func Bounded(text string) string {
	if len(text) > maxRead {
		text = text[:maxRead/2] + text[len(text)-maxRead/2:]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// Drawn keeps the characters that take room or mark one that does.
func Drawn(runes []rune) string {
	var b strings.Builder
	for _, r := range runes {
		switch {
		case IsBlank(r):
			b.WriteString(strings.Repeat(" ", Columns(r)))
		case !IsHidden(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

func cutColumns(s string) string {
	total, cut := 0, -1
	for i, r := range s {
		w := Columns(r)
		if cut < 0 && total+w > window-1 {
			cut = i
		}
		total += w
	}
	if total <= window {
		return s
	}
	return s[:cut] + "…"
}
