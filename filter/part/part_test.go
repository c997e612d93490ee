package part

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// program is the harmless file that the specimens hide, coded its base64.
const (
	program = "MZ harmless program\r\n\x00\xff"
	coded   = "TVogaGFybWxlc3MgcHJvZ3JhbQ0KAP8="
)

// crlf writes a specimen's lines with the ends that mail has.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// twoParts is a message of a text and the program, whose header and delimiter
// lines are given.
func twoParts(contentType, delimiter string) string {
	return "From: a@example.jp\n" + contentType + "\n\n" + delimiter + "\nContent-Type: text/plain\n\nHello\n" + delimiter +
		"\nContent-Type: application/octet-stream; name=a.exe\nContent-Transfer-Encoding: base64\n\n" + coded + "\n" + strings.TrimRight(delimiter, " \t\v") + "--\n"
}

// filePart is a message whose second part has the given header lines.
func filePart(lines string) string {
	return "From: a@example.jp\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\n" + lines + "\n\n" + coded + "\n--b--\n"
}

func kinds(fs []finding.Finding) []finding.Kind {
	var out []finding.Kind
	for _, f := range fs {
		if !slices.Contains(out, f.Kind) {
			out = append(out, f.Kind)
		}
	}
	slices.Sort(out)
	return out
}

func TestStructure(t *testing.T) {
	const ct = "Content-Type: multipart/mixed; boundary="
	control, conflict, boundary := finding.MimeControl, finding.MimeConflict, finding.MimeBoundary
	malformed, encoding, undeclared := finding.MimeMalformed, finding.MimeEncoding, finding.MimeUndeclared
	tests := []struct {
		name, raw string
		want      []finding.Kind
	}{
		{"honest", twoParts(ct+"b", "--b"), nil},
		{"honest, quoted", twoParts(ct+"\"b c\"", "--b c"), nil},
		{"honest, transport padding", twoParts(ct+"b", "--b \t"), nil},
		{"honest, the same field twice", twoParts(ct+"b\n"+ct+"b", "--b"), nil},
		{"honest, a semicolon at the end", twoParts(ct+"\"b\";", "--b"), nil},
		{"honest, a comment behind", twoParts(ct+"\"b\" (made by x)", "--b"), nil},
		{"honest, quoted with a semicolon inside", twoParts(ct+"\"b;c\"", "--b;c"), nil},
		{"honest, no close delimiter", strings.TrimSuffix(twoParts(ct+"b", "--b"), "--b--\n"), nil},
		{"honest, a preamble", strings.Replace(twoParts(ct+"b", "--b"), "\n\n", "\n\nThis is a multi-part message.\n\n", 1), nil},
		{"honest, an epilogue", twoParts(ct+"b", "--b") + "\nScanned by x.\n", nil},
		{"honest, bare LF ends", twoParts(ct+"b", "--b"), nil},
		{"two boundary parameters", twoParts(ct+"x; boundary=b", "--b"), nil},
		{"two boundaries in use, the second the file's", strings.Replace(twoParts(ct+"x; boundary=b", "--b"), "\n\n--b", "\n\n--x\n\nNothing.\n--b", 1), []finding.Kind{boundary}},
		{"two fields", twoParts(ct+"x\n"+ct+"b", "--b"), []finding.Kind{boundary, conflict}},
		{"text, then multipart", twoParts("Content-Type: text/plain\n"+ct+"b", "--b"), []finding.Kind{boundary, conflict}},
		{"RFC 2231 boundary", twoParts("Content-Type: multipart/mixed; boundary*=us-ascii''b%63", "--bc"), nil},
		{"boundary in pieces", twoParts("Content-Type: multipart/mixed; boundary*0=b; boundary*1=c", "--bc"), nil},
		{"no boundary", twoParts("Content-Type: multipart/mixed", "--b"), []finding.Kind{boundary}},
		{"a boundary that never occurs", twoParts(ct+"zz", "--b"), []finding.Kind{boundary}},
		{"empty boundary", twoParts(ct+"\"\"", "--"), nil},
		{"blank boundary", twoParts(ct+"\" \"", "-- "), nil},
		{"NUL in the boundary", twoParts(ct+"\"b\x00c\"", "--b"), []finding.Kind{control}},
		{"vertical tab behind the delimiter", twoParts(ct+"b", "--b\v"), nil},
		{"fold before the boundary", twoParts("Content-Type: multipart/mixed; boundary=\n \"b\"", "--b"), nil},
		{"delimiter lines go on", twoParts(ct+"b", "--bX"), []finding.Kind{boundary, malformed}},
		{"half quotes", twoParts(ct+"\"b\"c", "--b"), nil},
		{"half quotes, joined", twoParts(ct+"\"b\"c", "--bc"), nil},
		{"unterminated quotes", twoParts(ct+"\"b", "--b"), nil},
		{"an unquoted semicolon", twoParts(ct+"b;c", "--b;c"), nil},
		{"an unquoted comma", twoParts(ct+"b,c", "--b"), nil},
		{"comment before the value", twoParts(ct+"(c)b", "--b"), nil},
		{"comment taken for the value", twoParts(ct+"(c)b", "--(c)b"), nil},
		{"comment inside", twoParts(ct+"b(c)d", "--bd"), nil},
		{"key without a semicolon", twoParts("Content-Type: multipart/mixed boundary=b", "--b"), nil},
		{"key behind a comma", twoParts("Content-Type: multipart/mixed, boundary=b", "--b"), nil},
		{"key in another's quotes", twoParts("Content-Type: multipart/mixed; x=\"a; boundary=b\"", "--b"), nil},
		{"unknown subtype", twoParts("Content-Type: multipart/x; boundary=b", "--b"), nil},
		{"quoted type", twoParts("Content-Type: \"multipart/mixed\"; boundary=b", "--b"), nil},
		{"type without a slash", twoParts("Content-Type: multipart; boundary=b", "--b"), nil},
		{"type without a subtype", twoParts("Content-Type: multipart/; boundary=b", "--b"), nil},
		{"a type of no meaning with a boundary in use", twoParts("Content-Type: mixed; boundary=b", "--b"), nil},
		{"text with a boundary in use", twoParts("Content-Type: text/plain; boundary=b", "--b"), []finding.Kind{boundary}},
		{"field hidden in a fold of junk", twoParts("X-Note\n "+ct+"b", "--b"), []finding.Kind{malformed}},
		{"field hidden in a fold", twoParts("X-Note: a\n "+ct+"b", "--b"), []finding.Kind{malformed}},
		{"field behind a bare CR", twoParts("X-Note: a\r"+ct+"b", "--b"), []finding.Kind{control, malformed}},
		{"blank before the colon", twoParts("Content-Type : multipart/mixed; boundary=b", "--b"), []finding.Kind{malformed}},
		{"no colon", twoParts("Content-Type multipart/mixed; boundary=b", "--b"), []finding.Kind{malformed}},
		{"NUL in the field's name", twoParts("Content-\x00Type: multipart/mixed; boundary=b", "--b"), []finding.Kind{control, malformed}},
		{"separator with a blank", strings.Replace(twoParts(ct+"b", "--b"), "base64\n\n", "base64\n \n", 1), nil},
		{"no separator", strings.Replace(twoParts(ct+"b", "--b"), "base64\n\n", "base64\n", 1), []finding.Kind{malformed}},
		{"a junk line before the separator", strings.Replace(twoParts(ct+"b", "--b"), "base64\n\n", "base64\njunk\n\n", 1), []finding.Kind{malformed}},
		{"an empty line before the header", strings.Replace(twoParts(ct+"b", "--b"), "--b\nContent-Type: app", "--b\n\nContent-Type: app", 1), []finding.Kind{encoding, malformed}},
		{"a delimiter behind a bare CR", strings.Replace(twoParts(ct+"b", "--b"), "Hello\n--b", "Hello\r--b", 1), []finding.Kind{boundary}},
		{"a part after the close", strings.Replace(twoParts(ct+"b", "--b"), "Hello\n--b", "Hello\n--b--\n\n--b", 1), []finding.Kind{undeclared}},
		{"a part in the epilogue", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b--\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + coded, []finding.Kind{undeclared}},
		{"a part in the preamble", "Content-Type: multipart/mixed; boundary=b\n\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + coded + "\n--b\n\nHello\n--b--\n", []finding.Kind{undeclared}},
		{"inner and outer boundary equal", twoParts(ct+"b\n\n--b\n"+ct+"b", "--b"), nil},
		{"the outer boundary extends the inner", twoParts(ct+"bc\n\n--bc\n"+ct+"b", "--b") + "--bc--\n", nil},
		{"a multipart under base64", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + encoded64("--b\nContent-Transfer-Encoding: base64\n\n"+coded+"\n--b--\n"), []finding.Kind{boundary, encoding}},
		{"a multipart that lies about base64", twoParts(ct+"b\nContent-Transfer-Encoding: base64", "--b"), nil},
		{"the message is the file", "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + coded, nil},
	}
	for _, tt := range tests {
		for _, ends := range []string{"CRLF", "LF"} {
			t.Run(tt.name+" "+ends, func(t *testing.T) {
				raw := tt.raw
				if ends == "CRLF" {
					raw = crlf(raw)
				}
				tree := walkAll([]byte(raw))
				if !slices.ContainsFunc(tree.entities, func(e entity.Entity) bool { return string(e.Body) == program }) {
					t.Errorf("Walk(%q) does not give the program but\n%s", raw, tree)
				}
				slices.Sort(tt.want)
				if got := kinds(tree.findings); !slices.Equal(got, tt.want) {
					t.Errorf("Walk(%q) finds %v, want %v", raw, got, tt.want)
				}
			})
		}
	}
}

func encoded64(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var out strings.Builder
	for i := 0; i < len(s); i += 3 {
		chunk := s[i:min(i+3, len(s))]
		b := [3]byte{}
		copy(b[:], chunk)
		v := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		for k := range 4 {
			if k > len(chunk) {
				out.WriteByte('=')
			} else {
				out.WriteByte(alphabet[v>>(18-6*k)&63])
			}
		}
	}
	return out.String()
}

func TestTransferEncoding(t *testing.T) {
	const cte = "Content-Transfer-Encoding: "
	conflict, encoding, malformed, control := finding.MimeConflict, finding.MimeEncoding, finding.MimeMalformed, finding.MimeControl
	honest := filePart("Content-Type: application/octet-stream\n" + cte + "base64")
	with := func(body string) string { return strings.Replace(honest, coded, body, 1) }
	tests := []struct {
		name, raw string
		want      []finding.Kind
	}{
		{"honest", honest, nil},
		{"honest, upper case", filePart(cte + "BASE64"), nil},
		{"honest, the same field twice", filePart(cte + "base64\n" + cte + "BASE64"), nil},
		{"honest, short lines and blank ones", with(coded[:7] + "\n\n" + coded[7:] + "\n"), nil},
		{"honest, quoted-printable", strings.Replace(with("MZ=20harmless program=0D=0A=00=ff"), "base64", "quoted-printable", 1), nil},
		{"quoted-printable, blanks behind the soft break", strings.Replace(with("MZ harm= \t\nless program=0d=0a=\n=00=FF"), "base64", "quoted-printable", 1), nil},
		{"first of two", filePart(cte + "base64\n" + cte + "quoted-printable"), []finding.Kind{conflict, encoding}},
		{"second of two", filePart(cte + "7bit\n" + cte + "base64"), []finding.Kind{conflict, encoding}},
		{"a list", filePart(cte + "quoted-printable, base64"), []finding.Kind{encoding}},
		{"quotes", filePart(cte + "\"base64\""), []finding.Kind{encoding}},
		{"a comment before", filePart(cte + "(7bit) base64"), []finding.Kind{encoding}},
		{"a comment after", filePart(cte + "base64 (7bit)"), []finding.Kind{encoding}},
		{"an encoded word", filePart(cte + "=?us-ascii?Q?base64?="), []finding.Kind{encoding}},
		{"a semicolon", filePart(cte + "base64; x=y"), []finding.Kind{encoding}},
		{"NUL", filePart(cte + "base64\x00"), []finding.Kind{control, encoding}},
		{"x-base64", filePart(cte + "x-base64"), nil},
		{"a word around it", filePart(cte + "my-base64-code"), []finding.Kind{encoding}},
		{"a fold before the value", filePart("Content-Transfer-Encoding:\n base64"), nil},
		{"the name twice", filePart(cte + cte + "base64"), []finding.Kind{encoding}},
		{"no encoding that means anything", filePart("Content-Type: application/octet-stream\n" + cte + "xxxxx"), []finding.Kind{encoding}},
		{"no encoding at all", filePart("Content-Type: application/octet-stream"), []finding.Kind{encoding}},
		{"blank before the colon", filePart("Content-Transfer-Encoding : base64"), []finding.Kind{malformed}},
		{"hidden by a fold", filePart("X-Note: a\n " + cte + "base64"), []finding.Kind{malformed}},
		{"a junk line before", filePart("junk\n" + cte + "base64"), []finding.Kind{malformed}},
		{"dots between", with(strings.Join(strings.Split(coded, ""), ".")), []finding.Kind{}},
		{"lines of junk", with(coded[:8] + "\n!!!!\n" + coded[8:]), nil},
		{"lines of junk letters", with(coded[:8] + "\n-- junk --\n" + coded[8:]), []finding.Kind{encoding}},
		{"8-bit junk", with(coded[:5] + "\xff\xfe" + coded[5:]), []finding.Kind{}},
		{"padding in the middle", with("TVogaGFybQ==" + "bGVzcyBwcm9ncmFtDQoA/w=="), []finding.Kind{encoding}},
		{"padding missing", with(strings.TrimRight(coded, "=")), nil},
		{"one long line", with(coded + strings.Repeat("\n", 30)), nil},
		{"x-uuencode", strings.Replace(with("begin 644 a.exe\n735H@:&%R;6QE<W,@<')O9W)A;0T* /\\ \n`\nend"), "base64", "x-uuencode", 1), nil},
		{"uuencode without its first line", strings.Replace(with("735H@:&%R;6QE<W,@<')O9W)A;0T* /\\ "), "base64", "uuencode", 1), nil},
		{"yEnc", strings.Replace(with("=ybegin line=128 size=23 name=a.exe\n"+yEncoded(program)+"\n=yend size=23"), "base64", "x-yencode", 1), []finding.Kind{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := walkAll([]byte(crlf(tt.raw)))
			if !slices.ContainsFunc(tree.entities, func(e entity.Entity) bool { return string(e.Body) == program }) {
				t.Errorf("Walk(%q) does not give the program but\n%s", tt.raw, tree)
			}
			slices.Sort(tt.want)
			if got := kinds(tree.findings); !slices.Equal(got, tt.want) && tt.want != nil || tt.want == nil && got != nil {
				t.Errorf("Walk(%q) finds %v, want %v", tt.raw, got, tt.want)
			}
		})
	}
}

func yEncoded(s string) string {
	var out []byte
	for i := range len(s) {
		switch c := s[i] + 42; c {
		case 0, '\n', '\r', '=':
			out = append(out, '=', c+64)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func TestNames(t *testing.T) {
	const cd = "Content-Disposition: attachment; "
	tests := []struct {
		name, header string
		want         []string
	}{
		{"plain", cd + `filename="a.exe"`, []string{"a.exe"}},
		{"two fields that agree are one name", cd + "filename=a.pdf\nContent-Type: application/pdf; name=a.pdf", []string{"a.pdf"}},
		{"name and filename differ", cd + "filename=a.pdf\nContent-Type: x/y; name=a.exe", []string{"a.pdf", "a.exe"}},
		{"filename twice", cd + `filename="a.pdf"; filename="a.exe"`, []string{"a.pdf", "a.exe"}},
		{"two fields", cd + "filename=a.pdf\n" + cd + "filename=a.exe", []string{"a.pdf", "a.exe"}},
		{"extended before plain", cd + "filename=a.pdf; filename*=utf-8''%E8%A1%A8.exe", []string{"表.exe", "a.pdf"}},
		{"extended in CP932", cd + "filename*=cp932'ja'%95%5C.exe", []string{"表.exe"}},
		{"extended in quotes of its own", cd + `filename*="utf-8''a%2Eexe"`, []string{"a.exe"}},
		{"pieces in order", cd + "filename*0=a.; filename*1=exe", []string{"a.exe"}},
		{"pieces out of order", cd + "filename*1=exe; filename*0=a.", []string{"a.exe", "exea."}},
		{"a piece twice", cd + "filename*0=a.; filename*1=pdf; filename*1=exe", []string{"a.pdf", "a.exe", "a.pdfexe"}},
		{"a gap", cd + "filename*0=a.pdf; filename*2=.exe", []string{"a.pdf.exe", "a.pdf"}},
		{"pieces from 1", cd + "filename*1=a.; filename*2=exe", []string{"a.exe"}},
		{"pieces with a leading zero", cd + "filename*00=a.; filename*01=exe", []string{"a.exe"}},
		{"pieces over two fields", cd + "filename*0=a.\n" + cd + "filename*1=exe", []string{"a.", "exe", "a.exe"}},
		{"first piece coded, cut in a character", cd + "filename*0*=cp932''%95; filename*1*=%5C.exe", []string{"表.exe"}},
		{"UTF-16 pieces", cd + "filename*=utf-16le''a%00.%00e%00x%00e%00", []string{"a.exe"}},
		{"UTF-7", cd + "filename*=utf-7''a+AC4-exe", []string{"a.exe"}},
		{"overlong UTF-8", cd + "filename*=utf-8''a%C0%AEexe", []string{"a\uff80\uff6eexe", "a.exe"}},
		{"encoded word in quotes", cd + `filename="=?utf-8?B?YS5leGU=?="`, []string{"a.exe"}},
		{"encoded word bare", cd + "filename==?utf-8?Q?a=2Eexe?=", []string{"a.exe"}},
		{"encoded words over a fold", cd + "filename=\"=?utf-8?B?YS5l?=\n =?utf-8?B?eGU=?=\"", []string{"a.exe"}},
		{"encoded words cut in a quantum", cd + `filename="=?utf-8?B?YS5le?= =?utf-8?B?GU=?="`, []string{"a.exe", "a.e\x19"}},
		{"encoded word with a tail", cd + `filename="=?utf-8?B?YS5wZGY=?=.exe"`, []string{"a.pdf.exe"}},
		{"encoded word without its end", cd + `filename="=?utf-8?B?YS5leGU="`, []string{"a.exe"}},
		{"encoded word in an encoded word", cd + `filename="=?utf-8?Q?=3D=3Futf-8=3FB=3FYS5leGU=3D=3F=3D?="`, []string{"=?utf-8?B?YS5leGU=?=", "a.exe"}},
		{"honest ISO-2022-JP words", cd + "filename=\"=?iso-2022-jp?B?GyRCQEE1YT1xGyhC?=\n =?iso-2022-jp?B?LnBkZg==?=\"", []string{"請求書.pdf"}},
		{"raw CP932", cd + "filename=\"\x90\xbf\x8b\x81\x8f\x91.exe\"", []string{"請求書.exe"}},
		{"raw EUC-JP", cd + "filename=\"\xc0\xc1\xb5\xe1\xbd\xf1.exe\"", []string{"請求書.exe"}},
		{"raw UTF-8", cd + "filename=\"請求書.exe\"", []string{"請求書.exe"}},
		{"raw CP932 with a backslash byte", cd + "filename=\"\x95\x5c.exe\"", []string{"表.exe", "•.exe"}},
		{"a quote byte in raw JIS", cd + "filename=\"\x1b$B$\"\x1b(B.exe\"", []string{"あ.exe"}},
		{"text after the quotes", cd + `filename="a.pdf".exe`, []string{"a.pdf", "a.pdf.exe", `"a.pdf".exe`}},
		{"unbalanced quotes", cd + `filename="a.exe`, []string{"a.exe"}},
		{"single quotes", cd + `filename='a.exe'`, []string{"'a.exe'", "a.exe"}},
		{"quoted pairs", cd + `filename="a\.exe"`, []string{"a.exe", `a\.exe`}},
		{"unquoted semicolon", cd + "filename=a.pdf;.exe", []string{"a.pdf", "a.pdf;.exe"}},
		{"quoted semicolon", cd + `filename="a.pdf;.exe"`, []string{"a.pdf;.exe", "a.pdf"}},
		{"comment in the extension", cd + "filename=a.(x)exe", []string{"a.(x)exe", "a.exe"}},
		{"comment in the key", cd + "file(x)name=a.exe", []string{"a.exe"}},
		{"blanks round the equals sign", cd + `filename = "a.exe"`, []string{"a.exe"}},
		{"fold after the equals sign", cd + "filename=\n \"a.exe\"", []string{"a.exe"}},
		{"fold in the extension", cd + "filename=\"a.\n exe\"", []string{"a. exe", "a.exe"}},
		{"unquoted blanks", cd + "filename=a.pdf b.exe", []string{"a.pdf b.exe", "a.pdf"}},
		{"no semicolon", "Content-Disposition: attachment filename=a.exe", []string{"a.exe"}},
		{"comma for semicolon", "Content-Disposition: attachment, filename=a.exe", []string{"a.exe"}},
		{"quoted-printable left in", cd + `filename=3D"a.exe"`, []string{"a.exe", `3D"a.exe"`, "3D", "3Da.exe"}},
		{"upper case", "CONTENT-DISPOSITION: ATTACHMENT; FILENAME=a.exe", []string{"a.exe"}},
		{"NUL", cd + "filename=\"a.exe\x00.pdf\"", []string{"a.exe\x00.pdf", "a.exe", ".pdf"}},
		{"percent coding", cd + "filename=\"a%2Eexe\"", []string{"a%2Eexe", "a.exe"}},
		{"an honest percent sign", cd + "filename=\"50% off.pdf\"", []string{"50% off.pdf"}},
		{"Content-Location", "Content-Location: http://example.jp/x/a.exe?b", []string{"a.exe"}},
		{"Content-Location that is a host", "Content-Location: http://www.example.com", nil},
		{"Content-Description", "Content-Description: a.exe", []string{"a.exe"}},
		{"Content-Description in prose", "Content-Description: the report", nil},
		{"a borrowed name counts only without another", cd + "filename=b.pdf\nContent-Location: a.gif", []string{"b.pdf"}},
		{"form data", "Content-Disposition: form-data; name=\"field\"; filename=\"a.exe\"", []string{"a.exe"}},
		{"none", "Content-Disposition: attachment", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := crlf(tt.header + "\nContent-Type: application/octet-stream\n\nx")
			if strings.Contains(tt.header, "Content-Type") {
				raw = crlf(tt.header + "\n\nx")
			}
			var got []string
			Walk([]byte(raw), "", 0, budget.New(budget.Default), func(e *entity.Entity) {
				for _, n := range e.Names {
					got = append(got, n.Text)
				}
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("names of %q = %q, want %q", tt.header, got, tt.want)
			}
		})
	}
}

func TestInlineFiles(t *testing.T) {
	const file = "begin 644 a.exe\n735H@:&%R;6QE<W,@<')O9W)A;0T* /\\ \n`\nend\n"
	tests := []struct {
		name, body string
		want       []string
	}{
		{"uuencoded", "Hello\n" + file, []string{"1/uu1 a.exe"}},
		{"two", file + "and\n" + file, []string{"1/uu1 a.exe", "1/uu2 a.exe"}},
		{"without its end", strings.TrimSuffix(file, "`\nend\n"), []string{"1/uu1 a.exe"}},
		{"begin-base64", "begin-base64 644 a.exe\n" + coded + "\n====\n", []string{"1/uu1 a.exe"}},
		{"yEnc", "=ybegin line=128 size=23 name=a.exe\n" + yEncoded(program) + "\n=yend size=23\n", []string{"1/uu1 a.exe"}},
		{"prose", "begin with chapter 2\nbegin 644 items at once, then\nend\n", nil},
		{"prose with a number", "begin 644 boxes of paper\nwere delivered to the office yesterday.\n", nil},
		{"a program listing", "begin\n  x := 1;\nend\n", nil},
		{"a certificate", "-----BEGIN CERTIFICATE-----\n" + coded + "\n-----END CERTIFICATE-----\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			m := Walk([]byte("Subject: x\n\n"+tt.body), "", 0, budget.New(budget.Default), func(e *entity.Entity) {
				if e.Path == "1" {
					return
				}
				got = append(got, e.Path+" "+e.Name())
				if string(e.Body) != program || e.Depth != 2 {
					t.Errorf("%s holds %q at depth %d, want %q at 2", e.Path, e.Body, e.Depth, program)
				}
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("files in %q = %q, want %q", tt.body, got, tt.want)
			}
			if found := slices.Contains(kinds(m.Findings), finding.TextEncodedFile); found != (len(tt.want) > 0) {
				t.Errorf("Walk(%q) finds %v", tt.body, m.Findings)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	raw := "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nx\n--b\nContent-Type: text/html\n\ny\n--b--\n--a\nContent-Type: message/rfc822\n\nSubject: z\n\nz\n--a--\n"
	want := []string{"1.1 3 ", "1.2 3 text/html", "2 3 message/rfc822"}
	var got []string
	Walk([]byte(raw), "", 2, budget.New(budget.Default), func(e *entity.Entity) {
		got = append(got, fmt.Sprintf("%s %d %s", e.Path, e.Depth, e.MediaType))
	})
	if !slices.Equal(got, want) {
		t.Errorf("Walk(%q) = %q, want %q", raw, got, want)
	}
	got = nil
	Walk([]byte(raw), "2/x.eml", 0, budget.New(budget.Default), func(e *entity.Entity) { got = append(got, e.Path) })
	if want := []string{"2/x.eml/1.1", "2/x.eml/1.2", "2/x.eml/2"}; !slices.Equal(got, want) {
		t.Errorf("Walk(%q) at a base = %q, want %q", raw, got, want)
	}
}

func TestMessages(t *testing.T) {
	inner := "From: b@example.jp\nMessage-ID: <1@example.jp>\nSubject: y\n\nz"
	tests := []struct{ name, header, body, want string }{
		{"attached message", "Content-Type: message/rfc822", inner, "message/rfc822"},
		{"attached message under base64", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64", encoded64(inner), "message/rfc822"},
		{"message/global", "Content-Type: message/global", inner, "message/rfc822"},
		{"a file named .eml", "Content-Type: application/octet-stream; name=a.eml", inner, "message/rfc822"},
		{"a web archive", "Content-Type: application/octet-stream; name=a.mht", "From: <Saved by Blink>\nMIME-Version: 1.0\n\nz", "message/rfc822"},
		{"a file named .eml that is none", "Content-Type: application/octet-stream; name=a.eml", "hello", "application/octet-stream"},
		{"a message under another name", "Content-Type: text/plain; name=a.txt", inner, "text/plain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			Walk([]byte(tt.header+"\n\n"+tt.body), "", 0, budget.New(budget.Default), func(e *entity.Entity) {
				got = append(got, e.MediaType)
				if tt.want == "message/rfc822" && string(e.Body) != inner && !strings.Contains(tt.name, "web") {
					t.Errorf("body = %q, want %q", e.Body, inner)
				}
			})
			if want := []string{tt.want}; !slices.Equal(got, want) {
				t.Errorf("media types of %q = %q, want %q", tt.header, got, want)
			}
		})
	}
}

func TestPartialAndExternal(t *testing.T) {
	tests := []struct {
		name, header string
		want         finding.Kind
		unread       bool
	}{
		{"partial", "Content-Type: message/partial; id=a; number=2; total=3", finding.MimePartial, true},
		{"external", "Content-Type: message/external-body; access-type=URL; url=\"http://example.jp/a.exe\"", finding.MimeExternal, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := Walk([]byte(tt.header+"\n\nx"), "", 0, budget.New(budget.Default), func(e *entity.Entity) {
				if e.Unread != tt.unread {
					t.Errorf("Unread = %v, want %v", e.Unread, tt.unread)
				}
			})
			if got := kinds(m.Findings); !slices.Equal(got, []finding.Kind{tt.want}) {
				t.Errorf("Walk(%q) finds %v, want %v", tt.header, got, tt.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	var deep strings.Builder
	for i := range maxOpen + 50 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=\"b%d.\"\n\n--b%d.\n", i, i)
	}
	deep.WriteString("Content-Transfer-Encoding: base64\n\n" + coded)
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 500)
	big := "Subject: x\n\n" + strings.Repeat("x", 5<<20)
	tests := []struct {
		name, raw string
		want      budget.What
		reads     string // a body that must be seen all the same
	}{
		{"deep multiparts are read flat", deep.String(), budget.Depth, program},
		{"many parts", many, budget.Members, "x"},
		{"many bytes", big, budget.Bytes, ""},
		{"many names", "Content-Type: x/y" + strings.Repeat("; name=", 1) + numbered(100) + "\n\nx", budget.Members, "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bud := budget.New(budget.Small)
			seen := tt.reads == ""
			Walk([]byte(tt.raw), "", 0, bud, func(e *entity.Entity) { seen = seen || string(e.Body) == tt.reads })
			if len(bud.Reached()) != 1 || bud.Reached()[0].What != tt.want {
				t.Errorf("Walk reached %v, want %v", bud.Reached(), tt.want)
			}
			if !seen {
				t.Errorf("Walk did not give %q", tt.reads)
			}
		})
	}
}

// numbered writes n further names.
func numbered(n int) string {
	var b strings.Builder
	b.WriteString("a")
	for i := range n {
		fmt.Fprintf(&b, "; name=a%d", i)
	}
	return b.String()
}

// FuzzWalk promises: no panic, the budget kept, valid UTF-8 in names, paths that
// begin with the base, the same answer for the same bytes, every byte accounted for.
func FuzzWalk(f *testing.F) {
	f.Add([]byte(crlf(twoParts("Content-Type: multipart/mixed; boundary=b", "--b"))))
	f.Add([]byte(twoParts("Content-Type: multipart/mixed; boundary=x; boundary*0=\"b", "--b\x00")))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + encoded64("--b\n\nx\n--b--")))
	f.Add([]byte("Subject: =?iso-2022-jp?B?GyRCQEE1YT1x?=\r X: (\"<a@b\n\nbegin 644 a\n#86)C\n=ybegin line=1 name=a\n=}\n(This file must be converted with BinHex\n:!!!!:"))
	f.Add([]byte("Content-Disposition: x; filename*1*=\xff%; filename*0=\x1b$\"; name=3D\"a\\\"b;c'd(e)\"f\n\n--\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		bud := budget.New(budget.Small)
		first, m := record(raw, bud)
		if bud.Bytes() > budget.Small.Bytes && len(bud.Reached()) == 0 {
			t.Fatalf("spent %d bytes of %d in silence", bud.Bytes(), budget.Small.Bytes)
		}
		again, n := record(raw, budget.New(budget.Small))
		if !reflect.DeepEqual(first, again) || !reflect.DeepEqual(m, n) {
			t.Fatal("same bytes, two answers")
		}
		if !bytes.Equal(before, raw) {
			t.Fatal("the message was written to")
		}
		for _, e := range first {
			if !strings.HasPrefix(e.Path, "base/") {
				t.Fatalf("path %q is not below the base", e.Path)
			}
			for _, n := range e.Names {
				if n.Text != strings.ToValidUTF8(n.Text, "") {
					t.Fatalf("name %q is not UTF-8", n.Text)
				}
			}
		}
		LooksLikeMail(raw)
		if gap := unaccounted(raw); gap >= 0 {
			t.Fatalf("byte %d belongs to nothing that was read", gap)
		}
	})
}

// unaccounted is the first byte of raw that the plain reading took neither for a
// header, a delimiter, a part nor the text outside parts; -1 without one.
func unaccounted(raw []byte) int {
	raw, _ = narrow(raw)
	seen := make([]bool, len(raw))
	s := newSink("", 0, budget.New(budget.Default), func(*entity.Entity) {})
	s.accounted = func(from, to int) {
		for i := from; i < to; i++ {
			seen[i] = true
		}
	}
	s.walk(raw)
	return slices.Index(seen, false)
}

func record(raw []byte, bud *budget.Budget) (out []entity.Entity, m Message) {
	m = Walk(raw, "base", 1, bud, func(e *entity.Entity) {
		one := *e
		one.Body = bytes.Clone(e.Body)
		out = append(out, one)
	})
	return out, m
}
