package part

import (
	"slices"
	"strings"
)

// param is one parameter of a structured field with every value that some
// reader takes it to have, the most likely first.
type param struct {
	key  string
	vals []string
	raw  string // the text between '=' and the next ';', for joining
}

// paramReader reads the parameters of one field's text.
type paramReader struct {
	s string
	// wide says that quotes and semicolons inside two-byte characters count
	// for nothing, as charset-aware readers have it.
	wide   bool
	params []param
	read   int   // values that were read in order
	starts []int // where values began, so that the loose search adds no repeats
	tails  int   // segments without '=' joined so far
	open   bool  // an ISO-2022 shift was met that never ends
}

// mostParams bounds the parameters of one reading of one field: continuations
// come by the hundred, not by the million.
const mostParams = 200000

// mostLoose bounds the readings beside the standard's, each of which may cost
// the length of the field.
const mostLoose = 32

// longField is where the readings beside the standard's become fewer.
const longField = 8 << 10

// parseParams reads the parameters of s in the standard's order, then those
// that stand where the standard has none.
func parseParams(s string, wide bool) []param {
	r := paramReader{s: s, wide: wide}
	if n := strings.Count(s, ";"); n > 0 {
		r.params, r.starts = make([]param, 0, min(n+1, mostParams)), make([]int, 0, min(n+1, mostParams))
	}
	i := r.until(0, ";")
	for i < len(s) && len(r.params) < mostParams {
		i = r.next(i + 1)
	}
	r.read = len(r.starts)
	r.loose()
	return r.params
}

// until returns the index of the first byte of any at or after i that is not
// in quotes, len(s) without one.
func (r *paramReader) until(i int, any string) int {
	for i < len(r.s) {
		c := r.s[i]
		switch {
		case c == '"':
			_, i = r.quoted(i)
			continue
		case strings.IndexByte(any, c) >= 0:
			return i
		}
		i += r.width(i)
	}
	return i
}

// quoted returns the text in the quotes that open at i, escapes kept, and the
// index behind the closing quote. Without one the text goes to the end.
func (r *paramReader) quoted(i int) (text string, next int) {
	from := i + 1
	for i = from; i < len(r.s); {
		switch r.s[i] {
		case '"':
			return r.s[from:i], i + 1
		case '\\':
			i++
		}
		i += r.width(i)
	}
	return r.s[from:], len(r.s)
}

// width is the length of the character at i: two where a charset-aware reader
// takes two bytes of CP932 together, the whole run where ISO-2022 shifts.
func (r *paramReader) width(i int) int {
	if !r.wide || i >= len(r.s) {
		return 1
	}
	c := r.s[i]
	switch {
	case c == 0x1b && !r.open && strings.HasPrefix(r.s[i:], "\x1b$"):
		if end := strings.Index(r.s[i:], "\x1b("); end > 0 {
			return end + 2
		}
		r.open = true
	case (c >= 0x81 && c <= 0x9f || c >= 0xe0 && c <= 0xfc) && i+1 < len(r.s) && r.s[i+1] >= 0x40:
		return 2
	}
	return 1
}

// next reads the parameter at i and returns the index of the ';' behind it.
func (r *paramReader) next(i int) int {
	eq := r.until(i, "=;")
	if eq >= len(r.s) || r.s[eq] == ';' {
		r.tail(r.s[i:eq])
		return eq
	}
	return r.value(cleanKey(r.s[i:eq]), eq+1)
}

// tail joins a segment without '=' to the parameter before it: an unquoted
// semicolon cut the value for some readers only.
func (r *paramReader) tail(segment string) {
	n := len(r.params)
	if r.tails++; n == 0 || r.tails > mostLoose || strings.Trim(segment, " \t") == "" {
		return
	}
	last := &r.params[n-1]
	last.raw += ";" + segment
	last.vals = append(last.vals, unquote(strings.Trim(last.raw, " \t")))
}

// value reads the value at i for key and returns the index of the ';' behind.
func (r *paramReader) value(key string, i int) int {
	for i < len(r.s) && (r.s[i] == ' ' || r.s[i] == '\t') {
		i++
	}
	r.starts = append(r.starts, i)
	p := param{key: key}
	var next int
	if i < len(r.s) && r.s[i] == '"' {
		text, closed := r.quoted(i)
		next = r.until(closed, ";")
		p.vals = r.quotedValues(text, strings.Trim(r.s[closed:next], " \t"))
	} else {
		next = r.until(i, ";")
		p.vals = bareValues(strings.Trim(r.s[i:next], " \t"))
	}
	p.raw = r.s[i:next]
	r.params = append(r.params, p)
	return next
}

// quotedValues are the readings of a quoted string with after behind it.
func (r *paramReader) quotedValues(text, after string) []string {
	plain := r.unescape(text)
	vals := []string{plain}
	after, _, _ = strings.Cut(after, "\r") // whoever reads on behind quotes takes it for a line end
	// A reader that knows no quoted-pairs ends the text at an escaped quote.
	if plain != text && plain != strings.ReplaceAll(text, `\"`, `"`) {
		vals = append(vals, text)
	}
	if after != "" {
		vals = append(vals, plain+unquote(after), "\""+text+"\""+after)
	}
	for _, cut := range [...]byte{'"', ';'} {
		if i := r.indexByte(text, cut); i > 0 && strings.Trim(text[:i], `\`) != "" {
			vals = append(vals, text[:i])
		}
	}
	return vals
}

// bareValues are the readings of a value without quotes.
func bareValues(raw string) []string {
	vals := []string{raw}
	if s := strings.TrimPrefix(raw, "3D"); s != raw {
		vals = append([]string{unquote(s)}, vals...) // quoted-printable left in the header
	}
	if bare := strings.TrimSpace(stripComments(raw)); bare != raw {
		vals = append(vals, bare)
	}
	if i := strings.IndexAny(raw, " \t"); i > 0 {
		vals = append(vals, raw[:i])
	}
	if i := strings.IndexAny(raw, ",\""); i > 0 {
		vals = append(vals, raw[:i])
	}
	if s := unquote(raw); s != raw {
		vals = append(vals, s)
	}
	if s := strings.Trim(raw, "'`"); s != raw && s != "" {
		vals = append(vals, s)
	}
	return vals
}

// loose finds the keys that matter wherever they stand: behind a blank, a comma, a
// line end, or inside another value.
func (r *paramReader) loose() {
	folded := strings.ToLower(r.s)
	if len(folded) != len(r.s) {
		return
	}
	most := len(r.params) + mostLoose
	if len(r.s) > longField {
		most = len(r.params) + mostLoose/8
	}
	for _, key := range [...]string{"name", "boundary"} {
		for i := 0; i < len(folded) && len(r.params) < most; {
			at := strings.Index(folded[i:], key)
			if at < 0 {
				break
			}
			i += at
			r.found(folded, i, key)
			i += len(key)
		}
	}
}

// found keeps the parameter whose key ends with key at i, when it is one.
func (r *paramReader) found(folded string, i int, key string) {
	end := i + len(key)
	for end < len(folded) && strings.IndexByte("*0123456789", folded[end]) >= 0 {
		end++
	}
	full := key + folded[i+len(key):end]
	if i >= 4 && folded[i-4:i] == "file" {
		i, full = i-4, "file"+full
	}
	for end < len(folded) && (folded[end] == ' ' || folded[end] == '\t') {
		end++
	}
	if end >= len(folded) || folded[end] != '=' || i > 0 && keyByte(folded[i-1]) {
		return
	}
	from := end + 1
	for from < len(folded) && (folded[from] == ' ' || folded[from] == '\t') {
		from++
	}
	_, known := slices.BinarySearch(r.starts[:r.read], from)
	if !known && !slices.Contains(r.starts[r.read:], from) {
		r.value(full, from)
	}
}

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// cleanKey brings a parameter's name to its plain form.
func cleanKey(s string) string {
	s = strings.Map(func(c rune) rune {
		if c <= ' ' || c >= 0x7f {
			return -1 // no key has them; a byte order mark is not seen
		}
		return c
	}, stripComments(s))
	return strings.ToLower(s)
}

func unquote(s string) string { return unescape(strings.ReplaceAll(s, "\"", "")) }

// unescape undoes quoted-pairs, but for a backslash that is the second byte of a
// character.
func (r *paramReader) unescape(s string) string {
	if !r.wide || plainASCII(s) {
		return unescape(s)
	}
	in := paramReader{s: s, wide: true}
	var out strings.Builder
	for i := 0; i < len(s); {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		n := in.width(i)
		out.WriteString(s[i : i+n])
		i += n
	}
	return out.String()
}

// indexByte finds c where it is a character of its own.
func (r *paramReader) indexByte(s string, c byte) int {
	in := paramReader{s: s, wide: r.wide}
	for i := 0; i < len(s); i += in.width(i) {
		if s[i] == c {
			return i
		}
	}
	return -1
}

// unescape undoes quoted-pairs (RFC 5322 §3.2.1).
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// stripComments takes RFC 822 comments out of s, except in quotes. An unclosed
// one is text.
func stripComments(s string) string {
	if strings.IndexByte(s, '(') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	depth, from, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && depth > 0 && i+1 < len(s):
			out = append(out, c)
			i++ // a quoted-pair opens and closes nothing
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			if depth++; depth == 1 {
				from = len(out)
			}
		case c == ')' && depth > 0:
			if depth--; depth == 0 {
				out = out[:from]
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
