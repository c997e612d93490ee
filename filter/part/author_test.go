package part

import (
	"slices"
	"strings"
	"testing"
)

// TestAuthors reads each shape of a From field that mail programs split in
// different ways: the usual reading first, then what else some program reads.
func TestAuthors(t *testing.T) {
	tests := []struct {
		name, raw   string
		from, other []string // domains
	}{
		{"plain", "From: Taro <taro@x.jp>", []string{"x.jp"}, nil},
		{"two addresses", "From: <a@evil.example>, <b@x.jp>", []string{"evil.example", "x.jp"}, nil},
		{"a word that is an address, then another", "From: =?utf-8?B?PGFkbWluQHguanA+?=,<a@evil.example>", []string{"x.jp", "evil.example"}, nil},
		{"a word that is an address, as a name", "From: =?utf-8?B?PGFkbWluQHguanA+?= <a@evil.example>", []string{"evil.example"}, []string{"x.jp"}},
		{"a route", "From: <@evil.example,@any.example:b@x.jp>", []string{"x.jp"}, []string{"evil.example", "any.example"}},
		{"a quoted comma", "From: <b@x.jp>\\,<a@evil.example>", []string{"x.jp", "evil.example"}, nil},
		{"bare, then in brackets", "From: b@x.jp,<a@evil.example>", []string{"x.jp", "evil.example"}, nil},
		{"behind the bracket", "From: <a@evil.example>b@x.jp", []string{"evil.example"}, []string{"x.jp"}},
		{"two brackets", "From: <b@x.jp> <a@evil.example>", []string{"x.jp", "evil.example"}, nil},
		{"a bracket in a bracket", "From: <<b@x.jp>a@evil.example>", []string{"", "x.jp"}, []string{"evil.example"}},
		{"two signs", "From: <b@x.jp@evil.example>", []string{"evil.example"}, []string{"x.jp"}},
		{"a quoted sign", "From: <\"b@x.jp\"@evil.example>", []string{"evil.example"}, []string{"x.jp"}},
		{"a wide sign", "From: <b\uff20x.jp@evil.example>", []string{"evil.example"}, []string{"x.jp"}},
		{"NUL", "From: <b@x.jp\x00@evil.example>", []string{"evil.example"}, []string{"x.jp"}},
		{"a blank", "From: <b@x.jp a@evil.example>", []string{"evil.example"}, []string{"x.jp"}},
		{"a comment in the domain", "From: <b@x.jp(.evil.example>", []string{"x.jp(.evil.example"}, []string{"x.jp"}},
		{"another address in a comment in the brackets", "From: <b@x.jp(@evil.example)>", []string{"x.jp"}, []string{"evil.example"}},
		{"a quote without end", "From: \"B <b@x.jp>, <a@evil.example>", []string{"evil.example"}, []string{"x.jp"}},
		{"a comment without end", "From: (B <b@x.jp> <a@evil.example>", nil, []string{"x.jp", "evil.example"}},
		{"a fold in the domain", "From: <b@x\r\n .jp>", []string{"x .jp"}, []string{"x.jp"}},
		{"an indented field before the first", " From: <a@evil.example>\r\nFrom: <b@x.jp>", []string{"x.jp"}, []string{"evil.example"}},
		{"the colon in the fold", "From\r\n : <a@evil.example>\r\nFrom: <b@x.jp>", []string{"x.jp"}, []string{"evil.example"}},
		{"a blank before the colon", "From: <a@evil.example>\r\nFrom : <b@x.jp>", []string{"evil.example", "x.jp"}, nil},
		{"a control before the name", "\x00From: <a@evil.example>\r\nFrom: <b@x.jp>", []string{"evil.example", "x.jp"}, nil},
		{"no author but a sender", "Sender: <b@x.jp>\r\nSubject: x", nil, []string{"x.jp"}},
		{"a name for an author, and who sent it again", "From: Taro\r\nResent-From: <b@x.jp>", []string{""}, []string{"x.jp"}},
		{"hidden behind a long name", "From: \"" + strings.Repeat("a", 40000) + "\" <b@x.jp@evil.example>", []string{"evil.example"}, []string{"x.jp"}},

		{"a name in a comment", "From: taro@x.jp (Taro)", []string{"x.jp"}, nil},
		{"a comment in the name", "From: \"Suzuki (sales)\" <suzuki@x.jp>", []string{"x.jp"}, nil},
		{"ISO-2022-JP", "From: =?ISO-2022-JP?B?GyRCTmtMWhsoQg==?= <suzuki@x.jp>", []string{"x.jp"}, nil},
		{"one's own address for a name", "From: taro@x.jp <taro@x.jp>", []string{"x.jp"}, nil},
		{"raw Shift_JIS that ends in a backslash byte", "From: \"\x95\x5c\" <suzuki@x.jp>", []string{"x.jp"}, nil},
		{"raw ISO-2022-JP with a quote byte", "From: \"\x1b$B!\"!\"\x1b(B\" <suzuki@x.jp>", []string{"x.jp"}, nil},
		{"comments all over (RFC 5322 A.5)", "From: Pete(A nice \\) chap) <pete(his account)@x.jp(his host)>", []string{"x.jp"}, nil},
		{"a name with a comma", "From: =?utf-8?Q?Suzuki=2C_Ichiro?= <suzuki@x.jp>", []string{"x.jp"}, nil},
		{"a member of a list", "From: \"'taro@y.jp' via Sales\" <sales@x.jp>", []string{"x.jp"}, nil},
		{"a list and its sender", "From: Taro <taro@y.jp>\r\nSender: sales-bounces@x.jp", []string{"y.jp"}, nil},
		{"quotes in quotes", "From: \"Ichiro \\\"Icchan\\\" Suzuki\" <suzuki@x.jp>", []string{"x.jp"}, nil},
		{"a quote forgotten", "From: Ichiro \"Icchan <suzuki@x.jp>", []string{"x.jp"}, nil},
		{"folded", "From: =?utf-8?B?6Yi05pyo?=\r\n <suzuki@x.jp>", []string{"x.jp"}, nil},
		{"a Japanese domain", "From: <suzuki@\u65e5\u672c\u8a9e.jp>", []string{"\u65e5\u672c\u8a9e.jp"}, nil},
		{"the empty address", "From: <>", []string{""}, nil},
		{"a host without a dot", "From: root@localhost", []string{"localhost"}, nil},
		{"quoted mail in the subject", "From: a@x.jp\r\nSubject: Re:\r\n From: b@y.jp", []string{"x.jp"}, nil},
		{"a signature that lists fields", "DKIM-Signature: v=1; h=\r\n From:To; i=@y.jp\r\nFrom: a@x.jp", []string{"x.jp"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := ReadHeader([]byte(tt.raw + "\r\nTo: c@z.jp\r\n\r\n"))
			if from, other := domains(h.From), domains(h.FromOther); !slices.Equal(from, tt.from) || !slices.Equal(other, tt.other) {
				t.Errorf("ReadHeader(%q): From %q and %q, want %q and %q", tt.raw, from, other, tt.from, tt.other)
			}
		})
	}
}

func domains(list []Address) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.Domain)
	}
	return out
}

// FuzzAuthors promises: same bytes, same answer; further authors are few, have
// a domain that mail can come from, and each another than the usual ones.
func FuzzAuthors(f *testing.F) {
	for _, s := range []string{"<@a.jp,@b.jp:c@d.jp>", "=?utf-8?B?PGFAYi5qcD4=?= <c@d.jp>", "\"a <b@c.jp\x00@d.jp", "(((", "a:b@c.jp;", "<a\uff20b.jp@c.jp>\\,d@e.jp"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := []byte("From: " + s + "\r\n\r\n")
		h := ReadHeader(raw)
		if again := ReadHeader(raw); !slices.Equal(domains(h.FromOther), domains(again.FromOther)) {
			t.Fatalf("ReadHeader(%q): same bytes, two answers", raw)
		}
		seen := domains(h.From)
		for _, a := range h.FromOther {
			if !sane(a.Domain) || slices.Contains(seen, a.Domain) || len(h.FromOther) > mostOthers {
				t.Fatalf("ReadHeader(%q): From %q, other %q", raw, h.From, h.FromOther)
			}
			seen = append(seen, a.Domain)
		}
	})
}
