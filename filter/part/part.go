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
	return newSink(base, depth, bud, yield).walk(raw)
}

func newSink(base string, depth int, bud *budget.Budget, yield func(*entity.Entity)) *sink {
	return &sink{base: base, depth: depth, bud: bud, yield: yield, seen: map[span]bool{}, noted: map[string]bool{}, undeclaredSeen: map[undeclared]bool{}}
}

// walk reads raw in every view.
func (s *sink) walk(raw []byte) Message {
	if text, wide := narrow(raw); wide {
		_ = s.bud.Spend(s.base, int64(len(text))) // remembered there; we read on
		raw = text
		s.note(finding.MimeMalformed, s.base, "UTF-16 throughout")
	}
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') >= 0 {
		raw = lineFeeds(raw) // as old Macintosh files end their lines
	}
	h := s.read(view{raw: raw})
	s.further(raw)
	s.bud.Free(s.buf)
	return Message{Header: summary(&h), Findings: s.findings}
}
