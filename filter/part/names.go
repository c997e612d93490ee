package part

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"sekisho/filter/charset"
	"sekisho/filter/entity"
)

// maxNames bounds the candidate names of one part. An honest part has one to
// four; the ways of reading the worst specimen give some thirty.
const maxNames = 64

// names gathers the candidate names of one part.
type names struct {
	e    *entity.Entity
	over bool // there were more than maxNames
}

// fileNames gives e every name that some program could show, the one that
// most show first.
func fileNames(h *header, e *entity.Entity) (over bool) {
	n := names{e: e}
	disposition, kind := h.params("content-disposition"), h.params("content-type")
	n.from(disposition, "filename")
	n.from(kind, "name")
	// The other key of each field: rare, and honoured by some.
	n.from(kind, "filename")
	if e.Disposition != "form-data" {
		n.from(disposition, "name")
	}
	if len(e.Names) == 0 {
		n.borrowed(h)
	}
	return n.over
}

// from reads key out of every reading of a field.
func (n *names) from(readings [][]param, key string) {
	for _, params := range readings {
		n.params(params, key)
	}
}

// params are the parameters of all fields of a name, once for each reading of
// each field's text, and once with the fields joined.
func (h *header) params(name string) [][]param {
	if known, ok := h.parsed[name]; ok {
		return known
	}
	var out [][]param
	var joined []param
	values := h.all(name)
	for _, v := range values {
		for i, text := range texts(v) {
			params := parseParams(text, true)
			out = append(out, params)
			if i == 0 && len(values) > 1 {
				joined = append(joined, params...)
			}
			if !plainASCII(text) {
				out = append(out, bytewise(text))
			}
		}
	}
	if len(values) > 1 {
		out = append(out, joined)
	}
	if h.parsed == nil {
		h.parsed = map[string][][]param{}
	}
	h.parsed[name] = out
	return out
}

// bytewise are the parameters as a reader sees them that knows no two-byte
// characters. Values that the cut left in shreds are no names: an honest name in
// raw ISO-2022-JP would make them too.
func bytewise(text string) []param {
	params := parseParams(text, false)
	for i, p := range params {
		params[i].vals = slices.DeleteFunc(p.vals, func(v string) bool { return strings.ContainsAny(v, "\x1b\"") })
	}
	return params
}

// postfixHeader is how much of a field Postfix keeps (header_size_limit,
// postconf(5)): behind the next one, the field ends there.
const postfixHeader = 102400

// texts are the readings of a field's text: unfolded by the standard, folds
// taken out whole, comments taken out.
func texts(value []byte) []string {
	out := []string{unfold(value)}
	if len(value) > postfixHeader {
		out = append(out, unfold(value[:postfixHeader]))
	}
	if bytes.IndexByte(value, '\n') >= 0 {
		if s := squeeze(value); s != out[0] && foldInValue(value) {
			out = append(out, s)
		}
	}
	if strings.HasPrefix(out[0], "=?") {
		// RFC 2047 §5 forbids it; programs decode the header before they read it.
		if s, _, _ := decodeWords(out[0]); s != out[0] {
			out = append(out, s)
		}
	}
	if notIndented(value) {
		out = append(out, unfold(bytes.ReplaceAll(value, []byte("\n"), []byte(";"))))
	}
	if bytes.IndexByte(value, '\r') >= 0 {
		if s := strings.ReplaceAll(out[0], "\r", ""); s != out[0] {
			out = append(out, s)
		}
	}
	if s := stripComments(out[0]); s != out[0] {
		out = append(out, s)
	}
	return out
}

// notIndented says that a line of value goes on with the one before it though no
// blank says so.
func notIndented(value []byte) bool {
	i := bytes.IndexByte(value, '\n')
	return i >= 0 && i+1 < len(value) && value[i+1] != ' ' && value[i+1] != '\t'
}

// foldInValue says that a line ends within a value, where taking the fold out
// with or without its blank makes a difference to a name.
func foldInValue(value []byte) bool {
	quoted, inside := false, false
	for _, c := range value {
		switch c {
		case '"':
			quoted, inside = !quoted, false
		case '=':
			inside = true
		case ';':
			inside = false
		case '\n':
			if quoted || inside {
				return true
			}
		}
	}
	return false
}

// plainASCII says that a text holds neither 8-bit bytes nor escapes, so that
// quotes can be read in one way only.
func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == 0x1b {
			return false
		}
	}
	return true
}

// params adds the values of key: extended, in pieces, then plain.
func (n *names) params(params []param, key string) {
	for _, p := range params {
		if p.key != key+"*" {
			continue
		}
		for _, v := range p.vals {
			n.extended(v, key+"*")
		}
	}
	for _, segs := range assemblies(segments(params, key)) {
		texts, label := joinSegments(segs)
		for _, t := range texts {
			n.add(t, key+"*", label, asSent(segs))
		}
		n.plain(joinRaw(segs), key+"*")
	}
	for _, p := range params {
		if p.key != key {
			continue
		}
		for _, v := range p.vals {
			n.plain(v, key)
		}
	}
}

// joinRaw joins the pieces as they stand, for encoded-words inside them.
func joinRaw(segs []segment) string {
	var b strings.Builder
	for _, s := range segs {
		b.WriteString(s.value)
	}
	if s := b.String(); strings.Contains(s, "=?") {
		return s
	}
	return ""
}

// asSent are the pieces as they stood, one behind the other.
func asSent(segs []segment) []byte {
	var out []byte
	for _, s := range segs {
		out = append(out, s.value...)
	}
	return out
}

// extended adds a value of RFC 2231 §4.
func (n *names) extended(value, source string) {
	value = n.ends(value)
	label, rest := splitCharset(value)
	raw := percent(rest)
	n.add(inCharset(raw, label), source, label, raw)
	if own, ok := charset.Decode(raw, label); ok && !utf8.Valid(raw) {
		n.add(own, source, label, raw) // as the label has it, where it is not believed
	}
	if strings.Contains(rest, "=?") {
		n.plain(rest, source)
	}
	n.overlong(raw, source)
}

// maxName bounds the length of a name. Postfix keeps 100 kB of a field; what is
// shown and what a file system takes are its two ends.
const maxName = 64 << 10

// ends returns value, or its two ends where it is too long.
func (n *names) ends(value string) string {
	if len(value) <= maxName {
		return value
	}
	n.over = true
	return value[:maxName/2] + value[len(value)-maxName/2:]
}

// plain adds a value as it stands, encoded-words decoded.
func (n *names) plain(value, source string) {
	if value == "" {
		return
	}
	value = n.ends(value)
	joined, single, label := decodeWords(value)
	n.add(joined, source, label, []byte(value))
	if single != joined {
		n.add(single, source, label, []byte(value))
	}
	if strings.Contains(joined, "=?") && strings.Contains(joined, "?") {
		again, _, label := decodeWords(joined)
		n.add(again, source, label, []byte(value))
	}
	// What seems to be quoted-printable left in the header: some programs undo it.
	if s := string(decodeQP(nil, []byte(value))); s != value && !strings.Contains(value, "=?") && !strings.HasPrefix(source, "boundary") {
		n.keep(strings.Trim(s, "\""), source+"=", label, []byte(value))
	}
	n.overlong([]byte(value), source)
}

// add keeps a decoded name, and what is left of it by programs that undo
// percent coding, or that stop at NUL.
func (n *names) add(text, source, label string, raw []byte) {
	n.keep(text, source, label, raw)
	if strings.IndexByte(text, '%') >= 0 {
		if plain := percent(text); string(plain) != text {
			decoded, _ := charset.Guess(plain)
			n.keep(decoded, source+"%", label, []byte(text))
			n.halves(decoded, source+"%", label)
		}
	}
	n.halves(text, source, label)
}

func (n *names) halves(text, source, label string) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		n.keep(text[:i], source, label, []byte(text))
		n.keep(text[strings.LastIndexByte(text, 0)+1:], source, label, []byte(text))
	}
}

func (n *names) keep(text, source, label string, raw []byte) {
	if len(n.e.Names) >= maxNames {
		n.over = true
		return
	}
	if string(raw) == text {
		raw = nil
	}
	if plainASCII(text) {
		label = ""
	}
	n.e.AddName(entity.Name{Text: strings.ToValidUTF8(text, "\uFFFD"), Source: source, Charset: label, Raw: raw})
}

// overlong adds the name that a careless UTF-8 decoder makes of raw: two or
// three bytes for an ASCII character.
func (n *names) overlong(raw []byte, source string) {
	if !bytes.ContainsAny(raw, "\xc0\xc1\xe0") && bytes.IndexByte(raw, 0xc0) < 0 && bytes.IndexByte(raw, 0xc1) < 0 {
		return
	}
	if utf8.Valid(raw) {
		return
	}
	var out strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c&0xfe == 0xc0 && i+1 < len(raw) && raw[i+1]&0xc0 == 0x80 {
			c = c<<6 | raw[i+1]&0x3f
			i++
		} else if c == 0xe0 && i+2 < len(raw) && raw[i+1]&0xfe == 0x80 {
			c = raw[i+1]<<6 | raw[i+2]&0x3f
			i += 2
		}
		out.WriteByte(c)
	}
	if text := out.String(); text != string(raw) && utf8.ValidString(text) {
		n.keep(text, source, "utf-8", raw)
	}
}

// borrowed takes a name from where a program without a better one looks.
func (n *names) borrowed(h *header) {
	for _, v := range h.all("content-location") {
		n.plain(lastSegment(unfold(v)), "content-location")
	}
	for _, v := range h.all("content-description") {
		if s := shownText(v); strings.IndexByte(s, '.') >= 0 {
			n.plain(s, "content-description")
		}
	}
}

// lastSegment is the last part of a URL's path, "" when it has only a host.
func lastSegment(url string) string {
	url = strings.Trim(url, "<>\"' ")
	if _, rest, ok := strings.Cut(url, "://"); ok {
		_, url, ok = strings.Cut(rest, "/")
		if !ok {
			return ""
		}
	}
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	return url[strings.LastIndexAny(url, "/\\")+1:]
}
