// Package password finds the words of a text that may be the password of
// something sent along with it, or in another mail.
//
// It follows the habits of Japanese and English business mail: a label
// (パスワード, 解凍PW, "password is") with the word behind it, in brackets, or on
// a line of its own below. It opens nothing and guesses nothing: no dates, no
// file names, no lists of favourites. What it finds is tried on archives and
// proves itself there, so a word too many costs a try and a word too few a file
// that nobody could look into.
package password

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Found is a word that may be a password.
type Found struct {
	Text string
	// Weak says that no label stands near: only its look speaks for it.
	Weak bool
}

// Bounds. A letter names one password or a handful; what a longer text offers
// beyond them is noise.
const (
	maxText     = 1 << 20
	maxStrong   = 64
	maxWeak     = 32
	maxWord     = 128 // bytes
	minWeak     = 4
	maxWeakWord = 40
	// below is how many lines that hold something are looked at under a label.
	below = 4
)

// Find returns the words of text, those with a label first, each once.
// labelled says that the text speaks of a password at all.
func Find(text string) (found []Found, labelled bool) {
	f := &finder{seen: map[string]int{}}
	f.read(strings.Split(clip(text, maxText), "\n"))
	return append(f.strong, f.rest()...), f.labelled
}

// clip shortens s without splitting a character.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

type finder struct {
	strong, weak []Found
	seen         map[string]int // 1: strong, 2: weak
	labelled     bool
}

// rest returns the weak words that did not turn out to be strong.
func (f *finder) rest() (out []Found) {
	for _, w := range f.weak {
		if f.seen[w.Text] == 2 {
			out = append(out, w)
		}
	}
	return out
}

func (f *finder) read(lines []string) {
	left := 0 // lines below a label that are still to be looked at
	for _, raw := range lines {
		l := newLine(raw)
		if l.blank() {
			continue
		}
		switch from, to, ok := l.label(); {
		case ok:
			f.labelled = true
			left = below
			if f.behind(l, to) {
				left = 1 // "パスワードは次の行です" names a word of its own too
			}
			f.before(l, from)
		case left > 0:
			left--
			f.under(l)
		default:
			f.alone(l)
		}
	}
}

// behind takes the words behind a label; false when there is none.
func (f *finder) behind(l line, at int) bool {
	rest := l.from(at)
	got := f.quoted(rest)
	// A second label in the line belongs to a second password.
	value := rest.afterSign()
	if value.tidy() != "" {
		f.add(value.tidy())
		f.add(value.firstWord())
	}
	for _, w := range value.runs() {
		got = f.add(w) || got
		f.add(trim(w))
	}
	return got
}

// before takes the words in front of a label: "abc123 がパスワードです".
func (f *finder) before(l line, at int) {
	head := line{l.raw[:at], l.folded[:at]}
	f.quoted(head)
	runs := head.runs()
	for _, w := range runs[max(0, len(runs)-3):] {
		f.add(trim(w))
	}
}

// under takes the words of a line below a label.
func (f *finder) under(l line) {
	f.quoted(l)
	f.add(l.tidy())
	runs := l.runs()
	for _, w := range runs[:min(len(runs), 4)] {
		f.add(w)
		f.add(trim(w))
	}
	if value := l.afterSign(); len(value.raw) < len(l.raw) {
		f.add(value.tidy())
	}
}

// alone takes a line that is one word and looks like a password.
func (f *finder) alone(l line) {
	if len(l.raw) > 2*maxWeakWord {
		return
	}
	w := l.tidy()
	if len(f.weak) >= maxWeak || f.seen[w] > 0 || len(w) < minWeak || len(w) > maxWeakWord || !mixed(w) || isAddress(w) {
		return
	}
	f.seen[w] = 2
	f.weak = append(f.weak, Found{Text: w, Weak: true})
}

// quoted takes what stands in brackets or quotes.
func (f *finder) quoted(l line) (any bool) {
	for i := 0; i < len(l.raw); i++ {
		closing := brackets[l.raw[i]]
		if closing == 0 {
			continue
		}
		for j := i + 1; j < len(l.raw); j++ {
			if l.raw[j] != closing {
				continue
			}
			if j > i+1 {
				any = f.add(string(l.raw[i+1:j])) || any
				f.add(string(l.folded[i+1 : j]))
			}
			i = j
			break
		}
	}
	return any
}

// brackets that people put round a password.
var brackets = map[rune]rune{
	'「': '」', '『': '』', '【': '】', '〈': '〉', '《': '》', '〔': '〕', '\u201c': '\u201d', '\u2018': '\u2019', '＜': '＞', '（': '）', '［': '］',
	'"': '"', '\'': '\'', '`': '`', '<': '>', '(': ')', '[': ']', '＂': '＂', '«': '»', '{': '}',
}

// add keeps a word with a label; false for one that cannot be a password.
func (f *finder) add(w string) bool {
	w = strings.TrimFunc(w, unicode.IsSpace)
	if w == "" || len(w) > maxWord || strings.Contains(w, "://") || isAddress(w) || !printable(w) {
		return false
	}
	if f.seen[w] != 1 && len(f.strong) < maxStrong {
		f.seen[w] = 1
		f.strong = append(f.strong, Found{Text: w})
	}
	return true
}

// printable says that a person could type s.
func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// isAddress knows mail addresses; "P@ssw0rd" is none.
func isAddress(w string) bool {
	local, domain, ok := strings.Cut(w, "@")
	dot := strings.LastIndexByte(domain, '.')
	return ok && local != "" && dot > 0 && len(domain)-dot > 2
}

// mixed says that w is made of typed characters of at least two kinds, as
// passwords are and words are not. Digits alone may be one, too.
func mixed(w string) bool {
	var upper, lower, digit, sign int
	for _, r := range w {
		switch {
		case r >= 'A' && r <= 'Z':
			upper = 1
		case r >= 'a' && r <= 'z':
			lower = 1
		case r >= '0' && r <= '9':
			digit = 1
		case r > ' ' && r < 0x7f:
			sign = 1
		default:
			return false
		}
	}
	return digit == 1 && sign == 0 || upper+lower+digit+sign > 1 && (digit == 1 || sign == 1 && upper+lower > 0)
}

// trim takes off what belongs to the sentence.
func trim(w string) string { return strings.Trim(w, `.,;:!?"'()[]<>{}`) }
