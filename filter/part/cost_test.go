package part

import (
	"bytes"
	stdbase64 "encoding/base64"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

// big is a message whose attachment is n bytes, as base64 in lines of 76.
func big(n int) []byte {
	body := make([]byte, n)
	seed := uint32(1)
	for i := range body {
		seed = seed*1664525 + 1013904223
		body[i] = byte(seed >> 24)
	}
	text := stdbase64.StdEncoding.EncodeToString(body)
	var b bytes.Buffer
	b.WriteString("From: a@example.jp\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"bb\"\r\n\r\n--bb\r\n\r\nHello.\r\n--bb\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for len(text) > 0 {
		k := min(76, len(text))
		b.WriteString(text[:k] + "\r\n")
		text = text[k:]
	}
	b.WriteString("--bb--\r\n")
	return b.Bytes()
}

func BenchmarkWalkBase64(b *testing.B) {
	raw := big(5 << 20)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		Walk(raw, "", 0, budget.New(budget.Default), func(*entity.Entity) {})
	}
}

func BenchmarkWalkText(b *testing.B) {
	raw := []byte("From: =?utf-8?B?55Sw5Lit?= <a@example.jp>\r\nTo: b@example.jp\r\nSubject: =?iso-2022-jp?B?GyRCOCY9JCROJDQwRkZiGyhC?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat("いつもお世話になっております。\r\n", 60))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		Walk(raw, "", 0, budget.New(budget.Default), func(*entity.Entity) {})
	}
}

// nestedOf writes n multiparts in each other.
func nestedOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%d\n", i, i)
	}
	return b.String() + "\n"
}

// repeated builds about a megabyte of one piece.
func repeated(piece string) string { return strings.Repeat(piece, (1<<20)/len(piece)) }

// TestFlatCost reads about a megabyte of each of the worst messages that we
// could think of. The bound is wide enough for a slow machine under load and far
// below what a square or worse would take.
func TestFlatCost(t *testing.T) {
	const bound = 10 * time.Second
	multi := "Content-Type: multipart/mixed; boundary=b\n\n"
	tests := []struct {
		name string
		raw  func() string
	}{
		{"nested multiparts", func() string {
			var b strings.Builder
			for i := range 15000 {
				fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%d\n", i, i)
			}
			return b.String()
		}},
		{"nested multiparts of one boundary", func() string { return repeated("Content-Type: multipart/mixed; boundary=b\n\n--b\n") }},
		{"nested multiparts whose boundaries extend each other", func() string {
			var b strings.Builder
			for i := range 900 {
				s := strings.Repeat("x", i+1)
				fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%s\n\n--%s\n", s, s)
			}
			return b.String() + strings.Repeat("--"+strings.Repeat("x", 898)+"y\n", 300)
		}},
		{"many parts", func() string { return multi + repeated("--b\n\nx\n") }},
		{"many nested multiparts without delimiters", func() string { return multi + repeated("--b\nContent-Type: multipart/mixed; boundary=zz\n\n") }},
		{"many closes", func() string { return multi + repeated("--b--\n") }},
		{"many reopened", func() string { return multi + repeated("--b--\n--b\n\n") }},
		{"dash lines", func() string { return multi + repeated("--\n") }},
		{"encoded words", func() string { return "Subject: " + repeated("=?utf-8?Q?a?= ") + "\n\n" }},
		{"encoded words that never end", func() string { return "Subject: " + repeated("=?a?b?YQ ") + "\n\n" }},
		{"encoded words without the last mark", func() string { return "Subject: " + repeated("=?a?b?YQ=?a?q?b") + "\n\n" }},
		{"encoded words cut to single letters", func() string { return "Subject: " + repeated("=?utf-8?B?Y?= ") + "\n\n" }},
		{"continuations", func() string {
			var b strings.Builder
			b.WriteString("Content-Disposition: attachment")
			for i := range 60000 {
				fmt.Fprintf(&b, "; filename*%d=abc", 60000-i)
			}
			return b.String() + "\n\n"
		}},
		{"segments without a value", func() string { return "Content-Type: text/plain; name=a" + repeated(";b") + "\n\n" }},
		{"loose names", func() string { return "Content-Type: text/plain " + repeated("name=") + "\n\n" }},
		{"shifts that never end", func() string { return "Content-Type: text/plain; name=\"" + repeated("\x1b$") + "\n\n" }},
		{"folds", func() string { return "Subject: a" + repeated("\n b") + "\n\n" }},
		{"hidden fields", func() string { return "Subject: a" + repeated("\n Content-Type: text/plain") + "\n\n" }},
		{"lines without a colon", func() string { return "Subject: a\n" + repeated("b\nX: y\n") }},
		{"header fields", func() string { return repeated("Content-Type: multipart/mixed; boundary=b\n") + "\n--b\n\n" }},
		{"boundaries", func() string { return "Content-Type: multipart/mixed" + repeated("; boundary=b") + "\n\n--b\n\n" }},
		{"comments", func() string { return "From: " + repeated("(") + "\n\n" }},
		{"angles", func() string { return "From: " + repeated("<a") + "\n\n" }},
		{"addresses", func() string { return "From: " + repeated("a@b,") + "\n\n" }},
		{"begin lines", func() string { return "\n\n" + repeated("begin 644 a\n") }},
		{"begin lines with a line each", func() string { return "\n\n" + repeated("begin 644 a\n#86)C\n") }},
		{"begin-base64 lines", func() string { return "\n\n" + repeated("begin-base64 644 a\nYWJj\n") }},
		{"BinHex announcements", func() string { return "\n\n" + repeated("(This file must be converted with BinHex\n:") }},
		{"padding everywhere", func() string { return "Content-Transfer-Encoding: base64\n\n" + repeated("YQ==") }},
		{"soft breaks", func() string { return "Content-Transfer-Encoding: quoted-printable\n\n" + repeated("=\n") }},
		{"multiparts under base64", func() string {
			return multi + repeated("--b\nContent-Type: multipart/mixed; boundary=c\nContent-Transfer-Encoding: base64\n\n")
		}},
		{"22 multiparts in each other", func() string { return nestedOf(22) + strings.Repeat("text\n", 200000) }},
		{"2,000 multiparts in each other", func() string { return nestedOf(2000) + strings.Repeat("text\n", 180000) }},
		{"every view and pass", func() string {
			return "Content-Type: multipart/mixed; boundary=b; boundary=c; boundary=d\n\n--b\n\n--c\n\n--d\n\r--b\rContent-Type: multipart/mixed; boundary=i\n\n--i\n\nx\n--b\n--i\n" +
				strings.Repeat("a", 1000) + "\v--b\n--bX\n" + repeated("--b\rx --b\n--i\n\n--c\n\n")
		}},
		{"delimiters in one line", func() string { return multi + "--b\n\n" + repeated("--b") + "\n" }},
		{"delimiters in lines", func() string { return multi + "--b\n\n" + repeated("x --b\n") }},
		{"many boundaries in lines", func() string {
			var b strings.Builder
			for i := range 60 {
				fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%d-\n\n--%d-\n", i, i)
			}
			return b.String() + "\n" + repeated("x --1-")
		}},
		{"delimiters of ended multiparts", func() string {
			return multi + "--b\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\n--b\n\n" + repeated("--i\n\nx\n")
		}},
		{"headers in a text", func() string { return "\n" + repeated("--b\nContent-Type: x\n") }},
		{"headers in a text behind others' delimiters", func() string { return "\n" + repeated("--b\nContent-Type: x\nx --b\n") }},
		{"files in a text", func() string { return "\n" + repeated("--b\nContent-Disposition: x\n\n") }},
		{"multiparts in texts in multiparts", func() string {
			return multi + repeated("--b\n\n--c\nContent-Disposition: x\n\ny\n")
		}},
		{"preambles of fields", func() string {
			return multi + repeated("--b\nContent-Type: multipart/mixed; boundary=c\n\njunk\nContent-A: b\nContent-A: b\n--c\n\n--c--\njunk\nContent-A: b\n")
		}},
		{"empty lines before content fields", func() string { return "A: b\n" + repeated("\nContent-Type: text/plain\n") }},
		{"traces and empty lines", func() string { return "Received: x\n" + repeated("\n") }},
		{"lines of 999 bytes", func() string { return "\n" + repeated(strings.Repeat("a", 999)+"\n") }},
		{"one line", func() string { return "\n" + repeated("a") }},
		{"uuencode without an end", func() string { return "\n" + repeated("begin 644 a\n#86)C\nx\n#86)C\n") }},
		{"xxencode lines", func() string { return "\n" + repeated("begin 644 a\n1HJcU\n") }},
		{"two bytes for each letter", func() string { return "\xff\xfe" + repeated("a\x00\n\x00") }},
		{"bare CRs", func() string { return multi + repeated("\r--b\r\r") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := []byte(tt.raw())
			start := worked(t)
			Walk(raw, "", 0, budget.New(budget.Default), func(*entity.Entity) {})
			took := worked(t) - start
			t.Logf("%s for %d KiB: %s", took, len(raw)>>10, tt.name)
			if took > bound {
				t.Errorf("Walk took %s for %d bytes, want at most %s", took, len(raw), bound)
			}
		})
	}
}

// worked is the processor time that the test has used: other processes on the
// machine make it no longer.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// TestTheMessageIsNeverWrittenTo: bodies are decoded into memory that is used
// again, which must never be the message's own. In the worker that is mapped
// for reading only.
func TestTheMessageIsNeverWrittenTo(t *testing.T) {
	tests := []struct{ name, encoding, body string }{
		{"what is called uuencode and is none", "x-uuencode", strings.Repeat("no such thing\n", 20)},
		{"what is called yEnc and is none", "x-yenc", strings.Repeat("no such thing\n", 20)},
		{"what is called BinHex and is none", "mac-binhex40", strings.Repeat("no such thing\n", 20)},
		{"honest base64", "base64", stdbase64.StdEncoding.EncodeToString([]byte(strings.Repeat("hello", 30)))},
		{"honest quoted-printable", "quoted-printable", strings.Repeat("caf=C3=A9\n", 20)},
	}
	next := "--b\nContent-Transfer-Encoding: base64\n\n" + stdbase64.StdEncoding.EncodeToString([]byte(strings.Repeat("behind", 60))) + "\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: " + tt.encoding + "\n\n" + tt.body + "\n" + next + next + "--b--\n"
			raw := []byte(text)
			last := ""
			Walk(raw, "", 0, budget.New(budget.Small), func(e *entity.Entity) { last = string(e.Body) })
			if string(raw) != text {
				t.Error("the message was changed")
			}
			if last != strings.Repeat("behind", 60) {
				t.Errorf("the last part holds %q", last)
			}
		})
	}
}
