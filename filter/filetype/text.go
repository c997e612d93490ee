package filetype

import (
	"bytes"
	"sync"
	"unicode/utf8"
)

// sampled is how much of a file decides whether it is text, and where marks
// of textual formats are looked for. Programs that sniff read less.
const sampled = 4096

// isText says that b is plausible text in some charset: no control character
// that text does not hold, UTF-16 counting by its characters.
func isText(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	sample := head(b, sampled)
	if narrow, ok := utf16Text(sample); ok {
		sample = narrow
	}
	for _, c := range sample {
		if binaryByte[c] {
			return false
		}
	}
	return readable(sample)
}

// binaryByte are the bytes that no text holds: control bytes apart from
// blanks, line ends, and the escapes of ISO-2022.
var binaryByte = func() (table [256]bool) {
	for c := range byte(' ') {
		table[c] = true
	}
	for _, c := range "\t\n\r\f\v\x1b\x0e\x0f\x1a" {
		table[c] = false
	}
	table[0x7f] = true
	return table
}()

// readable refuses bytes beyond ASCII that are no UTF-8 and have little ASCII
// between them: compressed data without control bytes is short.
func readable(sample []byte) bool {
	if utf8.Valid(sample) {
		return true
	}
	c1 := 0
	for _, c := range sample {
		if c == 0xFF || c == 0x80 {
			c1++
		}
	}
	return c1*8 <= len(sample)
}

// utf16Text returns the low bytes of UTF-16 with a byte order mark or with
// every other byte zero; characters beyond U+00FF stand as '?'.
func utf16Text(sample []byte) ([]byte, bool) {
	low := -1
	switch {
	case at(sample, 0, "\xff\xfe"):
		low, sample = 0, sample[2:]
	case at(sample, 0, "\xfe\xff"):
		low, sample = 1, sample[2:]
	case len(sample) >= 8 && sample[0] != 0 && zeros(sample[1:8:8]) == 4:
		low = 0
	case len(sample) >= 8 && sample[1] != 0 && zeros(sample[0:7:7]) == 4:
		low = 1
	default:
		return nil, false
	}
	out := make([]byte, 0, len(sample)/2)
	for i := 0; i+1 < len(sample); i += 2 {
		c := sample[i+low]
		if sample[i+1-low] != 0 {
			c = '?'
		}
		out = append(out, c)
	}
	return out, true
}

// zeros counts zero bytes at even places.
func zeros(b []byte) int {
	n := 0
	for i := 0; i < len(b); i += 2 {
		if b[i] == 0 {
			n++
		}
	}
	return n
}

// opening is the start of a text: in lower case, UTF-16 narrowed, without byte
// order mark and blanks.
type opening struct {
	b []byte
	// pairs are the pairs of bytes that stand in it, and some that share their
	// places: what is searched for is mostly missing, and is known to be by a
	// pair of its own that is.
	pairs [pairPlaces]bool
	room  [sampled]byte
}

const pairPlaces = 4096

func pairPlace(a, b byte) int { return (int(a)<<5 ^ int(b)) % pairPlaces }

// openings are those that Identify has done with: one is larger than most texts
// of mail are.
var openings = sync.Pool{New: func() any { return new(opening) }}

// open returns the opening of b, nil for what is no text.
func open(b []byte) *opening {
	if !isText(b) {
		return nil
	}
	sample := head(b, sampled)
	if narrow, ok := utf16Text(sample); ok {
		sample = narrow
	}
	sample = bytes.TrimPrefix(sample, []byte("\xef\xbb\xbf"))
	sample = bytes.TrimLeft(sample, " \t\r\n\f\v")
	t, last := openings.Get().(*opening), byte(0)
	clear(t.pairs[:])
	for i, c := range sample {
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		t.room[i] = c
		t.pairs[pairPlace(last, c)] = true
		last = c
	}
	t.b = t.room[:len(sample)]
	return t
}

// begins says that the text begins with mark, which is in lower case.
func (t *opening) begins(mark string) bool { return at(t.b, 0, mark) }

// holds says that one of the marks, in lower case, stands in the text.
func (t *opening) holds(marks ...string) bool {
	for _, m := range marks {
		if t.may(m) && bytes.Contains(t.b, []byte(m)) {
			return true
		}
	}
	return false
}

// may says whether mark, of two bytes at least, may stand in the text.
func (t *opening) may(mark string) bool {
	for i := 1; i < len(mark); i++ {
		if !t.pairs[pairPlace(mark[i-1], mark[i])] {
			return false
		}
	}
	return true
}

// lower returns b with ASCII capitals made small, and leaves other bytes
// alone: bytes.ToLower would mend what is no UTF-8.
func lower(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

// What a type does.
const (
	plain = iota
	runs
	holds
)

// textual builds a type that is told by the opening of a text.
func textual(name string, does int, told func(*opening) bool) Type {
	match := func(b []byte) bool {
		t := open(b)
		return t != nil && told(t)
	}
	return Type{Name: name, Runs: does == runs, Holds: does == holds, Match: match, told: told}
}

// begins returns a matcher of texts that begin with one of the lower-case
// marks.
func begins(marks ...string) func(*opening) bool {
	match := starts(marks...)
	return func(t *opening) bool { return match(t.b) }
}

// tells returns a matcher of texts that hold one of the lower-case marks near
// their start.
func tells(marks ...string) func(*opening) bool {
	return func(t *opening) bool { return t.holds(marks...) }
}

// section returns a matcher of settings files with a line that begins with
// mark, after no other lines than settings files have: a mail that quotes one
// has prose before it.
func section(mark string) func(*opening) bool {
	return func(t *opening) bool {
		if !t.may(mark) {
			return false
		}
		for line := range bytes.Lines(t.b) {
			line = bytes.TrimSpace(line)
			if at(line, 0, mark) {
				return true
			}
			if !setting(line) {
				return false
			}
		}
		return false
	}
}

// setting says that a line is blank, a comment, a section or a key's value.
func setting(line []byte) bool {
	return len(line) == 0 || line[0] == ';' || line[0] == '#' || line[0] == '[' || bytes.IndexByte(line, '=') > 0 ||
		bytes.Count(line, []byte(":")) >= 2
}
