package part

import "bytes"

// base64 is read by our own decoder: a library stops at the first byte that is
// out of place, mail programs go on (RFC 2045 §6.8 tells them to).

const bad = 1 << 31

// sextets hold each byte's six bits at its four places in a quantum.
var sextets = func() (t [4][256]uint32) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for place := range t {
		for c := range t[place] {
			t[place][c] = bad
		}
		for v := range len(alphabet) {
			t[place][alphabet[v]] = uint32(v) << (18 - 6*place)
		}
	}
	return t
}()

// padding is what a decoder does at '=' with more to come.
type padding int

const (
	restart padding = iota // end the quantum, begin another: Thunderbird, Apple Mail
	ignore                 // take it for junk
)

// decoded64 is a base64 body decoded, with what tells one decoder from another.
type decoded64 struct {
	out []byte
	// stop is the length of out at the first padding, where mutt ends; -1
	// when there was none.
	stop int
	// after counts bytes of the alphabet behind the first padding, junk the
	// bytes of neither alphabet nor white space, late those behind padding.
	after, junk, late int
}

// decoder64 is the state between two whole quanta.
type decoder64 struct {
	decoded64
	pad  padding
	n    int    // bytes written
	acc  uint32 // of the open quantum
	have int    // characters in it
}

// room64 is how much memory decode64 needs for n bytes.
func room64(n int) int { return n/4*3 + 6 }

// decode64 decodes src into dst's memory.
func decode64(dst, src []byte, pad padding) decoded64 {
	if need := room64(len(src)); cap(dst) < need {
		dst = make([]byte, need)
	}
	d := decoder64{decoded64: decoded64{out: dst[:cap(dst)], stop: -1}, pad: pad}
	for i := 0; i < len(src); {
		if d.have == 0 {
			used, wrote := quanta(d.out[d.n:], src[i:])
			i, d.n = i+used, d.n+wrote
			if d.stop >= 0 {
				d.after += used
			}
			if i == len(src) {
				break
			}
		}
		d.step(src[i])
		i++
	}
	d.flush()
	d.out = d.out[:d.n]
	return d.decoded64
}

// step takes one byte.
func (d *decoder64) step(c byte) {
	padded := d.stop >= 0
	switch v := sextets[3][c]; {
	case v != bad:
		d.acc = d.acc<<6 | v
		if d.have++; d.have == 4 {
			d.n += put(d.out[d.n:], d.acc, 3)
			d.acc, d.have = 0, 0
		}
		if padded {
			d.after++
		}
	case c == '=':
		if d.pad == restart {
			d.flush()
		}
		if !padded {
			d.stop = d.n
		}
	case c != '\n' && c != '\r' && c != ' ' && c != '\t':
		d.junk++
		if padded {
			d.late++
		}
	}
}

// flush writes what an unfinished quantum holds.
func (d *decoder64) flush() {
	switch d.have {
	case 2:
		d.n += put(d.out[d.n:], d.acc<<12, 1)
	case 3:
		d.n += put(d.out[d.n:], d.acc<<6, 2)
	}
	d.acc, d.have = 0, 0
}

// quanta decodes whole quanta until a byte is not of the alphabet.
func quanta(dst, src []byte) (used, wrote int) {
	i, n := 0, 0
	for i+4 <= len(src) && n+3 <= len(dst) {
		s := src[i : i+4 : i+4]
		v := sextets[0][s[0]] | sextets[1][s[1]] | sextets[2][s[2]] | sextets[3][s[3]]
		if v&bad != 0 {
			break
		}
		d := dst[n : n+3 : n+3]
		d[0], d[1], d[2] = byte(v>>16), byte(v>>8), byte(v)
		i, n = i+4, n+3
	}
	return i, n
}

func put(dst []byte, v uint32, n int) int {
	b := [3]byte{byte(v >> 16), byte(v >> 8), byte(v)}
	return copy(dst, b[:n])
}

// readings64 decodes src in every way that gives other bytes, the most likely
// first. how says why there are several, "" where there is nothing to say.
func readings64(dst, src []byte, text bool) (out []decoding, how string) {
	d := decode64(dst, src, restart)
	first := decoding{"", d.out}
	if d.stop >= 0 && d.after > 0 {
		stop, whole := decoding{"base64-stop", d.out[:d.stop]}, decoding{"base64-restart", d.out}
		// A list's footer after the padding is no data: then stop is first.
		if d.late > 0 {
			stop.reading = ""
			first = stop
			out = append(out, first, whole)
		} else {
			out = append(out, first, stop)
		}
		out = append(out, decoding{"base64-skip", decode64(nil, src, ignore).out})
		if d.late == 0 || !text {
			how = "data after the padding"
		}
	} else {
		out = append(out, first)
	}
	if d.junk > 0 {
		if lines := decode64(nil, pureLines(src), restart).out; len(lines) > 0 && !bytes.Equal(lines, first.body) {
			out = append(out, decoding{"base64-lines", lines})
			if !text {
				how = "bytes outside the base64 alphabet"
			}
		}
	}
	return out, how
}

// pureLines keeps the lines that hold nothing but base64.
func pureLines(src []byte) []byte {
	out := make([]byte, 0, len(src))
	for pos := 0; pos < len(src); {
		line, next := lineAt(src, pos, len(src))
		if pure64(line) {
			out = append(out, line...)
		}
		pos = next
	}
	return out
}

func pure64(line []byte) bool {
	for _, c := range line {
		if sextets[3][c] == bad && c != '=' && c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// seems64 says that a body of unknown encoding is base64: a start of pure
// lines, long enough not to be a word.
func seems64(src []byte) bool {
	const enough, lines = 24, 8
	src = bytes.TrimSpace(src)
	n := 0
	for pos, i := 0, 0; pos < len(src) && i < lines; i++ {
		line, next := lineAt(src, pos, len(src))
		if !pure64(line) || bytes.ContainsAny(bytes.TrimSpace(line), " \t") {
			return false
		}
		n += len(line)
		pos = next
	}
	return n >= enough
}

// whole64 says that a body is base64 and nothing else.
func whole64(src []byte) bool {
	if !seems64(src) {
		return false
	}
	n := 0
	for _, c := range src {
		switch {
		case sextets[3][c] != bad || c == '=':
			n++
		case c != '\n' && c != '\r':
			return false
		}
	}
	return n%4 == 0
}
