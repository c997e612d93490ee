package part

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// readingCase is one way to write the same file. Honest ones must be read
// without a finding.
type readingCase struct {
	name, raw string
	honest    bool
}

const (
	readingType = "Content-Type: multipart/mixed; boundary="
	readingFile = "Content-Type: application/octet-stream; name=a.exe\nContent-Transfer-Encoding: base64\n\n" + coded + "\n"
	readingUU   = "begin 644 a.exe\n735H@:&%R;6QE<W,@<')O9W)A;0T* /\\ \n`\nend\n"
)

// alone is a message that is the file, under the given lines.
func alone(lines, body string) string { return "From: a@example.jp\n" + lines + "\n\n" + body + "\n" }

// replaced is the honest mail of a text and the file with one piece changed.
func replaced(old, new string) string {
	honest := twoParts(readingType+"b", "--b")
	if !strings.Contains(honest, old) {
		panic("the mail lacks " + old)
	}
	return strings.Replace(honest, old, new, 1)
}

func wideText(s string, order binary.AppendByteOrder, mark string) string {
	out := []byte(mark)
	for _, c := range []byte(s) {
		out = order.AppendUint16(out, uint16(c))
	}
	return string(out)
}

func boundaryReadings() []readingCase {
	const ct = readingType
	inner := "From: a@example.jp\n" + ct + "o\n\n--o\n" + ct + "i\n\n--i\n\nHello\n"
	return []readingCase{
		{"behind the close of the outer multipart", inner + "--o--\n--i\n" + readingFile + "--i--\n", false},
		{"behind the next delimiter of the outer", inner + "--o\n\nfoo\n--i\n" + readingFile + "--i--\n", false},
		{"behind its own close, in a part of the outer", inner + "--i--\n--o\nContent-Type: text/plain\n\nfoo\n--i\n" + readingFile + "--i--\n--o--\n", false},
		{"an outer delimiter within the file", inner + "--i\nContent-Type: x/y\nContent-Transfer-Encoding: base64\n\n" + coded[:8] + "\n--o\n" + coded[8:] + "\n--i--\n--o--\n", false},
		{"the outer close within the file", inner + "--i\nContent-Type: x/y\nContent-Transfer-Encoding: base64\n\n" + coded[:8] + "\n--o--\n\n" + coded[8:] + "\n--i--\n", false},
		{"indented", replaced("Hello\n--b", "Hello\n --b"), false},
		{"all indented", strings.ReplaceAll(twoParts(ct+"b", "--b"), "\n--b", "\n\t--b"), false},
		{"behind a byte order mark", replaced("Hello\n--b", "Hello\n\xef\xbb\xbf--b"), false},
		{"behind NUL", replaced("Hello\n--b", "Hello\n\x00--b"), false},
		{"quoted as in an answer", replaced("Hello\n--b", "Hello\n> --b"), false},
		{"behind a form feed", replaced("Hello\n--b", "Hello\f--b"), false},
		{"behind U+0085", replaced("Hello\n--b", "Hello\u0085--b"), false},
		{"behind U+2028", replaced("Hello\n--b", "Hello\u2028--b"), false},
		{"behind text, a mark after it", replaced("Hello\n--b", "Hello\x1b--b\u2028"), false},
		{"a field in the delimiter's line", replaced("--b\nContent-Type: app", "--b\vContent-Type: app"), false},
		{"a quoted-pair", twoParts(ct+`"b\c"`, "--bc"), true},
		{"a quoted-pair kept", twoParts(ct+`"b\c"`, `--b\c`), true},
		{"encoded words", twoParts(ct+`"=?us-ascii?Q?bc?="`, "--bc"), true},
		{"encoded words as they stand", twoParts(ct+`"=?us-ascii?Q?bc?="`, "--=?us-ascii?Q?bc?="), true},
		{"percent coding", twoParts(ct+"b%63", "--bc"), true},
		{"8-bit", twoParts(ct+"\"é\"", "--é"), true},
		{"8-bit in no charset", twoParts(ct+"b\xff", "--b\xff"), false},
		{"two equals signs", twoParts("Content-Type: multipart/mixed; boundary==b", "--b"), false},
		{"longer than 70", twoParts(ct+strings.Repeat("x", 80), "--"+strings.Repeat("x", 80)), true},
		{"longer than 998", twoParts(ct+strings.Repeat("x", 1200), "--"+strings.Repeat("x", 1200)), false},
		{"cut at 70", twoParts(ct+strings.Repeat("x", 80), "--"+strings.Repeat("x", 70)), false},
		{"in Content-Disposition", twoParts("Content-Type: multipart/mixed\nContent-Disposition: inline; boundary=b", "--b"), false},
		{"a byte order mark before the key", twoParts("Content-Type: multipart/mixed;\ufeff boundary=b", "--b"), true},
		{"a blank before the quote's end", twoParts(ct+"\"b \"", "--b"), true},
		{"an empty field first", twoParts("Content-Type:\n"+ct+"b", "--b"), false},
		{"of another message's shape", twoParts("Content-Type: message/mixed; boundary=b", "--b"), false},
		{"a type in two words", twoParts("Content-Type: multi part/mixed; boundary=b", "--b"), false},
		{"blanks round the slash", twoParts("Content-Type: multipart / mixed; boundary=b", "--b"), true},
		{"a type in encoded words", twoParts("Content-Type: =?us-ascii?Q?multipart/mixed;_boundary=3Db?=", "--b"), false},
		{"no type", twoParts("MIME-Version: 1.0", "--b"), false},
		{"text, no boundary", twoParts("Content-Type: text/plain", "--b"), false},
		{"another field's name", twoParts("X-Content-Type: multipart/mixed; boundary=b", "--b"), false},
		{"in a leaf", "From: a@example.jp\n" + ct + "o\n\n--o\nContent-Type: text/plain\n\n--q\n" + readingFile + "--q--\n--o--\n", false},
		{"an inner multipart in base64, undeclared", "From: a@example.jp\n" + ct + "o\n\n--o\n" + ct + "i\n\n" + encoded64("--i\n"+readingFile+"--i--\n") + "\n--o--\n", false},
		{"a multipart in the epilogue", "From: a@example.jp\n" + ct + "o\n\n--o\n\nx\n--o--\n" + ct + "i\n\n--i\n" + readingFile + "--i--\n", false},
		{"LF CR throughout", strings.ReplaceAll(twoParts(ct+"b", "--b"), "\n", "\n\r"), false},
		{"CR CR LF throughout", strings.ReplaceAll(twoParts(ct+"b", "--b"), "\n", "\r\r\n"), false},
		{"CR throughout", strings.ReplaceAll(twoParts(ct+"b", "--b"), "\n", "\r"), true},
	}
}

func headerReadings() []readingCase {
	const ct, cte = readingType, "Content-Transfer-Encoding: "
	pad := strings.Repeat("a", lineLimit-len("X-P: "))
	rest := "\n" + strings.SplitAfterN(twoParts(ct+"b", "--b"), "\n\n", 2)[1]
	return []readingCase{
		{"an mbox line within", strings.Replace(twoParts(ct+"b", "--b"), ct, "From x y\n"+ct, 1), false},
		{"a byte order mark before all", "\xef\xbb\xbf" + twoParts(ct+"b", "--b"), false},
		{"a fold before all", " foo: bar\n" + twoParts(ct+"b", "--b"), false},
		{"a blank line before all", " \n" + twoParts(ct+"b", "--b"), false},
		{"traces, an empty line, the header", "Received: from x by y; z\n\n" + twoParts(ct+"b", "--b"), false},
		{"two empty lines before a part's header", replaced("--b\nContent-Type: app", "--b\n\n\nContent-Type: app"), false},
		{"an empty line within a part's header", replaced("name=a.exe\nContent-T", "name=a.exe\n\nContent-T"), false},
		{"text before a part's fields", replaced("--b\nContent-Type: app", "--b\nHello\nContent-Type: app"), false},
		{"a vertical tab for a line end", replaced("name=a.exe\nContent-T", "name=a.exe\vContent-T"), false},
		{"U+2028 for a line end", replaced("name=a.exe\nContent-T", "name=a.exe\u2028Content-T"), false},
		{"a field freed by a refold", "From: a@example.jp\nX-P: " + pad + ct + "b\n" + rest, false},
		{"a delimiter freed by a refold", replaced("Hello\n--b", "Hello\n"+strings.Repeat("a", lineLimit)+"--b"), false},
		{"a delimiter freed by the second", replaced("Hello\n--b", "Hello\n"+strings.Repeat("a", 2*lineLimit-1)+"--b"), false},
		{"a field of 120,000 bytes", "From: a@example.jp\nX-P: " + strings.Repeat("a b\n ", 24000) + "c\n" + ct + "b\n" + rest, true},
		{"the encoding in two lines", filePart("Content-Type: application/octet-stream\n" + cte + "base\n 64"), false},
		{"the encoding behind a zero-width space", filePart("Content-Type: application/octet-stream\n" + cte + "\u200bbase64"), false},
		{"the encoding behind a no-break space", filePart("Content-Type: application/octet-stream\n" + cte + "\u00a0base64"), false},
		{"the encoding's name with an underscore", filePart("Content-Type: application/octet-stream\nContent-Transfer_Encoding: base64"), false},
		{"the encoding of HTTP", filePart("Content-Type: application/octet-stream\nContent-Encoding: base64"), false},
	}
}

func encodingReadings() []readingCase {
	const octets, b64 = "Content-Type: application/octet-stream\n", "Content-Transfer-Encoding: base64"
	qp := strings.NewReplacer("=", "=3D", "/", "=2F").Replace(coded)
	return []readingCase{
		{"base64 twice", alone(octets+b64, encoded64(coded)), false},
		{"quoted-printable, then base64", alone(octets+"Content-Transfer-Encoding: quoted-printable", qp), false},
		{"both declared, one within the other", alone(octets+b64+"\nContent-Transfer-Encoding: quoted-printable", encoded64("MZ harmless program=0D=0A=00=FF")), false},
		{"both in a list", alone(octets+"Content-Transfer-Encoding: base64, quoted-printable", qp), false},
		{"a line of the URL alphabet's letters", alone(octets+b64, strings.Join(strings.Split(coded, ""), "\n")), true},
		{"each line with its padding", alone(octets+b64, "TVo=\nIGg=\nYXI=\nbWw=\nZXM=\ncyA=\ncHI=\nb2c=\ncmE=\nbQ0=\nCgA=\n/w=="), false},
		{"an equals sign first", alone(octets+b64, "="+coded), false},
		{"a soft break within", alone(octets+b64, coded[:16]+"=\n"+coded[16:]), false},
		{"quoted as in an answer", alone(octets+b64, "> "+coded[:16]+"\n> "+coded[16:]), false},
		{"a soft break before CR CR LF", alone("Content-Transfer-Encoding: quoted-printable", "MZ harmless =\r\r\r\nprogram=0D=0A=00=FF="), false},
		{"yEnc without its first line", alone(octets+"Content-Transfer-Encoding: x-yencode", yEncoded(program)), false},
		{"xxencode declared", alone(octets+"Content-Transfer-Encoding: x-xxencode", "begin 644 a.exe\n"+xxEncoded(program)+"+\nend"), false},
		{"uuencode in HTML", alone("Content-Type: text/html", "<pre>\n"+readingUU), false},
		{"uuencode behind NUL", alone("Content-Type: text/plain", "\x00\n"+readingUU), false},
		{"uuencode without mode and name", alone("Content-Type: text/plain", strings.Replace(readingUU, " 644 a.exe", "", 1)), false},
		{"uuencode behind a blank", alone("Content-Type: text/plain", " "+readingUU), false},
		{"uuencode in UTF-16", alone("Content-Type: text/plain; charset=utf-16\n"+b64, encoded64(wideText(readingUU, binary.LittleEndian, "\xff\xfe"))), false},
		{"uuencode in UTF-7", alone("Content-Type: text/plain; charset=utf-7", strings.ReplaceAll(strings.ReplaceAll(readingUU, "+", "+-"), "e", "+AGU-")), false},
		{"uuencode in quoted-printable", alone("Content-Transfer-Encoding: quoted-printable", strings.ReplaceAll(readingUU, " \n", "=20\n")), false},
		{"uuencode in the preamble", "From: a@example.jp\n" + readingType + "o\n\n" + readingUU + "--o\n\nx\n--o--\n", false},
		{"xxencode", alone("Content-Type: text/plain", "begin 644 a.exe\n"+xxEncoded(program)+"+\nend"), false},
		{"BinHex", alone("Content-Type: text/plain", "(This file must be converted with BinHex 4.0)\n:"+hqxEncoded("a.exe", program)+":"), false},
	}
}

func messageReadings() []readingCase {
	honest := twoParts(readingType+"b", "--b")
	digest := "From: a@example.jp\nContent-Type: multipart/digest; boundary=o\n\n--o\n"
	b64 := "Content-Transfer-Encoding: base64"
	named := "Content-Type: application/octet-stream; name=a.eml\n" + b64
	return []readingCase{
		{"under base64", alone("Content-Type: message/rfc822\n"+b64, encoded64(honest)), true},
		{"under base64, undeclared", alone("Content-Type: message/rfc822", encoded64(honest)), false},
		{"under quoted-printable", alone("Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable", strings.ReplaceAll(honest, "=", "=3D")), true},
		{"under another encoding than declared", alone("Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable", encoded64(honest)), false},
		{"of a type in blanks", alone("Content-Type: message / rfc822", honest), true},
		{"of an unknown type of message", alone("Content-Type: message/x-rfc822", honest), true},
		{"called a status", alone("Content-Type: message/delivery-status", honest), true},
		{"called the header of one", alone("Content-Type: text/rfc822-headers", honest), true},
		{"called a fragment", alone("Content-Type: message/partial; id=x; number=1; total=1", honest), false},
		{"called the header of what is elsewhere", alone("Content-Type: message/external-body; access-type=local-file", readingFile), false},
		{"its lines ended by CR", alone("Content-Type: message/global", strings.ReplaceAll(honest, "\n", "\r")), false},
		{"in a digest, of no type", digest + "\n" + honest + "--o--\n", true},
		{"in a digest, of an empty type", digest + "Content-Type:\n\n" + honest + "--o--\n", false},
		{"in a digest in quotes", strings.Replace(digest, "multipart/digest", "\"multipart/digest\"", 1) + "\n" + honest + "--o--\n", true},
		{"AppleDouble", "From: a@example.jp\nContent-Type: multipart/appledouble; boundary=o\n\n--o\nContent-Type: application/applefile\n\nxx\n--o\n" + readingFile + "--o--\n", true},
		{"in UTF-16, little end first", alone(named, encoded64(wideText(honest, binary.LittleEndian, "\xff\xfe"))), false},
		{"in UTF-16, big end first", alone(named, encoded64(wideText(crlf(honest), binary.BigEndian, "\xfe\xff"))), false},
		{"in UTF-16 without a mark", alone(named, encoded64(wideText(honest, binary.LittleEndian, ""))), false},
	}
}

// xxEncoded writes a short text in one line of xxencode.
func xxEncoded(s string) string {
	b := append([]byte(s), 0, 0)
	out := []byte{xxAlphabet[len(s)]}
	for i := 0; i < len(s); i += 3 {
		v := int(b[i])<<16 | int(b[i+1])<<8 | int(b[i+2])
		out = append(out, xxAlphabet[v>>18], xxAlphabet[v>>12&63], xxAlphabet[v>>6&63], xxAlphabet[v&63])
	}
	return string(out) + "\n"
}

// hqxEncoded writes a file in BinHex, without checksums.
func hqxEncoded(name, data string) string {
	b := append([]byte{byte(len(name))}, name...)
	b = append(b, "\x00BINAdosx\x00\x00"...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = append(b, data...)
	b = append(bytes.ReplaceAll(b, []byte{0x90}, []byte{0x90, 0}), 0, 0, 0, 0, 0, 0)
	var out []byte
	for i := 0; i+2 < len(b); i += 3 {
		v := int(b[i])<<16 | int(b[i+1])<<8 | int(b[i+2])
		out = append(out, hqxAlphabet[v>>18], hqxAlphabet[v>>12&63], hqxAlphabet[v>>6&63], hqxAlphabet[v&63])
	}
	return string(out)
}

// TestEveryReading asks for the file in each reading that the founding issue on
// readings lists, with either line end, and that every byte is accounted for.
func TestEveryReading(t *testing.T) {
	for item, cases := range map[string][]readingCase{"boundary": boundaryReadings(), "header": headerReadings(), "encoding": encodingReadings(), "message": messageReadings()} {
		for _, tt := range cases {
			for _, raw := range []string{tt.raw, crlf(tt.raw)} {
				t.Run(item+" "+tt.name, func(t *testing.T) { checkReading(t, raw, tt.honest) })
			}
		}
	}
}

func checkReading(t *testing.T, raw string, honest bool) {
	tree := walkAll([]byte(raw))
	if !slices.ContainsFunc(tree.entities, func(e entity.Entity) bool { return string(e.Body) == program }) {
		t.Errorf("Walk(%.300q) does not give the program but\n%s", raw, tree)
	}
	odd := slices.DeleteFunc(tree.findings, func(f finding.Finding) bool { return f.Kind == finding.TextEncodedFile })
	if strings.Contains(raw, "\r\r\n") || bytes.Contains([]byte(raw), []byte("\n\r")) && !strings.Contains(raw, "\r\n\r\n") {
		return // line ends of the other table on top of these are no honest mail
	}
	if honest && len(odd) > 0 {
		t.Errorf("Walk(%.300q) finds %v, want nothing", raw, odd)
	}
	if at := unaccounted([]byte(raw)); at >= 0 {
		t.Errorf("Walk(%.300q): byte %d belongs to nothing that was read", raw, at)
	}
}

// TestHonestNeighboursOfReadings are mails that come near the readings above.
func TestHonestNeighboursOfReadings(t *testing.T) {
	inner := "From: b@example.jp\nSubject: y\n\nz\n"
	tests := []struct {
		name, raw string
		parts     int
	}{
		{"an inner multipart that ends before the outer", "From: a@example.jp\n" + readingType + "o\n\n--o\n" + readingType + "i\n\n--i\n\nHello\n--i--\n--o\n\nfoo\n--o--\n", 2},
		{"a text that names the boundary", replaced("Hello", "see --b1 and -- b"), 2},
		{"a text of dashes", replaced("Hello", strings.Repeat("-", 70)), 2},
		{"a long line of a text", replaced("Hello", strings.Repeat("word ", 500)), 3},
		{"a file in one line of base64", alone("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64", encoded64(strings.Repeat(program, 100))), 1},
		{"the header of a message", alone("Content-Type: text/rfc822-headers", "From: b@example.jp\nSubject: y\n"), 1},
		{"a delivery status", alone("Content-Type: message/delivery-status", "Reporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; b@example.jp\nAction: failed"), 1},
		{"a digest of messages", "From: a@example.jp\nContent-Type: multipart/digest; boundary=o\n\n--o\n\n" + inner + "--o\n\n" + inner + "--o--\n", 4},
		{"a text about MIME", alone("Content-Type: text/plain", "Write\n--x\nContent-Type: text/plain\n\nlike this.\n--x--"), 1},
		{"prose that begins with begin", alone("Content-Type: text/plain", "begin 100 days before\nThe end\nend"), 1},
		{"a program listing", alone("Content-Type: text/plain", "begin\n  x := 1;\nend"), 1},
		{"a key of letters", alone("Content-Type: text/plain; name=key.txt", coded), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := walkAll([]byte(crlf(tt.raw)))
			if len(tree.entities) != tt.parts || len(tree.findings) > 0 {
				t.Errorf("Walk(%.300q) gives %d entities and %v, want %d and nothing:\n%s", tt.raw, len(tree.entities), tree.findings, tt.parts, fmt.Sprint(tree))
			}
		})
	}
}
