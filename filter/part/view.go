package part

import (
	"bytes"
	"slices"
	"strconv"

	"sekisho/filter/budget"
	"sekisho/filter/charset"
)

// view is the message as bytes in which line ends and delimiters stand where
// some program sees them.
type view struct {
	label string // "" for the bytes as they came
	raw   []byte
	// document is another number where offsets are not those of the message;
	// breaks are then the places where line breaks were put in.
	document int
	breaks   []int
}

// refoldBreak is what Postfix puts where it breaks a line.
const refoldBreak = "\r\n "

// origin is the offset in the message of an offset in the view.
func (v *view) origin(at int) int {
	n, _ := slices.BinarySearch(v.breaks, at)
	return at - n*len(refoldBreak)
}

// pass is one way to read the structure of a view.
type pass struct {
	label string
	of    *view
	// choice picks among the layouts of each part that has several.
	choice int
	// union splits at every boundary that a part may have.
	union bool
	// loose takes a line for a delimiter that goes on after the boundary.
	loose bool
	// revive takes delimiters of multiparts that have ended for delimiters.
	revive bool
	// inner takes none of the delimiters of outer multiparts while an inner one
	// is open.
	inner bool
}

// mostChoices bounds how many boundaries of one part are tried alone; all of
// them together are tried in any case.
const mostChoices = 6

// mostPasses bounds how often one message is read, each of which can cost its
// length. An honest one is read once, a specimen up to four times.
const mostPasses = 24

// read reads a view in every way that it asks for and returns its header.
func (s *sink) read(v view) header {
	s.choices, s.prefix, s.revived, s.crossed = 0, false, false, false
	h := s.pass(v, pass{})
	for i := 1; i < min(s.choices, mostChoices); i++ {
		s.pass(v, pass{choice: i, label: "boundary-" + strconv.Itoa(i+1)})
	}
	if s.choices > 1 {
		s.pass(v, pass{union: true, label: "boundary-union"})
	}
	if s.prefix {
		s.pass(v, pass{loose: true, union: true, label: "boundary-prefix"})
	}
	if s.revived {
		s.pass(v, pass{revive: true, union: true, label: "boundary-revived"})
	}
	if s.crossed {
		s.pass(v, pass{inner: true, union: true, label: "boundary-inner"})
	}
	return h
}

// further reads the views in which a program would see other lines than those
// that the message has.
func (s *sink) further(raw []byte) {
	s.inLine(view{raw: raw})
	ends, bare := carriage(raw)
	if ends {
		s.whole(view{label: "bare-cr", raw: lineFeeds(raw)})
	}
	if bare && swapped(raw) {
		s.whole(view{label: "lf-cr", raw: unswapped(raw)})
	}
	if overlong(raw) && s.bud.Spend(s.base, int64(len(raw))) == nil {
		s.documents++
		long, breaks := refold(raw)
		s.whole(view{label: "refolded", raw: long, document: s.documents, breaks: breaks})
	}
}

// whole reads a view and then with the delimiters within its lines. One view's
// bytes are gone before the next is made: each is as long as the message.
func (s *sink) whole(v view) {
	s.read(v)
	s.inLine(v)
}

func (s *sink) inLine(v view) {
	if inlined, found := s.inlined(v.raw); found {
		s.read(view{label: join(v.label, "delimiter-in-line"), raw: inlined, document: v.document, breaks: v.breaks})
	}
}

// enter counts a pass; false says that there were too many.
func (s *sink) enter() bool {
	if s.passes++; s.passes > mostPasses {
		_ = s.bud.Exceed(budget.Depth, s.base)
		return false
	}
	return true
}

// carriage says that a bare CR stands where it would end a line of structure, and
// whether there is any.
func carriage(raw []byte) (ends, bare bool) {
	for pos := 0; ; {
		i := bytes.IndexByte(raw[pos:], '\r')
		if i < 0 {
			return false, bare
		}
		pos += i + 1
		rest := raw[pos:]
		if len(rest) > 0 && rest[0] == '\n' {
			continue
		}
		bare = true
		if bytes.HasPrefix(rest, []byte("--")) || bytes.HasPrefix(rest, []byte("\r")) || opensContent(rest) {
			return true, true
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

// swapped says that lines end in LF CR.
func swapped(raw []byte) bool {
	for pos := 0; ; {
		i := bytes.Index(raw[pos:], []byte("\n\r"))
		if i < 0 {
			return false
		}
		pos += i + 2
		if (pos == 2 || raw[pos-3] != '\r') && (pos == len(raw) || raw[pos] != '\n') {
			return true
		}
	}
}

// unswapped returns raw with every LF CR turned round.
func unswapped(raw []byte) []byte {
	out := bytes.Clone(raw)
	for i := 0; i+1 < len(out); i++ {
		if out[i] == '\n' && out[i+1] == '\r' && (i == 0 || out[i-1] != '\r') {
			out[i], out[i+1] = '\r', '\n'
			i++
		}
	}
	return out
}

// mostSought bounds the boundaries that are searched for within lines, each of
// which costs the length of the message.
const mostSought = 64

// inlined returns raw with a line end before every delimiter that stands within
// a line: behind a blank, a byte order mark, an odd line end, or text.
func (s *sink) inlined(raw []byte) (out []byte, found bool) {
	if len(s.known) > mostSought {
		_ = s.bud.Exceed(budget.Depth, s.base)
	}
	out = raw
	for _, b := range s.known[:min(len(s.known), mostSought)] {
		if freed, any := inline(out, b, s.prefixes[b]); any {
			out, found = freed, true
		}
	}
	return out, found
}

// inline does so for one boundary. begins says that the lines go on behind it.
func inline(raw []byte, boundary string, begins bool) (out []byte, found bool) {
	mark := []byte("--" + boundary)
	out = raw
	for pos := 0; ; {
		i := bytes.Index(raw[pos:], mark)
		if i < 0 {
			return out, found
		}
		at := pos + i
		pos = at + len(mark)
		if at == 0 || raw[at-1] == '\n' || !begins && !endsDelimiter(raw[pos:]) && !contentBelow(raw, pos) {
			continue
		}
		if !found {
			out, found = bytes.Clone(raw), true
		}
		out[at-1] = '\n'
	}
}

// contentBelow says that little follows at pos before a line with a field of
// content.
func contentBelow(raw []byte, pos int) bool {
	const most = 16
	line, next := lineAt(raw, pos, min(len(raw), pos+most))
	return len(line) < most && opensContent(raw[next:])
}

// endsDelimiter says that b goes on as a delimiter does behind its boundary: with
// two dashes or none, padding, and the end of the line.
func endsDelimiter(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("--")), " \t\v\f\x00")
	return len(b) == 0 || b[0] == '\n' || b[0] == '\r'
}

// lineLimit is the length at which Postfix breaks a line of a message that it
// sends on (smtp_line_length_limit, postconf(5)), after we have judged it.
const lineLimit = 998

// overlong says that a line is longer than that.
func overlong(raw []byte) bool {
	for pos := 0; len(raw)-pos > lineLimit; {
		i := bytes.LastIndexByte(raw[pos:pos+lineLimit+1], '\n')
		if i < 0 {
			if c := raw[pos+lineLimit]; c != '\r' || pos+lineLimit+1 < len(raw) && raw[pos+lineLimit+1] != '\n' {
				return true
			}
			i = lineLimit
		}
		pos += i + 1
	}
	return false
}

// refold returns raw as Postfix sends it on: long lines broken, each piece but
// the first behind a blank. breaks are where.
func refold(raw []byte) (out []byte, breaks []int) {
	out = make([]byte, 0, len(raw)+len(refoldBreak)*(len(raw)/(lineLimit-1)+1))
	for pos := 0; pos < len(raw); {
		line, next := lineAt(raw, pos, len(raw))
		end := raw[pos+len(line) : next]
		for room := lineLimit; len(line) > room; room = lineLimit - 1 {
			out = append(out, line[:room]...)
			breaks = append(breaks, len(out))
			out = append(out, refoldBreak...)
			line = line[room:]
		}
		out = append(append(out, line...), end...)
		pos = next
	}
	return out, breaks
}

// narrow returns the text of a message that is stored in two-byte characters.
func narrow(raw []byte) (text []byte, wide bool) {
	label := wideLabel(raw)
	if label == "" {
		return raw, false
	}
	s, _ := charset.Decode(raw, label)
	return []byte(s), true
}

// wideLabel names the UTF-16 that raw begins with, by its mark or by the NUL in
// every other byte; "" where it is none.
func wideLabel(raw []byte) string {
	const enough = 16
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		return "utf-16le"
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return "utf-16be"
	case len(raw) < enough:
		return ""
	}
	var nul [2]int
	for i, c := range raw[:enough] {
		if c == 0 {
			nul[i&1]++
		}
	}
	switch {
	case nul[0] == 0 && nul[1] == enough/2:
		return "utf-16le"
	case nul[1] == 0 && nul[0] == enough/2:
		return "utf-16be"
	}
	return ""
}
