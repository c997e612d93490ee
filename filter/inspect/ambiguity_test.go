package inspect

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/report"
	"sekisho/filter/specimen"
)

// ambiguous is a specimen of a family, or its honest neighbour.
type ambiguous struct {
	family, name string
	hostile      bool
	raw          string
}

// The pieces of the specimens. Lines end in LF; the test tries CRLF too.
const (
	ambiguousFrom = "From: a@example.jp\nSubject: x\n"
	ambiguousText = "Content-Type: text/plain\n\nHello\n"
	mixed         = "Content-Type: multipart/mixed; boundary="
)

// fileOf is a part that holds the program, under the given header lines.
func fileOf(lines string) string {
	return lines + "\n\n" + base64.StdEncoding.EncodeToString(specimen.PE()) + "\n"
}

const (
	plainFile = "Content-Type: application/octet-stream; name=a.exe\nContent-Transfer-Encoding: base64"
	typedFile = "Content-Type: application/octet-stream; name=a.exe"
)

// twoParts is a mail of a text and the program.
func twoParts(contentType, delimiter string) string {
	return ambiguousFrom + contentType + "\n\n" + delimiter + "\n" + ambiguousText + delimiter + "\n" + fileOf(plainFile) + strings.TrimRight(delimiter, " \t") + "--\n"
}

func alone(lines string) string { return ambiguousFrom + fileOf(lines) }

func ambiguities() []ambiguous {
	honest := twoParts(mixed+"b", "--b")
	change := func(old, new string) string {
		if !strings.Contains(honest, old) {
			panic("the specimen lacks " + old)
		}
		return strings.Replace(honest, old, new, 1)
	}
	file := fileOf(plainFile)
	nested := ambiguousFrom + mixed + "o\n\n--o\n" + mixed + "i\n\n--i\n" + ambiguousText
	encoded := base64.StdEncoding.EncodeToString([]byte("--b\n" + file + "--b--\n"))
	coded := base64.StdEncoding.EncodeToString(specimen.PE())
	early := base64.StdEncoding.EncodeToString(specimen.PE()[:55]) + base64.StdEncoding.EncodeToString(specimen.PE()[55:])
	uu := "begin 644 a.exe\n#35H@\n`\nend\n"
	return []ambiguous{
		{"field-twice", "two types", true, twoParts("Content-Type: text/plain\n"+mixed+"b", "--b")},
		{"field-twice", "two dispositions", true, alone(plainFile + "\nContent-Disposition: inline\nContent-Disposition: attachment; filename=b.exe")},
		{"field-twice", "two versions of MIME", true, "MIME-Version: 1.0\nMIME-Version: 2.0\n" + honest},
		{"field-twice", "the same version with a comment", false, "MIME-Version: 1.0\nMIME-Version: 1.0 (by hand)\n" + honest},
		{"field-twice", "the same type twice", false, twoParts(mixed+"b\n"+mixed+"b", "--b")},
		{"boundary-twice", "both in use", true, ambiguousFrom + mixed + "x; boundary=b\n\n--x\n" + ambiguousText + "--b\n" + file + "--b--\n"},
		{"boundary-twice", "one alone in use", false, twoParts(mixed+"x; boundary=b", "--b")},
		{"boundary-notation", "extended and plain, both in use", true, ambiguousFrom + mixed + "x; boundary*=us-ascii''b\n\n--x\n" + ambiguousText + "--b\n" + file + "--b--\n"},
		{"boundary-notation", "with and without its comment", true, ambiguousFrom + mixed + "b(x)\n\n--b(x)\n" + ambiguousText + "--b\n" + file + "--b--\n"},
		{"boundary-notation", "extended alone", false, twoParts("Content-Type: multipart/mixed; boundary*=us-ascii''b", "--b")},
		{"boundary-guessed", "none declared", true, twoParts("Content-Type: multipart/mixed", "--b")},
		{"boundary-guessed", "one that never occurs", true, twoParts(mixed+"zz", "--b")},
		{"boundary-guessed", "quoted, with a semicolon", false, twoParts(mixed+"\"b;c\"", "--b;c")},
		{"delimiter-goes-on", "letters behind it", true, twoParts(mixed+"b", "--bX")},
		{"delimiter-goes-on", "transport padding", false, twoParts(mixed+"b", "--b \t")},
		{"delimiter-in-line", "indented", true, change("Hello\n--b", "Hello\n --b")},
		{"delimiter-in-line", "a byte order mark", true, change("Hello\n--b", "Hello\n\ufeff--b")},
		{"delimiter-in-line", "a vertical tab for a line end", true, change("Hello\n--b", "Hello\v--b")},
		{"delimiter-in-line", "a dash in a sentence", false, change("Hello\n", "Hello --by the way\n")},
		{"delimiter-of-ended", "behind the close of the outer", true, nested + "--o--\n--i\n" + file + "--i--\n"},
		{"delimiter-of-ended", "within the next part of the outer", true, nested + "--o\n" + ambiguousText + "--i\n" + file + "--i--\n--o--\n"},
		{"delimiter-of-ended", "an inner multipart without its close", false, nested + "--o\n" + file + "--o--\n"},
		{"line-ends", "a bare CR before the delimiter", true, change("Hello\n--b", "Hello\r--b")},
		{"line-ends", "LF CR", true, strings.ReplaceAll(honest, "\n", "\n\r")},
		{"line-ends", "a bare CR in the text", false, change("Hello", "Hello\rworld")},
		{"refolded", "a field behind 998 bytes", true, strings.Replace(honest, "Subject: x\n", "X-Pad: "+strings.Repeat("a", 991), 1)},
		{"refolded", "a long line of words", false, change("Hello", strings.Repeat("word ", 190))},
		{"encoding-unclear", "a comment", true, alone(typedFile + "\nContent-Transfer-Encoding: (7bit) base64")},
		{"encoding-unclear", "a word of no meaning", true, alone(typedFile + "\nContent-Transfer-Encoding: base65")},
		{"encoding-unclear", "upper case", false, alone(typedFile + "\nContent-Transfer-Encoding: BASE64")},
		{"encoding-several", "two fields", true, alone(plainFile + "\nContent-Transfer-Encoding: 7bit")},
		{"encoding-several", "the same twice", false, alone(plainFile + "\nContent-Transfer-Encoding: base64")},
		{"encoding-missing", "no field", true, alone(typedFile)},
		{"encoding-missing", "a file of one word", false, ambiguousFrom + typedFile + "\n\nHello\n"},
		{"encoding-within", "twice", true, ambiguousFrom + plainFile + "\n\n" + base64.StdEncoding.EncodeToString([]byte(coded)) + "\n"},
		{"encoding-within", "a key in its usual form", false, ambiguousFrom + plainFile + "\n\n" + base64.StdEncoding.EncodeToString([]byte("-----BEGIN KEY-----\n"+coded+"\n-----END KEY-----\n")) + "\n"},
		{"encoding-of-multipart", "base64", true, ambiguousFrom + mixed + "b\nContent-Transfer-Encoding: base64\n\n" + encoded + "\n"},
		{"encoding-of-multipart", "declared only", false, twoParts(mixed+"b\nContent-Transfer-Encoding: base64", "--b")},
		{"base64-padding", "in the middle", true, ambiguousFrom + plainFile + "\n\n" + early + "\n"},
		{"base64-padding", "missing at the end", false, ambiguousFrom + plainFile + "\n\n" + strings.TrimRight(coded, "=") + "\n"},
		{"base64-junk", "lines of letters", true, ambiguousFrom + plainFile + "\n\n" + coded[:76] + "\n-- junk --\n" + coded[76:] + "\n"},
		{"base64-junk", "empty lines", false, ambiguousFrom + plainFile + "\n\n" + coded[:76] + "\n\n" + coded[76:] + "\n"},
		{"part-after-close", "one part", true, change("Hello\n--b", "Hello\n--b--\n--b")},
		{"part-after-close", "an epilogue of a scanner", false, honest + "\nScanned.\n"},
		{"part-outside", "epilogue", true, ambiguousFrom + mixed + "b\n\n--b\n" + ambiguousText + "--b--\n" + file},
		{"part-outside", "preamble", true, ambiguousFrom + mixed + "b\n\n" + file + "--b\n" + ambiguousText + "--b--\n"},
		{"part-outside", "a preamble of words", false, change("\n\n--b", "\n\nThis is a message in MIME format.\n--b")},
		{"multipart-in-leaf", "in a text", true, ambiguousFrom + ambiguousText + "--q\n" + file + "--q--\n"},
		{"multipart-in-leaf", "in a mail without a type", true, ambiguousFrom + "\n--q\n" + file + "--q--\n"},
		{"multipart-in-leaf", "a text about MIME", false, ambiguousFrom + ambiguousText + "--q\nContent-Type: text/plain\n\nlike this\n--q--\n"},
		{"delimiter-encoded", "quoted-printable", true, ambiguousFrom + mixed + "b\n\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nHello\n=2D-b\nContent-Type: text/html\n\n<p>\n--b--\n"},
		{"delimiter-encoded", "two dashes of a signature", false, ambiguousFrom + mixed + "b\n\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nHello\n=2D-=20\nTaro\n--b--\n"},
		{"field-in-fold", "in another field", true, twoParts("X-Note: a\n "+mixed+"b", "--b")},
		{"field-in-fold", "an honest fold", false, twoParts("Content-Type: multipart/mixed;\n boundary=b", "--b")},
		{"colon", "missing", true, twoParts("Content-Type multipart/mixed; boundary=b", "--b")},
		{"colon", "behind a blank", true, twoParts("Content-Type : multipart/mixed; boundary=b", "--b")},
		{"colon", "below the name", true, twoParts("Content-Type\n : multipart/mixed; boundary=b", "--b")},
		{"colon", "without a blank behind it", false, twoParts("Content-Type:multipart/mixed; boundary=b", "--b")},
		{"header-interrupted", "a line of junk", true, alone("junk\n" + plainFile)},
		{"header-interrupted", "an empty line", true, change("name=a.exe\nContent-T", "name=a.exe\n\nContent-T")},
		{"header-interrupted", "a text that names fields", false, ambiguousFrom + ambiguousText + "Content-Type says what it is.\n"},
		{"header-unended", "no empty line", true, change("base64\n\n", "base64\n")},
		{"header-unended", "a header alone", false, ambiguousFrom + "\n"},
		{"header-not-first", "in a part", true, change("--b\nContent-Type: app", "--b\n\nContent-Type: app")},
		{"header-not-first", "a part without a header", false, change("--b\nContent-Type: text/plain\n", "--b\n")},
		{"not-indented", "the boundary", true, twoParts("Content-Type: multipart/mixed;\nboundary=b", "--b")},
		{"not-indented", "an indented one", false, twoParts("Content-Type: multipart/mixed;\n\tboundary=b", "--b")},
		{"two-byte-mail", "an attached message", true, ambiguousFrom + "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString(twoBytes(honest)) + "\n"},
		{"two-byte-mail", "an attached text", false, ambiguousFrom + "Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString(twoBytes("Hello")) + "\n"},
		{"control", "NUL in a field", true, twoParts(mixed+"\"b\x00c\"", "--b")},
		{"control", "ISO-2022-JP in a subject", false, "Subject: \x1b$B$\"\x1b(B\n" + honest},
		{"fragment", "the second of three", true, ambiguousFrom + "Content-Type: message/partial; id=a; number=2; total=3\n\nx\n"},
		{"fragment", "a series by its subject", false, "Subject: 2/3\n" + ambiguousFrom + "\nx\n"},
		{"external", "by URL", true, ambiguousFrom + "Content-Type: message/external-body; access-type=URL; url=\"http://a.example/\"\n\nContent-Type: text/plain\n\n"},
		{"external", "a link", false, ambiguousFrom + "\nhttp://a.example/\n"},
		{"file-in-text", "uuencode", true, ambiguousFrom + "\nHello\n" + uu},
		{"file-in-text", "xxencode", true, ambiguousFrom + "\nHello\nbegin 644 a.exe\n1HJcU\n+\nend\n"},
		{"file-in-text", "yEnc", true, ambiguousFrom + "\n=ybegin line=128 size=3 name=a.exe\nwoo\n=yend size=3\n"},
		{"file-in-text", "a sentence that begins", false, ambiguousFrom + "\nbegin 3 days before\nTHE END\nend\n"},
	}
}

// twoBytes is s in UTF-16, little end first, with its mark.
func twoBytes(s string) []byte {
	out := []byte("\xff\xfe")
	for _, c := range []byte(s) {
		out = append(out, c, 0)
	}
	return out
}

// TestAmbiguityFamilies asks each specimen for the kind of its family and each
// neighbour for none; a hostile one that carries the program must show it.
func TestAmbiguityFamilies(t *testing.T) {
	kinds := map[string]finding.Kind{}
	for _, a := range finding.Ambiguities {
		kinds[a.Family] = a.Kind
	}
	hostile, honest := map[string]bool{}, map[string]bool{}
	for _, a := range ambiguities() {
		if kinds[a.family] == "" {
			t.Errorf("family %q is not in the catalogue", a.family)
		}
		hostile[a.family] = hostile[a.family] || a.hostile
		honest[a.family] = honest[a.family] || !a.hostile
		t.Run(a.family+" "+a.name, func(t *testing.T) { checkFamily(t, a, kinds[a.family]) })
	}
	for family := range kinds {
		if !hostile[family] || !honest[family] {
			t.Errorf("family %q lacks a hostile specimen or an honest neighbour", family)
		}
	}
}

func checkFamily(t *testing.T, a ambiguous, want finding.Kind) {
	for _, ends := range []string{"\n", "\r\n"} {
		raw := strings.ReplaceAll(a.raw, "\n", ends)
		rep := Mail([]byte(raw), budget.New(budget.Default))
		if got := slices.ContainsFunc(rep.Findings, func(f finding.Finding) bool { return f.Kind == want }); got != a.hostile {
			t.Errorf("%s stated: %v, want %v; findings %v\n%.200q", want, got, a.hostile, rep.Findings, raw)
		}
		program := slices.ContainsFunc(rep.Entities, func(e report.Entity) bool { return slices.Contains(e.Types, "pe") })
		if a.hostile && strings.Contains(a.raw, "TVqQAAMA") && !program {
			t.Errorf("the program is not seen: %v\n%.200q", entities(rep), raw)
		}
	}
}
