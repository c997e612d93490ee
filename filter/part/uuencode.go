package part

import (
	"bytes"
	"strings"
)

// inlineFile is a file that stands encoded within text.
type inlineFile struct {
	name, source string
	body         []byte
}

// inlineFiles finds the files within text and hands each over; it stops when
// yield says so.
func inlineFiles(text []byte, yield func(inlineFile) bool) {
	m := markFinder{text: text}
	for pos := 0; ; {
		at := m.next(pos)
		if at < 0 {
			return
		}
		f, used, ok := fileAt(text[at:])
		if ok && !yield(f) {
			return
		}
		if xx, n, ok := xxFile(text[at:]); ok {
			if used = max(used, n); !yield(xx) {
				return
			}
		}
		pos = at + max(used, 1)
	}
}

// marks are the starts of the lines that open an encoded file.
var marks = [...]string{"begin", "=ybegin ", "(This file must be converted with BinHex"}

// markFinder finds lines that begin with a mark. It remembers where each mark
// stands next, so that a text full of one is not searched again for the others.
type markFinder struct {
	text []byte
	at   [len(marks)]int
}

// next returns the first such line at or after pos, -1 without one.
func (m *markFinder) next(pos int) int {
	best := len(m.text)
	for k, mark := range marks {
		for m.at[k] < pos || m.at[k] < len(m.text) && !m.opens(m.at[k], mark) {
			from := max(pos, m.at[k]+1)
			if m.at[k] = len(m.text); from < len(m.text) {
				if i := bytes.Index(m.text[from:], []byte(mark)); i >= 0 {
					m.at[k] = from + i
				}
			}
		}
		best = min(best, m.at[k])
	}
	if best >= len(m.text) {
		return -1
	}
	return best
}

// opens says that the mark at i opens a line. A blank may stand before it: Postfix
// puts one there where it breaks a long line.
func (m *markFinder) opens(i int, mark string) bool {
	if !bytes.HasPrefix(m.text[i:], []byte(mark)) {
		return false
	}
	if i > 0 && m.text[i-1] == ' ' {
		i--
	}
	return i == 0 || m.text[i-1] == '\n' || m.text[i-1] == '\r'
}

func fileAt(text []byte) (f inlineFile, used int, ok bool) {
	switch text[0] {
	case '=':
		f, used = yFile(text)
	case '(':
		return hqxFile(text)
	default:
		f, used = uuFile(text)
	}
	return f, used, used > 0
}

// uuFile reads a uuencoded file (POSIX uuencode) at the front of text; used is
// 0 where the line only begins with the word.
func uuFile(text []byte) (f inlineFile, used int) {
	line, next := lineAt(text, 0, len(text))
	words := firstWords(string(line))
	f = inlineFile{name: words[2], source: "uuencode"}
	sure := octal(words[1]) && words[2] != ""
	ended := false
	switch {
	case words[0] == "begin" && (sure || uuFollows(text[next:])):
		f.body, used, ended = uuLines(text[next:])
	case words[0] == "begin-base64" && sure:
		f.body, used = uuBase64(text[next:])
	}
	// A first line without mode or name counts when the last line is there too.
	if used == 0 || !sure && !ended {
		return f, 0
	}
	return f, next + used
}

// firstWords parts a line into its first word, its second and the rest;
// decoders take any run of blanks between them.
func firstWords(line string) (words [3]string) {
	for i := range 2 {
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		words[i], line = line[:end], strings.TrimLeft(line[end:], " \t")
	}
	words[2] = strings.TrimSpace(line)
	return words
}

// octal says that s can be the mode of a file, its kind included.
func octal(s string) bool {
	return len(s) >= 3 && len(s) <= 7 && strings.Trim(s, "01234567") == ""
}

// uuLines decodes lines as long as they have the length that they state. ended
// says that the last line was there.
func uuLines(text []byte) (out []byte, used int, ended bool) {
	for used < len(text) {
		line, next := lineAt(text, used, len(text))
		line = bytes.TrimRight(line, "\r")
		if string(bytes.TrimSpace(line)) == "end" && len(out) > 0 {
			return out, next, true
		}
		n, ok := uuLength(line, len(out) > 0)
		if !ok && len(out) > 0 && uuFollows(text[next:]) {
			n, ok = int(line[0]-' ')&0x3f, true
		}
		if !ok {
			break
		}
		if n > 0 {
			out = uuLine(out, line[1:], n)
		}
		used = next
	}
	if len(out) == 0 {
		return nil, 0, false
	}
	return out, used, false
}

// uuFollows says that a line of a file follows: the one before it, whatever it
// states, is within the file too.
func uuFollows(text []byte) bool {
	line, _ := lineAt(text, 0, len(text))
	line = bytes.TrimRight(line, "\r")
	n, ok := uuLength(line, false)
	return ok && n > 0 && len(line)-1 >= (n+2)/3*4
}

// uuLength reads a line's length character and says whether the line can be
// what it states. Blanks at the end may have been lost, a sum may follow. A line
// that is long enough may hold any byte, and go on within a file: decoders mask
// what they read and stop at the length.
func uuLength(line []byte, within bool) (n int, ok bool) {
	if len(line) == 0 {
		return 0, true
	}
	if line[0] < ' ' || line[0] > '`' {
		return 0, false
	}
	n = int(line[0]-' ') & 0x3f
	want := (n + 2) / 3 * 4
	have := len(line) - 1
	if n == 0 {
		return 0, have <= 1
	}
	if have == want || within && have > want {
		return n, true
	}
	if have > want+2 {
		return 0, false
	}
	for _, c := range line[1:] {
		if c < ' ' || c > '`' {
			return 0, false
		}
	}
	return n, true
}

// uuLine decodes n bytes of one line; what is missing at its end was blanks.
func uuLine(dst, line []byte, n int) []byte {
	for i := 0; n > 0; i += 4 {
		var v uint32
		for k := range 4 {
			v <<= 6
			if i+k < len(line) {
				v |= uint32(line[i+k]-' ') & 0x3f
			}
		}
		b := [3]byte{byte(v >> 16), byte(v >> 8), byte(v)}
		dst = append(dst, b[:min(n, 3)]...)
		n -= 3
	}
	return dst
}

func uuBase64(text []byte) (out []byte, used int) {
	for pos := 0; pos < len(text); {
		line, next := lineAt(text, pos, len(text))
		if bytes.HasPrefix(line, []byte("====")) {
			return decode64(nil, text[:pos], restart).out, next
		}
		if !pure64(line) {
			break
		}
		pos, used = next, next
	}
	if !seems64(text[:used]) {
		return nil, 0
	}
	return decode64(nil, text[:used], restart).out, used
}

// uuBody decodes a body that its header declares as uuencoded, the first
// line and the last perhaps missing.
func uuBody(src []byte) (out []byte, ok bool) {
	m := markFinder{text: src}
	for at := m.next(0); at >= 0; at = m.next(at + 1) {
		if f, used := uuFile(src[at:]); used > 0 {
			return f.body, true
		}
		if f, _, ok := xxFile(src[at:]); ok {
			return f.body, true
		}
	}
	src = bytes.TrimLeft(src, "\r\n")
	if line, next := lineAt(src, 0, len(src)); bytes.HasPrefix(line, []byte("begin")) {
		src = src[next:] // without a mode
	}
	out, _, _ = uuLines(src)
	return out, len(out) > 0
}
