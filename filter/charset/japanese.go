package charset

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// set is one of the character sets that ISO-2022 escapes switch to.
type set int

const (
	setASCII set = iota
	setKana
	setJIS0208
	setJIS0212
	setGB
	setKS
)

// escapes are the bytes after ESC and the set they call. JIS X 0213 plane 1 is
// read as JIS X 0208, which it extends.
var escapes = []struct {
	seq string
	set set
	g1  bool // designated to G1: shift-out calls it
}{
	{"(B", setASCII, false}, {"(J", setASCII, false}, {"(H", setASCII, false}, {"(I", setKana, false},
	{"$@", setJIS0208, false}, {"$B", setJIS0208, false}, {"$(@", setJIS0208, false}, {"$(B", setJIS0208, false},
	{"$(O", setJIS0208, false}, {"$(Q", setJIS0208, false}, {"$(D", setJIS0212, false}, {"$(P", setJIS0212, false},
	{"$A", setGB, false}, {"$(A", setGB, false}, {"$(C", setKS, false},
	{"$)C", setKS, true}, {"$)A", setGB, true}, {")I", setKana, true},
}

const (
	esc      = 0x1b
	shiftOut = 0x0e
	shiftIn  = 0x0f
)

// jisReader holds the state of one ISO-2022 text.
type jisReader struct {
	out   strings.Builder
	run   []byte // bytes of the current set not yet written
	set   set
	g1    set
	saved set // the set that shift-in goes back to
}

// readJIS reads ISO-2022-JP with all its extensions, and the Korean and
// Chinese relatives, in one machine: labels among them are often mistaken.
func readJIS(b []byte) string {
	r := jisReader{g1: setKana}
	r.out.Grow(len(b) + len(b)/2) // a kanji of two bytes takes three in UTF-8
	for len(b) > 0 {
		plain := 0
		for plain < len(b) && !switches[b[plain]] {
			plain++
		}
		r.run = append(r.run, b[:plain]...)
		if b = b[plain:]; len(b) > 0 {
			b = b[r.step(b):]
		}
	}
	r.flush()
	return r.out.String()
}

// switches are the bytes that may change the set.
var switches = [256]bool{esc: true, shiftOut: true, shiftIn: true, '\r': true, '\n': true}

// step takes one escape or one byte off the front of b.
func (r *jisReader) step(b []byte) int {
	switch b[0] {
	case esc:
		return r.escape(b)
	case shiftOut:
		r.saved = r.set
		r.enter(r.g1)
		return 1
	case shiftIn:
		r.enter(r.saved)
		return 1
	case '\r', '\n':
		r.enter(setASCII) // RFC 1468: a line ends in ASCII
	}
	r.run = append(r.run, b[0])
	return 1
}

func (r *jisReader) escape(b []byte) int {
	for _, e := range escapes {
		if !bytes.HasPrefix(b[1:], []byte(e.seq)) {
			continue
		}
		if e.g1 {
			r.g1 = e.set
		} else {
			r.enter(e.set)
		}
		return 1 + len(e.seq)
	}
	if bytes.HasPrefix(b[1:], []byte("&@")) {
		return 3 // announces the 1990 edition; the true escape follows
	}
	r.enter(setASCII)
	r.out.WriteRune('\uFFFD')
	return 1
}

func (r *jisReader) enter(s set) {
	r.flush()
	r.set = s
}

// flush writes the run in the terms of its set, by way of the EUC form of it.
func (r *jisReader) flush() {
	switch r.set {
	case setASCII:
		if ascii(r.run) {
			r.out.Write(r.run)
		} else {
			r.out.WriteString(readCP932(r.run)) // CP50220 allows 8-bit katakana here
		}
	case setKana:
		r.out.WriteString(readEUC(spread(r.run, 0x8e, 1)))
	case setJIS0208:
		if !r.writeKanji() {
			r.out.WriteString(readEUC(spread(r.run, 0, 2)))
		}
	case setJIS0212:
		r.out.WriteString(readEUC(spread(r.run, 0x8f, 2)))
	case setGB:
		r.out.WriteString(wrap(simplifiedchinese.GBK)(spread(r.run, 0, 2)))
	case setKS:
		r.out.WriteString(wrap(korean.EUCKR)(spread(r.run, 0, 2)))
	}
	r.run = r.run[:0]
}

var readEUC = wrap(japanese.EUCJP)

// spread turns 7-bit codes of the given width into EUC, each after its single
// shift. Controls and blanks stay what they are.
func spread(run []byte, shift byte, width int) []byte {
	out := make([]byte, 0, len(run)*2)
	for len(run) > 0 {
		if run[0] <= ' ' {
			out = append(out, run[0])
			run = run[1:]
			continue
		}
		if shift != 0 {
			out = append(out, shift)
		}
		n := min(width, len(run))
		for _, c := range run[:n] {
			out = append(out, c|0x80)
		}
		run = run[n:]
	}
	return out
}

// writeKanji writes the run of JIS X 0208 by its table. It writes nothing and
// says so where not all of the run is pairs of that set.
func (r *jisReader) writeKanji() bool {
	const first, last = 0x21, 0x7e
	for _, c := range r.run {
		if c < first || c > last {
			return false
		}
	}
	if len(r.run)%2 != 0 {
		return false
	}
	table := kanji()
	for i := 0; i < len(r.run); i += 2 {
		r.out.WriteRune(rune(table[int(r.run[i]-first)*cells+int(r.run[i+1]-first)]))
	}
	return true
}

// cells are in each of as many rows of JIS X 0208.
const cells = 94

// kanji is JIS X 0208 by row and cell, made when the first mail asks for it: of
// all that is written in ISO-2022-JP nearly every character is in it.
var kanji = sync.OnceValue(func() *[cells * cells]uint16 {
	var table [cells * cells]uint16
	for i := range table {
		pair := []byte{byte(0xa1 + i/cells), byte(0xa1 + i%cells)}
		r, _ := utf8.DecodeRuneInString(readEUC(pair))
		table[i] = uint16(r)
	}
	return &table
})

var readShiftJIS = wrap(japanese.ShiftJIS)

// readCP932 is Shift_JIS as Windows has it: the user-defined rows F040 to F9FC
// are U+E000 onward instead of nothing.
func readCP932(b []byte) string {
	var out strings.Builder
	start := 0
	for i := 0; i < len(b); {
		n := wide(b[i:])
		if n == 2 && b[i] >= 0xf0 && b[i] <= 0xf9 {
			out.WriteString(readShiftJIS(b[start:i]))
			out.WriteRune(userDefined(b[i], b[i+1]))
			start = i + n
		}
		i += n
	}
	if start == 0 {
		return readShiftJIS(b)
	}
	out.WriteString(readShiftJIS(b[start:]))
	return out.String()
}

// wide returns the number of bytes of the CP932 character at the front of b.
func wide(b []byte) int {
	if len(b) < 2 || !lead(b[0]) || b[1] < 0x40 || b[1] == 0x7f || b[1] > 0xfc {
		return 1
	}
	return 2
}

func lead(c byte) bool { return c >= 0x81 && c <= 0x9f || c >= 0xe0 && c <= 0xfc }

func userDefined(hi, lo byte) rune {
	cell := rune(lo) - 0x40
	if lo > 0x7f {
		cell--
	}
	return 0xe000 + (rune(hi)-0xf0)*188 + cell
}
