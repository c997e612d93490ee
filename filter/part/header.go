package part

import (
	"bytes"
	"slices"
	"strings"
)

// field is one header field.
type field struct {
	name  string // lower case, without blanks and controls
	value []byte // all after the colon, folds as they came
}

// header is the header of a message or part, with every place where some
// program may take the body to begin.
type header struct {
	start  int
	fields []field
	// bodies are offsets of the body, the most likely first; never empty.
	bodies []int
	// odd says what was repaired, as the evidence of mime.malformed states it.
	odd []string
	// parsed are the parameters read so far, by field name.
	parsed map[string][][]param
}

// maxJunk is how many lines without a colon are crossed in search of a further
// field; a header mangled worse than that is a body.
const maxJunk = 20

// mostBodies bounds the places that are tried as the body's beginning.
const mostBodies = 4

// headerReader reads one header line by line.
type headerReader struct {
	raw  []byte
	pos  int
	end  int
	stop func(line []byte) bool // is this line a delimiter?
	h    header
	junk int // offset of the junk run that may be the body, -1 without one
	run  int // lines of that run
}

// readHeader reads the header at start. A line for which stop holds ends it.
func readHeader(raw []byte, start, end int, stop func([]byte) bool) header {
	r := headerReader{raw: raw, pos: start, end: end, stop: stop, h: header{start: start}, junk: -1}
	r.skipEmpty()
	for r.pos < r.end {
		line, next := lineAt(raw, r.pos, end)
		if r.take(line, next) {
			return r.finish()
		}
	}
	r.body(r.end)
	return r.finish()
}

// skipEmpty crosses empty lines before a header: some readers take the part
// for one without a header, others go on.
func (r *headerReader) skipEmpty() {
	pos := r.pos
	for pos < r.end {
		line, next := lineAt(r.raw, pos, r.end)
		if len(bytes.TrimSpace(line)) > 0 {
			name, _, ok := splitField(line)
			if ok && pos > r.pos && (strings.HasPrefix(name, "content-") || r.pos == 0 && opensMessage[name]) {
				r.otherwise(r.pos)
				r.note("empty line before the header")
				r.pos = pos
			}
			return
		}
		pos = next
	}
}

// opensMessage are the fields that a message's header begins with.
var opensMessage = map[string]bool{"from": true, "to": true, "subject": true, "date": true, "received": true, "return-path": true,
	"message-id": true, "mime-version": true, "delivered-to": true, "sender": true, "reply-to": true}

// take reads one line and says whether it ended the header.
func (r *headerReader) take(line []byte, next int) (done bool) {
	switch {
	case len(line) == 0 && (r.goesOn(next) || r.tracedOnly(next)):
		r.otherwise(next)
		r.note("empty line within the header")
		r.pos = next
		return false
	case len(line) == 0:
		r.body(next)
		return true
	case r.stop(line):
		r.body(r.pos)
		return true
	case line[0] == ' ' || line[0] == '\t':
		return r.fold(line, next)
	}
	if r.continues(line) {
		// It is a line of its own to some readers and a fold to others.
		r.extend(line)
		r.note("parameter that is not indented")
	} else if name, value, ok := splitField(line); ok {
		r.field(name, value, line)
	} else if r.unreadable(line) {
		return true
	}
	r.pos = next
	return false
}

// goesOn says that fields of content follow the empty line before next, below
// others: some readers take the header to end there, others at the next one. What
// is a message or holds parts begins with fields by right.
func (r *headerReader) goesOn(next int) bool {
	line, _ := lineAt(r.raw, next, r.end)
	if len(line) < 8 || !bytes.EqualFold(line[:8], []byte("content-")) || r.junk >= 0 {
		return false
	}
	if _, ok := concealed(line); !ok {
		return false
	}
	kind := mediaType(unfold(r.h.first("content-type")))
	return len(r.h.fields) > 0 &&
		!strings.HasPrefix(kind, "message/") && !strings.HasPrefix(kind, "multipart/") && kind != "text/rfc822-headers"
}

// tracedOnly says that nothing but traces of the way stands above the empty line
// before next, and the fields of a message below: its sender began with an empty
// line, and each server on the way put its own field before that.
func (r *headerReader) tracedOnly(next int) bool {
	for _, f := range r.h.fields {
		if f.name != "received" && f.name != "return-path" && f.name != "delivered-to" && f.name != "x-original-to" {
			return false
		}
	}
	if len(r.h.fields) == 0 || r.h.start > 0 || r.junk >= 0 {
		return false
	}
	for next < r.end {
		line, after := lineAt(r.raw, next, r.end)
		if len(bytes.TrimSpace(line)) > 0 {
			name, _, ok := splitField(line)
			return ok && opensMessage[name]
		}
		next = after
	}
	return false
}

// continues says that a line without indent goes on with the field before it:
// a parameter behind a semicolon, or a value behind a bare name. Exchange
// repairs these.
func (r *headerReader) continues(line []byte) bool {
	n := len(r.h.fields)
	if n == 0 || r.junk >= 0 || !strings.HasPrefix(r.h.fields[n-1].name, "content-") {
		return false
	}
	before := bytes.TrimRight(r.h.fields[n-1].value, " \t\r\n")
	key, _, isParameter := bytes.Cut(line, []byte("="))
	if isParameter && !bytes.ContainsAny(key, ": \t") {
		return bytes.HasSuffix(before, []byte(";")) || knownKey(key)
	}
	return len(before) == 0 && bytes.IndexByte(line, ':') < 0 && bytes.IndexByte(line, '/') > 0
}

// knownKey says that key is a parameter that matters here.
func knownKey(key []byte) bool {
	name, _, _ := strings.Cut(strings.ToLower(string(key)), "*")
	return name == "filename" || name == "name" || name == "boundary"
}

// extend lets the last field's value, which is a slice of raw, grow to the end
// of line.
func (r *headerReader) extend(line []byte) {
	f := &r.h.fields[len(r.h.fields)-1]
	from := cap(r.raw) - cap(f.value)
	f.value = r.raw[from : r.pos+len(line)]
}

func (r *headerReader) field(name string, value, line []byte) {
	if r.junk >= 0 {
		r.otherwise(r.junk)
		r.junk, r.run = -1, 0
		r.note("line without a colon in the header")
	}
	if len(line)-len(value) > len(name)+1 {
		r.note("blank or control before the colon")
	}
	r.h.fields = append(r.h.fields, field{name, value})
}

// colonBelow finds a field that matters whose colon stands in the fold below it.
func (r *headerReader) colonBelow(line []byte) {
	last, _ := lineAt(r.raw, r.junk, r.pos)
	below := bytes.TrimLeft(line, " \t")
	if len(below) == 0 || below[0] != ':' {
		return
	}
	whole := slices.Concat(bytes.TrimRight(last, " \t\r"), below)
	for _, find := range concealments {
		if f, ok := find(whole); ok {
			r.h.fields = append(r.h.fields, f)
			r.note("colon in the line below the field's name")
		}
	}
}

// fold takes a line that begins with a blank: the field goes on, or, where
// the line is blank throughout, some take it for the end of the header.
func (r *headerReader) fold(line []byte, next int) (done bool) {
	if len(bytes.TrimSpace(line)) == 0 {
		after, _ := lineAt(r.raw, next, r.end)
		_, _, isField := splitField(after)
		isFold := len(r.h.fields) > 0 && len(bytes.TrimSpace(after)) > 0 && (after[0] == ' ' || after[0] == '\t')
		if !isField && !isFold {
			r.body(next)
			return true
		}
		if len(r.h.fields) == 0 {
			r.pos = next
			return false
		}
		r.otherwise(next)
		r.note("blank line that is not empty in the header")
	}
	if n := len(r.h.fields); n > 0 && r.junk < 0 {
		r.extend(line)
	} else {
		r.hidden(line)
		if r.junk >= 0 && r.run == 1 {
			r.colonBelow(line)
		}
	}
	r.pos = next
	return false
}

// unreadable takes a line that is neither field nor fold and says whether the
// search for further fields ends here.
func (r *headerReader) unreadable(line []byte) (done bool) {
	if r.pos == r.h.start && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
		return false // the envelope line of an mbox file
	}
	r.hidden(line)
	if r.junk < 0 {
		r.junk = r.pos
	}
	if r.run++; r.run > maxJunk {
		r.body(r.junk)
		return true
	}
	return false
}

// hidden keeps a field that lost its colon or stands where a fold
// would: what repairs the header sees it.
func (r *headerReader) hidden(line []byte) {
	for _, find := range concealments {
		if f, ok := find(line); ok {
			r.h.fields = append(r.h.fields, f)
			r.note("field hidden in a line that is none")
		}
	}
}

// concealments find the fields that matter in lines that are no fields.
var concealments = []func([]byte) (field, bool){concealed, concealedFrom}

// body states where the body begins when the header ended in due form.
func (r *headerReader) body(at int) {
	if r.junk >= 0 {
		// No field came after the junk: it is the body, the empty line missing.
		r.h.bodies = append([]int{r.junk}, r.h.bodies...)
		if r.junk != at {
			r.otherwise(at)
			r.note("no empty line after the header")
		}
		return
	}
	r.h.bodies = append([]int{at}, r.h.bodies...)
}

// otherwise keeps a less likely place of the body's beginning.
func (r *headerReader) otherwise(at int) {
	if len(r.h.bodies) < mostBodies {
		r.h.bodies = append(r.h.bodies, at)
	}
}

func (r *headerReader) note(how string) {
	if !slices.Contains(r.h.odd, how) {
		r.h.odd = append(r.h.odd, how)
	}
}

// finish looks into folds for fields that only some programs see there.
func (r *headerReader) finish() header {
	for _, f := range r.h.fields {
		if !bytes.ContainsAny(f.value, "\r\n") {
			continue
		}
		for rest := f.value; len(rest) > 0; {
			i := bytes.IndexAny(rest, "\r\n")
			if i < 0 {
				i = len(rest) - 1
			}
			r.inFold(f, bytes.TrimRight(rest[:i+1], "\r\n"))
			rest = rest[i+1:]
		}
	}
	return r.h
}

func (r *headerReader) inFold(f field, line []byte) {
	found, ok := concealed(line)
	if ok && found.name != f.name && len(line) > 0 && &line[0] != &f.value[0] {
		r.h.fields = append(r.h.fields, found)
		r.note("field hidden in a fold")
	}
}

// all returns the values of every field of a name.
func (h *header) all(name string) [][]byte {
	var out [][]byte
	for _, f := range h.fields {
		if f.name == name {
			out = append(out, f.value)
		}
	}
	return out
}

// first returns the first field's value, nil without one.
func (h *header) first(name string) []byte {
	for _, f := range h.fields {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// splitField parts a line at its colon. Blanks and controls before the colon,
// which readers forgive, are dropped from the name.
func splitField(line []byte) (name string, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || line[0] == ' ' || line[0] == '\t' {
		return "", nil, false
	}
	key := bytes.TrimRight(line[:colon], " \t")
	clean := make([]byte, 0, len(key))
	for _, c := range key {
		switch {
		case c == ' ' || c == '\t':
			return "", nil, false
		case c > ' ' && c < 0x7f:
			clean = append(clean, lower(c))
		}
	}
	return string(clean), line[colon+1:], len(clean) > 0
}

// concealed finds a content field in a line that is none by the standard. It
// asks for a value that makes sense: a DKIM signature lists bare names.
func concealed(line []byte) (field, bool) {
	line = bytes.TrimLeft(line, " \t")
	for _, name := range [...]string{"content-type", "content-transfer-encoding", "content-disposition"} {
		if len(line) <= len(name) || !strings.EqualFold(string(line[:len(name)]), name) {
			continue
		}
		value := bytes.TrimLeft(line[len(name):], " \t\x00")
		value = bytes.TrimPrefix(value, []byte(":"))
		if sensible(name, strings.ToLower(string(bytes.TrimSpace(value)))) {
			return field{name, value}, true
		}
	}
	return field{}, false
}

func sensible(name, value string) bool {
	main, _, _ := strings.Cut(value, ";")
	switch name {
	case "content-type":
		return mediaType(main) != ""
	case "content-disposition":
		return strings.HasPrefix(value, "attachment") || strings.HasPrefix(value, "inline")
	}
	_, known := encodings[strings.TrimSpace(main)]
	return known && main != ""
}

// lineAt returns the line at pos without its end, and where the next begins.
func lineAt(raw []byte, pos, end int) (line []byte, next int) {
	if pos >= end {
		return nil, end
	}
	next = end
	line = raw[pos:end]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line, next = line[:i], pos+i+1
	}
	for n := len(line); n > 0 && line[n-1] == '\r'; n-- {
		line = line[:n-1] // some ends are doubled on the way
	}
	return line, next
}

// unfold takes the line ends out of a value and leaves the blanks of the fold
// (RFC 5322 §2.2.3).
func unfold(value []byte) string {
	if bytes.IndexByte(value, '\n') < 0 {
		return string(bytes.Trim(value, " \t\r"))
	}
	s := strings.ReplaceAll(string(value), "\r\n", "")
	return strings.Trim(strings.ReplaceAll(s, "\n", ""), " \t\r")
}

// squeeze unfolds and takes the first blank of each fold with it, as readers
// do that fold anywhere.
func squeeze(value []byte) string {
	lines := strings.Split(string(value), "\n")
	for i, l := range lines {
		l = strings.TrimSuffix(l, "\r")
		if i > 0 {
			l = strings.TrimLeft(l, " \t")
		}
		lines[i] = l
	}
	return strings.Trim(strings.Join(lines, ""), " \t\r")
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
