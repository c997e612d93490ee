package part

import (
	"bytes"
	"slices"
	"strings"
)

// encoding is a transfer encoding (RFC 2045 §6).
type encoding int

const (
	identity encoding = iota
	base64
	quoted
	uuencode
	yenc
	binhex
)

// encodings are the values that mean something to some mail program.
var encodings = map[string]encoding{
	"": identity, "7bit": identity, "8bit": identity, "binary": identity,
	"base64": base64, "x-base64": base64, "base-64": base64, "b64": base64,
	"quoted-printable": quoted, "quoted/printable": quoted, "quotedprintable": quoted, "x-quoted-printable": quoted,
	"x-uuencode": uuencode, "uuencode": uuencode, "x-uue": uuencode, "uue": uuencode, "x-uu": uuencode, "x-xxencode": uuencode, "xxencode": uuencode,
	"x-yencode": yenc, "yencode": yenc, "x-yenc": yenc,
	"binhex": binhex, "x-binhex": binhex, "mac-binhex40": binhex, "binhex40": binhex, "x-binhex40": binhex,
}

// sloppy are values that honest senders write where they mean none.
var sloppy = map[string]bool{
	"7-bit": true, "8-bit": true, "7bits": true, "8bits": true, "7 bit": true, "8 bit": true, "bit7": true, "bit8": true, "none": true, "plain": true, "text": true,
	"text/plain": true, "ascii": true, "us-ascii": true, "utf-8": true, "utf8": true, "iso-8859-1": true, "16bit": true, "multipart/mixed": true, "multipart/alternative": true,
}

// transfer returns every encoding that the header's fields can be taken to
// declare, the most likely first, and why there are several.
func transfer(h *header) (list []encoding, how string) {
	values := h.all("content-transfer-encoding")
	for _, v := range values {
		one, clear := declared(v)
		if !clear {
			how = "transfer encoding " + strings.TrimSpace(unfold(v))
		}
		for _, e := range one {
			if !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	if len(list) == 0 {
		return []encoding{identity}, ""
	}
	if len(list) > 1 && how == "" {
		how = "several transfer encodings"
	}
	return list, how
}

// declared reads one value. clear is false where programs would differ on it.
func declared(value []byte) (list []encoding, clear bool) {
	s := strings.ToLower(unfold(value))
	if e, ok := encodings[s]; ok {
		return []encoding{e}, true
	}
	if sloppy[s] {
		return []encoding{identity}, true
	}
	word, _, _ := decodeWords(s)
	for _, text := range [...]string{stripComments(s), s, word} {
		for _, token := range strings.FieldsFunc(text, separates) {
			if e, ok := encodings[token]; ok && !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	for _, name := range [...]string{"base64", "quoted-printable", "uuencode"} {
		if strings.Contains(s, name) && len(list) == 0 {
			list = append(list, encodings[name])
		}
	}
	if !slices.Contains(list, identity) {
		list = append(list, identity)
	}
	return list, false
}

// separates says that c cannot be part of an encoding's name.
func separates(c rune) bool {
	return c <= ' ' || strings.ContainsRune(",;\"'()=?:<>[]\x7f", c)
}

// decoding is one way to read a body.
type decoding struct {
	reading string
	body    []byte
}

// decode undoes e in every way that gives other bytes, the most likely first.
// The first may lie in buf's memory.
func decode(buf, src []byte, e encoding, text bool) (out []decoding, how string) {
	switch e {
	case base64:
		return readings64(buf, src, text)
	case quoted:
		return []decoding{{"", decodeQP(buf, src)}}, ""
	case uuencode:
		if f, ok := uuBody(src); ok {
			return []decoding{{"", f}}, ""
		}
	case yenc:
		if i := bytes.Index(src, []byte("=ybegin ")); i >= 0 {
			f, _ := yFile(src[i:])
			return []decoding{{"", f.body}}, ""
		}
		return []decoding{{"", yLines(src)}}, ""
	case binhex:
		if f, _, ok := hqxFile(src); ok {
			return []decoding{{"", f.body}}, ""
		}
	}
	return []decoding{{"", src}}, ""
}

// label names an encoding in a Reading.
func (e encoding) label() string {
	return [...]string{"undecoded", "base64", "quoted-printable", "uuencode", "yencode", "binhex"}[e]
}
