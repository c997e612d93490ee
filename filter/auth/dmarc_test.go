package auth_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sekisho/filter/auth"
	"sekisho/filter/auth/dnstest"
)

// dmarcZone has one domain for each story. Client 192.0.2.1 may send for all
// that have SPF.
func dmarcZone() dnstest.Fixed {
	zone := keyZone()
	for name, record := range map[string]string{
		"a.jp":           "v=DMARC1; p=reject; rua=mailto:d@a.jp",
		"strict.jp":      "v=DMARC1; p=reject; adkim=s; aspf=s",
		"upper.jp":       "V = DMARC1 ; P=Reject ; PCT=abc; fo=zzz; ri=x; what=ever",
		"pct.jp":         "v=DMARC1; p=reject; pct=0",
		"t.jp":           "v=DMARC1; p=reject; t=y",
		"tq.jp":          "v=DMARC1; p=quarantine; t=y",
		"sub.jp":         "v=DMARC1; p=reject; sp=quarantine; np=reject",
		"rua.jp":         "v=DMARC1; rua=mailto:d@rua.jp",
		"broken.jp":      "v=DMARC1; p=bogus",
		"brokensp.jp":    "v=DMARC1; p=reject; sp=bogus; rua=mailto:d@brokensp.jp",
		"second.jp":      "p=reject; v=DMARC1",
		"lower.jp":       "v=dmarc1; p=reject",
		"none.jp":        "v=DMARC1; p=none",
		"psd.example":    "v=DMARC1; p=reject; psd=y; sp=quarantine",
		"own.sub.jp":     "v=DMARC1; p=none; psd=n",
		"co.jp":          "v=DMARC1; p=reject",
		"q.jp":           "v=DMARC1; p=quarantine",
		"deep.jp":        "v=DMARC1; p=reject",
		"sp-keeps.jp":    "v=DMARC1; p=reject; sp=none",
		"mail.strict.jp": "",
	} {
		if record != "" {
			zone["_dmarc."+name] = []string{"TXT " + record}
		}
	}
	zone["_dmarc.twice.jp"] = []string{"TXT v=DMARC1; p=reject", "TXT v=DMARC1; p=none"}
	zone["_dmarc.beside.jp"] = []string{"TXT v=spf1 -all", "TXT v=DMARC1; p=reject"}
	zone["_dmarc.down.jp"] = []string{dnstest.Servfail}
	zone["exists.sub.jp"] = []string{"A 192.0.2.1"}
	zone["spfdown.a.jp"] = []string{dnstest.Servfail}
	for _, name := range []string{
		"a.jp", "m.a.jp", "mail.strict.jp", "strict.jp", "b.jp", "a.psd.example", "x.own.sub.jp", "sub.jp", "y.co.jp", "z.co.jp",
		"bounce.down.jp", "down.jp", "nodmarc.jp", "m.nodmarc.jp",
	} {
		zone[name] = []string{"TXT v=spf1 ip4:192.0.2.1 -all"}
	}
	return zone
}

func checkDMARC(t *testing.T, from string, authors []string, raw string) auth.Results {
	t.Helper()
	return auth.New(dmarcZone(), auth.Options{}).Check(t.Context(), auth.Query{
		ClientIP: netip.MustParseAddr("192.0.2.1"), Helo: "m.a.jp", MailFrom: from,
		Authors: authors, FromFields: 1, Raw: []byte(raw),
	})
}

func TestDMARC(t *testing.T) {
	tests := []struct {
		name, from, author string
		result             string
		policy             string
		disposition        string
		org                string
	}{
		{"own server, own name", "x@a.jp", "a.jp", auth.Pass, "reject", "none", "a.jp"},
		{"subdomain in the envelope", "x@m.a.jp", "a.jp", auth.Pass, "reject", "none", "a.jp"},
		{"subdomain as author", "x@a.jp", "news.a.jp", auth.Pass, "reject", "none", "a.jp"},
		{"null sender: the HELO name of the same house", "", "a.jp", auth.Pass, "reject", "none", "a.jp"},
		{"null sender for another house", "", "strict.jp", auth.Fail, "reject", "reject", "strict.jp"},
		{"another's envelope", "x@b.jp", "a.jp", auth.Fail, "reject", "reject", "a.jp"},
		{"strict bears no subdomain", "x@mail.strict.jp", "strict.jp", auth.Fail, "reject", "reject", "strict.jp"},
		{"strict, the same name", "x@strict.jp", "strict.jp", auth.Pass, "reject", "none", "strict.jp"},
		{"words in any case, broken optional tags", "x@b.jp", "upper.jp", auth.Fail, "reject", "reject", "upper.jp"},
		{"pct is ignored", "x@b.jp", "pct.jp", auth.Fail, "reject", "reject", "pct.jp"},
		{"t=y lowers by a step", "x@b.jp", "t.jp", auth.Fail, "reject", "quarantine", "t.jp"},
		{"t=y lowers quarantine to none", "x@b.jp", "tq.jp", auth.Fail, "quarantine", "none", "tq.jp"},
		{"sp for a subdomain that exists", "x@b.jp", "exists.sub.jp", auth.Fail, "quarantine", "quarantine", "sub.jp"},
		{"np for one that does not", "x@b.jp", "made-up.sub.jp", auth.Fail, "reject", "reject", "sub.jp"},
		{"np falls back to sp", "x@b.jp", "made-up.sp-keeps.jp", auth.Fail, "none", "none", "sp-keeps.jp"},
		{"no p but rua is p=none", "x@b.jp", "rua.jp", auth.Fail, "none", "none", "rua.jp"},
		{"broken sp with rua is p=none", "x@b.jp", "brokensp.jp", auth.Fail, "none", "none", "brokensp.jp"},
		{"broken p without rua is no policy", "x@b.jp", "broken.jp", auth.None, "", "", "broken.jp"},
		{"v is not first", "x@b.jp", "second.jp", auth.None, "", "", "second.jp"},
		{"the version's case counts", "x@b.jp", "lower.jp", auth.None, "", "", "lower.jp"},
		{"two records are none", "x@b.jp", "twice.jp", auth.None, "", "", "twice.jp"},
		{"another TXT beside it", "x@b.jp", "beside.jp", auth.Fail, "reject", "reject", "beside.jp"},
		{"no record", "x@b.jp", "nodmarc.jp", auth.None, "", "", "nodmarc.jp"},
		{"the record cannot be had", "x@down.jp", "down.jp", auth.TempError, "", "", "down.jp"},
		{"the parent's record cannot be had", "x@b.jp", "www.down.jp", auth.TempError, "", "", "down.jp"},
		{"SPF cannot be had", "x@spfdown.a.jp", "a.jp", auth.TempError, "reject", "", "a.jp"},
		{"psd=y: the organisation is one label below", "x@b.jp", "www.a.psd.example", auth.Fail, "quarantine", "quarantine", "a.psd.example"},
		{"psd=y: aligned within it", "x@a.psd.example", "www.a.psd.example", auth.Pass, "quarantine", "none", "a.psd.example"},
		{"psd=n stops the walk", "x@sub.jp", "x.own.sub.jp", auth.Fail, "none", "none", "own.sub.jp"},
		{"a registry without psd=y does not join its customers", "x@z.co.jp", "y.co.jp", auth.Fail, "reject", "reject", "y.co.jp"},
		{"twenty labels", "x@b.jp", strings.Repeat("l.", 18) + "deep.jp", auth.Fail, "reject", "reject", "deep.jp"},
		{"upper case and the root's dot", "x@b.jp", "A.JP.", auth.Fail, "reject", "reject", "a.jp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkDMARC(t, tt.from, []string{tt.author}, "").DMARC
			if got.Result != tt.result || got.Policy != tt.policy || got.Disposition != tt.disposition || got.OrgDomain != tt.org {
				t.Errorf("DMARC of %s by %q = %+v, want %s, %q, %q, %s", tt.author, tt.from, got, tt.result, tt.policy, tt.disposition, tt.org)
			}
		})
	}
}

// No author, or several, is never "no policy, deliver".
func TestDMARCAuthors(t *testing.T) {
	many := make([]string, 10000)
	for i := range many {
		many[i] = fmt.Sprintf("d%d.jp", i)
	}
	tests := []struct {
		name    string
		authors []string
		fields  int
		result  string
		reason  string
	}{
		{"no From", nil, 0, auth.PermError, "no From field"},
		{"two From fields", []string{"a.jp"}, 2, auth.PermError, "several From fields"},
		{"From without an address", nil, 1, auth.PermError, "no author domain in From"},
		{"From with a hostile domain", []string{"a.jp\r\nX: y"}, 1, auth.PermError, "an author domain is not a domain name"},
		{"a comment in the domain (CVE-2020-12272)", []string{"a.jp(.evil.com"}, 1, auth.PermError, "an author domain is not a domain name"},
		{"a hostile domain beside one with a policy", []string{"q.jp(.evil.com", "q.jp"}, 1, auth.Fail, ""},
		{"ten thousand authors", many, 1, auth.PermError, "more than 5 author domains"},
		{"two authors of one house", []string{"a.jp", "A.jp"}, 1, auth.Pass, ""},
		{"two houses: the strictest", []string{"a.jp", "none.jp", "q.jp"}, 1, auth.Fail, "several author domains: the strictest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := auth.New(dmarcZone(), auth.Options{}).Check(t.Context(), auth.Query{
				ClientIP: netip.MustParseAddr("192.0.2.1"), MailFrom: "x@a.jp", Authors: tt.authors, FromFields: tt.fields,
			}).DMARC
			if got.Result != tt.result || got.Reason != tt.reason {
				t.Errorf("DMARC = %+v, want %s %q", got, tt.result, tt.reason)
			}
		})
	}
	worst := checkDMARC(t, "x@none.jp", []string{"none.jp", "q.jp", "a.jp"}, "").DMARC
	if worst.Domain != "a.jp" || worst.Disposition != "reject" {
		t.Errorf("strictest = %+v, want a.jp's reject", worst)
	}
}

func TestDMARCByDKIM(t *testing.T) {
	byList := sign(t, honestMail, "list.jp", "list", nil)
	tests := []struct {
		name, from, mail string
		result           string
		dkim, spf        bool
	}{
		{"forwarded: SPF breaks, DKIM holds", "x@elsewhere.jp", sign(t, honestMail, "a.jp", "r", nil), auth.Pass, true, false},
		{"signed by a subdomain", "x@elsewhere.jp", sign(t, honestMail, "m.a.jp", "r", nil), auth.Pass, true, false},
		{"a list breaks DKIM and signs as itself", "x@list.jp", byList, auth.Fail, false, false},
		{"a list breaks DKIM, the envelope is kept", "x@a.jp", sign(t, honestMail, "a.jp", "r", nil) + "footer", auth.Pass, false, true},
		{"broken and foreign", "x@b.jp", sign(t, honestMail, "a.jp", "r", nil) + "footer", auth.Fail, false, false},
		{"a key in test mode proves nothing", "x@b.jp", sign(t, honestMail, "test.jp", "r", nil), auth.Fail, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkDMARC(t, tt.from, []string{"a.jp"}, tt.mail).DMARC
			if got.Result != tt.result || got.DKIMAligned != tt.dkim || got.SPFAligned != tt.spf {
				t.Errorf("DMARC = %+v, want %s, DKIM %v, SPF %v", got, tt.result, tt.dkim, tt.spf)
			}
		})
	}
}

// Without a record, alignment goes by the public suffix list, for the rules.
func TestDMARCAlignmentWithoutRecord(t *testing.T) {
	got := checkDMARC(t, "x@m.nodmarc.jp", []string{"www.nodmarc.jp"}, "").DMARC
	if got.Result != auth.None || !got.SPFAligned || got.OrgDomain != "nodmarc.jp" {
		t.Errorf("DMARC = %+v, want none, aligned, nodmarc.jp", got)
	}
}

func TestAuthenticatedClient(t *testing.T) {
	got := auth.New(dmarcZone(), auth.Options{}).Check(t.Context(), auth.Query{Authenticated: true, MailFrom: "x@a.jp", Authors: []string{"a.jp"}})
	if got.SPF.Result != auth.None || got.DMARC.Result != auth.None {
		t.Errorf("results = %+v, want none for a client that logged in", got)
	}
}

// A walk asks for eight names at most.
func TestDMARCWalkIsBounded(t *testing.T) {
	asked := 0
	author := strings.Repeat("l.", 100) + "deep.jp"
	auth.New(counting{dnstest.Fixed{}, &asked}, auth.Options{}).Check(t.Context(), auth.Query{Authors: []string{author}, FromFields: 1})
	if asked != 8 {
		t.Errorf("%d questions, want 8", asked)
	}
}

// Vectors of the public suffix list's own tests.
func TestListedOrganisation(t *testing.T) {
	checker := auth.New(dnstest.Fixed{}, auth.Options{})
	for in, want := range map[string]string{
		"www.city.kobe.jp": "city.kobe.jp", "b.c.kobe.jp": "b.c.kobe.jp", "a.b.example.co.jp": "example.co.jp",
		"a.b.test.kyoto.jp": "test.kyoto.jp", "www.example.com": "example.com", "mail.example.go.jp": "example.go.jp",
	} {
		got := checker.Check(t.Context(), auth.Query{Authors: []string{in}, FromFields: 1}).DMARC.OrgDomain
		if got != want {
			t.Errorf("organisation of %s = %s, want %s", in, got, want)
		}
	}
}
