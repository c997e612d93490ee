package auth_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/filter/auth"
	"sekisho/filter/auth/dnstest"
)

// faults are all the ways in which a name server of dnstest misbehaves so that
// nothing can be learnt.
var faults = []string{
	dnstest.Timeout, dnstest.Servfail, dnstest.Refused, dnstest.Garbage, dnstest.WrongID, dnstest.WrongQuestion,
	dnstest.TruncateBoth, dnstest.Many, dnstest.Loop, dnstest.Late,
}

const shortTimeout = 600 * time.Millisecond

// serve starts a server and a resolver that asks it.
func serve(t *testing.T, zone map[string][]string, timeout time.Duration) (*dnstest.Server, *auth.DNS) {
	t.Helper()
	server, err := dnstest.Serve(zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	dns, err := auth.NewDNS([]string{server.Addr}, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return server, dns
}

func TestDNSAnswers(t *testing.T) {
	long := "v=DKIM1; p=" + strings.Repeat("A", 3000)
	_, dns := serve(t, map[string][]string{
		"a.jp":                   {"TXT v=spf1 -all", `TXT quote " backslash \ byte ` + "\xe9", "A 192.0.2.1", "AAAA 2001:db8::1", "MX 20 second.a.jp", "MX 10 first.a.jp"},
		"long.jp":                {"TXT " + long},
		"cut.jp":                 {"TXT whole", dnstest.Truncate},
		"alias.jp":               {"CNAME next.jp"},
		"next.jp":                {"CNAME a.jp"},
		"dead.jp":                {"CNAME gone.jp"},
		"huge.jp":                {dnstest.Huge},
		"1.2.0.192.in-addr.arpa": {"PTR host.a.jp"},
	}, time.Second)
	tests := []struct {
		name, kind string
		want       []string
		missing    bool
	}{
		{"a.jp", "TXT", []string{"v=spf1 -all", `quote " backslash \ byte ` + "\xe9"}, false},
		{"A.JP", "A", []string{"192.0.2.1"}, false},
		{"a.jp", "AAAA", []string{"2001:db8::1"}, false},
		{"a.jp", "MX", []string{"first.a.jp", "second.a.jp"}, false},
		{"a.jp", "PTR", nil, false},
		{"1.2.0.192.in-addr.arpa", "PTR", []string{"host.a.jp"}, false},
		{"long.jp", "TXT", []string{long}, false},
		{"cut.jp", "TXT", []string{"whole"}, false},
		{"alias.jp", "A", []string{"192.0.2.1"}, false},
		{"alias.jp", "PTR", nil, false},
		{"dead.jp", "A", nil, true},
		{"gone.jp", "A", nil, true},
		{"in-addr.arpa", "PTR", nil, false},
		{"odd \"name\\\x01\xff(a)@b;c'd#$.jp", "A", nil, true},
	}
	for _, tt := range tests {
		got, err := dns.Lookup(t.Context(), tt.name, tt.kind)
		gone, _ := err.(*net.DNSError)
		if !slices.Equal(got, tt.want) || (gone != nil && gone.IsNotFound) != tt.missing || err != nil && !tt.missing {
			t.Errorf("Lookup(%q, %s) = %q, %v, want %q, missing %v", tt.name, tt.kind, got, err, tt.want, tt.missing)
		}
	}
	if got, err := dns.Lookup(t.Context(), "huge.jp", "TXT"); err != nil || len(got) != 1 || len(got[0]) < 50000 {
		t.Errorf("60 kB: %d values, %v", len(got), err)
	}
}

// Nothing that goes wrong may look like an answer, or take longer than it may.
func TestDNSFaults(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			_, dns := serve(t, map[string][]string{"a.jp": {"TXT v=spf1 +all", "A 192.0.2.1", fault}}, shortTimeout)
			start := time.Now()
			got, err := dns.Lookup(t.Context(), "a.jp", "TXT")
			failed, _ := err.(*net.DNSError)
			if failed == nil || failed.IsNotFound || !failed.IsTemporary || len(got) > 0 {
				t.Errorf("Lookup = %q, %v, want trouble", got, err)
			}
			if took := time.Since(start); took > shortTimeout+10*time.Second {
				t.Errorf("took %s of %s", took, shortTimeout)
			}
		})
	}
}

// Trouble at each place where we ask is temperror, in time, and leaves nothing
// running behind.
func TestCheckWithFaults(t *testing.T) {
	mail := sign(t, honestMail, "a.jp", "r", nil)
	for _, fault := range faults {
		for _, place := range []string{"a.jp", "r._domainkey.a.jp", "_dmarc.a.jp"} {
			t.Run(fault+" at "+place, func(t *testing.T) {
				t.Parallel()
				zone := map[string][]string{
					"a.jp":              {"TXT v=spf1 ip4:198.51.100.1 -all"},
					"r._domainkey.a.jp": {"TXT " + record("r")},
					"_dmarc.a.jp":       {"TXT v=DMARC1; p=reject"},
				}
				zone[place] = append(zone[place], fault)
				server, dns := serve(t, zone, shortTimeout)
				start := time.Now()
				got := auth.New(dns, auth.Options{Timeout: 2 * time.Second}).Check(t.Context(), auth.Query{
					ClientIP: netip.MustParseAddr("192.0.2.1"), MailFrom: "x@a.jp", Raw: []byte(mail), Authors: []string{"a.jp"}, FromFields: 1,
				})
				checkTrouble(t, place, got)
				if took := time.Since(start); took > 12*time.Second {
					t.Errorf("took %s", took)
				}
				if n := server.Queries(); n > 12 {
					t.Errorf("%d questions", n)
				}
			})
		}
	}
}

func checkTrouble(t *testing.T, place string, got auth.Results) {
	t.Helper()
	want := map[string][3]string{
		"a.jp":              {auth.TempError, auth.Pass, auth.Pass},
		"r._domainkey.a.jp": {auth.Fail, auth.TempError, auth.TempError},
		"_dmarc.a.jp":       {auth.Fail, auth.Pass, auth.TempError},
	}[place]
	if have := [3]string{got.SPF.Result, got.DKIM[0].Result, got.DMARC.Result}; have != want {
		t.Errorf("results %v, want %v", have, want)
	}
}

// The whole check ends at its deadline however many names are silent.
func TestCheckDeadline(t *testing.T) {
	zone := dnstest.Fixed{"a.jp": {"TXT v=spf1 ptr a:h.a.jp -all"}, "1.2.0.192.in-addr.arpa": {dnstest.Timeout}, "h.a.jp": {dnstest.Timeout}}
	for _, name := range []string{"r._domainkey.a.jp", "_dmarc.a.jp"} {
		zone[name] = []string{dnstest.Timeout}
	}
	start := time.Now()
	got := auth.New(zone, auth.Options{Timeout: 200 * time.Millisecond}).Check(t.Context(), auth.Query{
		ClientIP: netip.MustParseAddr("192.0.2.1"), MailFrom: "x@a.jp", Raw: []byte(sign(t, honestMail, "a.jp", "r", nil)), Authors: []string{"a.jp"}, FromFields: 1,
	})
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s of 200ms", took)
	}
	if got.SPF.Result != auth.TempError || got.DKIM[0].Result != auth.TempError || got.DMARC.Result != auth.TempError {
		t.Errorf("results %+v, want temperror throughout", got)
	}
}

// A gate that is told to stop does not wait for silent servers.
func TestDNSHeedsTheEndOfItsContext(t *testing.T) {
	_, dns := serve(t, map[string][]string{"a.jp": {dnstest.Timeout}}, 10*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	if _, err := dns.Lookup(ctx, "a.jp", "TXT"); err == nil || time.Since(start) > time.Second {
		t.Errorf("Lookup ended after %s with %v", time.Since(start), err)
	}
}

func TestNoGoroutineLeft(t *testing.T) {
	base := runtime.NumGoroutine()
	server, dns := serve(t, map[string][]string{"a.jp": {dnstest.Timeout}, "_dmarc.a.jp": {dnstest.Late}}, 100*time.Millisecond)
	checker := auth.New(dns, auth.Options{Timeout: 150 * time.Millisecond})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			checker.Check(t.Context(), auth.Query{ClientIP: netip.MustParseAddr("192.0.2.1"), MailFrom: "x@a.jp", Authors: []string{"a.jp"}, FromFields: 1})
		})
	}
	wg.Wait()
	server.Stop()
	for range 100 {
		if runtime.NumGoroutine() <= base {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), base)
}

// The same question asked at once and again goes out once; a denial is kept too.
func TestDNSCache(t *testing.T) {
	server, dns := serve(t, map[string][]string{"a.jp": {"TXT x"}}, time.Second)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for _, name := range []string{"a.jp", "A.jp", "gone.jp"} {
				dns.Lookup(t.Context(), name, "TXT")
			}
		})
	}
	wg.Wait()
	if n := server.Queries(); n != 2 {
		t.Errorf("%d questions, want 2", n)
	}
}

// Trouble is not kept: the next mail asks again.
func TestDNSTroubleIsNotKept(t *testing.T) {
	server, dns := serve(t, map[string][]string{"a.jp": {dnstest.Servfail}}, time.Second)
	for range 2 {
		if _, err := dns.Lookup(t.Context(), "a.jp", "TXT"); err == nil {
			t.Error("SERVFAIL was an answer")
		}
	}
	if n := server.Queries(); n != 4 {
		t.Errorf("%d questions, want two tries each time", n)
	}
}

// A second server answers where the first is dead.
func TestDNSSecondServer(t *testing.T) {
	dead, err := dnstest.Serve(map[string][]string{"a.jp": {dnstest.Timeout}})
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Stop()
	alive, stop := dnstest.Start(map[string][]string{"a.jp": {"TXT x"}})
	defer stop()
	dns, err := auth.NewDNS([]string{dead.Addr, alive}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := dns.Lookup(t.Context(), "a.jp", "TXT"); err != nil || !slices.Equal(got, []string{"x"}) {
		t.Errorf("Lookup = %q, %v", got, err)
	}
}

func TestNewDNSRefuses(t *testing.T) {
	for _, server := range []string{"localhost:53", "127.0.0.1", "", "dns.example:53"} {
		if _, err := auth.NewDNS([]string{server}, 0); err == nil {
			t.Errorf("NewDNS(%q) accepts it", server)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	addr, stop := dnstest.Start(map[string][]string{"a.jp": {"TXT v=spf1 -all"}})
	defer stop()
	dns, err := auth.NewDNS([]string{addr}, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		dns.Lookup(b.Context(), fmt.Sprintf("n%d.jp", n), "TXT")
	}
}
