package charset

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// Guess turns b, of unknown charset, into UTF-8 and names the charset that
// fits best: "" for ASCII, then "utf-8", "iso-2022-jp", "cp932", "euc-jp" ...
// With none fitting the text holds U+FFFD and the name is "unknown".
func Guess(b []byte) (text, name string) {
	if ascii(b) {
		return guess7(b)
	}
	if utf8.Valid(b) {
		return string(b), "utf-8"
	}
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return readUTF16(b), "utf-16"
	}
	part := sample(b)
	if len(part) < len(b) && utf8.Valid(part) {
		return readUTF8(b), "utf-8"
	}
	for _, c := range candidates(part) {
		switch s := c.read(part); {
		case strings.Contains(s, unreadable):
		case len(part) == len(b):
			return s, c.name
		default:
			return c.read(b), c.name
		}
	}
	return strings.ToValidUTF8(string(b), unreadable), "unknown"
}

// unreadable stands for what has no meaning in a charset.
const unreadable = "\uFFFD"

// sampled is how much of a long text decides about its charset: to read
// megabytes in six charsets costs more than to unpack them.
const sampled = 64 << 10

// sample is all of a short text. Of a long one it is the lines from the first
// that is not ASCII on: a line end is no part of a character in the charsets
// that are guessed.
func sample(b []byte) []byte {
	if len(b) <= sampled {
		return b
	}
	b = b[bytes.LastIndexByte(b[:asciiHead(b)], '\n')+1:]
	if len(b) <= sampled {
		return b
	}
	b = b[:sampled]
	if end := bytes.LastIndexByte(b, '\n'); end > 0 {
		return b[:end]
	}
	return b[:wholeCharacters(b)]
}

// wholeCharacters is where b can be cut within a line: behind its last byte of
// ASCII that is not the second of a pair, or at its end where it has none.
func wholeCharacters(b []byte) int {
	for n := len(b) - 1; n > 0; n-- {
		if b[n] < 0x30 {
			return n + 1
		}
	}
	return len(b)
}

// guess7 tells ISO-2022-JP from ASCII by its escapes.
func guess7(b []byte) (text, name string) {
	if bytes.Contains(b, []byte("\x1b$")) || bytes.Contains(b, []byte("\x1b(I")) {
		if s := readJIS(b); !strings.ContainsRune(s, utf8.RuneError) {
			return s, "iso-2022-jp"
		}
	}
	return string(b), ""
}

// candidate is a charset to try.
type candidate struct {
	name string
	read reader
}

var (
	tryCP932 = candidate{"cp932", readCP932}
	tryEUC   = candidate{"euc-jp", readEUC}
	tryLatin = candidate{"windows-1252", wrap(charmap.Windows1252)}
	others   = []candidate{
		{"gb18030", wrap(simplifiedchinese.GB18030)}, {"big5", wrap(traditionalchinese.Big5)}, {"euc-kr", wrap(korean.EUCKR)}, tryLatin,
	}
)

// candidates orders the charsets to try. Japanese comes before the rest of
// East Asia: this is a Japanese gateway.
func candidates(b []byte) []candidate {
	switch {
	case lonely(b):
		return []candidate{tryLatin}
	case scoreEUC(b) > scoreCP932(b):
		return append([]candidate{tryEUC, tryCP932}, others...)
	}
	return append([]candidate{tryCP932, tryEUC}, others...)
}

// lonely says that every byte beyond ASCII is a Latin letter (C0 to FF)
// between ASCII bytes: "Résumé", "Müller". In CP932 it would be a rare kanji or a
// single half-width kana amid letters.
func lonely(b []byte) bool {
	for i, c := range b {
		if c < 0x80 {
			continue
		}
		if c < 0xc0 || i > 0 && b[i-1] >= 0x80 || i+1 < len(b) && b[i+1] >= 0x80 {
			return false
		}
	}
	return true
}

// Scores of one character: kana and the kanji of daily use speak for a
// charset, rare rows against it.
const (
	common  = 3  // kana, symbols
	usual   = 2  // JIS level 1 kanji
	rare    = -1 // JIS level 2 kanji
	unheard = -4 // user-defined or not assigned
)

func scoreCP932(b []byte) int {
	score := 0
	for i := 0; i < len(b); {
		n := wide(b[i:])
		switch {
		case n == 2:
			score += cellCP932(b[i], b[i+1])
		case b[i] >= 0xa1 && b[i] <= 0xdf:
			score += halfKana(b, i)
		case b[i] >= 0x80:
			score += unheard
		}
		i += n
	}
	return score
}

func cellCP932(hi, lo byte) int {
	switch {
	case hi == 0x82 || hi == 0x83 && lo <= 0x96 || hi == 0x81:
		return common
	case hi >= 0x88 && hi <= 0x97 || hi == 0x98 && lo <= 0x72:
		return usual
	case hi >= 0xf0 && hi <= 0xf9 || hi >= 0x84 && hi <= 0x86:
		return unheard
	}
	return rare
}

// halfKana weighs one half-width kana: a mark that voices nothing shows that
// the bytes are something else.
func halfKana(b []byte, i int) int {
	const voice, semivoice, long = 0xde, 0xdf, 0xb0
	c := b[i]
	if c != voice && c != semivoice && c != long {
		return 1
	}
	if i == 0 || b[i-1] < 0xa6 || b[i-1] > 0xdf {
		return unheard
	}
	if c != long && (b[i-1] < 0xb3 || b[i-1] > 0xce) {
		return unheard
	}
	return 1
}

func scoreEUC(b []byte) int {
	score := 0
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		if i+1 >= len(b) || b[i+1] < 0xa1 {
			return score + 2*unheard
		}
		score += cellEUC(b[i])
		i += 2
	}
	return score
}

func cellEUC(hi byte) int {
	switch {
	case hi == 0xa4 || hi == 0xa5 || hi == 0xa1 || hi == 0xa3:
		return common
	case hi >= 0xb0 && hi <= 0xcf:
		return usual
	case hi >= 0xd0 && hi <= 0xf4 || hi == 0x8e || hi == 0x8f || hi == 0xad:
		return rare
	}
	return unheard
}
