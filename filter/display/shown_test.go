package display

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShown(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "議事録.pdf", "議事録.pdf"},
		{"override", "seikyu\u202efdp.exe", "seikyuexe.pdf"},
		{"override ended", "a\u202efdp\u202c.js", "apdf.js"},
		{"isolate in an override", "r\u202e\u2066fdp\u2069.js", "rsj.fdp"},
		{"Hebrew", "דוח.docx", "חוד.docx"},
		{"Hebrew with a number", "דוח 12.docx", "12 חוד.docx"},
		{"brackets are mirrored", "א(ב)ג.pdf", "ג(ב)א.pdf"},
		{"padding hides the end", "請求書.pdf" + strings.Repeat("\u3000", 60) + ".exe", "請求書.pdf" + strings.Repeat(" ", 49) + "…"},
		{"invisible", "a.e\u200bx\x01e", "a.exe"},
		{"exactly the window", strings.Repeat("a", 60), strings.Repeat("a", 60)},
		{"a wide character at the edge", strings.Repeat("a", 58) + "漢字", strings.Repeat("a", 58) + "…"},
		{"never closed", "\u202e\u202e\u202eab", "ba"},
		{"closes nothing", "\u202c\u2069ab", "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Shown(tt.in); got != tt.want {
				t.Errorf("Shown(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// FuzzShown promises: what is shown is valid, fits the window and hides
// nothing more.
func FuzzShown(f *testing.F) {
	for _, s := range []string{"a.pdf", "a\u202efdp.exe", "دوح\u2067\u2069", "\xff", strings.Repeat("漢", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown, total := Shown(s), 0
		for _, r := range shown {
			if IsHidden(r) {
				t.Fatalf("Shown(%q) = %q holds %U", s, shown, r)
			}
			total += Columns(r)
		}
		if total > window || !utf8.ValidString(shown) {
			t.Fatalf("Shown(%q) takes %d columns", s, total)
		}
	})
}
