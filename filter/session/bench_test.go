package session

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-milter"
)

// BenchmarkMessage sends honest mails of three sizes through the library's
// client: to us with and without replies to each step, and to a bare server of
// the library that accepts all.
func BenchmarkMessage(b *testing.B) {
	sizes := map[string]int{"5KB": 5 << 10, "1MB": 1 << 20, "10MB": 10 << 20}
	for _, size := range []string{"5KB", "1MB", "10MB"} {
		body := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog. 0123456789abcdef01\r\n"), sizes[size]/65)
		b.Run(size+"/session", func(b *testing.B) {
			_, addr, _ := serve(b, Config{}, accept)
			benchmark(b, addr, everything, body)
		})
		b.Run(size+"/session-replies", func(b *testing.B) {
			_, addr, _ := serve(b, Config{}, accept)
			benchmark(b, addr, 0, body)
		})
		b.Run(size+"/bare", func(b *testing.B) {
			benchmark(b, libraryAlone(b), 0, body)
		})
	}
}

// libraryAlone serves with the library alone.
func libraryAlone(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	lib := &milter.Server{NewMilter: func() milter.Milter { return milter.NoOpMilter{} }, Actions: milter.OptAddHeader}
	go lib.Serve(l)
	b.Cleanup(func() { lib.Close() })
	return l.Addr().String()
}

func benchmark(b *testing.B, addr string, steps milter.OptProtocol, body []byte) {
	c := dialOffering(b, addr, milter.OptAddHeader, steps)
	connect(b, c)
	fields := make([][2]string, 20)
	for i := range fields {
		fields[i] = [2]string{"X-Field", " " + strings.Repeat("v", 60)}
	}
	var chunks []string
	for rest := string(body); rest != ""; {
		n := min(len(rest), milter.MaxBodyChunk)
		chunks, rest = append(chunks, rest[:n]), rest[n:]
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, act := transact(b, c, "4bXyZ", fields, chunks...); act.Code != milter.ActAccept {
			b.Fatalf("answer %+v, want accept", act)
		}
	}
}
