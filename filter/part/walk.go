package part

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// span is where a part stands, by which a part met again in another pass is
// known: the same bytes under another header are another part.
type span struct{ document, header, start, other, end int }

// undeclared is a multipart that was found in a leaf.
type undeclared struct {
	leaf     span
	boundary string
}

// sink gathers what all passes over one message find.
type sink struct {
	base  string
	depth int
	bud   *budget.Budget
	yield func(*entity.Entity)

	findings  []finding.Finding
	noted     map[string]bool
	seen      map[span]bool
	documents int
	unwrapped int
	searches  int
	passes    int
	buf       []byte
	stopped   bool
	// choices, prefix, revived and crossed ask for further passes.
	choices int
	prefix  bool
	revived bool
	crossed bool
	// known are the boundaries met so far, in their order; prefixes those that
	// only begin a delimiter line.
	known    []string
	knownIs  map[string]bool
	prefixes map[string]bool

	undeclaredSeen map[undeclared]bool

	accounted func(from, to int) // for tests
}

// mostNotes bounds the findings of one message; each kind is noted in any case.
const mostNotes = 500

// note states a finding once.
func (s *sink) note(kind finding.Kind, path, how string) {
	key := string(kind) + "\x00" + path + "\x00" + how
	if len(s.findings) >= mostNotes {
		key = string(kind)
	}
	if !s.noted[key] {
		s.noted[key], s.noted[string(kind)] = true, true
		s.findings = append(s.findings, finding.New(kind, path, "how", how))
	}
}

// walker reads the structure of one document in one pass.
type walker struct {
	*sink
	pass     pass
	dead     map[string]bool // boundaries of multiparts that have ended
	raw      []byte
	document int
	stack    stack
	cursor   int // the line where the next delimiter may stand
	leaf     *leaf
	region   region
}

// region is the text before the first or after the last delimiter.
type region struct {
	start int
	after bool
}

// pass reads the whole message in one way and returns its header.
func (s *sink) pass(v view, p pass) header {
	p.label, p.of = join(v.label, p.label), &v
	w := &walker{sink: s, pass: p, raw: v.raw, document: v.document}
	h := readHeader(v.raw, 0, len(v.raw), func([]byte) bool { return false })
	if !s.enter() {
		return h
	}
	root := &numbering{path: s.base}
	if s.base != "" {
		root.path += "/"
	}
	w.open(h, root.path+"1", root, false, "")
	w.scan()
	return h
}

// scan goes from delimiter to delimiter to the end of the document.
func (w *walker) scan() {
	for len(w.stack.levels) > 0 && !w.stopped {
		at := w.dashes()
		if at < 0 {
			break
		}
		line, next := lineAt(w.raw, at, len(w.raw))
		d, ok := w.delimiter(line, at)
		if !ok {
			w.cursor = next
			continue
		}
		w.crossed = w.crossed || w.crosses(d, next)
		w.finish(at, d.level)
		w.account(at, next)
		w.delimit(d, next)
	}
	w.finish(len(w.raw), -1)
}

// crosses says that a delimiter of an outer multipart stands within base64 of an
// inner one that has not been closed.
func (w *walker) crosses(d delimiter, next int) bool {
	const enough = 16
	if d.level == len(w.stack.levels)-1 || w.leaf == nil {
		return false
	}
	if list, _ := transfer(&w.leaf.h); list[0] != base64 {
		return false
	}
	for next < len(w.raw) && (w.raw[next] == '\n' || w.raw[next] == '\r') {
		next++
	}
	line, _ := lineAt(w.raw, next, len(w.raw))
	return len(line) >= enough && pure64(line) && bytes.IndexByte(line, ' ') < 0
}

// account tells a test which bytes of the message the plain reading has looked at.
func (w *walker) account(from, to int) {
	if w.accounted != nil && w.pass.label == "" && w.document == 0 {
		w.accounted(from, to)
	}
}

// dashes returns the next line at or after the cursor that begins with two
// dashes, -1 without one.
func (w *walker) dashes() int {
	if bytes.HasPrefix(w.raw[w.cursor:], []byte("--")) {
		return w.cursor
	}
	return dashLine(w.raw, w.cursor)
}

// dashLine is the same for any text. It searches for the dashes, which base64
// does not have, and not for the ends of lines, which it is full of.
func dashLine(b []byte, from int) int {
	for from < len(b) {
		i := bytes.Index(b[from:], []byte("--"))
		if i < 0 {
			break
		}
		at := from + i
		if at == 0 || b[at-1] == '\n' {
			return at
		}
		if i = bytes.IndexByte(b[at:], '\n'); i < 0 {
			break
		}
		from = at + i + 1
	}
	return -1
}

// delimiter says which multipart the line at offset at delimits in this pass.
func (w *walker) delimiter(line []byte, at int) (delimiter, bool) {
	d, ok := w.stack.match(line, true)
	if !ok {
		return w.ended(line)
	}
	if top := len(w.stack.levels) - 1; w.pass.inner && d.level < top && !w.stack.levels[top].closed {
		return d, false
	}
	if !d.exact && !w.pass.loose {
		w.prefix = true
		return d, false
	}
	return d, d.length > 0 || d.closes || emptyDelimiter(w.raw[at:])
}

// ended takes a line for the delimiter of a multipart that has ended: a reader
// that searches for the inner boundary to the end of the message splits there.
func (w *walker) ended(line []byte) (d delimiter, ok bool) {
	if len(w.dead) == 0 {
		return d, false
	}
	mark := string(bytes.TrimRight(line[2:min(len(line), maxBoundary)], padding7))
	boundary, closes := strings.CutSuffix(mark, "--")
	d = delimiter{level: len(w.stack.levels) - 1, exact: true, closes: closes && !w.dead[mark], ended: true}
	if !w.dead[boundary] && !w.dead[mark] {
		return d, false
	}
	w.revived = w.revived || !d.closes
	return d, w.pass.revive
}

// delimit goes on behind a delimiter line that ends before next.
func (w *walker) delimit(d delimiter, next int) {
	for len(w.stack.levels)-1 > d.level {
		w.bury(w.stack.pop())
	}
	w.cursor, w.region = next, region{next, true}
	l := w.stack.levels[d.level]
	if d.closes && d.ended {
		return
	}
	if d.closes {
		w.stack.setClosed(true)
		return
	}
	reading := w.pass.label
	if l.closed {
		w.stack.setClosed(false)
		w.note(finding.MimeUndeclared, l.path, "part after the close delimiter")
		reading = "after-close"
	}
	l.parts++
	l.at.count++
	h := readHeader(w.raw, w.fieldBehind(d, next), len(w.raw), func(line []byte) bool {
		d, ok := w.stack.match(line, w.pass.loose)
		return ok && d.length > 0
	})
	w.open(h, l.at.path+strconv.Itoa(l.at.count), nil, l.digest, reading)
}

// fieldBehind returns where the header begins behind a delimiter line that ends
// before next: within the line where that goes on with a field of content.
func (w *walker) fieldBehind(d delimiter, next int) int {
	if d.exact {
		return next
	}
	from := bytes.LastIndexByte(w.raw[:max(next-1, 0)], '\n') + 1 + 2 + d.length
	rest := bytes.TrimLeft(w.raw[min(from, next):next], padding7)
	if !opensContent(rest) {
		return next
	}
	return next - len(rest)
}

// bury keeps the boundaries of a multipart that has ended.
func (w *walker) bury(boundaries []string) {
	for _, b := range boundaries {
		if w.dead == nil {
			w.dead = map[string]bool{}
		}
		if b != "" {
			w.dead[b] = true
		}
	}
}

// maxOpen is how many multiparts deep parts are numbered. Deeper ones are read
// as well, numbered flat.
const maxOpen = 200

// open begins the part whose header is h: a level of its own, or a leaf.
func (w *walker) open(h header, path string, at *numbering, digest bool, reading string) {
	w.cursor = slices.Min(h.bodies)
	w.account(h.start, w.cursor)
	layouts, guess := w.structure(&h, w.raw[w.cursor:])
	w.oddities(&h, path)
	if guess {
		w.note(finding.MimeBoundary, path, "guessed from the body")
	}
	if len(layouts) > 1 {
		w.note(finding.MimeBoundary, path, "several readings")
		w.choices = max(w.choices, len(layouts))
	}
	picked := w.pick(layouts)
	if !picked[0].multipart {
		w.leaf = &leaf{h: h, path: path, digest: digest, reading: reading}
		return
	}
	if at == nil {
		at = w.nested(path)
	}
	l := &level{h: h, at: at, path: path, digest: strings.Contains(mediaType(unfold(h.first("content-type"))), "digest")}
	for _, p := range picked {
		l.boundaries = append(l.boundaries, p.boundary)
	}
	l.encodings, _ = transfer(&h)
	w.stack.push(l)
	w.region = region{w.cursor, false}
}

// nested returns the numbering for the parts of a multipart at path.
func (w *walker) nested(path string) *numbering {
	if n := len(w.stack.levels); n >= maxOpen {
		_ = w.bud.Exceed(budget.Depth, path) // remembered there; we read on
		return w.stack.levels[n-1].at
	}
	return &numbering{path: path + "."}
}

// pick chooses among the layouts of a part as the pass says.
func (w *walker) pick(layouts []layout) []layout {
	if !w.pass.union {
		i := min(w.pass.choice, len(layouts)-1)
		return layouts[i : i+1]
	}
	var multi []layout
	for _, l := range layouts {
		if l.multipart {
			multi = append(multi, l)
		}
	}
	if len(multi) == 0 {
		return layouts
	}
	return multi
}

// finish ends what is open at end, where a delimiter of level to stands.
func (w *walker) finish(end, to int) {
	if w.leaf != nil {
		l := w.leaf
		w.leaf = nil
		w.account(slices.Min(l.h.bodies), end)
		w.emit(l, trimBreak(w.raw, end, to))
		return
	}
	n := len(w.stack.levels)
	if n == 0 {
		return
	}
	l := w.stack.levels[n-1]
	start := min(w.region.start, end)
	w.account(start, end)
	switch {
	case w.region.after:
		w.outside(l, "epilogue", start, end)
	case w.unwrap(l, start, end):
	case to != n-1 && l.parts == 0:
		w.note(finding.MimeMalformed, l.path, "multipart without a delimiter")
		w.emit(&leaf{h: l.h, path: l.path, reading: w.pass.label}, trimBreak(w.raw, end, to))
	default:
		w.outside(l, "preamble", start, end)
		if l.parts == 0 && len(l.encodings) > 0 && l.encodings[0] != identity {
			w.emit(&leaf{h: l.h, path: l.path, reading: join(w.pass.label, "multipart-as-leaf")}, trimBreak(w.raw, end, to))
		}
	}
}

// trimBreak takes the line break off that belongs to the delimiter.
func trimBreak(raw []byte, end, to int) int {
	if to < 0 {
		return end
	}
	if end > 0 && raw[end-1] == '\n' {
		if end--; end > 0 && raw[end-1] == '\r' {
			end--
		}
	}
	return end
}

// mostUnwrapped bounds the multiparts that are decoded as a whole, each of
// which costs its length again.
const mostUnwrapped = 16

// unwrap reads a multipart whose body stands under a transfer encoding, which
// RFC 2045 §6.4 forbids and some mail programs undo.
func (w *walker) unwrap(l *level, start, end int) bool {
	found := false
	list := l.encodings
	if !slices.Contains(list, base64) && l.parts == 0 && start < end && seems64(w.raw[start:end]) {
		list = append(slices.Clone(list), base64)
	}
	for _, e := range list {
		if e == identity || start >= end {
			continue
		}
		if !w.unwrapping(l.path) {
			return found
		}
		ways, _ := decode(nil, w.raw[start:end], e, false)
		body := ways[0].body
		if w.bud.Spend(l.path, int64(len(body))) != nil {
			return found
		}
		if !slices.ContainsFunc(l.boundaries, func(b string) bool { return delimits(b, body) == wholly }) {
			continue
		}
		w.note(finding.MimeEncoding, l.path, "multipart under a transfer encoding")
		w.inside(l, body)
		found = true
	}
	return found
}

// inside reads body as the content of multipart l.
func (w *walker) inside(l *level, body []byte) { w.within(l, body, w.pass.label) }

// within does so and marks what it finds as a reading.
func (w *walker) within(l *level, body []byte, label string) {
	w.documents++
	sub := &walker{sink: w.sink, pass: w.pass, raw: body, document: w.documents}
	sub.pass.label = label
	inner := *l
	inner.encodings, inner.closed, inner.parts = nil, false, 0
	sub.stack.push(&inner)
	sub.scan()
}

// outside looks for a part in the text before or after the delimiters: fields
// of content, or a file encoded in the text.
func (w *walker) outside(l *level, where string, start, end int) {
	text := bytes.TrimLeft(w.raw[start:end], "\r\n \t")
	if len(text) == 0 {
		return
	}
	out := &leaf{path: l.at.path + where, reading: where, h: header{bodies: []int{start}}, quiet: true}
	if at := contentIn(text); at >= 0 {
		w.note(finding.MimeUndeclared, l.path, "part in the "+where)
		out.h = readHeader(w.raw, end-len(text)+at, end, func([]byte) bool { return false })
		out.quiet = false
		w.nestedOutside(out, end)
	}
	w.undeclaredParts(out, text)
	w.emit(out, end)
}

// contentIn returns where in the text outside the parts a field of content stands:
// at its beginning, or where a file follows. -1 without one.
func contentIn(text []byte) int {
	const lines, most = 50, 3
	for pos, n, tried := 0, 0, 0; pos < len(text) && n < lines && tried < most; n++ {
		line, next := lineAt(text, pos, len(text))
		if name, _, ok := splitField(line); ok && strings.HasPrefix(name, "content-") {
			if n == 0 || opensFile(text[pos:]) {
				return pos
			}
			tried++
		}
		pos = next
	}
	return -1
}

// nestedOutside reads a multipart that stands outside the delimiters.
func (w *walker) nestedOutside(out *leaf, end int) {
	body := w.raw[min(out.h.bodies[0], end):end]
	var used []string
	for _, b := range boundaries(&out.h) {
		if b != "" && delimits(b, body) == wholly {
			used = append(used, b)
		}
	}
	if len(used) > 0 && w.unwrapping(out.path) {
		w.know(used)
		w.within(&level{h: out.h, at: &numbering{path: out.path + "."}, path: out.path, boundaries: used}, body, join(w.pass.label, out.reading))
	}
}

// oddities states what was repaired in a header.
func (w *walker) oddities(h *header, path string) {
	for _, how := range h.odd {
		w.note(finding.MimeMalformed, path, how)
	}
	if c := control(w.raw[h.start:w.cursor]); c != "" {
		w.note(finding.MimeControl, path, c)
	}
	for _, name := range [...]string{"content-type", "content-disposition", "content-transfer-encoding", "mime-version"} {
		if values := h.all(name); conflicting(values) {
			w.note(finding.MimeConflict, path, name)
		}
	}
}

// control names the first control byte of a header that has no place there. ESC
// belongs to raw ISO-2022-JP.
func control(b []byte) string {
	for i, c := range b {
		switch {
		case c >= ' ' && c != 0x7f || c == '\t' || c == '\n' || c == 0x1b:
		case c == '\r' && i+1 < len(b) && b[i+1] == '\n', c == '\r' && i+1 == len(b):
		default:
			return "0x" + strconv.FormatUint(uint64(c), 16)
		}
	}
	return ""
}

// conflicting says that values of one field differ in more than blanks and case.
func conflicting(values [][]byte) bool {
	for i := 1; i < len(values); i++ {
		if one, first := plainValue(values[i]), plainValue(values[0]); !strings.EqualFold(one, first) && !strings.EqualFold(stripComments(one), stripComments(first)) {
			return true
		}
	}
	return false
}

func plainValue(v []byte) string {
	return strings.Join(strings.Fields(unfold(v)), "")
}
