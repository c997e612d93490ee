package session

import (
	"bytes"
	"fmt"

	"sekisho/filter/mail"
)

// span is a header field's place in the header's text.
type span struct{ start, colon, end int }

// transaction is one message while it comes in.
type transaction struct {
	server       *Server
	leadingSpace bool // values come with the blank after the colon

	envelope  mail.Envelope
	rcptBytes int

	content *content // nil once the message is oversize or the spool failed
	spans   []span
	text    string // the header, when it has ended
	ended   bool
	size    int64
	limit   string // which limit was reached; empty if none
	failure error  // why this message cannot be judged, if it cannot
}

func newTransaction(s *Server, leadingSpace bool) *transaction {
	return &transaction{server: s, leadingSpace: leadingSpace, content: newContent(s)}
}

// rcpt adds a recipient. The list is whole or the message is not judged: a
// release from quarantine relies on it.
func (t *transaction) rcpt(path string) {
	t.rcptBytes += len(path)
	if len(t.envelope.Rcpts) >= maxRcpts || t.rcptBytes > maxRcptBytes {
		t.failure = errRcpts
		return
	}
	t.envelope.Rcpts = append(t.envelope.Rcpts, path)
}

var (
	colon = []byte(":")
	blank = []byte(" ")
	crlf  = []byte("\r\n")
)

// header adds one field: name, NUL, value, NUL. A NUL within the value is kept;
// Postfix cannot send one, but nothing that comes may be lost.
func (t *transaction) header(data []byte) {
	name, value, _ := bytes.Cut(data, nul)
	value = withCRLF(bytes.TrimSuffix(value, nul))
	lead := blank
	if t.leadingSpace {
		lead = nil
	}
	n := len(name) + len(colon) + len(lead) + len(value) + len(crlf)
	if !t.takes(n) {
		return
	}
	start := int(t.content.size)
	t.content.header(name, colon, lead, value, crlf)
	t.spans = append(t.spans, span{start, start + len(name), start + n - len(crlf)})
}

// takes counts n bytes of header and tells whether they are to be kept. A
// field after the end of the header would have no place: it is body to no one.
func (t *transaction) takes(n int) bool {
	t.size += int64(n)
	switch {
	case t.ended:
		t.failure = errLateField
	case len(t.spans) >= t.server.cfg.MaxFields:
		t.exceed("fields")
	case t.size > int64(t.server.cfg.MaxHeader):
		t.exceed("header")
	case t.size > t.server.cfg.MaxMessage:
		t.exceed("message")
	}
	return t.content != nil && t.failure == nil
}

// withCRLF turns the line ends of folds, which Postfix sends as LF, back into
// what was on the wire.
func withCRLF(value []byte) []byte {
	if !bytes.Contains(value, []byte("\n")) {
		return value
	}
	value = bytes.ReplaceAll(value, crlf, []byte("\n"))
	return bytes.ReplaceAll(value, []byte("\n"), crlf)
}

// endHeader ends the header with the empty line.
func (t *transaction) endHeader() {
	if t.ended {
		return
	}
	t.ended = true
	t.size += int64(len(crlf))
	if t.content != nil {
		t.text = string(t.content.mem)
		t.content.header(crlf)
	}
}

// body adds a piece of the body.
func (t *transaction) body(data []byte) {
	t.endHeader()
	t.size += int64(len(data))
	if t.size > t.server.cfg.MaxMessage {
		t.exceed("message")
	}
	if t.content == nil {
		return
	}
	if err := t.content.body(data); err != nil {
		t.failure = err
		t.release()
	}
}

// exceed makes the message oversize: from here on it is only counted.
func (t *transaction) exceed(limit string) {
	if t.limit != "" {
		return
	}
	t.limit = limit
	if !t.ended && t.content != nil {
		t.text = string(t.content.mem)
	}
	t.release()
}

func (t *transaction) release() {
	if t.content != nil {
		t.content.release()
		t.content = nil
	}
}

// fill gives m what this transaction has collected.
func (t *transaction) fill(m *mail.Message) error {
	t.endHeader()
	m.Envelope = t.envelope
	m.Fields = t.fields()
	m.Size = t.size
	m.Oversize = t.limit != ""
	if t.failure != nil || m.Oversize {
		return t.failure
	}
	var err error
	m.Raw, m.SHA256, err = t.content.seal()
	if err == nil && int64(len(m.Raw)) != m.Size {
		err = fmt.Errorf("kept %d bytes of %d", len(m.Raw), m.Size)
	}
	return err
}

// fields cuts the header's text into its fields.
func (t *transaction) fields() []mail.HeaderField {
	out := make([]mail.HeaderField, len(t.spans))
	for i, s := range t.spans {
		out[i] = mail.HeaderField{Name: t.text[s.start:s.colon], Value: t.text[s.colon+1 : s.end]}
	}
	return out
}
