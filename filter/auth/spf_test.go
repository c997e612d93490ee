package auth_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sekisho/filter/auth"
	"sekisho/filter/auth/dnstest"
)

// spfZone is a small world of senders.
var spfZone = dnstest.Fixed{
	"a.jp":                      {"TXT v=spf1 ip4:192.0.2.0/24 -all"},
	"b.jp":                      {"TXT v=spf1 -all"},
	"soft.jp":                   {"TXT v=spf1 ip4:198.51.100.7 ~all"},
	"mx.a.jp":                   {"TXT v=spf1 ip4:192.0.2.1 -all"},
	"bogus.jp":                  {"TXT v=spf1 +all bogus"},
	"late-bogus.jp":             {"TXT v=spf1 ip4:192.0.2.1 redirect=b.jp redirect=a.jp"},
	"eight.jp":                  {"TXT v=spf1 +all x=\u00e9"},
	"two.jp":                    {"TXT v=spf1 +all", "TXT v=spf1 -all"},
	"other.jp":                  {"TXT google-site-verification=x", "TXT v=spf1 +all"},
	"long.jp":                   {"TXT v=spf1 " + strings.Repeat("ip4:192.0.2.1 ", 800) + "+all"},
	"down.jp":                   {dnstest.Servfail},
	"slow.jp":                   {"TXT v=spf1 a:host.slow.jp +all"},
	"host.slow.jp":              {dnstest.Timeout},
	"ptr.jp":                    {"TXT v=spf1 ptr -all"},
	"plain.jp":                  {"A 192.0.2.1"},
	"xn--wgv71a119e.jp":         {"TXT v=spf1 ip4:192.0.2.1 -all"},
	"loop.jp":                   {"TXT v=spf1 include:loop.jp -all"},
	"void.jp":                   {"TXT v=spf1 a:n1.void.jp a:n2.void.jp a:n3.void.jp +all"},
	"macro.jp":                  {"TXT v=spf1 exists:%{l}.%{o}.list.macro.jp -all"},
	"ok.macro.jp.list.macro.jp": {"A 127.0.0.2"},
	"mapped.jp":                 {"TXT v=spf1 ip4:192.0.2.1 -all"},
}

func TestSPF(t *testing.T) {
	tests := []struct {
		name, ip, helo, from string
		want, domain         string
	}{
		{"own server", "192.0.2.1", "mx.a.jp", "taro@a.jp", auth.Pass, "a.jp"},
		{"a stranger's server", "203.0.113.9", "evil", "taro@a.jp", auth.Fail, "a.jp"},
		{"softfail is a word of its own", "203.0.113.9", "h", "x@soft.jp", auth.SoftFail, "soft.jp"},
		{"forwarded mail keeps the sender and fails", "198.51.100.1", "fwd.example", "taro@a.jp", auth.Fail, "a.jp"},
		{"a mailing list sends as itself", "192.0.2.9", "list.a.jp", "list-bounces@a.jp", auth.Pass, "a.jp"},
		{"null sender: the HELO name is asked for", "192.0.2.1", "mx.a.jp", "", auth.Pass, "mx.a.jp"},
		{"null sender with a HELO that is no name", "192.0.2.1", "[192.0.2.1]", "", auth.None, ""},
		{"quoted local part: the last @ counts", "192.0.2.1", "h", `"x@a.jp"@b.jp`, auth.Fail, "b.jp"},
		{"upper case", "192.0.2.1", "h", "X@A.JP", auth.Pass, "a.jp"},
		{"U-label", "192.0.2.1", "h", "x@日本語.jp", auth.Pass, "xn--wgv71a119e.jp"},
		{"one label", "192.0.2.1", "h", "x@localhost", auth.None, ""},
		{"control bytes in the domain", "192.0.2.1", "h", "x@a.jp\r\nX: y", auth.None, ""},
		{"domain literal", "192.0.2.1", "h", "x@[192.0.2.1]", auth.None, ""},
		{"no domain", "192.0.2.1", "h", "postmaster", auth.None, ""},
		{"no record", "192.0.2.1", "h", "x@plain.jp", auth.None, "plain.jp"},
		{"no such domain", "192.0.2.1", "h", "x@nowhere.jp", auth.None, "nowhere.jp"},
		{"an error behind a match", "192.0.2.1", "h", "x@bogus.jp", auth.PermError, "bogus.jp"},
		{"a second redirect behind a match", "192.0.2.1", "h", "x@late-bogus.jp", auth.PermError, "late-bogus.jp"},
		{"eight bits", "192.0.2.1", "h", "x@eight.jp", auth.PermError, "eight.jp"},
		{"two records", "192.0.2.1", "h", "x@two.jp", auth.PermError, "two.jp"},
		{"other TXT records are nobody's business", "192.0.2.1", "h", "x@other.jp", auth.Pass, "other.jp"},
		{"a record over 10 kB", "192.0.2.1", "h", "x@long.jp", auth.PermError, "long.jp"},
		{"SERVFAIL", "192.0.2.1", "h", "x@down.jp", auth.TempError, "down.jp"},
		{"a record that includes itself", "192.0.2.1", "h", "x@loop.jp", auth.PermError, "loop.jp"},
		{"three void lookups", "192.0.2.1", "h", "x@void.jp", auth.PermError, "void.jp"},
		{"macros", "192.0.2.1", "h", "ok@macro.jp", auth.Pass, "macro.jp"},
		{"macros with bytes that no name has", "192.0.2.1", "h", "\"o\\k \x01\"@macro.jp", auth.Fail, "macro.jp"},
		{"IPv4 within IPv6", "::ffff:192.0.2.1", "h", "x@mapped.jp", auth.Pass, "mapped.jp"},
		{"ptr without a reverse zone", "192.0.2.1", "h", "x@ptr.jp", auth.Fail, "ptr.jp"},
	}
	checker := auth.New(spfZone, auth.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checker.Check(t.Context(), auth.Query{ClientIP: netip.MustParseAddr(tt.ip), Helo: tt.helo, MailFrom: tt.from}).SPF
			if got.Result != tt.want || got.Domain != tt.domain {
				t.Errorf("SPF of %q from %s = %+v, want %s for %q", tt.from, tt.ip, got, tt.want, tt.domain)
			}
		})
	}
}

func TestSPFWithoutClientAddress(t *testing.T) {
	got := auth.New(spfZone, auth.Options{}).Check(t.Context(), auth.Query{MailFrom: "x@a.jp"}).SPF
	if got.Result != auth.None {
		t.Errorf("SPF without a client address = %+v, want none", got)
	}
}

// counting counts the questions that reach a resolver.
type counting struct {
	dnstest.Fixed
	asked *int
}

func (c counting) Lookup(ctx context.Context, name, kind string) ([]string, error) {
	*c.asked++
	return c.Fixed.Lookup(ctx, name, kind)
}

// One record must not make us ask a hundred questions of a third party.
func TestSPFAmplification(t *testing.T) {
	zone := dnstest.Fixed{"big.jp": {"TXT v=spf1 mx:m0.jp mx:m1.jp mx:m2.jp mx:m3.jp mx:m4.jp mx:m5.jp mx:m6.jp mx:m7.jp mx:m8.jp mx:m9.jp -all"}}
	for i := range 10 {
		for j := range 10 {
			host := fmt.Sprintf("h%d.m%d.jp", j, i)
			zone[fmt.Sprintf("m%d.jp", i)] = append(zone[fmt.Sprintf("m%d.jp", i)], "MX 10 "+host)
			zone[host] = []string{"A 198.51.100.1"}
		}
	}
	asked := 0
	got := auth.New(counting{zone, &asked}, auth.Options{}).Check(t.Context(),
		auth.Query{ClientIP: netip.MustParseAddr("192.0.2.1"), MailFrom: "x@big.jp", FromFields: 1})
	if got.SPF.Result != auth.PermError || asked > 60 {
		t.Errorf("SPF = %+v after %d questions, want permerror within 60", got.SPF, asked)
	}
}

// broken panics: our own bug, or that of a library.
type broken struct{}

func (broken) Lookup(context.Context, string, string) ([]string, error) { panic("bug") }

func TestPanicIsTempError(t *testing.T) {
	got := auth.New(broken{}, auth.Options{}).Check(t.Context(), auth.Query{
		ClientIP: netip.MustParseAddr("192.0.2.1"), MailFrom: "x@a.jp", Raw: []byte(sign(t, honestMail, "a.jp", "r", nil)), Authors: []string{"a.jp"}, FromFields: 1,
	})
	if got.SPF.Result != auth.TempError || got.DKIM[0].Result != auth.TempError || got.DMARC.Result != auth.TempError {
		t.Errorf("results = %+v, want temperror throughout", got)
	}
}
