package filter

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sekisho/filter/auth"
	"sekisho/filter/auth/dnstest"
	"sekisho/filter/mail"
)

// authorZone: evil.example may send from 192.0.2.66 and asks for nothing;
// bank.example asks for rejection; kansho.example.jp, our own, has SPF only, as
// most do, and its server is 192.0.2.1.
var authorZone = dnstest.Fixed{
	"evil.example":            {"TXT v=spf1 ip4:192.0.2.66 -all"},
	"a.evil.example":          {"TXT v=spf1 ip4:192.0.2.66 -all"},
	"_dmarc.evil.example":     {"TXT v=DMARC1; p=none"},
	"bank.example":            {"TXT v=spf1 ip4:192.0.2.2 -all"},
	"_dmarc.bank.example":     {"TXT v=DMARC1; p=reject"},
	"kansho.example.jp":       {"TXT v=spf1 ip4:192.0.2.1 -all"},
	"partner.example.co.jp":   {"TXT v=spf1 ip4:192.0.2.66 -all"},
	"list.example.org":        {"TXT v=spf1 ip4:192.0.2.66 -all"},
	"_dmarc.list.example.org": {"TXT v=DMARC1; p=reject"},
	"news.example.com":        {"TXT v=spf1 ip4:192.0.2.66 -all"},
	"mx.evil.example":         {"A 192.0.2.66"},
}

// judgeFrom judges a mail with that header as it comes from a client.
func judgeFrom(t *testing.T, client, mailFrom, header string) Judged {
	t.Helper()
	j := defaultJudge(t)
	j.OwnDomains = []string{"kansho.example.jp"}
	j.Auth, j.AuthTimeout = auth.New(authorZone, auth.Options{}), time.Minute
	raw := []byte(header + "\r\nTo: hr@kansho.example.jp\r\nSubject: x\r\nDate: Mon, 1 Jun 2026 00:00:00 +0900\r\nMessage-ID: <1@x>\r\n\r\nHello\r\n")
	return j.Message(t.Context(), &mail.Message{
		Raw: raw, Size: int64(len(raw)), Client: mail.Client{Addr: netip.MustParseAddr(client), Helo: "mx.evil.example"},
		Envelope: mail.Envelope{MailFrom: mailFrom, Rcpts: []string{"hr@kansho.example.jp"}},
	})
}

// TestForgedAuthors sends each shape of Chen, Paxson and Jiang, "Composition
// Kills" (2020), and the display tricks beside them, from a server that proves
// evil.example: once for our own domain, which has no policy, and once for a
// bank's, which asks for rejection.
func TestForgedAuthors(t *testing.T) {
	const evil = "x@evil.example"
	shapes := []struct{ name, mailFrom, header string }{
		{"A1: a host that does not exist in the envelope", "x@mail.none.VICTIM", "From: <boss@VICTIM>"},
		{"A2: an envelope that some take for empty", "(x@VICTIM", "From: <boss@VICTIM>"},
		{"A2: the null sender", "", "From: <boss@VICTIM>"},
		{"A3: NUL in the selector", evil, "DKIM-Signature: v=1; a=rsa-sha256; d=VICTIM; s=s._domainkey.evil.example.\x00.x; h=From; bh=AAAA; b=AAAA\r\nFrom: <boss@VICTIM>"},
		{"A4: a quote in the signing domain", evil, "DKIM-Signature: v=1; a=rsa-sha256; d=VICTIM'a.evil.example; s=s; h=From; bh=AAAA; b=AAAA\r\nFrom: <boss@VICTIM>"},
		{"A4: a comment in the signing domain", evil, "DKIM-Signature: v=1; a=rsa-sha256; d=VICTIM(.evil.example; s=s; h=From; bh=AAAA; b=AAAA\r\nFrom: <boss@VICTIM>"},
		{"A5: a comment in the envelope", "x@VICTIM(a.evil.example", "From: <boss@VICTIM>"},
		{"A6: a quote in the envelope", "x@VICTIM'@a.evil.example", "From: <boss@VICTIM>"},
		{"A7: a route in the envelope", "@VICTIM,@any.example:'x@evil.example", "From: <boss@VICTIM>"},
		{"A8: two From fields", evil, "From: <x@evil.example>\r\nFrom: <boss@VICTIM>"},
		{"A9: a blank before the first field", evil, " From: <x@evil.example>\r\nFrom: <boss@VICTIM>"},
		{"A10: a blank before the colon", evil, "From: <x@evil.example>\r\nFrom : <boss@VICTIM>"},
		{"A11: the colon in the fold", evil, "From\r\n : <x@evil.example>\r\nFrom: <boss@VICTIM>"},
		{"A14: several addresses", evil, "From: <x@evil.example>, <boss@VICTIM>"},
		{"A14: and a sender", evil, "From: <x@evil.example>, <boss@VICTIM>\r\nSender: <x@evil.example>"},
		{"A15: an address in an encoded word", evil, "From: =?utf-8?Q?=3Cboss=40VICTIM=3E?=,<x@evil.example>"},
		{"A15: the same as a name", evil, "From: =?utf-8?Q?=3Cboss=40VICTIM=3E?= <x@evil.example>"},
		{"A16: a route", evil, "From: <@evil.example,@any.example:boss@VICTIM>"},
		{"A17: a quoted pair", evil, "From: <boss@VICTIM>\\,<x@evil.example>"},
		{"A18: bare before brackets", evil, "From: boss@VICTIM,<x@evil.example>"},
		{"A19: an address behind the bracket", evil, "From: <x@evil.example>boss@VICTIM"},
		{"two brackets", evil, "From: <boss@VICTIM> <x@evil.example>"},
		{"two signs", evil, "From: <boss@VICTIM@evil.example>"},
		{"NUL in the address", evil, "From: <boss@VICTIM\x00@evil.example>"},
		{"a comment in the domain", evil, "From: <boss@VICTIM(.evil.example>"},
		{"a blank in the address", evil, "From: <boss@VICTIM x@evil.example>"},
		{"a quote without end", evil, "From: \"<boss@VICTIM>, <x@evil.example>"},
		{"a word that is no address, then the victim", evil, "From: x, <boss@VICTIM>"},
		{"the victim behind five", evil, "From: a@a.example, b@b.example, c@c.example, d@d.example, e@e.example, boss@VICTIM"},
		{"a group", evil, "From: x: <boss@VICTIM>;"},
		{"full-width", evil, "From: <boss\uff20VICTIM>"},
	}
	for _, tt := range shapes {
		for _, victim := range []string{"kansho.example.jp", "bank.example"} {
			t.Run(tt.name+" of "+victim, func(t *testing.T) {
				insert := strings.NewReplacer("VICTIM", victim)
				got := judgeFrom(t, "192.0.2.66", insert.Replace(tt.mailFrom), insert.Replace(tt.header))
				if got.Verdict.Disposition.Delivers() {
					t.Errorf("%q from %q: %s by %q; dmarc=%s; findings %s", tt.header, tt.mailFrom, got.Verdict.Disposition, got.Verdict.Rule(), got.Auth.DMARC.Result, kindsOf(got))
				}
			})
		}
	}
}

// TestForgedUs are the shapes that only show our name.
func TestForgedUs(t *testing.T) {
	for name, header := range map[string]string{
		"an address for a name":        `From: "boss@kansho.example.jp" <x@evil.example>`,
		"with a title":                 `From: "President (boss@kansho.example.jp)" <x@evil.example>`,
		"in a comment":                 `From: President (boss@kansho.example.jp) <x@evil.example>`,
		"in brackets":                  `From: "<boss@kansho.example.jp>" <x@evil.example>`,
		"an encoded word":              `From: =?utf-8?B?56S+6ZW3IGJvc3NAa2Fuc2hvLmV4YW1wbGUuanA=?= <x@evil.example>`,
		"the second of two addresses":  `From: "taro@evil.example boss@kansho.example.jp" <x@evil.example>`,
		"a full-width sign":            "From: \"boss\uff20kansho.example.jp\" <x@evil.example>",
		"invisible letters":            "From: \"boss@kan\u200bsho.example.jp\" <x@evil.example>",
		"written from right to left":   "From: \"\u202epj.elpmaxe.ohsnak@ssob\" <x@evil.example>",
		"a group's name":               "From: boss@kansho.example.jp: <x@evil.example>;",
		"a look-alike domain":          "From: boss@k\u0430nsho.example.jp",
		"a zero":                       "From: boss@kansh0.example.jp",
		"in front of another":          "From: boss@kansho.example.jp.evil.example",
		"a hyphen for a dot":           "From: boss@kansho-example.jp",
		"answers go to a look-alike":   "From: partner <x@evil.example>\r\nReply-To: boss@kansho-example.jp",
		"no author, but one of us who": "Sender: boss@kansho.example.jp",
		"no author, sent again":        "From: President\r\nResent-From: boss@kansho.example.jp",
	} {
		t.Run(name, func(t *testing.T) {
			got := judgeFrom(t, "192.0.2.66", "x@evil.example", header)
			if got.Verdict.Disposition.Delivers() {
				t.Errorf("%q: %s by %q; findings %s", header, got.Verdict.Disposition, got.Verdict.Rule(), kindsOf(got))
			}
		})
	}
}

// TestHonestAuthors are their neighbours.
func TestHonestAuthors(t *testing.T) {
	for name, tt := range map[string]struct{ mailFrom, header string }{
		"a partner":                    {"sato@partner.example.co.jp", "From: \"Suzuki (sales)\" <sato@partner.example.co.jp>"},
		"ISO-2022-JP":                  {"sato@partner.example.co.jp", "From: =?ISO-2022-JP?B?GyRCTmtMWhsoQg==?= <sato@partner.example.co.jp>"},
		"a name with a comma":          {"sato@partner.example.co.jp", "From: \"Sato, Hanako\" <sato@partner.example.co.jp>"},
		"one's own address for a name": {"sato@partner.example.co.jp", "From: \"sato@partner.example.co.jp\" <sato@partner.example.co.jp>"},
		"a list whose member is ours":  {"b@list.example.org", "From: \"'boss@kansho.example.jp' via Sales\" <sales@list.example.org>\r\nReply-To: boss@kansho.example.jp"},
		"on behalf of":                 {"b@news.example.com", "From: Sato <sato@partner.example.co.jp>\r\nSender: news@news.example.com"},
		"a newsletter's other answer":  {"b@news.example.com", "From: News <news@news.example.com>\r\nReply-To: info@partner.example.co.jp"},
		"a comment for a name":         {"sato@partner.example.co.jp", "From: sato@partner.example.co.jp (Sato Hanako)"},
		"a group of one":               {"sato@partner.example.co.jp", "From: Sales: sato@partner.example.co.jp;"},
		"quotes in the name":           {"sato@partner.example.co.jp", "From: \"Sato \\\"Hana\\\" Hanako\" <sato@partner.example.co.jp>"},
		"a folded name":                {"sato@partner.example.co.jp", "From: =?utf-8?B?5L2Q6Jek?=\r\n =?utf-8?B?6Iqx5a2Q?=\r\n <sato@partner.example.co.jp>"},
		"a subject that quotes":        {"sato@partner.example.co.jp", "From: sato@partner.example.co.jp\r\nComments: Re:\r\n From: boss@kansho.example.jp"},
	} {
		t.Run(name, func(t *testing.T) {
			got := judgeFrom(t, "192.0.2.66", tt.mailFrom, tt.header)
			if got.Verdict.Disposition.String() != "accept" {
				t.Errorf("%q: %s by %q; findings %s", tt.header, got.Verdict.Disposition, got.Verdict.Rule(), kindsOf(got))
			}
		})
	}
	if got := judgeFrom(t, "192.0.2.1", "boss@kansho.example.jp", "From: boss@kansho.example.jp"); got.Verdict.Disposition.String() != "accept" {
		t.Errorf("our own server: %s by %q", got.Verdict.Disposition, got.Verdict.Rule())
	}
}
