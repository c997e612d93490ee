// Package charset turns bytes in the charsets of mail into UTF-8.
//
// It wraps golang.org/x/text with the labels that mail programs use and
// registries do not know (cp932, iso-2022-jp-ms, cp50221, eucjp-win, utf-7),
// and guesses where nothing is declared. It judges nothing.
//
// It follows the WHATWG Encoding Standard for the double-byte tables, RFC 1468,
// 1554 and 2237 for ISO-2022-JP, RFC 2152 for UTF-7 and RFC 2781 for UTF-16. It
// departs from them where mail programs do: JIS-Roman is read as ASCII, the
// user-defined rows of CP932 become private-use characters, an unlabelled
// UTF-16 byte order is guessed.
package charset

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// Decode turns b, labelled as charset label, into UTF-8. ok is false when the
// label is unknown or a byte sequence has no meaning in it: the text then holds
// U+FFFD where it could not be read.
func Decode(b []byte, label string) (text string, ok bool) {
	if read := lookup(label); read != nil {
		text = read(b)
		return text, !strings.Contains(text, unreadable)
	}
	if ascii(b) {
		return string(b), false
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), false
}

// Straight says that in the charset of this label a byte of ASCII means itself
// wherever it stands, as long as there is no escape, shift or zero byte in the
// text; nearly all are so.
func Straight(label string) bool { return !winding[normal(label)] }

// winding are the labels of which that is not so: letters that stand for other
// bytes, words that switch to a second set, EBCDIC.
var winding = labels("utf-7", "utf7", "unicode-1-1-utf-7", "csunicode11utf7", "x-unicode-1-1-utf-7", "unicode-2-0-utf-7",
	"cp65000", "windows-65000", "utf-16", "utf16", "unicode", "csunicode", "ucs-2", "iso-10646-ucs-2", "x-utf-16",
	"utf-16be", "utf16be", "unicodefffe", "ucs-2be", "cp1201", "utf-16le", "utf16le", "unicodefeff", "ucs-2le", "cp1200",
	"utf-32", "utf32", "ucs-4", "iso-10646-ucs-4", "utf-32be", "utf32be", "ucs-4be", "utf-32le", "utf32le", "ucs-4le",
	"hz", "hz-gb-2312", "hz-gb2312", "cp1047", "ibm1047", "cp037", "ibm037", "ebcdic-cp-us", "cp1140", "cp500", "ibm500")

func labels(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
}

// reader turns bytes of one charset into valid UTF-8; what has no meaning
// becomes U+FFFD.
type reader func([]byte) string

// lookup finds the reader of a label, nil where nobody knows it.
func lookup(label string) reader {
	key := normal(label)
	if read, ok := aliases[key]; ok {
		return read
	}
	enc, err := htmlindex.Get(key)
	if err != nil {
		enc, err = htmlindex.Get(strings.TrimPrefix(key, "x-"))
	}
	if err != nil || enc == encoding.Replacement {
		return nil
	}
	return wrap(enc)
}

// normal brings a label to the form that the tables use.
func normal(label string) string {
	label = strings.ToLower(strings.Trim(label, " \t\r\n\"'"))
	if i := strings.IndexByte(label, '*'); i >= 0 {
		label = label[:i] // RFC 2231 §5: a language may follow
	}
	return strings.ReplaceAll(label, "_", "-")
}

func wrap(enc encoding.Encoding) reader {
	return func(b []byte) string {
		out, err := enc.NewDecoder().Bytes(b)
		if err != nil {
			return strings.ToValidUTF8(string(b), "\uFFFD")
		}
		return string(out)
	}
}

// readASCII takes bytes beyond ASCII for what they most likely are: mail
// labelled us-ascii carries every charset there is.
func readASCII(b []byte) string {
	text, _ := Guess(b)
	return text
}

func readUTF8(b []byte) string {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String()
}

func ascii(b []byte) bool { return asciiHead(b) == len(b) }

// asciiHead returns how many bytes of ASCII b begins with.
func asciiHead(b []byte) int {
	const high = 0x8080808080808080
	n := 0
	for len(b)-n >= 8 && binary.LittleEndian.Uint64(b[n:])&high == 0 {
		n += 8
	}
	for n < len(b) && b[n] < utf8.RuneSelf {
		n++
	}
	return n
}
