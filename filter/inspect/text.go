package inspect

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"sekisho/filter/charset"
	"sekisho/filter/entity"
	"sekisho/filter/key"
	"sekisho/filter/link"
)

// listened is how much of a text within an archive is kept in case something
// asks for a password: one that is told in a file is told at its start. Of a
// text of the message itself nothing is left out.
const listened = 64 << 10

// hear keeps the text of e for the search for passwords and returns what of it
// may hold a link.
func (w *walk) hear(e *entity.Entity, html bool) string {
	if html || e.MediaType != "" {
		shown := text(e.Body, e.Charset)
		w.heard.add(said{text: shown, source: key.Body, html: html})
		return shown
	}
	w.heard.add(said{raw: bytes.Clone(beginning(e.Body)), source: key.Body})
	return text(addressed(e), e.Charset)
}

// beginning returns the first lines of a text.
func beginning(b []byte) []byte {
	if len(b) <= listened {
		return b
	}
	b = b[:listened]
	if end := bytes.LastIndexByte(b, '\n'); end > 0 {
		return b[:end]
	}
	return b
}

// addressed returns what of a plain text may hold a link: most of a large one
// need not be converted for a search. Where an escape, a shift or a zero byte
// may give ASCII another meaning it is all; so it is where letters beyond ASCII
// touch a link, unless the text is long: one bad byte elsewhere decides by which
// charset they are read.
func addressed(e *entity.Entity) []byte {
	if !charset.Straight(e.Charset) || bytes.HasPrefix(e.Body, []byte("\xff\xfe")) || bytes.HasPrefix(e.Body, []byte("\xfe\xff")) {
		return e.Body
	}
	for _, c := range []byte("\x1b\x0e\x0f\x00") {
		if bytes.IndexByte(e.Body, c) >= 0 {
			return e.Body
		}
	}
	words := link.Words(e.Body)
	if len(e.Body) <= listened && slices.ContainsFunc(words, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return e.Body
	}
	return words
}

// text converts a body to UTF-8 by its declared charset, or by a guess where
// that is missing, unknown or wrong.
func text(body []byte, label string) string {
	if label != "" {
		if s, ok := charset.Decode(body, label); ok {
			return s
		}
	}
	s, _ := charset.Guess(body)
	return s
}
