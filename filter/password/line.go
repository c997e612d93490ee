package password

import (
	"slices"
	"strings"
	"unicode"
)

// line is a line as it stands, and with full-width letters and signs made
// plain and small: letter by letter, so that places are the same in both.
type line struct{ raw, folded []rune }

func newLine(s string) line {
	raw := []rune(strings.TrimRight(s, "\r"))
	folded := make([]rune, len(raw))
	for i, r := range raw {
		folded[i] = fold(r)
	}
	return line{raw, folded}
}

// fold makes the full-width forms of ASCII plain (U+FF01 to U+FF5E) and blanks
// alike.
func fold(r rune) rune {
	switch {
	case r >= 0xff01 && r <= 0xff5e:
		return r - 0xff01 + '!'
	case unicode.IsSpace(r):
		return ' '
	}
	return r
}

func (l line) blank() bool {
	return !slices.ContainsFunc(l.folded, func(r rune) bool { return r != ' ' })
}

func (l line) from(at int) line { return line{l.raw[at:], l.folded[at:]} }

// labels that name a password. Those in Latin letters must be words of their
// own; the longer ones come first, since the first that fits counts.
var labels = asRunes("パスワード", "パスワ-ド", "パスワ―ド", "ﾊﾟｽﾜｰﾄﾞ", "パスフレーズ", "パスコード", "暗証番号", "暗号キー", "復号キー", "解凍キー", "開封キー",
	"解凍鍵", "復号鍵", "暗証", "鍵は", "鍵：", "鍵:", "合言葉", "あいことば", "密码", "密碼", "口令", "비밀번호", "암호",
	"passwords", "password", "pass word", "passwort", "passphrase", "passcode", "pass code", "passwd", "passwrd", "pass-word", "p/w", "psw", "pwd", "pass", "pw",
	"decryption key", "unlock code", "zip key", "key", "pin", "パス")

// asRunes groups words by their first letter, in either case.
func asRunes(words ...string) map[rune][][]rune {
	out := map[rune][][]rune{}
	for _, w := range words {
		r := []rune(w)
		out[r[0]] = append(out[r[0]], r)
		if up := unicode.ToUpper(r[0]); up != r[0] {
			out[up] = append(out[up], r)
		}
	}
	return out
}

// label finds the first label of the line and returns its place.
func (l line) label() (from, to int, ok bool) {
	for i, r := range l.folded {
		if r > 'p' && r < 0x100 || r < 'D' { // most of Latin text begins no label
			continue
		}
		for _, w := range labels[r] {
			if l.spells(i, w) {
				return i, i + len(w), true
			}
		}
	}
	return 0, 0, false
}

// spells says that w stands at i, in any case.
func (l line) spells(i int, w []rune) bool {
	if len(l.folded)-i < len(w) {
		return false
	}
	for j, r := range w {
		if unicode.ToLower(l.folded[i+j]) != r {
			return false
		}
	}
	if w[0] == 'パ' && len(w) == 2 { // パスポート and バイパス speak of something else
		end := i + len(w)
		return (i == 0 || !unicode.Is(unicode.Katakana, l.folded[i-1]) && l.folded[i-1] != 'ー') &&
			(end == len(l.folded) || !unicode.Is(unicode.Katakana, l.folded[end]) && l.folded[end] != 'ー')
	}
	return !latin(w[0]) || (i == 0 || !latin(l.folded[i-1])) && (i+len(w) == len(l.folded) || !latin(l.folded[i+len(w)]))
}

func latin(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// afterSign returns what stands behind the sign, or the particle, that parts
// label and word; the whole line where there is none.
func (l line) afterSign() line {
	for i, r := range l.folded {
		switch {
		case strings.ContainsRune(":=→⇒➡▶は", r):
			return l.from(i + 1).trimmed()
		case r == ' ' && (l.spells(i, []rune(" is ")) || l.spells(i, []rune(" is: "))):
			return l.from(i + 4).trimmed()
		}
	}
	return l.trimmed()
}

// trimmed is the line without blanks, signs and brackets in front.
func (l line) trimmed() line {
	for len(l.folded) > 0 && strings.ContainsRune(" :=→⇒>】』」]■□◆●・…-", l.folded[0]) {
		l = l.from(1)
	}
	return l
}

// endings close a Japanese sentence, without a blank before them.
var endings = []string{"。", "．", "です", "となります", "になります", "でございます", "となっております", "になっております", "、", "」", "』", "】", "よろしくお願いします", "よろしくお願いいたします"}

// tidy is the line as a word: without blanks, and what ends its sentence.
func (l line) tidy() string {
	s := strings.TrimFunc(string(l.raw), unicode.IsSpace)
	for again := true; again; {
		again = false
		for _, e := range endings {
			if cut, ok := strings.CutSuffix(s, e); ok {
				s, again = strings.TrimRightFunc(cut, unicode.IsSpace), true
			}
		}
	}
	return strings.TrimLeftFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("「『【■□◆●・>＞", r)
	})
}

// firstWord is what stands before the first blank.
func (l line) firstWord() string {
	for i, r := range l.folded {
		if r == ' ' {
			return line{l.raw[:i], l.folded[:i]}.tidy()
		}
	}
	return l.tidy()
}

// runs returns the runs of typed characters, in which Japanese text embeds a
// password without blanks: as they stand plain, and where they are full-width,
// also as they were written.
func (l line) runs() (out []string) {
	const most = 12
	for i := 0; i < len(l.folded) && len(out) < most; i++ {
		j := i
		for j < len(l.folded) && l.folded[j] > ' ' && l.folded[j] < 0x7f {
			j++
		}
		if j == i {
			continue
		}
		plain, written := string(l.folded[i:j]), string(l.raw[i:j])
		out = append(out, plain)
		if written != plain {
			out = append(out, written)
		}
		i = j
	}
	return out
}
