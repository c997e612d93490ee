package filename

import "strings"

// window is the width in columns of the name in a list of attachments or
// files; what lies beyond is out of sight until somebody widens it.
const window = 60

// Shown returns name as the victim sees it: in display order (UAX #9), without
// what draws nothing, cut to a window of 60 columns. It serves as evidence and
// is not safe to print: it has passed no escaping.
func Shown(name string) string {
	return cutColumns(drawn(ordered([]rune(bounded(name)))))
}

// drawn keeps the characters that take room or mark one that does.
func drawn(runes []rune) string {
	var b strings.Builder
	for _, r := range runes {
		switch {
		case isBlank(r):
			b.WriteString(strings.Repeat(" ", columns(r)))
		case !isHidden(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

func cutColumns(s string) string {
	total, cut := 0, -1
	for i, r := range s {
		w := columns(r)
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
