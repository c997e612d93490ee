package part

import (
	"bytes"
	"strings"
)

// yFile reads a yEnc file (yEnc draft 1.3) at the front of text.
func yFile(text []byte) (f inlineFile, used int) {
	line, pos := lineAt(text, 0, len(text))
	_, name, ok := strings.Cut(string(line), " name=")
	if !ok || !strings.Contains(string(line), "line=") {
		return f, 0
	}
	f = inlineFile{name: strings.TrimSpace(name), source: "yencode"}
	for pos < len(text) {
		line, next := lineAt(text, pos, len(text))
		if bytes.HasPrefix(line, []byte("=yend")) {
			return f, next
		}
		if !bytes.HasPrefix(line, []byte("=ypart ")) {
			f.body = yLine(f.body, line)
		}
		pos = next
	}
	return f, pos
}

// yLines decodes a body that has lost the line that opens it.
func yLines(text []byte) (out []byte) {
	for pos := 0; pos < len(text); {
		line, next := lineAt(text, pos, len(text))
		if bytes.HasPrefix(line, []byte("=yend")) {
			break
		}
		out, pos = yLine(out, line), next
	}
	return out
}

// yLine decodes one line: each byte is 42 too large, '=' escapes with 64 more.
func yLine(dst, line []byte) []byte {
	const offset, escaped = 42, 64
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == '=' && i+1 < len(line) {
			i++
			c = line[i] - escaped
		}
		dst = append(dst, c-offset)
	}
	return dst
}
