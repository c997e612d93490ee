package unpack

import (
	"bytes"
	"strconv"

	"sekisho/filter/charset"
)

// rtfHTML takes HTML out of the RTF that Outlook wraps it in (MS-OXRTFEX): tags
// stand in groups of their own, text between them as RTF has it.
type rtfHTML struct {
	b      []byte
	pos    int
	out    []byte
	page   string // charset of \'xx
	raw    []byte // bytes of \'xx that wait for it
	groups []rtfGroup
	skip   int // characters that stand for the \u before them
}

// rtfGroup is what holds within braces.
type rtfGroup struct {
	hidden bool // a table of fonts and the like
	tag    bool // an HTML tag
	format bool // RTF that the HTML has no use for (\htmlrtf)
}

// maxRTFGroups bounds nesting, beyond which groups are read as one.
const maxRTFGroups = 1000

// htmlInRTF returns the HTML, as UTF-8; ok is false where the RTF wraps none.
func htmlInRTF(b []byte) (html []byte, ok bool) {
	const head = 1024
	if !bytes.Contains(b[:min(len(b), head)], []byte("\\fromhtml")) {
		return nil, false
	}
	r := &rtfHTML{b: b, page: "cp1252", groups: []rtfGroup{{}}}
	for r.pos < len(r.b) {
		r.token()
	}
	r.flush()
	return r.out, true
}

func (r *rtfHTML) top() *rtfGroup { return &r.groups[len(r.groups)-1] }

func (r *rtfHTML) token() {
	c := r.b[r.pos]
	r.pos++
	switch c {
	case '{':
		if len(r.groups) < maxRTFGroups {
			r.groups = append(r.groups, *r.top())
		}
	case '}':
		if len(r.groups) > 1 {
			r.groups = r.groups[:len(r.groups)-1]
		}
	case '\\':
		r.control()
	case '\r', '\n':
	default:
		r.text(c)
	}
}

// control reads a control word or symbol behind its backslash.
func (r *rtfHTML) control() {
	if r.pos >= len(r.b) {
		return
	}
	c := r.b[r.pos]
	if c|0x20 < 'a' || c|0x20 > 'z' {
		r.pos++
		r.symbol(c)
		return
	}
	from := r.pos
	for r.pos < len(r.b) && r.b[r.pos]|0x20 >= 'a' && r.b[r.pos]|0x20 <= 'z' {
		r.pos++
	}
	word, at := string(r.b[from:r.pos]), r.pos
	if r.pos < len(r.b) && r.b[r.pos] == '-' {
		r.pos++
	}
	for r.pos < len(r.b) && r.b[r.pos] >= '0' && r.b[r.pos] <= '9' {
		r.pos++
	}
	value := string(r.b[at:r.pos])
	if r.pos < len(r.b) && r.b[r.pos] == ' ' {
		r.pos++
	}
	r.word(word, value)
}

func (r *rtfHTML) symbol(c byte) {
	switch c {
	case '\'':
		if r.pos+2 <= len(r.b) {
			if v, err := strconv.ParseUint(string(r.b[r.pos:r.pos+2]), 16, 8); err == nil {
				r.pos += 2
				r.quoted(byte(v))
			}
		}
	case '*': // a destination: shown only where it is a tag
		rest := r.b[r.pos:]
		r.top().tag = bytes.HasPrefix(rest, []byte("\\htmltag"))
		r.top().hidden = r.top().hidden || !r.top().tag
	case '\\', '{', '}':
		r.text(c)
	case '~':
		r.add("&nbsp;")
	case '_':
		r.text('-')
	}
}

func (r *rtfHTML) word(word, value string) {
	switch word {
	case "htmlrtf":
		r.top().format = value != "0"
	case "fonttbl", "colortbl", "stylesheet", "info", "pict":
		r.top().hidden = true
	case "ansicpg":
		r.page = "cp" + value
	case "par", "line":
		r.add("\r\n")
	case "tab":
		r.text('\t')
	case "u":
		if n, err := strconv.ParseInt(value, 10, 32); err == nil {
			r.add(string(rune(uint16(n))))
			r.skip = 1
		}
	}
}

// text adds a character as it stands.
func (r *rtfHTML) text(c byte) {
	if r.skip > 0 {
		r.skip--
		return
	}
	if r.shown() {
		r.flush()
		r.out = append(r.out, c)
	}
}

// quoted adds a byte of the code page.
func (r *rtfHTML) quoted(c byte) {
	if r.skip > 0 {
		r.skip--
		return
	}
	if r.shown() {
		r.raw = append(r.raw, c)
	}
}

func (r *rtfHTML) add(s string) {
	if r.skip = 0; r.shown() {
		r.flush()
		r.out = append(r.out, s...)
	}
}

// shown says that text here belongs to the HTML. A tag is shown even where the
// text around it is not.
func (r *rtfHTML) shown() bool { return !r.top().hidden && (r.top().tag || !r.top().format) }

// flush decodes the bytes of the code page, which may make up characters together.
func (r *rtfHTML) flush() {
	if len(r.raw) == 0 {
		return
	}
	text, _ := charset.Decode(r.raw, r.page)
	r.out, r.raw = append(r.out, text...), r.raw[:0]
}
