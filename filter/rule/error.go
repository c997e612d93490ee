package rule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is a mistake in a rule file: where it is, what is wrong, and what
// mends it. Load joins all of them, over all files, in order of place.
type Error struct {
	File         string
	Line, Column int
	Err          error
	// Hint is a sentence for the operator, "" where the cause says it all.
	Hint string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// join makes one error of all, nil of none.
func join(found []*Error) error {
	slices.SortStableFunc(found, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	// Two readers of one key may make the same complaint.
	found = slices.CompactFunc(found, func(a, b *Error) bool { return a.Error() == b.Error() })
	all := make([]error, len(found))
	for i, e := range found {
		all[i] = e
	}
	return errors.Join(all...)
}

// nearest is a hint naming the known word closest to word, or all known words
// where none is close.
func nearest(word string, known []string) string {
	best, least := "", 1+len(word)/3
	for _, k := range known {
		d := distance(strings.ToLower(word), k)
		closer := best == "" || d < least || d == least && len(k) == len(word)
		if d <= least && closer {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) == 0 || len(known) > 40 {
		return ""
	}
	return "known here: " + strings.Join(known, ", ")
}

// distance counts the single-byte edits between a and b; a word too long to
// be a slip of the finger is far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left, diagonal := i+1, i
		for j := range len(b) {
			step := diagonal
			if a[i] != b[j] {
				step = 1 + min(diagonal, left, row[j+1])
			}
			row[j], left, diagonal = left, step, row[j+1]
		}
		row[len(b)] = left
	}
	return row[len(b)]
}
