package auth

import (
	"bytes"
	"crypto/sha256"
	"hash"
)

// bodyHasher hashes a canonical body (RFC 6376 §3.4.3, §3.4.4) in one pass and
// little memory, however many blank lines it has.
type bodyHasher struct {
	hash    hash.Hash
	buffer  []byte
	pending int // empty lines that count only if something follows
}

// emptyLines is a stock to write runs of empty lines from.
var emptyLines = bytes.Repeat([]byte("\r\n"), 2048)

// hashBody returns the SHA-256 of body in simple or relaxed form. A line ends
// in LF, with or without CR; it is hashed with CRLF.
func hashBody(body []byte, simple bool) [32]byte {
	h := &bodyHasher{hash: sha256.New(), buffer: make([]byte, 0, 32<<10)}
	empty := true
	for at := 0; at < len(body); {
		if h.skipRun(body, &at); at == len(body) {
			break
		}
		end := lineEnd(body, at)
		line := content(body[at:end])
		if !simple {
			line = line[:len(line)-trailingBlanks(line)]
		}
		if len(line) == 0 {
			h.pending++
		} else {
			empty = false
			h.line(line, simple)
		}
		at = end
	}
	if simple && empty {
		h.write(emptyLines[:2]) // §3.4.3: an empty body is one CRLF
	}
	return h.sum()
}

// skipRun counts a run of empty lines by the stock's length: megabytes of them
// are a known attack.
func (h *bodyHasher) skipRun(body []byte, at *int) {
	for len(body)-*at >= len(emptyLines) && bytes.Equal(body[*at:*at+len(emptyLines)], emptyLines) {
		*at += len(emptyLines)
		h.pending += len(emptyLines) / 2
	}
}

// line hashes a line that is not empty, after the empty ones before it.
func (h *bodyHasher) line(line []byte, simple bool) {
	for h.pending > 0 {
		n := min(h.pending, len(emptyLines)/2)
		h.write(emptyLines[:2*n])
		h.pending -= n
	}
	switch {
	case !simple && hasBlankRun(line):
		h.squeezed(line)
		h.write(emptyLines[:2])
	case len(h.buffer)+len(line)+2 <= cap(h.buffer):
		h.buffer = append(append(h.buffer, line...), '\r', '\n')
	default:
		h.write(line)
		h.write(emptyLines[:2])
	}
}

// content is a line without its end.
func content(line []byte) []byte {
	n := len(line)
	if n == 0 || line[n-1] != '\n' {
		return line
	}
	if n > 1 && line[n-2] == '\r' {
		return line[:n-2]
	}
	return line[:n-1]
}

// trailingBlanks counts the blanks at the end. These loops are by hand: they
// see each byte of every signed mail.
func trailingBlanks(line []byte) int {
	n := len(line)
	for n > 0 && isBlank(line[n-1]) {
		n--
	}
	return len(line) - n
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// hasBlankRun says that a line has blanks for relaxed form to change.
func hasBlankRun(line []byte) bool {
	const short = 16 // below it two calls cost more than a loop
	if len(line) < short {
		for i, c := range line {
			if c == '\t' || c == ' ' && i > 0 && line[i-1] == ' ' {
				return true
			}
		}
		return false
	}
	return bytes.IndexByte(line, '\t') >= 0 || bytes.Contains(line, []byte("  "))
}

// squeezed hashes a line with each run of blanks as one space.
func (h *bodyHasher) squeezed(line []byte) {
	for at := 0; at < len(line); {
		word := at
		for at < len(line) && !isBlank(line[at]) {
			at++
		}
		h.write(line[word:at])
		if at < len(line) {
			h.write(oneSpace)
		}
		for at < len(line) && isBlank(line[at]) {
			at++
		}
	}
}

var oneSpace = []byte(" ")

func (h *bodyHasher) write(b []byte) {
	if len(h.buffer)+len(b) > cap(h.buffer) {
		h.hash.Write(h.buffer)
		h.buffer = h.buffer[:0]
		if len(b) > cap(h.buffer) {
			h.hash.Write(b)
			return
		}
	}
	h.buffer = append(h.buffer, b...)
}

func (h *bodyHasher) sum() (sum [32]byte) {
	h.hash.Write(h.buffer)
	h.hash.Sum(sum[:0])
	return sum
}
