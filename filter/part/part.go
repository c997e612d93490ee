// Package part reads a mail message into its MIME parts, in every way that a
// mail program could read them.
//
// It undoes transfer encodings and gathers every candidate file name. It does
// not convert the charset of bodies, open containers, look into file types or
// judge names. An attached message is handed over whole: the caller walks it.
//
// It follows RFC 5322, 2045, 2046, 2047, 2183, 2231 and 6532, and RFC 7103 for
// what to do with what breaks them. It departs from them wherever mail programs
// do: fields are seen through broken folds, encodings that RFC 2045 forbids on
// multiparts are undone, boundaries are guessed. Where programs differ the plain
// reading comes first and every other that gives different bytes follows, marked
// in entity.Entity.Reading.
package part

import (
	"bytes"
	"strconv"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Message is what a message is beside its parts.
type Message struct {
	Header   Header
	Findings []finding.Finding
}

// Walk reads raw as an RFC 5322 message standing at path base ("" for the input)
// and depth, hands every leaf part to yield, and returns the header and what was
// odd. Bodies handed to yield are decoded (transfer encoding undone, charset NOT
// converted); they are gone when yield returns.
func Walk(raw []byte, base string, depth int, bud *budget.Budget, yield func(*entity.Entity)) Message {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') >= 0 {
		raw = lineFeeds(raw)
	}
	s := &sink{base: base, depth: depth, bud: bud, yield: yield, seen: map[span]bool{}, noted: map[string]bool{}}
	h := s.pass(raw, pass{})
	for i := 1; i < min(s.choices, mostChoices); i++ {
		s.pass(raw, pass{choice: i, label: "boundary-" + strconv.Itoa(i+1)})
	}
	if s.choices > 1 {
		s.pass(raw, pass{union: true, label: "boundary-union"})
	}
	if s.prefix {
		s.pass(raw, pass{loose: true, label: "boundary-prefix"})
	}
	if carriage(raw) {
		s.pass(lineFeeds(raw), pass{label: "bare-cr"})
	}
	bud.Free(s.buf)
	return Message{Header: summary(&h), Findings: s.findings}
}

// mostChoices bounds how many boundaries of one part are tried alone; all of
// them together are tried in any case.
const mostChoices = 6

// pass is one way to read the structure of the message.
type pass struct {
	label string
	// choice picks among the layouts of each part that has several.
	choice int
	// union splits at every boundary that a part may have.
	union bool
	// loose takes a line for a delimiter that goes on after the boundary.
	loose bool
}

// carriage says that a bare CR stands where it would end a line of structure.
func carriage(raw []byte) bool {
	for pos := 0; ; {
		i := bytes.IndexByte(raw[pos:], '\r')
		if i < 0 {
			return false
		}
		pos += i + 1
		rest := raw[pos:]
		if bytes.HasPrefix(rest, []byte("\n")) {
			continue
		}
		if bytes.HasPrefix(rest, []byte("--")) || bytes.HasPrefix(rest, []byte("\r")) || len(rest) > 8 && bytes.EqualFold(rest[:8], []byte("content-")) {
			return true
		}
	}
}

// lineFeeds returns raw with every bare CR made a line end.
func lineFeeds(raw []byte) []byte {
	out := bytes.Clone(raw)
	for i, c := range out {
		if c == '\r' && (i+1 == len(out) || out[i+1] != '\n') {
			out[i] = '\n'
		}
	}
	return out
}
