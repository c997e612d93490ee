package part

import "bytes"

// decodeQP decodes quoted-printable (RFC 2045 §6.7) as leniently as mail
// programs do: lower-case hex, blanks after a soft break, any line end, a '='
// that means nothing stays.
func decodeQP(dst, src []byte) []byte {
	dst = dst[:0]
	for len(src) > 0 {
		line, brk := src, []byte(nil)
		if i := bytes.IndexAny(src, "\n"); i >= 0 {
			line, brk = src[:i], src[i:i+1]
			if i > 0 && src[i-1] == '\r' {
				line, brk = src[:i-1], src[i-1:i+1]
			}
		}
		src = src[len(line)+len(brk):]
		var soft bool
		if dst, soft = qpLine(dst, line, len(brk) > 0); !soft {
			dst = append(dst, brk...)
		}
	}
	return dst
}

// qpLine decodes one line. Blanks at its end were added on the way (rule 3).
func qpLine(dst, line []byte, ended bool) (out []byte, soft bool) {
	if ended {
		line = bytes.TrimRight(line, " \t")
	}
	for {
		i := bytes.IndexByte(line, '=')
		if i < 0 {
			return append(dst, line...), false
		}
		dst = append(dst, line[:i]...)
		line = line[i+1:]
		if len(bytes.TrimRight(line, " \t")) == 0 {
			return dst, true
		}
		if c, ok := hexByte(line); ok {
			dst = append(dst, c)
			line = line[2:]
			continue
		}
		if rest := bytes.TrimLeft(line, " \t"); rest[0] == '\r' {
			if line = bytes.TrimLeft(rest, "\r"); len(line) == 0 {
				return dst, true // the line ends in CR CR LF
			}
			continue // a soft break before a bare CR
		}
		dst = append(dst, '=')
	}
}

// hexByte reads two hex digits off the front of b.
func hexByte[T []byte | string](b T) (byte, bool) {
	if len(b) < 2 {
		return 0, false
	}
	hi, lo := unhex(b[0]), unhex(b[1])
	return hi<<4 | lo, hi < 16 && lo < 16
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
