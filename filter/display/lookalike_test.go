package display

import "testing"

func TestImitates(t *testing.T) {
	tests := []struct {
		name, host, domain string
		want               bool
	}{
		{"Cyrillic a", "k\u0430nsho.example.jp", "kansho.example.jp", true},
		{"Cyrillic a in Punycode", "xn--knsho-4ve.example.jp", "kansho.example.jp", true},
		{"Greek o", "kansh\u03bf.example.jp", "kansho.example.jp", true},
		{"an accent", "k\u00e1nsho.example.jp", "kansho.example.jp", true},
		{"full-width", "ｋａｎｓｈｏ.example.jp", "kansho.example.jp", true},
		{"a zero for o", "kansh0.example.jp", "kansho.example.jp", true},
		{"a one for l", "examp1e.jp", "example.jp", true},
		{"rn for m", "exarnple.jp", "example.jp", true},
		{"vv for w", "vvaseda.example", "waseda.example", true},
		{"a hyphen more", "kan-sho.example.jp", "kansho.example.jp", true},
		{"a hyphen for a dot", "kansho-example.jp", "kansho.example.jp", true},
		{"in front", "kansho.example.jp.evil.example", "kansho.example.jp", true},
		{"in front, with a host", "mail.kansho.example.jp.evil.example", "kansho.example.jp", true},
		{"in front, in one label", "kansho-example-jp.evil.example", "kansho.example.jp", true},
		{"a host below the look-alike", "mail.kansh0.example.jp", "kansho.example.jp", true},
		{"a zero-width space", "kan\u200bsho.example.jp", "kansho.example.jp", true},

		{"a plain host in front of it", "kansho.example.jp.evil.example", "kansho.example.jp", true},
		{"a dot more", "kan.sho.example.jp", "kansho.example.jp", true},
		{"both with digits", "a1.example.jp", "al.example.jp", true},
		{"itself", "kansho.example.jp", "kansho.example.jp", false},
		{"below it", "mail.kansho.example.jp", "kansho.example.jp", false},
		{"above it", "example.jp", "kansho.example.jp", false},
		{"another", "bank.example.jp", "kansho.example.jp", false},
		{"its name at another registry", "kansho.example.com", "kansho.example.jp", false},
		{"a letter that can be seen", "kanshu.example.jp", "kansho.example.jp", false},
		{"a Japanese name", "xn--wgv71a119e.jp", "kansho.example.jp", false},
		{"a part of it", "kan.example.jp", "kansho.example.jp", false},
		{"nothing", "", "kansho.example.jp", false},
		{"no own domain", "kansho.example.jp", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Imitates(tt.host, tt.domain); got != tt.want {
				t.Errorf("Imitates(%q, %q) = %v, want %v; skeletons %q and %q", tt.host, tt.domain, got, tt.want, skeleton(unicodeHost(tt.host)), skeleton(unicodeHost(tt.domain)))
			}
		})
	}
}

// FuzzImitates promises: nobody imitates himself or what stands below him.
func FuzzImitates(f *testing.F) {
	f.Add("kansh0.example.jp", "kansho.example.jp")
	f.Add("\x10", "0")
	f.Add("xn--a-ecp.ru", "\u202e.。")
	f.Fuzz(func(t *testing.T, host, domain string) {
		Imitates(host, domain)
		if plainHost(host) && skeleton(host) != host {
			t.Fatalf("%q is plain, its skeleton is %q", host, skeleton(host))
		}
		if Imitates(domain, domain) || Imitates("a."+domain, domain) {
			t.Fatalf("%q imitates itself", domain)
		}
	})
}
