package part

import (
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// TestRepairedHeaders has headers that some programs repair before they read
// them, each beside what must not be taken for one.
func TestRepairedHeaders(t *testing.T) {
	const ct, cte = "Content-Type: multipart/mixed; boundary=", "Content-Transfer-Encoding: "
	honest := twoParts(ct+"b", "--b")
	malformed, undeclared, encoding := finding.MimeMalformed, finding.MimeUndeclared, finding.MimeEncoding
	qp := strings.NewReplacer("=", "=3D", "--b\nContent-Type: app", "=2D-b\nContent-Type: app").Replace
	tests := []struct {
		name, raw string
		want      []finding.Kind
	}{
		{"a value that is not indented", strings.Replace(honest, "Content-Type: multi", "Content-Type:\nmulti", 1), []finding.Kind{malformed}},
		{"a parameter that is not indented", twoParts("Content-Type: multipart/mixed;\nboundary=b", "--b"), []finding.Kind{malformed}},
		{"a colon below the field's name", twoParts("Content-Type\n : multipart/mixed; boundary=b", "--b"), []finding.Kind{malformed}},
		{"the encoding's colon below", filePart("X-A: b\nContent-Transfer-Encoding\n : base64"), []finding.Kind{malformed}},
		{"a blank line within the header", twoParts("Content-Type: multipart/mixed;\n \n boundary=b", "--b"), []finding.Kind{malformed}},
		{"empty lines before the message", "\n\n" + honest, []finding.Kind{malformed}},
		{"base64 without an encoding behind a line of junk", filePart("Content-Type: application/octet-stream\nContent Transfer Encoding= base64"), []finding.Kind{encoding, malformed}},
		{"a delimiter under quoted-printable", "From: a@example.jp\n" + ct + "b\n\n--b\nContent-Type: text/plain\n" + cte + "quoted-printable\n\nHello\n" +
			qp("--b\nContent-Type: application/octet-stream\n"+cte+"base64\n\n"+coded+"\n") + "--b--\n", []finding.Kind{undeclared}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := walkAll([]byte(crlf(tt.raw)))
			if !slices.ContainsFunc(tree.entities, func(e entity.Entity) bool { return string(e.Body) == program }) {
				t.Errorf("Walk(%q) does not give the program but\n%s", tt.raw, tree)
			}
			if got := kinds(tree.findings); !slices.Equal(got, tt.want) {
				t.Errorf("Walk(%q) finds %v, want %v", tt.raw, got, tt.want)
			}
		})
	}
}

func TestHonestLinesAreNotRepaired(t *testing.T) {
	tests := []struct{ name, raw, body string }{
		{"a body of one setting", "Content-Type: text/plain\n\nname=value\n", "name=value\r\n"},
		{"an indented body behind a blank line", "Content-Type: text/plain\n\n  indented\n\nmore\n", "  indented\r\n\r\nmore\r\n"},
		{"a text that quotes a delimiter", "Content-Type: text/plain\n\nThe line was\n--b\nand more.\n", "The line was\r\n--b\r\nand more.\r\n"},
		{"quoted-printable with two dashes", "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\na =3D b\n-- =\n\nTaro\n", "a = b\r\n-- \r\nTaro\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := walkAll([]byte(crlf("From: a@example.jp\n" + tt.raw)))
			if len(tree.entities) != 1 || string(tree.entities[0].Body) != tt.body || tree.findings != nil {
				t.Errorf("Walk(%q) gives\n%s and %v, want the body %q alone", tt.raw, tree, tree.findings, tt.body)
			}
		})
	}
}

// TestOneBodyUnderTwoHeaders has two readings that give the same bytes, the
// second of which alone shows the file's name.
func TestOneBodyUnderTwoHeaders(t *testing.T) {
	raw := crlf("Content-Type: multipart/mixed; boundary=b; boundary=a\n\n--a\nContent-Disposition: attachment; filename=a.vbs\n--b\nContent-Type: text/plain\n\nMsgBox 1\n")
	tree := walkAll([]byte(raw))
	if !slices.ContainsFunc(tree.entities, func(e entity.Entity) bool { return e.Name() == "a.vbs" && string(e.Body) == "MsgBox 1\r\n" }) {
		t.Errorf("Walk(%q) gives\n%s, want the text under the name a.vbs too", raw, tree)
	}
}

func TestRepairedNames(t *testing.T) {
	const cd = "Content-Disposition: attachment; "
	tests := []struct {
		name, header string
		want         []string
	}{
		{"a parameter that is not indented", "Content-Disposition: attachment;\nfilename=a.exe", []string{"a.exe"}},
		{"one with a colon in its value", "Content-Disposition: attachment\nfilename=\"a:b.exe\"", []string{"a:b.exe"}},
		{"an unquoted name over a fold", cd + "filename=a.e\n xe", []string{"a.e xe", "a.e", "a.exe"}},
		{"honest words over a fold", cd + "filename=\"=?utf-8?B?5pel?=\n =?utf-8?B?5pysLnBkZg==?=\"", []string{"日本.pdf"}},
		{"a quoted-pair in a comment", cd + `filename=a.(\)x)exe`, []string{`a.(\)x)exe`, "a.exe", "a.()x)exe"}},
		{"an encoded word without a charset", cd + `filename="=??B?YS5leGU=?="`, []string{"a.exe"}},
		{"honest quotes in a name", cd + `filename="\"a\".pdf"`, []string{`"a".pdf`}},
		{"an escaped quote behind a program's name", cd + `filename="a.exe\".pdf"`, []string{`a.exe".pdf`, `a.exe\`}},
		{"EBCDIC", cd + "filename*=cp037''%81K%85%A7%85", []string{"a.exe"}},
		{"quoted-printable without its encoded word", cd + `filename="a=2Eexe"`, []string{"a=2Eexe", "a.exe"}},
		{"an honest equals sign", cd + `filename="E=mc2.pdf"`, []string{"E=mc2.pdf"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			Walk([]byte(crlf(tt.header+"\nContent-Type: application/octet-stream\n\nx")), "", 0, budget.New(budget.Default), func(e *entity.Entity) {
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

// TestSloppyUUEncoding has first lines and data lines that decoders accept.
func TestSloppyUUEncoding(t *testing.T) {
	const data = "735H@:&%R;6QE<W,@<')O9W)A;0T* /\\ \n`\nend\n"
	trimmed := "begin 644 a.exe\n7 35H\n`\nend\n" // what stood behind were blanks
	tests := []struct{ name, body, want string }{
		{"honest", "begin 644 a.exe\n" + data, program},
		{"a mode with the kind of file", "begin 100644 a.exe\n" + data, program},
		{"tabs", "begin\t644\ta.exe\n" + data, program},
		{"two blanks", "begin 644  a.exe\n" + data, program},
		{"blanks at the end lost", trimmed, "\x01\x35\x68" + strings.Repeat("\x00", 20)},
		{"prose", "begin 644 boxes of paper\nwere delivered\n", ""},
		{"a mode of eight digits", "begin 12345678 items\n" + data, program},
		{"prose with a long number", "begin 12345678 items\nWere delivered.\nend\n", ""},
		{"no mode and no name", "begin\n" + data, program},
		{"a program listing", "begin\n  x := 1;\nend\n", ""},
		{"NUL before it", "\x00\nbegin 644 a.exe\n" + data, program},
		{"a blank before it", " begin 644 a.exe\n" + data, program},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			Walk([]byte("Subject: x\n\nHello\n"+tt.body), "", 0, budget.New(budget.Default), func(e *entity.Entity) {
				if e.Path != "1" {
					got = string(e.Body)
				}
			})
			if got != tt.want {
				t.Errorf("file in %q = %q, want %q", tt.body, got, tt.want)
			}
		})
	}
}

func TestNamedAsMail(t *testing.T) {
	file := "Content-Type: application/octet-stream; name=a.exe\r\nContent-Transfer-Encoding: base64\r\n\r\n" + coded
	tests := []struct {
		name, as, body string
		want           bool
	}{
		{"a message of a file alone", "a.eml", file, true},
		{"its line ends are doubled", "a.eml", strings.ReplaceAll("From: a@example.jp\r\nSubject: x\r\n\r\nHello\r\n", "\r\n", "\r\r\n"), true},
		{"the same under another name", "a.txt", file, false},
		{"a text under a message's name", "a.eml", "Hello\r\nContent-Type: text/plain\r\n\r\nx", false},
		{"a list of settings", "a.eml", "Colour: red\r\nSize: 3\r\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &entity.Entity{Body: []byte(tt.body)}
			e.AddName(entity.Name{Text: tt.as})
			if got := IsMail(e); got != tt.want {
				t.Errorf("IsMail(%q, %q) = %v, want %v", tt.as, tt.body, got, tt.want)
			}
		})
	}
}
