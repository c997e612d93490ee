package part

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

func TestHeader(t *testing.T) {
	tests := []struct {
		name, raw string
		want      Header
	}{
		{"plain", "From: Taro <taro@Example.JP.>\nTo: a@b.jp, \"B, C\" <c@d.jp>\nSubject: x\nMessage-ID: <1@x>\nDate: Mon, 1 Jun 2026 00:00:00 +0900\n\n", Header{
			Subject: "x", MessageID: "<1@x>", Date: "Mon, 1 Jun 2026 00:00:00 +0900", FromFields: 1,
			From: []Address{{"Taro", "taro@Example.JP.", "example.jp"}},
			To:   []Address{{"", "a@b.jp", "b.jp"}, {"B, C", "c@d.jp", "d.jp"}},
		}},
		{"encoded words", "From: =?utf-8?B?55Sw5Lit?= <t@x.jp>\nSubject: =?iso-2022-jp?B?GyRCQEE1YT1xGyhC?=\n\n", Header{
			Subject: "請求書", FromFields: 1, From: []Address{{"田中", "t@x.jp", "x.jp"}},
		}},
		{"raw Shift_JIS", "Subject: \x90\xbf\x8b\x81\x8f\x91\n\n", Header{Subject: "請求書"}},
		{"a comment for a name", "From: t@x.jp (Taro)\n\n", Header{FromFields: 1, From: []Address{{"Taro", "t@x.jp", "x.jp"}}}},
		{"two From fields", "From: a@x.jp\nFrom: b@y.jp\n\n", Header{FromFields: 2, From: []Address{{"", "a@x.jp", "x.jp"}, {"", "b@y.jp", "y.jp"}}}},
		{"two addresses in brackets", "From: <a@x.jp> <b@y.jp>\n\n", Header{FromFields: 1, From: []Address{{"", "a@x.jp", "x.jp"}, {"", "b@y.jp", "y.jp"}}}},
		{"an address for a name", "From: \"a@x.jp\" <b@y.jp>\n\n", Header{FromFields: 1, From: []Address{{"a@x.jp", "b@y.jp", "y.jp"}}}},
		{"two signs", "From: <\"x@a.jp\"@b.jp>\n\n", Header{FromFields: 1, From: []Address{{"", "\"x@a.jp\"@b.jp", "b.jp"}}, FromOther: []Address{{"", "x@a.jp", "a.jp"}}}},
		{"a route", "From: <@a.jp,@b.jp:c@d.jp>\n\n", Header{FromFields: 1, From: []Address{{"", "c@d.jp", "d.jp"}}, FromOther: []Address{{"", "@a.jp", "a.jp"}, {"", "@b.jp", "b.jp"}}}},
		{"a group", "To: undisclosed-recipients:;\nFrom: a@x.jp\n\n", Header{FromFields: 1, From: []Address{{"", "a@x.jp", "x.jp"}}}},
		{"sender and reply", "From: a@x.jp\nSender: s@x.jp\nReply-To: r@y.jp\n\n", Header{FromFields: 1, From: []Address{{"", "a@x.jp", "x.jp"}}, Sender: []Address{{"", "s@x.jp", "x.jp"}}, ReplyTo: []Address{{"", "r@y.jp", "y.jp"}}}},
		{"no header", "\nhello", Header{}},
		{"a name without an address", "From: Taro\n\n", Header{FromFields: 1, From: []Address{{"", "Taro", ""}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := Walk([]byte(tt.raw), "", 0, budget.New(budget.Default), func(*entity.Entity) {})
			if !reflect.DeepEqual(m.Header, tt.want) {
				t.Errorf("header of %q = %+v, want %+v", tt.raw, m.Header, tt.want)
			}
			if alone := ReadHeader([]byte(tt.raw)); !reflect.DeepEqual(alone, m.Header) {
				t.Errorf("ReadHeader(%q) = %+v, Walk says %+v", tt.raw, alone, m.Header)
			}
		})
	}
}

func TestDecodeWords(t *testing.T) {
	tests := []struct{ name, in, joined, single string }{
		{"plain", "hello", "hello", "hello"},
		{"blanks between words vanish", "=?utf-8?Q?a?= \t=?utf-8?Q?b?=", "ab", "ab"},
		{"blanks around text stay", "x =?utf-8?Q?a?= y", "x a y", "x a y"},
		{"a character cut", "=?utf-8?B?44E=?= =?utf-8?B?gg==?=", "あ", "\uFFFD\uFFFD\uFFFD"},
		{"an escape state cut", "=?iso-2022-jp?B?GyRCJCI=?= =?iso-2022-jp?B?JCQbKEI=?=", "あい", "あ$$"},
		{"language", "=?utf-8*ja?Q?=E3=81=82?=", "あ", "あ"},
		{"underscore is a blank", "=?utf-8?Q?a_b?=", "a b", "a b"},
		{"a mislabelled word", "=?us-ascii?B?44GC?=", "あ", "あ"},
		{"an unknown charset", "=?x-none?B?44GC?=", "あ", "あ"},
		{"not a word", "=?a b?Q?c?=", "=?a b?Q?c?=", "=?a b?Q?c?="},
		{"a question", "what=?", "what=?", "what=?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			joined, single, _ := decodeWords(tt.in)
			if joined != tt.joined || single != tt.single {
				t.Errorf("decodeWords(%q) = %q, %q, want %q, %q", tt.in, joined, single, tt.joined, tt.single)
			}
		})
	}
}

func TestLooksLikeMail(t *testing.T) {
	tests := []struct {
		name, in string
		want     bool
	}{
		{"a mail", "Received: from a by b; Mon, 1 Jun 2026 00:00:00 +0900\nFrom: a@x.jp\nSubject: x\n\nhello", true},
		{"a mail as an mbox has it", "From a@x.jp Mon Jun  1 00:00:00 2026\nFrom: a@x.jp\nTo: b@y.jp\n\nhello", true},
		{"a saved page", "From: <Saved by Blink>\nMIME-Version: 1.0\nContent-Type: multipart/related;\n boundary=b\n\n", true},
		{"bare CR ends", "From: a@x.jp\rSubject: x\r\rhello", true},
		{"a broken line", "From: a@x.jp\njunk\nSubject: x\nTo: b@y.jp\n\nhello", true},
		{"only a header", "From: a@x.jp\nSubject: x\n", true},
		{"prose", "Dear all,\n\nplease note: the office is closed.\n", false},
		{"prose with fields", "次のヘッダー:\nFrom: a@x.jp\nSubject: x\n", true},
		{"C source", "#include <stdio.h>\nint main(void) {\ndefault: return 0;\n}\n", false},
		{"an HTTP answer", "HTTP/1.1 200 OK\nDate: Mon, 01 Jun 2026 00:00:00 GMT\nContent-Type: text/html\nServer: x\n\n", false},
		{"HTTP fields", "Date: Mon, 01 Jun 2026 00:00:00 GMT\nContent-Type: text/html\nServer: x\n\n", false},
		{"YAML", "name: x\nversion: 1\nfrom: base\nto: target\n", false},
		{"Debian control", "Package: x\nMaintainer: A <a@x.jp>\nDescription: y\n", false},
		{"a web server's log", "192.0.2.1 - - [01/Jun/2026:00:00:00 +0900] \"GET / HTTP/1.1\" 200 5\n", false},
		{"a vCard", "BEGIN:VCARD\nVERSION:3.0\nEMAIL:a@x.jp\nEND:VCARD\n", false},
		{"a calendar", "BEGIN:VCALENDAR\nORGANIZER:mailto:a@x.jp\nSUMMARY:x\nEND:VCALENDAR\n", false},
		{"a program", "MZ\x90\x00\x03\x00", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := LooksLikeMail([]byte(tt.in)); got != tt.want {
				t.Errorf("LooksLikeMail(%q) = %v, want %v", tt.in, got, tt.want)
			}
		})
	}
}

func TestReadings64(t *testing.T) {
	tests := []struct {
		name, in string
		text     bool
		want     []string // reading=body
		how      bool
	}{
		{"honest", "aGVsbG8=", false, []string{"=hello"}, false},
		{"honest, lines", "aGVs\r\nbG8=\r\n", false, []string{"=hello"}, false},
		{"padding missing", "aGVsbG8", false, []string{"=hello"}, false},
		{"cut", "aGVsb", false, []string{"=hel"}, false},
		{"data after padding", "aGk=aGk=", false, []string{"=hihi", "base64-stop=hi", "base64-skip=hi\x1a\x1a"}, true},
		{"a footer after the padding of a text", "aGk=\n_ list\n", true, []string{"=hi", "base64-restart=hi\x96+-", "base64-skip=hi%\x8a\xcb"}, false},
		{"a line of junk", "aGVs\nx-y\nbG8=\n", false, []string{"=hel\xc7&\xc6", "base64-lines=hello"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ways, how := readings64(nil, []byte(tt.in), tt.text)
			var got []string
			for _, w := range ways {
				got = append(got, w.reading+"="+string(w.body))
			}
			if !slices.Equal(got, tt.want) || (how != "") != tt.how {
				t.Errorf("readings64(%q) = %q, %q, want %q", tt.in, got, how, tt.want)
			}
		})
	}
}

func TestDecodeQP(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a=20b", "a b"},
		{"lower case", "=e3=81=82", "あ"},
		{"soft break", "a=\r\nb", "ab"},
		{"soft break with blanks", "a= \t\r\nb", "ab"},
		{"soft break, bare LF", "a=\nb", "ab"},
		{"soft break, bare CR", "a=\rb", "ab"},
		{"soft break at the end", "a=", "a"},
		{"a sign that means nothing", "1=x", "1=x"},
		{"two signs", "a==20", "a= "},
		{"blanks at the end of a line", "a  \r\nb", "a\r\nb"},
		{"a long line", strings.Repeat("a", 5000) + "=41", strings.Repeat("a", 5000) + "A"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(decodeQP(nil, []byte(tt.in))); got != tt.want {
				t.Errorf("decodeQP(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// A BinHex file made by hand: its name, the fixed fields, the data fork.
func TestBinHex(t *testing.T) {
	packed := "\x05a.exe\x00APPL????\x00\x00\x00\x00\x00\x17\x00\x00\x00\x00\x12\x34" + program
	in := "(This file must be converted with BinHex 4.0)\n\n:" + sixBitText(packed) + ":\n"
	var got []string
	Walk([]byte("Subject: x\n\n"+in), "", 0, budget.New(budget.Default), func(e *entity.Entity) {
		if e.Path != "1" {
			got = append(got, e.Path, e.Name(), string(e.Body))
		}
	})
	if want := []string{"1/uu1", "a.exe", program}; !slices.Equal(got, want) {
		t.Errorf("files in %q = %q, want %q", in, got, want)
	}
	if out := unrun([]byte("ab\x90\x04c\x90\x00"), 1000); string(out) != "abbbbc\x90" {
		t.Errorf("unrun = %q, want %q", out, "abbbbc\x90")
	}
}

func sixBitText(s string) string {
	var out []byte
	acc, bits := 0, 0
	for i := range len(s) {
		acc, bits = acc<<8|int(s[i]), bits+8
		for bits >= 6 {
			bits -= 6
			out = append(out, hqxAlphabet[acc>>bits&63])
		}
	}
	if bits > 0 {
		out = append(out, hqxAlphabet[acc<<(6-bits)&63])
	}
	return string(out)
}
