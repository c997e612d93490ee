package chaos

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"

	"sekisho/filter/specimen"
)

// badMail is a message that no honest program writes, or too much of one.
type badMail struct {
	name string
	make func() []byte
	// want is the disposition, "" where any verdict will do.
	want string
	// smtp says that it can be said over SMTP and is sent through Postfix.
	smtp bool
}

const head = "From: a@partner.example\r\nTo: hr@kansho.example.jp\r\nSubject: bad\r\nMessage-ID: <bad@partner.example>\r\nMIME-Version: 1.0\r\n"

// badMails are those of the fault plan, F15, and the shapes of damage.
var badMails = []badMail{
	{"nothing at all", func() []byte { return nil }, "", false},
	{"a header and no body", func() []byte { return []byte(head) }, "", true},
	{"a body and no header", func() []byte { return []byte("\r\nhello\r\n") }, "", true},
	{"cut in the middle of an attachment", func() []byte { b := withProgram(); return b[:len(b)*2/3] }, "quarantine", true},
	{"cut in the middle of a boundary", func() []byte { b := withProgram(); return b[:len(b)-6] }, "quarantine", true},
	{"a megabyte of chance", func() []byte { return noise(1 << 20) }, "", false},
	{"chance behind a header", func() []byte { return append([]byte(head+"\r\n"), noise(1<<20)...) }, "", true},
	{"a NUL in every place", func() []byte { return bytes.ReplaceAll(withProgram(), []byte("e"), []byte("e\x00")) }, "", true},
	{"bare LF throughout", func() []byte { return bytes.ReplaceAll(withProgram(), []byte("\r\n"), []byte("\n")) }, "quarantine", true},
	{"bare CR throughout", func() []byte { return bytes.ReplaceAll(withProgram(), []byte("\r\n"), []byte("\r")) }, "", true},
	{"invalid UTF-8 in every field", func() []byte {
		return []byte(strings.ReplaceAll(head, "bad", "\xff\xfe\xc0\x80\xed\xa0\x80") + "\r\n\xf8\x88\x80\x80\x80\r\n")
	}, "", true},
	{"a header field of 1 MB", func() []byte { return []byte(head + "X-Long: " + strings.Repeat("a", 1<<20) + "\r\n\r\nhi\r\n") }, "", true},
	{"a folded header field of 1 MB", func() []byte {
		return []byte(head + "X-Long: a" + strings.Repeat("\r\n aaaaaaa", 1<<17) + "\r\n\r\nhi\r\n")
	}, "", true},
	{"20,000 header fields", func() []byte { return []byte(head + strings.Repeat("X-Many: a\r\n", 20000) + "\r\nhi\r\n") }, "", true},
	{"an encoded word of 1 MB", func() []byte {
		return []byte(head + "X-Word: " + strings.Repeat("=?utf-8?B?YQ==?= ", 1<<16) + "\r\n\r\nhi\r\n")
	}, "", false},
	{"100,000 parts", func() []byte { return multipart(strings.Repeat("--b\r\n\r\nx\r\n", 100000) + "--b--\r\n") }, "quarantine", true},
	{"100,000 parts and a program behind them", func() []byte {
		return multipart(strings.Repeat("--b\r\n\r\nx\r\n", 100000) + "--b\r\n" + programPart() + "--b--\r\n")
	}, "quarantine", true},
	{"multipart in multipart, 1,000 deep", func() []byte { return deepMultipart(1000) }, "quarantine", true},
	{"message in message, 1,000 deep", func() []byte { return deepMessage(1000) }, "quarantine", true},
	{"zip in zip, 1,000 deep", func() []byte { return attached("deep.zip", deepZip(1000)) }, "quarantine", true},
	{"a 100 MB attachment of chance", func() []byte { return attached("photo.bin", noise(74<<20)) }, "", true},
	{"a 100 MB text", func() []byte {
		return append([]byte(head+"\r\n"), bytes.Repeat([]byte("The minutes follow.\r\n"), 5<<20)...)
	}, "", true},
	{"100 MB in lines of one base64 letter", func() []byte { return oneLetterLines(33 << 20) }, "", false},
	{"a program behind 100 MB of text", func() []byte {
		text := "--b\r\n\r\n" + strings.Repeat("The minutes follow.\r\n", 5<<20)
		return multipart(text + "--b\r\n" + programPart() + "--b--\r\n")
	}, "quarantine", true},
	{"larger than limit.message", func() []byte { return append([]byte(head+"\r\n"), bytes.Repeat([]byte("x\r\n"), 43<<20)...) }, "", true},
}

// noise is chance that is the same on every run.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(b) // it never fails
	return b
}

func programPart() string {
	return "Content-Type: application/octet-stream; name=form.exe\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString(specimen.PE()) + "\r\n"
}

func withProgram() []byte {
	return multipart("--b\r\n\r\nhello\r\n--b\r\n" + programPart() + "--b--\r\n")
}

func multipart(body string) []byte {
	return []byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + body)
}

func deepMultipart(n int) []byte {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString(programPart())
	for i := n - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\r\n", i)
	}
	return []byte(b.String())
}

func deepMessage(n int) []byte {
	return []byte(strings.Repeat(head+"Content-Type: message/rfc822\r\n\r\n", n) + string(withProgram()))
}

func deepZip(n int) []byte {
	b := specimen.Zip(specimen.Member{Name: "form.exe", Data: specimen.PE()})
	for range n {
		b = specimen.Zip(specimen.Member{Name: "a.zip", Data: b, Method: "store"})
	}
	return b
}

// attached is a message with one file in base64.
func attached(name string, data []byte) []byte {
	var b bytes.Buffer
	b.WriteString(head + "Content-Type: application/octet-stream; name=" + name + "\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for ; len(data) > 0; data = data[min(57, len(data)):] {
		b.WriteString(base64.StdEncoding.EncodeToString(data[:min(57, len(data))]) + "\r\n")
	}
	return b.Bytes()
}

func oneLetterLines(n int) []byte {
	b := []byte(head + "Content-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	return append(b, bytes.Repeat([]byte("Q\r\n"), n)...)
}
