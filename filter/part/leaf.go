package part

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/charset"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// leaf is a part that is not split further.
type leaf struct {
	h       header
	path    string
	reading string
	digest  bool // stands in a multipart/digest
	quiet   bool // text outside the parts: only files within it are handed over
}

// emit hands over a leaf that ends at end, in every reading of its bytes.
func (w *walker) emit(l *leaf, end int) {
	key := l.span(w.document, end)
	if w.stopped {
		return
	}
	if w.seen[key] {
		if !l.quiet && w.pass.of.label != "" && strings.HasPrefix(mediaType(unfold(l.h.first("content-type")))+"text/", "text/") {
			w.undeclaredParts(l, w.raw[min(l.h.bodies[0], end):end]) // its lines are others here
		}
		return
	}
	w.seen[key] = true
	same := len(w.pass.of.breaks) > 0 && w.document == w.pass.of.document && w.seen[l.before(w.pass.of, end)]
	if same && l.base64Alone() {
		return // line breaks are nothing in base64
	}
	if w.pass.label != "" && !l.quiet && !same {
		w.note(finding.MimeBoundary, l.path, w.pass.label)
	}
	if w.pass.label != "" && !l.quiet && l.reading == "" {
		l.reading = w.pass.label
	}
	e := w.entity(l)
	text := strings.HasPrefix(e.MediaType, "text/") || e.MediaType == ""
	for i, d := range w.decodings(l, end, text) {
		one := *e
		one.Body, one.Size = d.body, int64(len(d.body))
		one.Reading = join(l.reading, d.reading)
		if IsMail(&one) {
			one.MediaType = "message/rfc822"
		}
		if !l.quiet && !w.hand(&one) {
			return
		}
		if (i == 0 || text) && one.MediaType != "message/rfc822" {
			w.inline(&one)
		}
		if text && !l.quiet && w.pass.label == "" {
			w.delimited(l, one.Body, end)
		}
	}
	if !strings.HasPrefix(e.MediaType, "message/") && e.MediaType != "text/rfc822-headers" {
		w.undeclaredParts(l, w.raw[min(l.h.bodies[0], end):end])
	}
}

// span is where the leaf stands, which ends at end.
func (l *leaf) span(document, end int) span {
	at := span{document: document, header: l.h.start, start: l.h.bodies[0], end: end}
	if len(l.h.bodies) > 1 {
		at.other = l.h.bodies[1]
	}
	return at
}

// before is where the leaf stood before lines were broken.
func (l *leaf) before(v *view, end int) span {
	at := l.span(0, v.origin(end))
	at.header, at.start, at.other = v.origin(at.header), v.origin(at.start), v.origin(at.other)
	return at
}

// base64Alone says that the leaf can be read as base64 only.
func (l *leaf) base64Alone() bool {
	list, _ := transfer(&l.h)
	return len(list) == 1 && list[0] == base64
}

// undeclaredParts reads on in a text that holds delimiters and fields of content
// though no header says so: programs that go by the body see parts there.
func (w *walker) undeclaredParts(l *leaf, text []byte) {
	boundary, found := guessBoundary(text)
	for b := range w.prefixes {
		found = found && !strings.HasPrefix(boundary, b)
	}
	key := undeclared{l.span(w.document, 0), boundary}
	if !found || w.knownIs[boundary] || w.undeclaredSeen[key] || !w.unwrapping(l.path) {
		return // one that is declared is read in a pass of its own
	}
	w.undeclaredSeen[key] = true
	if len(w.known) <= mostSought {
		w.known = append(w.known, boundary)
	}
	w.note(finding.MimeUndeclared, l.path, "multipart in a leaf")
	text, _ = inline(text, boundary, false)
	w.within(&level{h: l.h, at: &numbering{path: l.path + "."}, path: l.path, boundaries: []string{boundary}}, text, "undeclared-multipart")
}

// unwrapping counts a body that is read for parts of its own; false says that
// there were too many.
func (w *walker) unwrapping(at string) bool {
	if w.unwrapped++; w.unwrapped > mostUnwrapped {
		_ = w.bud.Exceed(budget.Depth, at)
		return false
	}
	return true
}

// delimited reads on in a text whose transfer encoding hid a delimiter of the
// multipart that it stands in: a program that decodes before it parts the
// message sees parts there.
func (w *walker) delimited(l *leaf, body []byte, end int) {
	n := len(w.stack.levels)
	if n == 0 || len(body) == 0 || len(body) >= end-l.h.bodies[0] {
		return // not decoded: decoding makes it shorter
	}
	top := w.stack.levels[n-1]
	if !slices.ContainsFunc(top.boundaries, func(b string) bool { return b != "" && delimits(b, body) == wholly }) || !w.unwrapping(l.path) {
		return
	}
	w.note(finding.MimeUndeclared, l.path, "delimiter under a transfer encoding")
	w.inside(top, bytes.Clone(body))
}

// join puts two names of readings together.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "+" + b
}

// entity is the leaf without its bytes.
func (w *walker) entity(l *leaf) *entity.Entity {
	kind := l.h.first("content-type")
	e := &entity.Entity{Path: l.path, Depth: w.depth + 1, MediaType: mediaType(unfold(kind))}
	if len(kind) == 0 && l.digest {
		e.MediaType = "message/rfc822" // RFC 2046 §5.1.5
	}
	e.Charset = l.h.parameter("charset")
	disposition, _, _ := strings.Cut(stripComments(unfold(l.h.first("content-disposition"))), ";")
	e.Disposition, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(disposition)), " ")
	e.ContentID = strings.Trim(unfold(l.h.first("content-id")), "<> ")
	if fileNames(&l.h, e) {
		_ = w.bud.Exceed(budget.Members, l.path) // more names than can be looked at
	}
	if e.Disposition != "inline" && e.Disposition != "" {
		e.Disposition = "attachment" // RFC 2183 §2.8: unknown is attachment
	}
	switch e.MediaType {
	case "message/partial":
		e.Unread = true
		w.note(finding.MimePartial, l.path, l.h.parameter("number")+" of "+l.h.parameter("total"))
	case "message/external-body":
		w.note(finding.MimeExternal, l.path, unfold(kind))
	}
	return e
}

// parameter is the plain value of one parameter of Content-Type, lower case.
func (h *header) parameter(key string) string {
	for _, params := range h.params("content-type") {
		for _, p := range params {
			if (p.key == key || p.key == key+"*") && len(p.vals) > 0 {
				_, v := splitCharset(p.vals[0])
				return strings.ToLower(strings.ToValidUTF8(v, "\uFFFD"))
			}
		}
	}
	return ""
}

// decodings are all readings of the leaf's bytes that differ, the plain first.
func (w *walker) decodings(l *leaf, end int, text bool) []decoding {
	list, how := transfer(&l.h)
	var out []decoding
	for i, start := range l.h.bodies {
		src := w.raw[min(start, end):end]
		for k, e := range list {
			var buf []byte // further readings need their own: the first is still needed
			if i+k == 0 {
				buf = w.room(len(src), e)
			}
			ways, why := decode(buf, src, e, text)
			if how = cmp.Or(how, why); k > 0 {
				ways[0].reading = e.label()
			}
			if i > 0 {
				ways[0].reading = join("body-"+strconv.Itoa(i+1), ways[0].reading)
			}
			// The other encodings may return src itself, which is not ours.
			if i+k == 0 && (e == base64 || e == quoted) {
				w.buf = ways[0].body[:0]
			}
			out = appendNew(out, ways)
		}
	}
	if len(list) > 1 {
		out = appendNew(out, composed(w.raw[min(l.h.bodies[0], end):end], list))
	}
	out, how = w.undeclared(l, list, out, how, text)
	if how != "" && !l.quiet {
		w.note(finding.MimeEncoding, l.path, how)
	}
	return out
}

// room returns memory to decode n bytes of base64 into; the other encodings
// are rare or short.
func (w *walker) room(n int, e encoding) []byte {
	if need := room64(n); e == base64 && cap(w.buf) < need {
		w.bud.Free(w.buf)
		w.buf = w.bud.Lend(need)
	}
	return w.buf
}

// undeclared adds the base64 reading of a file whose header names no encoding
// that fits.
func (w *walker) undeclared(l *leaf, list []encoding, out []decoding, how string, text bool) ([]decoding, string) {
	if slices.Contains(list, base64) {
		return twice(out, how, text)
	}
	if text && how == "" {
		return out, how
	}
	for _, d := range out {
		if !seems64(d.body) {
			continue
		}
		n := len(out)
		out = appendNew(out, []decoding{{"undeclared-base64", decode64(nil, d.body, restart).out}})
		if len(out) > n {
			how = cmp.Or(how, "base64 that is not declared")
		}
	}
	return out, how
}

// twice adds what a file that was encoded in base64 a second time holds.
func twice(out []decoding, how string, text bool) ([]decoding, string) {
	if text || !whole64(out[0].body) {
		return out, how
	}
	return appendNew(out, []decoding{{"base64-twice", decode64(nil, out[0].body, restart).out}}), cmp.Or(how, "base64 within base64")
}

// composed undoes two encodings after each other, in either order, as a program
// does that undoes each that is declared.
func composed(src []byte, list []encoding) (out []decoding) {
	for _, first := range list {
		for _, then := range list {
			if first == identity || then == identity || first == then {
				continue
			}
			ways, _ := decode(nil, src, first, false)
			again, _ := decode(nil, ways[0].body, then, false)
			out = append(out, decoding{then.label() + "-of-" + first.label(), again[0].body})
		}
	}
	return out
}

// appendNew adds the readings whose bytes are not there yet.
func appendNew(out, ways []decoding) []decoding {
	for _, d := range ways {
		if !slices.ContainsFunc(out, func(o decoding) bool { return bytes.Equal(o.body, d.body) }) {
			out = append(out, d)
		}
	}
	return out
}

// hand gives one entity to the caller; false ends the walk.
func (w *walker) hand(e *entity.Entity) bool {
	if w.bud.Count(e.Path) != nil || w.bud.Spend(e.Path, e.Size) != nil {
		w.stopped = true
		return false
	}
	if e.Size > w.bud.Limits().Member {
		_ = w.bud.Exceed(budget.Member, e.Path)
		e.Unread = true
	}
	w.yield(e)
	return true
}

// IsMail says that an entity is a message by its type or, where the content
// agrees, by its name: the caller walks it in turn.
func IsMail(e *entity.Entity) bool {
	switch kind, _, _ := strings.Cut(e.MediaType, "/"); {
	case e.MediaType == "message/rfc822", e.MediaType == "message/global", e.MediaType == "message/news":
		return true
	case kind == "message" && opensAsMail(e.Body), e.MediaType == "text/rfc822-headers" && LooksLikeMail(e.Body):
		// Python's email parses whatever is called a message, Outlook what is
		// called the header of one.
		return hasContent(e.Body)
	}
	for _, n := range e.Names {
		lower := strings.ToLower(strings.TrimRight(n.Text, ". "))
		for _, ext := range [...]string{".eml", ".mht", ".mhtml", ".nws", ".mim", ".mime"} {
			if strings.HasSuffix(lower, ext) {
				return LooksLikeMail(e.Body) || OpensWithContent(e.Body)
			}
		}
	}
	return false
}

// opensAsMail says that the first line is a field of a message or of content.
func opensAsMail(b []byte) bool {
	b = bytes.TrimLeft(b, "\r\n")
	line, _ := lineAt(b, 0, len(b))
	name, _, ok := splitField(line)
	return ok && (opensMessage[name] || strings.HasPrefix(name, "content-")) || LooksLikeMail(b)
}

// hasContent says that more than a header stands in a message.
func hasContent(b []byte) bool {
	if ends, _ := carriage(b); ends {
		b = lineFeeds(b)
	}
	h := readHeader(b, 0, len(b), func([]byte) bool { return false })
	return len(bytes.TrimSpace(b[h.bodies[0]:])) > 0
}

// inline hands over the files that stand encoded within text.
func (w *walker) inline(text *entity.Entity) {
	w.findings = append(w.findings, Inline(text, w.hand)...)
}

// Inline gives the files that stand encoded within text: uuencode, yEnc, BinHex,
// and the whole where its name says base64. It ends when give says so.
func Inline(text *entity.Entity, give func(*entity.Entity) bool) (found []finding.Finding) {
	n := 0
	hand := func(f inlineFile) bool {
		n++
		e := &entity.Entity{Path: text.Path + "/uu" + strconv.Itoa(n), Depth: text.Depth + 1, Reading: text.Reading, Disposition: "attachment", Body: f.body, Size: int64(len(f.body))}
		in := names{e: e}
		in.plain(f.name, f.source)
		if n <= mostNotes {
			found = append(found, finding.New(finding.TextEncodedFile, text.Path, "how", f.source+" "+e.Name()))
		}
		return give(e)
	}
	inlineFiles(plainText(text), hand)
	if stem, ok := namedBase64(text); ok && n == 0 && seems64(text.Body) {
		hand(inlineFile{name: stem, source: "base64", body: decode64(nil, text.Body, restart).out})
	}
	return found
}

// plainText is a text whose letters are of two bytes, or of UTF-7, as its reader
// sees it; any other as it stands.
func plainText(e *entity.Entity) []byte {
	label := wideLabel(e.Body)
	if label == "" && (strings.HasPrefix(e.Charset, "utf-16") || strings.HasPrefix(e.Charset, "utf-32") || strings.HasSuffix(e.Charset, "utf-7")) {
		label = e.Charset
	}
	if label == "" {
		return e.Body
	}
	s, _ := charset.Decode(e.Body, label)
	return []byte(strings.TrimPrefix(s, "\ufeff"))
}

// namedBase64 says that an unpacker would decode the whole file for its name,
// and what it would call the content.
func namedBase64(e *entity.Entity) (stem string, ok bool) {
	for _, n := range e.Names {
		for _, ext := range [...]string{".b64", ".mim", ".base64"} {
			if len(n.Text) > len(ext) && strings.EqualFold(n.Text[len(n.Text)-len(ext):], ext) {
				return n.Text[:len(n.Text)-len(ext)], true
			}
		}
	}
	return "", false
}
