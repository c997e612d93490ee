package part

import (
	"bytes"
	"strings"
)

// xxAlphabet are the sixty-four characters of xxencode, which is uuencode in
// characters that every character set has.
const xxAlphabet = "+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// xxFile reads an xxencoded file at the front of text. Its lines can be lines of
// uuencode too: whoever sees the file sees both.
func xxFile(text []byte) (f inlineFile, used int, ok bool) {
	line, next := lineAt(text, 0, len(text))
	words := firstWords(string(line))
	if words[0] != "begin" || !octal(words[1]) || words[2] == "" {
		return f, 0, false
	}
	f = inlineFile{name: words[2], source: "xxencode"}
	for next < len(text) {
		line, after := lineAt(text, next, len(text))
		if string(bytes.TrimSpace(line)) == "end" {
			return f, after, len(f.body) > 0
		}
		if f.body, ok = xxLine(f.body, line); !ok {
			break
		}
		next = after
	}
	return f, next, len(f.body) > 0
}

// xxLine decodes one line, which has exactly the length that it states.
func xxLine(dst, line []byte) (out []byte, ok bool) {
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 {
		return dst, false
	}
	n := strings.IndexByte(xxAlphabet, line[0])
	if n < 0 || len(line)-1 != (n+2)/3*4 {
		return dst, false
	}
	plain := make([]byte, len(line)-1) // the same line in uuencode
	for i, c := range line[1:] {
		v := strings.IndexByte(xxAlphabet, c)
		if v < 0 {
			return dst, false
		}
		plain[i] = byte(v) + ' '
	}
	return uuLine(dst, plain, n), true
}
