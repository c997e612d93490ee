package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Resolver looks names up. Two things stand behind it: DNS, and the fixed
// answers of tests and of the demo (dnstest.Fixed).
type Resolver interface {
	// Lookup returns the records of one kind at name, which has no dot at its
	// end: the joined strings of each TXT, the addresses of A and AAAA as
	// text, the hosts of MX by preference, the names of PTR. No such records
	// is nil and nil; no such name is a *net.DNSError with IsNotFound; any
	// other error means that the answer could not be learnt.
	Lookup(ctx context.Context, name, kind string) ([]string, error)
}

const (
	// udpSize keeps answers in one unfragmented packet (DNS flag day 2020).
	udpSize = 1232
	// maxRecords bounds what one answer may bring: honest ones have dozens.
	maxRecords = 256
	// maxLinks bounds a chain of CNAMEs.
	maxLinks = 8
	// defaultQueryTimeout is for one question, all its tries together.
	defaultQueryTimeout = 2 * time.Second
)

// kinds are the record types that this room asks for.
var kinds = map[string]uint16{
	"TXT": dns.TypeTXT, "A": dns.TypeA, "AAAA": dns.TypeAAAA, "MX": dns.TypeMX, "PTR": dns.TypePTR,
}

// DNS is a Resolver that asks recursive name servers. It is used by many
// goroutines. Its answers are as good as the servers: a local validating one
// is what the manual advises.
type DNS struct {
	servers []string
	timeout time.Duration
	cache   *cache
}

// NewDNS returns a resolver that asks servers (host:port), or those of
// /etc/resolv.conf, each question within timeout, by default 2 s.
func NewDNS(servers []string, timeout time.Duration) (*DNS, error) {
	if len(servers) == 0 {
		found, err := systemServers()
		if err != nil {
			return nil, err
		}
		servers = found
	}
	for _, server := range servers {
		if _, err := netip.ParseAddrPort(server); err != nil {
			return nil, fmt.Errorf("auth: name server %q: want ADDRESS:PORT", server)
		}
	}
	if timeout <= 0 {
		timeout = defaultQueryTimeout
	}
	return &DNS{servers: slices.Clone(servers), timeout: timeout, cache: newCache(time.Now)}, nil
}

// systemServers reads the name servers of this machine. Search lists are not
// used: a mail domain is always complete.
func systemServers() ([]string, error) {
	const file = "/etc/resolv.conf"
	conf, err := dns.ClientConfigFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("auth: reading name servers: %w", err)
	}
	var servers []string
	for _, server := range conf.Servers {
		servers = append(servers, net.JoinHostPort(server, conf.Port))
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("auth: %s names no server", file)
	}
	return servers, nil
}

// Lookup implements Resolver: from the cache, from a question under way, or
// by asking.
func (d *DNS) Lookup(ctx context.Context, name, kind string) ([]string, error) {
	number, known := kinds[kind]
	if !known || !askable(name) {
		return nil, trouble(name, errors.New("not a question for the DNS"))
	}
	key := kind + " " + strings.ToLower(name)
	a, err := d.cache.get(ctx, key, func() (answer, error) {
		return d.resolve(ctx, wireName(name), number)
	})
	if err != nil {
		return nil, trouble(name, err)
	}
	if a.missing {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return a.values, nil
}

// trouble is an error that says: not learnt.
func trouble(name string, err error) error {
	return &net.DNSError{Err: err.Error(), Name: name, IsTemporary: true}
}

// wireName writes a name in the dns package's own presentation form, in which
// some bytes are syntax. It must be the form that the package reads names back
// in, since answers are compared with it.
func wireName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03d", c)
		case strings.IndexByte(` '@;()"\`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + "."
}

// resolve follows CNAMEs across answers: a server may send only the first link.
func (d *DNS) resolve(ctx context.Context, name string, kind uint16) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	least := maxTTL
	for links := 0; links <= maxLinks; {
		msg, err := d.ask(ctx, name, kind)
		if err != nil {
			return answer{}, err
		}
		a, next, followed := read(msg, name, kind)
		least = min(least, a.ttl)
		if next == "" {
			a.ttl = least
			return a, nil
		}
		name, links = next, links+followed
	}
	return answer{}, errors.New("CNAME chain too long")
}

// ask tries the servers in turn, a lone one twice: a lost packet must not cost
// the whole time.
func (d *DNS) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	tries := d.servers
	if len(tries) == 1 {
		tries = []string{tries[0], tries[0]}
	}
	var last error
	for i, server := range tries {
		deadline, _ := ctx.Deadline()
		share := time.Until(deadline) / time.Duration(len(tries)-i)
		msg, err := try(ctx, server, question(name, kind), share)
		if err == nil {
			return msg, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// question makes a query with a fresh random id.
func question(name string, kind uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, kind)
	m.SetEdns0(udpSize, false)
	return m
}

// try asks one server by UDP, and by TCP where the answer was cut.
func try(ctx context.Context, server string, q *dns.Msg, share time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	msg, err := exchange(ctx, "udp", server, q)
	if err == nil && msg.Truncated {
		msg, err = exchange(ctx, "tcp", server, q)
	}
	if err != nil {
		return nil, err
	}
	if msg.Truncated {
		return nil, errors.New("answer cut short")
	}
	if msg.Rcode != dns.RcodeSuccess && msg.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("server answered %s", dns.RcodeToString[msg.Rcode])
	}
	return msg, nil
}

// exchange sends one question over a connection of its own, so that each has a
// source port of its own, and takes only the answer to it.
func exchange(ctx context.Context, network, server string, q *dns.Msg) (*dns.Msg, error) {
	client := &dns.Client{Net: network, UDPSize: udpSize}
	conn, err := client.DialContext(ctx, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The library heeds the context's deadline but not its end.
	release := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer release()
	msg, _, err := client.ExchangeWithConnContext(ctx, q, conn)
	if err != nil {
		return nil, err
	}
	return msg, answers(msg, q)
}

// answers says whether msg is a reply to q.
func answers(msg, q *dns.Msg) error {
	if !msg.Response || msg.Id != q.Id || len(msg.Question) != 1 {
		return errors.New("not an answer")
	}
	got, want := msg.Question[0], q.Question[0]
	if got.Qtype != want.Qtype || got.Qclass != want.Qclass || !strings.EqualFold(got.Name, want.Name) {
		return errors.New("answer to another question")
	}
	if len(msg.Answer) > maxRecords {
		return errors.New("too many records")
	}
	return nil
}

// read takes the records of one kind from msg. Where a chain of CNAMEs leaves
// the message, next is the name to go on with and links the steps taken.
func read(msg *dns.Msg, name string, kind uint16) (a answer, next string, links int) {
	a = answer{ttl: negativeTTL(msg)}
	for links <= maxLinks {
		found, ttl := records(msg, name, kind)
		if len(found) > 0 {
			return answer{values: found, ttl: ttl}, "", links
		}
		target, ttl := alias(msg, name)
		if target == "" {
			break
		}
		name, links, a.ttl = target, links+1, min(a.ttl, ttl)
	}
	if links > 0 && msg.Rcode == dns.RcodeSuccess && !hasSOA(msg) {
		return a, name, links
	}
	a.missing = msg.Rcode == dns.RcodeNameError
	return a, "", links
}

// records returns the values of one kind at name and the least of their TTLs.
func records(msg *dns.Msg, name string, kind uint16) ([]string, time.Duration) {
	var found []dns.RR
	least := maxTTL
	for _, rr := range msg.Answer {
		if h := rr.Header(); h.Rrtype == kind && strings.EqualFold(h.Name, name) {
			found = append(found, rr)
			least = min(least, time.Duration(h.Ttl)*time.Second)
		}
	}
	slices.SortStableFunc(found, func(a, b dns.RR) int { return cmp.Compare(preference(a), preference(b)) })
	var values []string
	for _, rr := range found {
		values = append(values, value(rr))
	}
	return values, least
}

func preference(rr dns.RR) uint16 {
	if mx, ok := rr.(*dns.MX); ok {
		return mx.Preference
	}
	return 0
}

// value is a record's content as Resolver gives it.
func value(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.TXT:
		return unescape(strings.Join(rr.Txt, ""))
	case *dns.A:
		return rr.A.String()
	case *dns.AAAA:
		addr, _ := netip.AddrFromSlice(rr.AAAA.To16())
		return addr.String() // keeps ::ffff: apart from IPv4
	case *dns.MX:
		return strings.TrimSuffix(rr.Mx, ".")
	case *dns.PTR:
		return strings.TrimSuffix(rr.Ptr, ".")
	}
	return ""
}

// unescape undoes the presentation form in which the dns package keeps the
// strings of a TXT record: \" \\ and \DDD.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if c, ok := decimal(s[i+1:]); ok {
			b.WriteByte(c)
			i += 3
			continue
		}
		i++
		b.WriteByte(s[i])
	}
	return b.String()
}

// decimal reads three digits as a byte.
func decimal(s string) (byte, bool) {
	n := 0
	for i := range 3 {
		if i >= len(s) || s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return byte(n), n < 256
}

// alias returns where a CNAME at name leads.
func alias(msg *dns.Msg, name string) (string, time.Duration) {
	for _, rr := range msg.Answer {
		if c, ok := rr.(*dns.CNAME); ok && strings.EqualFold(c.Hdr.Name, name) {
			return c.Target, time.Duration(c.Hdr.Ttl) * time.Second
		}
	}
	return "", 0
}

// hasSOA says that msg denies the records rather than leaving them out (RFC 2308 §2).
func hasSOA(msg *dns.Msg) bool {
	return slices.ContainsFunc(msg.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
}

// negativeTTL is how long a denial holds (RFC 2308 §5).
func negativeTTL(msg *dns.Msg) time.Duration {
	for _, rr := range msg.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return time.Duration(min(soa.Minttl, soa.Hdr.Ttl)) * time.Second
		}
	}
	return minTTL
}
