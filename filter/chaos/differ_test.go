package chaos

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/filter/postfixrig"
)

// shapes are ways to write a message that Postfix itself changes after we have
// seen it, or that mail programs read in different ways.
var shapes = []struct {
	name  string
	shape func(chance *rand.Rand, raw []byte) []byte
}{
	{"as it is", func(_ *rand.Rand, raw []byte) []byte { return raw }},
	{"a NUL somewhere in the headers of a part", func(c *rand.Rand, raw []byte) []byte {
		return insert(raw, c, "Content-Type: application/octet-stream", "\x00")
	}},
	{"a second boundary parameter", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("boundary=b\r\n"), []byte("boundary=c; boundary=b\r\n"), 1)
	}},
	{"a second Content-Type field", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("\r\nContent-Type: multipart"), []byte("\r\nContent-Type: text/plain\r\nContent-Type: multipart"), 1)
	}},
	{"bare LF somewhere", func(c *rand.Rand, raw []byte) []byte { return replaceSome(c, raw, "\r\n", "\n") }},
	{"bare CR somewhere", func(c *rand.Rand, raw []byte) []byte { return replaceSome(c, raw, "\r\n", "\r") }},
	{"one line of base64", func(_ *rand.Rand, raw []byte) []byte {
		head, body, _ := bytes.Cut(raw, []byte("base64\r\n\r\n"))
		return append(append(head, "base64\r\n\r\n"...), bytes.ReplaceAll(body, []byte("A\r\n"), []byte("A"))...)
	}},
	{"a header that Postfix cuts", func(_ *rand.Rand, raw []byte) []byte {
		return append([]byte("X-Long: "+strings.Repeat("a b c d e\r\n ", 12000)+"\r\n"), raw...)
	}},
	{"MIME fields behind a header that is cut", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("MIME-Version"), []byte("X-Long: "+strings.Repeat("a b c d\r\n ", 14000)+"\r\nMIME-Version"), 1)
	}},
	{"an 8-bit field name", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("MIME-Version"), []byte("X-\xe9: a\r\nMIME-Version"), 1)
	}},
	{"a line that is no field", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("MIME-Version"), []byte("no field\r\nMIME-Version"), 1)
	}},
	{"blanks before the colon", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("Content-Type:"), []byte("Content-Type \t:"), 1)
	}},
	{"a line of 5,000 bytes before the part", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("hello\r\n"), []byte(strings.Repeat("x", 5000)+"\r\n"), 1)
	}},
	{"a boundary in a line that Postfix breaks", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("hello\r\n--b"), []byte("hello"+strings.Repeat("x", 985)+"\r\n--b"), 1)
	}},
	{"dots at the beginning of lines", func(_ *rand.Rand, raw []byte) []byte {
		return bytes.Replace(raw, []byte("hello\r\n"), []byte(".\r\n..\r\n.hello\r\n"), 1)
	}},
}

func insert(raw []byte, chance *rand.Rand, before, what string) []byte {
	at := bytes.Index(raw, []byte(before))
	if at < 0 {
		return raw
	}
	at += chance.IntN(len(before))
	return append(raw[:at:at], append([]byte(what), raw[at:]...)...)
}

// replaceSome replaces each third or so.
func replaceSome(chance *rand.Rand, raw []byte, old, with string) []byte {
	var b strings.Builder
	for i, piece := range strings.Split(string(raw), old) {
		switch {
		case i == 0:
		case chance.IntN(3) == 0:
			b.WriteString(with)
		default:
			b.WriteString(old)
		}
		b.WriteString(piece)
	}
	return []byte(b.String())
}

// F32: what Postfix delivers is judged again as its reader will see it. No
// message that was let through may be one that we would have kept.
func TestF32DeliveredIsAsSeen(t *testing.T) {
	s := newStand(t)
	s.start()
	chance := rand.New(rand.NewPCG(32, 32))
	sent := 0
	for range deep(4, 80) {
		for _, shape := range shapes {
			sent++
			raw := shape.shape(chance, withProgram())
			from := s.sender(sent)
			if reply, err := submit(s.postfix.SMTP(), from, raw); err != nil || reply[0] == '4' {
				t.Errorf("%s: %q, %v", shape.name, reply, err)
			}
		}
	}
	within(20*time.Second, s.onlyHeld)
	dir := t.TempDir()
	passed := 0
	for _, d := range s.sink.Messages() {
		n := s.number(d.From)
		if n == 0 {
			continue
		}
		passed++
		s.judgeAgain(t, dir, shapes[(n-1)%len(shapes)].name, n, d)
	}
	t.Logf("%d messages in %d shapes, %d delivered", sent, len(shapes), passed)
}

func (s *stand) judgeAgain(t *testing.T, dir, shape string, n int, d postfixrig.Delivered) {
	t.Helper()
	file := filepath.Join(dir, fmt.Sprintf("%d.eml", n))
	check(t, os.WriteFile(file, d.Data, 0o600))
	if r := scanned(t, file); r.disposition == "quarantine" {
		t.Errorf("%s: message %d was delivered, and its copy is judged %s", shape, n, r.disposition)
	}
}
