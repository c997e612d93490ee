package part

import (
	"bytes"
	"slices"
	"strings"

	"sekisho/filter/entity"
)

// layout is one way to take a part: split at a boundary, or whole.
type layout struct {
	multipart bool
	boundary  string
}

// maxBoundary bounds a boundary's length. RFC 2046 allows 70 and a line of mail
// 998, but what is not sent by SMTP has longer ones too.
const maxBoundary = 4096

// structure returns every layout that the header's Content-Type fields can be
// taken to declare, the most likely first. body are the bytes in which a
// boundary must occur to count. guess says that a boundary had to be guessed.
func (w *walker) structure(h *header, body []byte) (out []layout, guess bool) {
	add := func(l layout) {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	values := h.all("content-type")
	for _, v := range values {
		kind := mediaType(unfold(v))
		multi := strings.Contains(kind, "multipart") || strings.HasPrefix(looseType(v), "multipart")
		one := h
		if len(values) > 1 {
			one = &header{fields: []field{{"content-type", v}}}
		}
		declared := boundaries(one)
		if multi {
			w.know(declared)
		}
		found := w.occurring(declared, body)
		w.know(found)
		switch {
		case multi && len(found) == 0:
			l := w.guessed(h, body)
			guess = guess || l.multipart
			add(l)
		case !multi && (kind != "" || len(found) == 0):
			add(layout{})
		}
		for _, b := range found {
			add(layout{true, b})
		}
	}
	if len(out) == 0 {
		out = []layout{{}}
	}
	return out, guess
}

// know remembers the boundaries of a multipart, to be searched for within lines.
func (s *sink) know(boundaries []string) {
	for _, b := range boundaries {
		if b != "" && !s.knownIs[b] && len(s.known) <= mostSought {
			if s.knownIs == nil {
				s.knownIs = map[string]bool{}
			}
			s.knownIs[b] = true
			s.known = append(s.known, b)
		}
	}
}

// boundaries are the values that a Content-Type's boundary can be taken to have.
func boundaries(h *header) []string {
	if !bytes.Contains(bytes.ToLower(h.first("content-type")), []byte("boundary")) {
		return nil
	}
	if b, ok := plainBoundary(h); ok {
		return []string{b}
	}
	n := names{e: &entity.Entity{}}
	n.from(h.params("content-type"), "boundary")
	var out []string
	for _, n := range n.e.Names {
		written := []string{n.Text, strings.TrimLeft(n.Text, padding7), cutNUL(n.Text)}
		if n.Raw != nil {
			written = append(written, string(n.Raw)) // as it stands, not decoded
		}
		for _, b := range written {
			if b = strings.TrimRight(b, padding7); len(b) <= maxBoundary && !slices.Contains(out, b) {
				out = append(out, b)
			}
		}
	}
	if len(out) == 0 {
		out = append(out, "")
	}
	return out
}

// plainBoundary reads a boundary that can be read in one way only, as nearly all
// are written.
func plainBoundary(h *header) (boundary string, ok bool) {
	const key = "boundary="
	if len(h.all("content-type")) != 1 {
		return "", false
	}
	s := unfold(h.first("content-type"))
	at := strings.Index(strings.ToLower(s), key)
	if at < 1 || !plainASCII(s) || strings.ContainsAny(s, "()\\%*,\r\n\x00") || strings.Count(strings.ToLower(s), "boundary") > 1 || strings.IndexByte("; \t", s[at-1]) < 0 {
		return "", false
	}
	before, value := s[:at], s[at+len(key):]
	if !strings.HasSuffix(strings.TrimRight(before, " \t"), ";") || strings.Count(before, "\"")%2 > 0 {
		return "", false
	}
	if strings.HasPrefix(value, "\"") {
		text, after, closed := strings.Cut(value[1:], "\"")
		return text, closed && text != "" && !strings.ContainsAny(text, "; \t\v\f?") && (after == "" || after[0] == ';' && keyed(after[1:]))
	}
	text, after, _ := strings.Cut(value, ";")
	return text, text != "" && !strings.ContainsAny(text, "\" \t\v\f'`?=:") && !strings.HasPrefix(text, "3D") && keyed(after)
}

// keyed says that all segments of a field's text are parameters with a key: one
// without could belong to the value before it.
func keyed(s string) bool {
	for segment := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(segment) != "" && strings.IndexByte(segment, '=') < 1 {
			return false
		}
	}
	return true
}

func cutNUL(s string) string {
	head, _, _ := strings.Cut(s, "\x00")
	return head
}

// maxSearches bounds the searches for boundaries that may not be there, each of
// which can cost the length of the message.
const maxSearches = 64

// occurring keeps the boundaries that a delimiter line in body uses; where none
// is used as it stands, those that begin one.
func (w *walker) occurring(list []string, body []byte) []string {
	var exact, begins []string
	for _, b := range list {
		w.searches++
		if w.searches > maxSearches {
			exact = append(exact, b)
			continue
		}
		switch delimits(b, body) {
		case wholly:
			w.searches-- // found at once, as a rule
			exact = append(exact, b)
		case partly:
			begins = append(begins, b)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	for _, b := range begins {
		if w.prefixes == nil {
			w.prefixes = map[string]bool{}
		}
		w.prefixes[b] = true
	}
	return begins
}

// usage says how a boundary is used by a body's delimiter lines.
type usage int

const (
	unused usage = iota
	partly       // the lines go on behind it
	wholly
)

// delimits says how the lines of body use boundary b.
func delimits(b string, body []byte) usage {
	mark := []byte("--" + b)
	best := unused
	for pos := 0; pos < len(body); {
		i := bytes.Index(body[pos:], mark)
		if i < 0 {
			break
		}
		at := pos + i
		if at == 0 || body[at-1] == '\n' || body[at-1] == '\r' {
			rest := tail(body[at+len(mark):])
			switch {
			case b == "" && !emptyDelimiter(body[at:]):
			case len(rest) == 0 || string(rest) == "--":
				return wholly
			case b != "":
				best = partly
			}
		}
		pos = at + len(mark)
	}
	return best
}

// tail is the rest of a delimiter line without padding. It looks no further than
// tells padding from text.
func tail(b []byte) []byte {
	b = b[:min(len(b), maxBoundary)]
	if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
		b = b[:i]
	}
	return bytes.TrimRight(b, padding7)
}

// emptyDelimiter tells the delimiter of an empty boundary from the line that
// opens a signature: a field follows.
func emptyDelimiter(b []byte) bool {
	line, next := lineAt(b, 0, len(b))
	after, _ := lineAt(b, next, len(b))
	_, _, ok := splitField(after)
	return string(bytes.TrimRight(line, padding7)) == "--" && ok
}

// guessed is the layout of a multipart without a boundary that occurs: split at
// what looks like a delimiter, as mail programs do.
func (w *walker) guessed(h *header, body []byte) layout {
	const lines = 200
	pos, end := 0, len(body)
	for n := 0; n < lines && pos < end; n++ {
		line, next := lineAt(body, pos, end)
		after, _ := lineAt(body, next, end)
		if _, ok := w.stack.match(line, false); ok {
			break // the part ends here
		}
		if name, _, ok := splitField(after); ok && strings.HasPrefix(name, "content-") && len(line) > 2 && string(line[:2]) == "--" {
			return layout{true, strings.TrimRight(string(line[2:]), " \t")}
		}
		pos = next
	}
	if list, _ := transfer(h); list[0] != identity || seems64(body[:pos]) {
		if all := boundaries(h); len(all) > 0 {
			return layout{true, all[0]} // the delimiters may be under the encoding
		}
	}
	return layout{}
}

// guessBoundary finds the boundary of a multipart that stands in text, by a file
// below a line that looks like its delimiter. A text that quotes how mail is
// made has the lines and no file.
func guessBoundary(text []byte) (boundary string, found bool) {
	const most = 8
	var tried []string
	for pos := dashLine(text, 0); pos >= 0; {
		line, next := lineAt(text, pos, len(text))
		if len(line) > 2 && len(line) <= maxBoundary {
			boundary = strings.TrimRight(string(line[2:]), padding7)
			if opensFile(text[next:]) {
				return boundary, true
			}
			if opensContent(text[next:]) && len(tried) < most && !slices.Contains(tried, boundary) {
				tried = append(tried, boundary)
			}
		}
		pos = dashLine(text, next)
	}
	i := slices.IndexFunc(tried, func(b string) bool { return filesInLine(text, b) })
	if i < 0 {
		return "", false
	}
	return tried[i], true
}

// filesInLine says that a file stands below a delimiter within a line.
func filesInLine(text []byte, boundary string) bool {
	freed, found := inline(text, boundary, false)
	if !found {
		return false
	}
	mark := []byte("\n--" + boundary)
	for pos := 0; ; {
		i := bytes.Index(freed[pos:], mark)
		if i < 0 {
			return false
		}
		_, pos = lineAt(freed, pos+i+1, len(freed))
		if opensFile(freed[pos:]) {
			return true
		}
	}
}

// opensContent says that b begins with a field of content.
func opensContent(b []byte) bool { return len(b) > 8 && bytes.EqualFold(b[:8], []byte("content-")) }

// opensFile says that b begins with the header of a part that is a file: encoded
// or named.
func opensFile(b []byte) bool {
	const most = 4 << 10
	if first, _ := lineAt(b, 0, len(b)); len(bytes.TrimSpace(first)) == 0 {
		return false
	}
	// The next line of two dashes ends it, so that many headers cost their length.
	h := readHeader(b[:min(len(b), most)], 0, min(len(b), most), func(line []byte) bool { return bytes.HasPrefix(line, []byte("--")) })
	list, _ := transfer(&h)
	return list[0] != identity || h.parameter("name") != "" || h.first("content-disposition") != nil
}

// mediaType is the type/subtype of a Content-Type in lower case, comments and
// quotes taken out; "" where there is none.
func mediaType(value string) string {
	main, _, _ := strings.Cut(stripComments(value), ";")
	main = strings.ToLower(strings.Trim(main, " \t\r\n\"'"))
	kind, sub, ok := strings.Cut(main, "/")
	kind, sub = strings.TrimRight(kind, " \t"), strings.TrimLeft(sub, " \t")
	if i := strings.IndexAny(sub, " \t,"); i >= 0 {
		sub = sub[:i]
	}
	if !ok || kind == "" || sub == "" || strings.ContainsAny(kind+sub, "=\x00") || strings.ContainsAny(kind, " \t,") {
		return ""
	}
	return kind + "/" + sub
}

// looseType is the start of a Content-Type as a reader sees it that cares for
// neither slash nor quotes.
func looseType(value []byte) string {
	s := strings.ToLower(strings.TrimLeft(stripComments(unfold(value)), " \t\"'"))
	return strings.TrimPrefix(s, "x-")
}
