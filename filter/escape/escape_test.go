package escape

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain text stays", "notice 2026.pdf", "notice 2026.pdf"},
		{"japanese stays, full-width blank too", "医療費\u3000通知.lzh", "医療費\u3000通知.lzh"},
		{"combining and voiced marks stay", "か\u3099", "か\u3099"},
		{"accents and symbols stay", "Müller & Söhne – Rechnung №5 ✓", "Müller & Söhne – Rechnung №5 ✓"},
		{"RLO is shown", "seikyu\u202efdp.exe", "seikyu⟨U+202E⟩fdp.exe"},
		{"line ends are shown", "a\r\nX-Evil: 1", "a⟨U+000D⟩⟨U+000A⟩X-Evil: 1"},
		{"terminal escapes are shown", "\x1b[2J\u009b31m", "⟨U+001B⟩[2J⟨U+009B⟩31m"},
		{"line separators are shown", "a\u2028b\u2029c\u0085d", "a⟨U+2028⟩b⟨U+2029⟩c⟨U+0085⟩d"},
		{"zero widths are shown", "a\u200bb\ufeffc\u00add", "a⟨U+200B⟩b⟨U+FEFF⟩c⟨U+00AD⟩d"},
		{"blanks that are not blanks are shown", "a\u00a0b\u2800c\u3164d", "a⟨U+00A0⟩b⟨U+2800⟩c⟨U+3164⟩d"},
		{"tag characters are shown", "a\U000e0041", "a⟨U+E0041⟩"},
		{"broken UTF-8 is shown as bytes", "a\x82\xa0", "a⟨0x82⟩⟨0xA0⟩"},
		{"an escape cannot be forged", "⟨U+0041⟩", "⟨U+27E8⟩U+0041⟨U+27E9⟩"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Text(tt.in); got != tt.want {
				t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestASCII(t *testing.T) {
	if got, want := ASCII("通知\u202e\n~"), "<U+901A><U+77E5><U+202E><U+000A>~"; got != want {
		t.Errorf("ASCII = %q, want %q", got, want)
	}
}

func TestJSONKeepsTheValue(t *testing.T) {
	in := "a\u202eb\u2028c\u009bd\U000e0041e\u3000日本\x7f⟨"
	raw, err := json.Marshal(map[string]string{"k": in})
	if err != nil {
		t.Fatal(err)
	}
	safe := JSON(raw)
	var back map[string]string
	if err := json.Unmarshal(safe, &back); err != nil || back["k"] != in {
		t.Errorf("JSON(%s) reads back as %q, %v", raw, back["k"], err)
	}
	for _, r := range string(safe) {
		if r == 0x7f || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r) {
			t.Errorf("JSON lets %U through", r)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("seikyu\u202efdp.exe")
	f.Add("\xff\x00\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Text(%q) is not UTF-8", s)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
				t.Fatalf("Text(%q) lets %U through", s, r)
			}
		}
		if strings.ContainsFunc(ASCII(s), func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			t.Fatalf("ASCII(%q) is not printable ASCII", s)
		}
	})
}
