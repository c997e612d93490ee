package specimen

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
)

// The charsets of a mail's text and header.
const (
	UTF8      = "utf-8"
	ISO2022JP = "iso-2022-jp"
	ShiftJIS  = "shift_jis"
)

// Naming is a way in which mail programs write the name of an attachment.
type Naming int

// The ways of naming.
const (
	NameRFC2231 Naming = iota // filename*=utf-8''...
	NameRFC2047               // filename="=?ISO-2022-JP?B?...?=", as Outlook does against RFC 2047 §5
	NameRaw                   // the bytes of the mail's charset within quotes
)

// Mailbox is an address with its display name.
type Mailbox struct{ Name, Addr string }

// Attachment is one attached file.
type Attachment struct {
	Name   string
	Naming Naming
	Type   string // application/octet-stream when empty
	Data   []byte
}

// MailSpec says what a mail holds. MessageID is without angle brackets.
type MailSpec struct {
	From, To  Mailbox
	Subject   string
	Date      string
	MessageID string
	// Charset is that of Text, HTML and the header; empty for ASCII.
	Charset     string
	Text        string
	HTML        string // an alternative to Text
	Calendar    []byte // an invitation as a further alternative
	Attachments []Attachment
	// Signed wraps all in multipart/signed with the shape of an S/MIME
	// signature, which is none.
	Signed bool
	// Extra are further header fields, complete lines without line end.
	Extra []string
}

// Mail returns the message, its lines ended by CRLF.
func Mail(m MailSpec) []byte {
	head := []string{
		"From: " + m.mailbox(m.From),
		"To: " + m.mailbox(m.To),
		"Subject: " + encodedWords(m.Charset, m.Subject),
		"Date: " + m.Date,
		"Message-ID: <" + m.MessageID + ">",
		"MIME-Version: 1.0",
	}
	return join(crlf(append(head, m.Extra...)...), m.body())
}

func (m *MailSpec) mailbox(b Mailbox) string {
	if b.Name == "" {
		return b.Addr
	}
	if ascii(b.Name) {
		return fmt.Sprintf("%q <%s>", b.Name, b.Addr)
	}
	return encodedWords(m.Charset, b.Name) + " <" + b.Addr + ">"
}

// body is the outermost part: its header fields, an empty line, its content.
func (m *MailSpec) body() []byte {
	body := m.textPart("text/plain", m.Text)
	alternatives := [][]byte{body}
	if m.HTML != "" {
		alternatives = append(alternatives, m.textPart("text/html", m.HTML))
	}
	if m.Calendar != nil {
		alternatives = append(alternatives, part("Content-Type: text/calendar; charset=utf-8; method=REQUEST", m.Calendar))
	}
	if len(alternatives) > 1 {
		body = m.multipart("alternative", "", alternatives)
	}
	if len(m.Attachments) > 0 {
		parts := [][]byte{body}
		for _, a := range m.Attachments {
			parts = append(parts, m.attachment(a))
		}
		body = m.multipart("mixed", "", parts)
	}
	if m.Signed {
		body = m.multipart("signed", "; protocol=\"application/pkcs7-signature\"; micalg=sha-256", [][]byte{body, signature()})
	}
	return body
}

// multipart puts parts between boundaries that follow from the Message-ID.
func (m *MailSpec) multipart(subtype, params string, parts [][]byte) []byte {
	boundary := fmt.Sprintf("=_%s_%08x", subtype, crc32.ChecksumIEEE([]byte(m.MessageID)))
	out := crlf("Content-Type: multipart/"+subtype+params+";", "\tboundary=\""+boundary+"\"", "")
	for _, p := range parts {
		out = join(out, []byte("\r\n--"+boundary+"\r\n"), p)
	}
	return join(out, []byte("\r\n--"+boundary+"--\r\n"))
}

// textPart writes text in the mail's charset: ISO-2022-JP and ASCII as they
// are, the others in base64.
func (m *MailSpec) textPart(mediaType, text string) []byte {
	text = strings.ReplaceAll(text, "\n", "\r\n")
	switch m.Charset {
	case "":
		return join(crlf("Content-Type: "+mediaType+"; charset=us-ascii", "Content-Transfer-Encoding: 7bit", ""), []byte(text))
	case ISO2022JP:
		return join(crlf("Content-Type: "+mediaType+"; charset=iso-2022-jp", "Content-Transfer-Encoding: 7bit", ""), encode(ISO2022JP, text))
	}
	return part("Content-Type: "+mediaType+"; charset="+m.Charset, encode(m.Charset, text))
}

// part writes content in base64 below the given header fields.
func part(fields string, content []byte) []byte {
	return join(crlf(fields, "Content-Transfer-Encoding: base64", ""), base64Lines(content))
}

func base64Lines(b []byte) (out []byte) {
	const line = 57 // makes 76 characters
	for len(b) > 0 {
		n := min(len(b), line)
		out = base64.StdEncoding.AppendEncode(out, b[:n])
		out = append(out, "\r\n"...)
		b = b[n:]
	}
	return out
}

func (m *MailSpec) attachment(a Attachment) []byte {
	mediaType := a.Type
	if mediaType == "" {
		mediaType = "application/octet-stream"
	}
	name, filename := m.nameParams(a)
	return part("Content-Type: "+mediaType+name+"\r\nContent-Disposition: attachment;\r\n "+filename, a.Data)
}

// nameParams are the parameter for Content-Type, with what parts it from the
// type, and the one for Content-Disposition.
func (m *MailSpec) nameParams(a Attachment) (name, filename string) {
	quoted := ""
	switch {
	case ascii(a.Name):
		quoted = a.Name
	case a.Naming == NameRFC2047:
		quoted = encodedWords(ISO2022JP, a.Name)
	case a.Naming == NameRaw:
		quoted = string(encode(m.Charset, a.Name))
	default:
		return "", "filename*=utf-8''" + percent(a.Name)
	}
	return ";\r\n name=\"" + quoted + "\"", "filename=\"" + quoted + "\""
}

// percent writes all but attribute characters (RFC 2231 §7) as %XX.
func percent(s string) string {
	var out strings.Builder
	for _, b := range []byte(s) {
		if b > ' ' && b <= '~' && !strings.ContainsRune(`()<>@,;:\"/[]?=*'%`, rune(b)) {
			out.WriteByte(b)
			continue
		}
		fmt.Fprintf(&out, "%%%02X", b)
	}
	return out.String()
}

// encodedWords writes s as words of RFC 2047, folded between them. A word
// holds whole characters and, in ISO-2022-JP, ends in ASCII again.
func encodedWords(charset, s string) string {
	if ascii(s) {
		return s
	}
	const most = 12 // characters to a word, so that it stays below 75 in any charset
	var words []string
	for s != "" {
		cut := 0
		for range min(most, utf8.RuneCountInString(s)) {
			_, n := utf8.DecodeRuneInString(s[cut:])
			cut += n
		}
		words = append(words, "=?"+strings.ToUpper(charset)+"?B?"+base64.StdEncoding.EncodeToString(encode(charset, s[:cut]))+"?=")
		s = s[cut:]
	}
	return strings.Join(words, "\r\n ")
}

// encode returns s in a charset. A character without a code is our own bug.
func encode(charset, s string) []byte {
	enc := map[string]encoding.Encoding{ISO2022JP: japanese.ISO2022JP, ShiftJIS: japanese.ShiftJIS}[charset]
	if enc == nil {
		return []byte(s)
	}
	b, err := enc.NewEncoder().Bytes([]byte(s))
	if err != nil {
		panic("specimen: not in " + charset + ": " + s)
	}
	return b
}

// signature has the shape of an S/MIME signature: CMS SignedData with nothing
// in it.
func signature() []byte {
	der := []byte{0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x0d,
		0x30, 0x0b, 0x02, 0x01, 0x01, 0x31, 0x00, 0x30, 0x02, 0x06, 0x00, 0x31, 0x00}
	return part("Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\nContent-Disposition: attachment; filename=\"smime.p7s\"", der)
}
