package charset

import "testing"

func TestCP932(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		ok         bool
	}{
		{"ASCII stays", "pass-1234", true},
		{"kanji and kana", "関所パスワード", true},
		{"a letter that it lacks", "пароль\u0111", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, ok := CP932(tt.text)
			if ok != tt.ok {
				t.Fatalf("CP932(%q) = %v, want %v", tt.text, ok, tt.ok)
			}
			if back, fine := Decode(b, "cp932"); ok && (!fine || back != tt.text) {
				t.Errorf("CP932(%q) reads back as %q", tt.text, back)
			}
		})
	}
}
