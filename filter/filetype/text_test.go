package filetype

import (
	"archive/zip"
	"bytes"
	"math/rand"
	"strings"
	"testing"
)

// A text holds what a plain search finds in it, and nothing else.
func TestOpeningHolds(t *testing.T) {
	marks := []string{"<html", "\nfrom:", "wscript.shell", "createobject(\"scripting.", "<svg\n", "iex(", "ab", "[version]", "$chicago$"}
	r := rand.New(rand.NewSource(2))
	for range 2000 {
		var b strings.Builder
		for range 1 + r.Intn(12) {
			m := marks[r.Intn(len(marks))]
			b.WriteString([]string{m, strings.ToUpper(m), m[:len(m)-1], m[1:], "議事録 ", "plain words "}[r.Intn(6)])
		}
		text := open([]byte("x" + b.String()))
		if text == nil {
			t.Fatalf("open(%q) = nil", b.String())
		}
		for _, m := range marks {
			if got, want := text.holds(m), bytes.Contains(text.b, []byte(m)); got != want {
				t.Fatalf("%q holds %q = %v, want %v", text.b, m, got, want)
			}
		}
	}
}

// A document with many lists of content types, which would each be inflated,
// is taken for one with macros: some program may read the one that names them.
func TestManyContentTypes(t *testing.T) {
	document := func(lists int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for range lists {
			f, _ := z.Create("[Content_Types].xml")
			_, _ = f.Write(bytes.Repeat([]byte("<Types/>"), 1<<15))
		}
		_, _ = z.Create("word/document.xml")
		_ = z.Close()
		return b.Bytes()
	}
	tests := []struct {
		name  string
		lists int
		want  bool
	}{
		{"one list, as every document has", 1, false},
		{"a second one, by a careless writer", 2, false},
		{"fifty", 50, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := isOOXMLMacro(newLook(document(tt.lists))); got != tt.want {
				t.Errorf("isOOXMLMacro = %v, want %v", got, tt.want)
			}
		})
	}
}
