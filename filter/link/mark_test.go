package link

import (
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// plainMark is markAt in the simplest words.
func plainMark(s string, from int) int {
	for at := from; at < len(s); at++ {
		if strings.HasPrefix(s[at:], "://") || strings.HasPrefix(s[at:], "www.") || strings.HasPrefix(s[at:], "WWW.") {
			return at
		}
	}
	return len(s)
}

// Marks are found at every place of the steps that the search takes, among
// their near relatives.
func TestMarkAt(t *testing.T) {
	pieces := []string{"://", "www.", "WWW.", ":/", "ww", "wW", "Ww.", ":", "/", "w", ".", "x", "\n", "\xba\xaf", "\xf7\xf7", ":\xaf", "W", " "}
	r := rand.New(rand.NewSource(1))
	for range 3000 {
		var b strings.Builder
		for range r.Intn(30) {
			b.WriteString(pieces[r.Intn(len(pieces))])
		}
		s := b.String()
		for from := range len(s) + 1 {
			want := plainMark(s, from)
			if got := markAt([]byte(s), from); got != want {
				t.Fatalf("markAt([]byte(%q), %d) = %d, want %d", s, from, got, want)
			}
		}
	}
}

// What stands in the words with a mark is what stands in the whole text.
func TestWords(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no link at all", "議事録を送ります。\r\n12:30 から", ""},
		{"one word of four", "a\nsee http://a.example/ b\nc", "http://a.example/\n"},
		{"two links on a line", "x\nhttp://a.example www.b.example\n", "http://a.example\nwww.b.example\n"},
		{"two links in a word", "x http://a.example,www.b.example\n", "http://a.example,www.b.example\n"},
		{"a link in Japanese without blanks", "詳細はhttps://a.exampleへ\r\n", "詳細はhttps://a.exampleへ\n"},
		{"the last line without an end", "a\r\nwww.a.example", "www.a.example\n"},
		{"a word that www. ends", "awww.b.example 1://", "awww.b.example\n1://\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Words([]byte(tt.text))); got != tt.want {
				t.Errorf("Words(%q) = %q, want %q", tt.text, got, tt.want)
			}
			whole, wholly := Text("1", tt.text)
			part, partly := Text("1", string(Words([]byte(tt.text))))
			if !slices.Equal(whole, part) || !reflect.DeepEqual(wholly, partly) {
				t.Errorf("Text of the words of %q = %v %v, of the whole %v %v", tt.text, part, partly, whole, wholly)
			}
		})
	}
}

func BenchmarkWords(b *testing.B) {
	text := []byte(strings.Repeat("支給額の一覧: 12:30 から第三会議室 (w:p)/(w:r) にて\r\n", 20000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Words(text)
	}
}
