package charset

import (
	"strings"
	"unicode/utf8"
)

// margin is how much better the other charset must fit. Half-width kana, which
// are kanji to EUC-JP, score alike in both.
const margin = common

// Mislabelled turns b into UTF-8 as the charset that it plainly is, where label
// says another: UTF-8 under any label but its own, EUC-JP and Shift_JIS under
// each other's. The label's own reading is not wrong, only never meant.
func Mislabelled(b []byte, label string) (text string, found bool) {
	family := familyOf(label)
	if family == "" || ascii(b) {
		return "", false
	}
	if utf8.Valid(b) {
		return string(b), plainlyUTF8(b)
	}
	other, better := tryCP932, scoreCP932(b)-scoreEUC(b)
	if family == "cp932" {
		other, better = tryEUC, -better
	}
	if family == "latin" || better < margin {
		return "", false
	}
	text = other.read(b)
	return text, !strings.ContainsRune(text, utf8.RuneError)
}

// plainlyUTF8 says that valid UTF-8 is no accident: it has a character of
// three bytes, or several of two.
func plainlyUTF8(b []byte) bool {
	two := 0
	for _, r := range string(b) {
		switch {
		case r >= 0x800:
			return true
		case r >= 0x80:
			two++
		}
	}
	return two > 2
}

// familyOf names the family that a label may be mistaken within, "" for UTF-8
// and for charsets that bytes show by themselves.
func familyOf(label string) string {
	switch label = normal(label); {
	case strings.HasPrefix(label, "iso-8859-1"), label == "windows-1252", label == "latin1", label == "cp1252":
		return "latin"
	case strings.Contains(label, "2022-jp"), strings.Contains(label, "5022"): // 8-bit bytes in it are read as Shift_JIS
		return "cp932"
	case strings.Contains(label, "sjis"), strings.Contains(label, "shift"), strings.Contains(label, "932"), label == "windows-31j", label == "ms-kanji":
		return "cp932"
	case strings.Contains(label, "euc-jp"), strings.Contains(label, "eucjp"), label == "ujis", label == "cp51932":
		return "euc-jp"
	}
	return ""
}
