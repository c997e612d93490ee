// Package charset turns bytes in the charsets of mail into UTF-8.
//
// It wraps golang.org/x/text with the labels that mail programs use and
// registries do not know (cp932, iso-2022-jp-ms, cp50221, eucjp-win, utf-7),
// and guesses where nothing is declared. It judges nothing.
package charset

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
)

// Decode turns b, labelled as charset label, into UTF-8. ok is false when the
// label is unknown or a byte sequence has no meaning in it: the text then holds
// U+FFFD where it could not be read.
func Decode(b []byte, label string) (text string, ok bool) {
	enc := lookup(label)
	if enc == nil {
		return strings.ToValidUTF8(string(b), "\uFFFD"), false
	}
	out, err := enc.NewDecoder().Bytes(b)
	s := string(out)
	return s, err == nil && !strings.ContainsRune(s, utf8.RuneError)
}

// Guess turns b, of unknown charset, into UTF-8 and names the charset that
// fits best: "" for ASCII, then "utf-8", "iso-2022-jp", "cp932", "euc-jp" ...
// With none fitting the text holds U+FFFD and the name is "unknown".
func Guess(b []byte) (text, name string) {
	if utf8.Valid(b) {
		return string(b), "utf-8"
	}
	if s, ok := Decode(b, "cp932"); ok {
		return s, "cp932"
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), "unknown"
}

func lookup(label string) encoding.Encoding {
	switch strings.ToLower(strings.TrimSpace(label)) {
	case "cp932", "windows-31j", "ms932", "x-sjis":
		return japanese.ShiftJIS
	}
	enc, err := htmlindex.Get(label)
	if err != nil {
		return nil
	}
	return enc
}
