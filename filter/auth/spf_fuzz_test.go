package auth

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"sekisho/filter/auth/dnstest"

	"blitiri.com.ar/go/spf"
)

// second is our resolver as blitiri wants it.
type second struct{ dnstest.Fixed }

func (s second) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return s.Lookup(ctx, name, "TXT")
}

func (s second) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	hosts, err := s.Lookup(ctx, name, "MX")
	var out []*net.MX
	for _, host := range hosts {
		out = append(out, &net.MX{Host: host})
	}
	return out, err
}

func (s second) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	found, err := s.Lookup(ctx, name, "A")
	var out []net.IPAddr
	for _, addr := range found {
		out = append(out, net.IPAddr{IP: net.ParseIP(addr)})
	}
	return out, err
}

func (s second) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	return s.Lookup(ctx, reverseName(netip.MustParseAddr(addr)), "PTR")
}

// fuzzZone is the world around the record under trial.
func fuzzZone(record string) dnstest.Fixed {
	return dnstest.Fixed{
		"x.jp":                   {"TXT " + record, "A 192.0.2.1", "MX 10 h.jp"},
		"p.jp":                   {"TXT v=spf1 ip4:192.0.2.1 -all"},
		"f.jp":                   {"TXT v=spf1 -all", "A 198.51.100.1"},
		"h.jp":                   {"A 192.0.2.1"},
		"t.jp":                   {dnstest.Servfail},
		"b.jp":                   {"TXT v=spf1 +all oops"},
		"1.2.0.192.in-addr.arpa": {"PTR h.jp"},
	}
}

// The promise: a record that holds to the grammar is understood as blitiri
// understands it, save where that library is known to differ; one that does
// not is a permerror; and no record costs more questions than we allow.
func FuzzSPF(f *testing.F) {
	for _, seed := range []string{
		"+all", "ip4:192.0.2.0/24 -all", "include:p.jp ~all", "a mx ptr:jp.jp ?all", "exists:%{ir}.%{d2}.jp redirect=f.jp",
		"a:h.jp/24//64 -all", "redirect=p.jp exp=e.p.jp", "include:t.jp", "x=y -mx:x.jp/8", "a:%{l1r-}.jp", "include:b.jp -all",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, terms string) {
		record := "v=spf1 " + terms
		zone := fuzzZone(record)
		client := netip.MustParseAddr("192.0.2.1")
		e := &evaluation{ctx: t.Context(), resolver: zone, client: client, local: "l-o", sender: "x.jp", helo: "h.jp"}
		result, reason := e.check("x.jp")
		if e.queries > maxSPFQueries+1 || e.terms > maxSPFTerms+1 {
			t.Fatalf("%d questions, %d terms for %q", e.queries, e.terms, record)
		}
		if _, err := parseSPF(record); err != nil {
			if result != PermError {
				t.Fatalf("%s for %q, which is not a record", result, record)
			}
			return
		}
		if knownToDiffer(terms) {
			return
		}
		other, err := spf.CheckHostWithSender(client.AsSlice(), "h.jp", "l-o@x.jp", spf.WithResolver(second{zone}))
		if string(other) != result {
			t.Fatalf("%q: we say %s (%s), blitiri %s (%v)", record, result, reason, other, err)
		}
	})
}

// knownToDiffer names what the library does not do: %{p}, a slash within a
// name, names that cannot be asked for, errors behind a match in another record.
func knownToDiffer(terms string) bool {
	lower := strings.ToLower(terms)
	for _, mark := range []string{"%{p", "b.jp", "..", ":.", "=.", "%%", "%_", "%-"} {
		if strings.Contains(lower, mark) {
			return true
		}
	}
	for word := range strings.FieldsSeq(lower) {
		_, spec, _ := strings.Cut(word, ":")
		if strings.Contains(strings.TrimRight(spec, "/0123456789"), "/") || len(word) > 60 {
			return true
		}
	}
	return false
}
