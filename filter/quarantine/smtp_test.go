package quarantine

import (
	"bufio"
	"bytes"
	"io"
	"testing"
)

// FuzzData: a server that ends lines at CRLF and one that ends them at LF both
// see one end of data, at the end, and one that undoes the dots after each LF
// has the bytes as they were kept.
func FuzzData(f *testing.F) {
	for _, s := range []string{"", ".", "a\r\n.\r\nb", "a\n.\n.\r\n", "\r.\r\n..\r\n", "no end", "end in LF\n", "end in CR\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := append(sent(t, raw), ".\r\n"...)
		var mail []byte
		for r := bufio.NewReader(bytes.NewReader(got)); ; {
			line, err := r.ReadBytes('\n')
			if err != nil {
				t.Fatalf("data(%q) sent %q: no end of data", raw, got)
			}
			if string(line) == ".\r\n" || string(line) == ".\n" {
				if _, err := r.ReadByte(); err == nil {
					t.Fatalf("data(%q) sent %q: it ends too early", raw, got)
				}
				break
			}
			mail = append(mail, bytes.TrimPrefix(line, []byte("."))...)
		}
		if want := raw; len(raw) > 0 && !bytes.HasSuffix(raw, []byte("\r\n")) {
			want = append(bytes.Clone(raw), "\r\n"...)
			if !bytes.Equal(mail, want) {
				t.Errorf("data(%q) arrives as %q, want %q", raw, mail, want)
			}
		} else if !bytes.Equal(mail, want) {
			t.Errorf("data(%q) arrives as %q", raw, mail)
		}
	})
}

func sent(t *testing.T, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	c := &client{out: bufio.NewWriter(&out)}
	if err := c.data(raw); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkData sends a mail of 1 MB in lines of 76 bytes.
func BenchmarkData(b *testing.B) {
	raw := bytes.Repeat(append(bytes.Repeat([]byte("x"), 76), "\r\n"...), 13443)
	c := &client{out: bufio.NewWriter(io.Discard)}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.data(raw); err != nil {
			b.Fatal(err)
		}
	}
}
