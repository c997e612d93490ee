package auth

import (
	"bytes"
	"strings"
)

// The bounds of a header whose signatures are verified; Postfix's own default
// for one field is 100 kB.
const (
	maxHeaderBytes  = 256 << 10
	maxHeaderFields = 1000
)

// headerField is one field as it came.
type headerField struct {
	name string // in lower case, without blanks before the colon
	raw  []byte // with its folds and its last line end
}

// value is all after the colon.
func (f headerField) value() []byte {
	_, value, _ := bytes.Cut(f.raw, []byte(":"))
	return value
}

// header is the message cut at its empty line.
type header struct {
	fields []headerField
	body   []byte
	// excess says which bound the header breaks; its fields are then not all there.
	excess string
}

// splitHeader cuts raw in one pass. A line ends in LF; a CR before it belongs
// to the line end.
func splitHeader(raw []byte) header {
	var h header
	for at := 0; at < len(raw); {
		end := lineEnd(raw, at)
		line := bytes.TrimSuffix(bytes.TrimSuffix(raw[at:end], []byte("\n")), []byte("\r"))
		if len(line) == 0 {
			h.body = raw[end:]
			return h
		}
		if end > maxHeaderBytes {
			h.excess = "header larger than 256 KiB"
			return h
		}
		if !h.add(line, raw[at:end]) {
			h.excess = "more than 1000 header fields"
			return h
		}
		at = end
	}
	return h
}

// lineEnd returns where the line that begins at at ends, its LF included.
func lineEnd(raw []byte, at int) int {
	n := bytes.IndexByte(raw[at:], '\n')
	if n < 0 {
		return len(raw)
	}
	return at + n + 1
}

// add takes a line in: a fold of the last field, or a new one.
func (h *header) add(line, raw []byte) bool {
	if n := len(h.fields); n > 0 && (line[0] == ' ' || line[0] == '\t') {
		last := &h.fields[n-1]
		last.raw = last.raw[:len(last.raw)+len(raw)] // the lines stand side by side
		return true
	}
	if len(h.fields) == maxHeaderFields {
		return false
	}
	name, _, _ := bytes.Cut(line, []byte(":"))
	h.fields = append(h.fields, headerField{strings.ToLower(string(bytes.TrimSpace(name))), raw})
	return true
}

// count returns how many fields have name.
func (h header) count(name string) int {
	n := 0
	for _, f := range h.fields {
		if f.name == name {
			n++
		}
	}
	return n
}
