package part

import (
	"strings"
	"unicode/utf8"

	"sekisho/filter/charset"
)

// maxLabel is the longest charset name that we take for one.
const maxLabel = 80

// word is one encoded-word (RFC 2047).
type word struct {
	charset string
	kind    byte // 'b' or 'q'
	text    string
}

// scanWord reads an encoded-word at the front of s. One that lost its end
// counts when nothing follows it, as mail programs show it.
// ends says whether a "?=" stands anywhere in s: searching for one that is not there
// once a word would make long fields cost the square of their length.
func scanWord(s string, ends bool) (w word, n int, ok bool) {
	if !strings.HasPrefix(s, "=?") {
		return w, 0, false
	}
	q1 := strings.IndexByte(s[2:min(len(s), 2+maxLabel)], '?')
	if q1 < 0 || 2+q1+3 > len(s) || s[2+q1+2] != '?' {
		return w, 0, false
	}
	w.charset, w.kind = s[2:2+q1], lower(s[2+q1+1])
	if w.kind != 'b' && w.kind != 'q' || strings.ContainsAny(w.charset, " \t") {
		return w, 0, false
	}
	from := 2 + q1 + 3
	if ends {
		if end := strings.Index(s[from:], "?="); end >= 0 {
			w.text = s[from : from+end]
			return w, from + end + 2, true
		}
	}
	w.text = strings.TrimRight(s[from:], "?")
	return w, len(s), !strings.ContainsAny(w.text, " \t?")
}

// bytes undoes the word's transfer encoding.
func (w word) bytes() []byte {
	if w.kind == 'b' {
		return decode64(nil, []byte(w.text), restart).out
	}
	out := make([]byte, 0, len(w.text))
	for i := 0; i < len(w.text); i++ {
		c := w.text[i]
		if c == '_' {
			c = ' '
		} else if c == '=' {
			if b, ok := hexByte(w.text[i+1:]); ok {
				c, i = b, i+2
			}
		}
		out = append(out, c)
	}
	return out
}

// decoder turns header text with encoded-words into UTF-8, in two ways at once:
// neighbouring words of one charset joined before decoding, since mailers cut
// inside a character or an escape state, and each on its own, as RFC 2047 has it.
type decoder struct {
	joined, single strings.Builder
	run            []byte // bytes of the words to be joined
	runs           int    // words among them
	label          string // their charset
	carry          string // base64 of the last word short of a quantum
	charset        string // the last charset met
}

// decodeWords decodes s. single differs from joined only where the two ways
// differ. label is the charset of the words or of raw 8-bit text.
func decodeWords(s string) (joined, single, label string) {
	var d decoder
	whole, last := len(s), strings.LastIndex(s, "?=")
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			d.plain(s[:i], i < len(s))
			s = s[i:]
			continue
		}
		w, n, ok := scanWord(s, whole-len(s) < last)
		if !ok {
			d.plain(s[:2], false)
			s = s[2:]
			continue
		}
		d.word(w)
		s = s[n:]
	}
	d.flush()
	return d.joined.String(), d.single.String(), d.charset
}

// plain takes text between words; blanks between two words are not shown.
func (d *decoder) plain(s string, wordFollows bool) {
	if wordFollows && d.runs > 0 && strings.Trim(s, " \t\r\n") == "" {
		return
	}
	d.flush()
	text, label := charset.Guess([]byte(s))
	if label != "" {
		d.charset = label
	}
	d.joined.WriteString(text)
	d.single.WriteString(text)
}

func (d *decoder) word(w word) {
	label := strings.ToLower(w.charset)
	if label != d.label {
		d.flush()
	}
	d.label, d.charset = label, label
	raw := w.bytes()
	text, _ := charset.Decode(raw, label)
	if better, found := charset.Mislabelled(raw, label); found && utf8.Valid(raw) {
		text = better // no reading of it holds other ASCII than this one
	}
	d.single.WriteString(text)
	d.runs++
	if w.kind == 'b' {
		d.cut(&w)
	}
	d.run = append(d.run, w.bytes()...)
}

// cut gives w what the word before it left of a quantum and keeps what w
// leaves: the sender cut its base64 anywhere, only the whole has a meaning.
func (d *decoder) cut(w *word) {
	w.text = d.carry + w.text
	d.carry = ""
	if whole := len(w.text) / 4 * 4; !strings.Contains(w.text, "=") {
		d.carry, w.text = w.text[whole:], w.text[:whole]
	}
}

func (d *decoder) flush() {
	if d.runs > 0 {
		d.run = append(d.run, word{kind: 'b', text: d.carry}.bytes()...)
		text, ok := charset.Decode(d.run, d.label)
		if better, found := charset.Mislabelled(d.run, d.label); found {
			text = better
		} else if !ok {
			if guess, name := charset.Guess(d.run); name != "unknown" {
				text = guess
			}
		}
		d.joined.WriteString(text)
	}
	d.run, d.runs, d.label, d.carry = d.run[:0], 0, "", ""
}

// shownText decodes a field of free text as its reader sees it.
func shownText(value []byte) string {
	joined, _, _ := decodeWords(unfold(value))
	return joined
}
