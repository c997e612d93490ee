package main

import (
	"strings"

	"golang.org/x/text/width"
)

// fit cuts or pads s to the given number of terminal columns; Japanese takes
// two columns a character.
func fit(s string, columns int) string {
	used := 0
	for i, r := range s {
		w := columnsOf(r)
		if used+w > columns-1 && used+columnsOfAll(s[i:]) > columns {
			return s[:i] + "…" + strings.Repeat(" ", columns-used-1)
		}
		used += w
	}
	return s + strings.Repeat(" ", columns-used)
}

func columnsOf(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

func columnsOfAll(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}
