package chaos

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/filter/auth/dnstest"
	"sekisho/filter/postfixrig"
)

// dnsLimit is auth.timeout as the daemon is set here, and what a busy machine
// adds.
const dnsLimit = 3*time.Second + patience

// F12: name servers misbehave in each known way while mail comes. No message
// passes as authenticated, none waits longer than auth.timeout, what is
// dangerous by its content is caught as ever, and SPF asks no more than it may.
func TestF12DNSMisbehaves(t *testing.T) {
	faults := []string{dnstest.Timeout, dnstest.Servfail, dnstest.Refused, dnstest.Garbage, dnstest.WrongID,
		dnstest.WrongQuestion, dnstest.TruncateBoth, dnstest.Loop, dnstest.Late}
	zone := map[string][]string{
		"honest.example":        {"TXT v=spf1 ip4:203.0.113.9 -all"},
		"_dmarc.honest.example": {"TXT v=DMARC1; p=reject"},
		"many.example":          {"TXT v=spf1 " + includes(30) + " -all"},
		"huge.example":          {dnstest.Huge},
		"records.example":       {dnstest.Many},
	}
	for i := range 30 {
		zone[fmt.Sprintf("i%d.many.example", i)] = []string{"TXT v=spf1 ip4:198.51.100.1 ?all"} // no match: on to the next
	}
	domains := map[string]string{"honest.example": "pass", "many.example": "permerror", "huge.example": "", "records.example": ""}
	for i, fault := range faults {
		name := fmt.Sprintf("f%d.example", i)
		zone[name] = []string{"TXT v=spf1 +all", fault}
		zone["_dmarc."+name] = []string{"TXT v=DMARC1; p=reject", fault}
		domains[name] = "temperror"
	}
	server, err := dnstest.Serve(zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	s := newStand(t)
	s.config = []string{"auth.enabled: true", "auth.dns: [\"" + server.Addr + "\"]", "auth.timeout: 3s", "auth.dns_timeout: 1s"}
	s.start()
	rounds := deep(2, 150)
	for n := 1; n <= rounds; n++ {
		s.dnsRound(t, domains, n)
	}
	t.Logf("%d messages, %d questions", 2*rounds*len(domains), server.Queries())
	if most := rounds * len(domains) * 2 * 24; server.Queries() > most {
		t.Errorf("%d questions, want at most %d", server.Queries(), most)
	}
}

func includes(n int) string {
	var terms []string
	for i := range n {
		terms = append(terms, fmt.Sprintf("include:i%d.many.example", i))
	}
	return strings.Join(terms, " ")
}

// dnsRound sends a clean and a dangerous message from each domain at once.
func (s *stand) dnsRound(t *testing.T, domains map[string]string, round int) {
	t.Helper()
	var wg sync.WaitGroup
	for domain, want := range domains {
		for _, n := range []int{3*round - 1, 3 * round} {
			raw := []byte(strings.ReplaceAll(string(s.numbered(n)), "partner.example", domain))
			wg.Go(func() { s.dnsMail(t, domain, want, n, raw) })
		}
	}
	wg.Wait()
}

func (s *stand) dnsMail(t *testing.T, domain, want string, n int, raw []byte) {
	danger := blocked(n)
	from := fmt.Sprintf("m%d@%s", n, domain)
	start := time.Now()
	reply, err := submitAs(s.postfix.SMTP(), "203.0.113.9", from, raw)
	if err != nil || !strings.HasPrefix(reply, "250") {
		t.Errorf("%s: %q, %v", from, reply, err)
		return
	}
	if took := time.Since(start); took > dnsLimit {
		t.Errorf("%s took %v", from, took)
	}
	var line map[string]any
	if !within(patience, func() bool { line = s.judged(from); return line != nil }) {
		t.Errorf("%s was not judged", from)
		return
	}
	spf, dmarc := fmt.Sprint(line["spf"]), fmt.Sprint(line["dmarc"])
	if (want != "" && spf != want) || (domain != "honest.example" && (spf == "pass" || dmarc == "pass")) {
		t.Errorf("%s: spf %s, dmarc %s, want %s and never pass", from, spf, dmarc, want)
	}
	if kept := line["disposition"] == "quarantine"; kept != danger {
		t.Errorf("%s: disposition %v, dangerous: %v", from, line["disposition"], danger)
	}
}

// submitAs sends one mail as a client of another address.
func submitAs(addr, client, from string, raw []byte) (string, error) {
	c, err := postfixrig.Dial(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	for _, say := range []func() (string, error){
		func() (string, error) { return c.Hello("localhost") },
		func() (string, error) { return c.XClient("ADDR="+client, "NAME=mail.partner.example") },
		func() (string, error) { return c.Hello("mail.partner.example") },
	} {
		if reply, err := say(); err != nil || !strings.HasPrefix(reply, "2") {
			return reply, err
		}
	}
	reply, err := c.Send(from, []string{"hr@kansho.example.jp"}, raw)
	if err == nil {
		_ = c.Quit() // the answer has been heard
	}
	return reply, err
}
