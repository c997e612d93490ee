package part

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"sekisho/filter/charset"
)

// Header is what the message header says to its reader, decoded.
type Header struct {
	Subject, MessageID, Date string
	From, ReplyTo, Sender    []Address
	To                       []Address
	// FromOther are further authors that some program reads out of the From
	// fields, or in their place where they name none; empty in honest mail.
	FromOther []Address
	// FromFields is the number of From fields; 1 in any honest message.
	FromFields int
	// Undecoded are the bytes of those fields above that no charset explains
	// whole, by the field's name in lower case; nil in most mail.
	Undecoded map[string][]byte
}

// Address is one mailbox of an address field (RFC 5322 §3.4).
type Address struct {
	// Name is the decoded display name.
	Name string
	// Addr is local-part@domain as it stands, without angle brackets.
	Addr string
	// Domain is the part after the last @, lower case, without final dot.
	Domain string
}

// mostAddresses bounds the addresses kept of one field; more tell no more.
const mostAddresses = 1000

// mostAngles bounds the bracketed addresses of one mailbox, which has one.
const mostAngles = 8

// ReadHeader reads the header of raw alone: what Walk returns, without the cost
// of its parts.
func ReadHeader(raw []byte) Header {
	h := readHeader(raw, 0, len(raw), func([]byte) bool { return false })
	return summary(&h)
}

func summary(h *header) Header {
	from := addresses(h.all("from"))
	return Header{
		Subject:    shownText(h.first("subject")),
		MessageID:  shownText(h.first("message-id")),
		Date:       shownText(h.first("date")),
		From:       from,
		FromOther:  otherAuthors(h, from),
		ReplyTo:    addresses(h.all("reply-to")),
		Sender:     addresses(h.all("sender")),
		To:         addresses(h.all("to")),
		FromFields: len(h.all("from")),
		Undecoded:  undecoded(h),
	}
}

// mostUndecoded bounds the bytes kept of one field.
const mostUndecoded = 1 << 10

// undecoded keeps the bytes where the text that stands for them says less.
func undecoded(h *header) map[string][]byte {
	var out map[string][]byte
	for _, name := range [...]string{"subject", "from", "sender", "reply-to", "message-id"} {
		value := h.first(name)
		if plainASCII(string(value)) && !bytes.Contains(value, []byte("=?")) || bytes.Contains(value, []byte("\uFFFD")) {
			continue
		}
		if strings.Contains(shownText(value), "\uFFFD") {
			if out == nil {
				out = map[string][]byte{}
			}
			out[name] = bytes.TrimSpace(value[:min(len(value), mostUndecoded)])
		}
	}
	return out
}

func addresses(values [][]byte) []Address {
	var out []Address
	for _, v := range values {
		r := addressReader{s: legible(unfold(v))}
		r.read(mostAddresses - len(out))
		out = append(out, r.out...)
	}
	return out
}

// legible decodes raw 8-bit and escaped text, in which half a character may be
// a quote, a backslash or a comma to whoever reads bytes.
func legible(s string) string {
	if plainASCII(s) || utf8.ValidString(s) && strings.IndexByte(s, 0x1b) < 0 {
		return s
	}
	if text, label := charset.Guess([]byte(s)); label != "unknown" {
		return text
	}
	return s
}

// addressReader parts an address list at its commas, quotes and comments
// respected. It is lenient: what a reader would see is what counts.
type addressReader struct {
	splitting
	s       string
	out     []Address
	words   strings.Builder // text outside brackets and comments
	comment strings.Builder
	angles  []string
	group   string
	behind  strings.Builder // text after a bracketed address
	open    bool            // a quote or comment has no end
}

// splitting says in which other way than most a program splits a list.
type splitting struct {
	flat    bool // quotes and parentheses are characters like any other
	escapes bool // a backslash takes the next character's meaning anywhere
}

func (r *addressReader) read(most int) {
	for i := 0; i < len(r.s) && len(r.out) < most; {
		i = r.step(i)
	}
	r.end()
}

// step takes one token at i and returns where the next begins.
func (r *addressReader) step(i int) int {
	switch c := r.s[i]; {
	case c == '"' && !r.flat:
		return r.quoted(i + 1)
	case c == '(' && !r.flat:
		return r.parenthesis(i + 1)
	case c == '<':
		end := strings.IndexAny(r.s[i+1:], "<>")
		if end < 0 {
			end = len(r.s) - i - 1
		}
		if len(r.angles) < mostAngles {
			r.angles = append(r.angles, r.s[i+1:i+1+end])
		}
		i += 1 + end
		if i < len(r.s) && r.s[i] == '>' {
			i++
		}
		return i
	case c == ',' || c == ';':
		r.end()
	case c == ':':
		r.group = r.words.String() // RFC 5322 §3.4
		r.words.Reset()
	case c == '\\' && r.escapes && i+1 < len(r.s):
		r.words.WriteByte(r.s[i+1])
		return i + 2
	case c == '\\':
	default:
		r.words.WriteByte(c)
		if len(r.angles) > 0 {
			r.behind.WriteByte(c)
		}
	}
	return i + 1
}

func (r *addressReader) quoted(i int) int {
	for ; i < len(r.s) && r.s[i] != '"'; i++ {
		if r.s[i] == '\\' && i+1 < len(r.s) {
			i++
		}
		r.words.WriteByte(r.s[i])
	}
	r.open = r.open || i >= len(r.s)
	return i + 1
}

func (r *addressReader) parenthesis(i int) int {
	for depth := 1; i < len(r.s); i++ {
		switch r.s[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return i + 1
		}
		r.comment.WriteByte(r.s[i])
	}
	r.open = true
	return i
}

// end closes the address before a comma.
func (r *addressReader) end() {
	name := strings.TrimSpace(r.words.String())
	comment := strings.TrimSpace(r.comment.String())
	angles := r.angles
	r.behind.WriteByte(' ')
	r.words.Reset()
	r.comment.Reset()
	r.angles = nil
	if len(angles) == 0 {
		if name != "" {
			r.add(comment, name)
		}
		return
	}
	for _, a := range angles {
		r.add(r.shown(name, comment), a)
	}
}

// shown is the display name: the phrase with its comment, or what stands in its
// place.
func (r *addressReader) shown(name, comment string) string {
	switch {
	case name != "" && comment != "":
		return name + " (" + comment + ")"
	case name == "" && comment == "" && strings.Contains(r.group, "@"):
		return strings.TrimSpace(r.group)
	}
	return name + comment
}

func (r *addressReader) add(name, addr string) {
	shown, _, _ := decodeWords(name)
	addr, _, _ = decodeWords(strings.TrimSpace(addr))
	addr = strings.Trim(addr, "<> ")
	if bare := stripComments(addr); bare != addr {
		r.behind.WriteString(addr + " ") // who knows no comments there reads another
		addr = strings.TrimSpace(bare)
	}
	if i := strings.LastIndexByte(addr, ':'); strings.HasPrefix(addr, "@") && i > 0 {
		r.behind.WriteString(addr[:i])
		addr = addr[i+1:] // behind an obsolete route (RFC 5322 §4.4)
	}
	domain := ""
	if i := strings.LastIndexByte(addr, '@'); i >= 0 {
		domain = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(addr[i+1:])), ".")
	}
	r.out = append(r.out, Address{shown, addr, domain})
}
