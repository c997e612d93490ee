// Package dnstest answers DNS questions from a table: over loopback (Start)
// or without any network (Fixed).
//
// It is for tests and the demo only. It knows the records that mail
// authentication asks for, and the ways in which name servers misbehave. It
// is no name server: no delegation, no wildcards, no zones.
//
// A table has for each owner name, in lower case and without the last dot,
// entries of the form "TYPE content", such as "TXT v=spf1 -all" or
// "MX 10 mx.example.jp"; an entry "FAULT name" makes the name misbehave.
package dnstest

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// The faults that a name may have.
const (
	Timeout       = "FAULT timeout"        // no answer
	Servfail      = "FAULT servfail"       // the server could not
	Refused       = "FAULT refused"        // the server would not
	Garbage       = "FAULT garbage"        // bytes that are no DNS message
	WrongID       = "FAULT wrong-id"       // the answer to somebody else
	WrongQuestion = "FAULT wrong-question" // the answer to something else
	Truncate      = "FAULT truncate"       // cut by UDP, whole by TCP
	TruncateBoth  = "FAULT truncate-both"  // cut by both
	Huge          = "FAULT huge"           // a TXT record of 60 kB
	Many          = "FAULT many"           // a thousand TXT records
	Loop          = "FAULT loop"           // an alias of itself
	Late          = "FAULT late"           // answers after lateBy
)

// lateBy is longer than a resolver with a test's timeout waits.
const lateBy = 1500 * time.Millisecond

const ttl = 300

// Server is a DNS server on loopback, on the same UDP and TCP port.
type Server struct {
	Addr     string // host:port
	zone     map[string][]string
	udp, tcp *dns.Server
	queries  atomic.Int64
	done     chan struct{}
	once     sync.Once
	wait     sync.WaitGroup
}

// Start serves zone on loopback and returns where, and how to stop. It panics
// where loopback cannot be used, since nothing can then be tested.
func Start(zone map[string][]string) (addr string, stop func()) {
	s, err := Serve(zone)
	if err != nil {
		panic(err)
	}
	return s.Addr, s.Stop
}

// Serve serves zone on loopback.
func Serve(zone map[string][]string) (*Server, error) {
	for name, entries := range zone {
		for _, entry := range entries {
			if _, err := record(name, entry); err != nil && !strings.HasPrefix(entry, "FAULT ") {
				return nil, fmt.Errorf("dnstest: %q: %w", name, err)
			}
		}
	}
	packets, listener, err := listen()
	if err != nil {
		return nil, fmt.Errorf("dnstest: listening: %w", err)
	}
	s := &Server{Addr: packets.LocalAddr().String(), zone: zone, done: make(chan struct{})}
	handler := dns.HandlerFunc(s.handle)
	s.udp = &dns.Server{PacketConn: packets, Handler: handler}
	s.tcp = &dns.Server{Listener: listener, Handler: handler}
	for _, half := range []*dns.Server{s.udp, s.tcp} {
		started := make(chan struct{})
		half.NotifyStartedFunc = func() { close(started) }
		s.wait.Go(func() { half.ActivateAndServe() })
		<-started
	}
	return s, nil
}

// listen finds a port that is free for both.
func listen() (net.PacketConn, net.Listener, error) {
	var last error
	for range 10 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return packets, listener, nil
		}
		listener.Close()
		last = err
	}
	return nil, nil, last
}

// Queries returns how many questions have come.
func (s *Server) Queries() int { return int(s.queries.Load()) }

// Stop ends the server and waits for it. It may be called again.
func (s *Server) Stop() {
	s.once.Do(func() {
		close(s.done)
		s.udp.Shutdown()
		s.tcp.Shutdown()
		s.wait.Wait()
	})
}

// handle answers one question.
func (s *Server) handle(w dns.ResponseWriter, q *dns.Msg) {
	s.queries.Add(1)
	name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	reply := new(dns.Msg)
	reply.SetReply(q)
	s.fill(reply, name, q.Question[0].Qtype)
	_, udp := w.RemoteAddr().(*net.UDPAddr)
	if udp && reply.Len() > 1232 {
		cut(reply)
	}
	switch s.fault(name) {
	case Timeout:
		return
	case Late:
		select {
		case <-time.After(lateBy):
		case <-s.done:
			return
		}
	case Garbage:
		w.Write([]byte("this is not the DNS"))
		return
	case Servfail:
		reply.SetRcode(q, dns.RcodeServerFailure)
	case Refused:
		reply.SetRcode(q, dns.RcodeRefused)
	case WrongID:
		reply.Id ^= 0x5555
	case WrongQuestion:
		reply.Question[0].Name = "elsewhere.example."
	case Truncate:
		if udp {
			cut(reply)
		}
	case TruncateBoth:
		cut(reply)
	}
	w.WriteMsg(reply)
}

func cut(reply *dns.Msg) {
	reply.Truncated, reply.Answer = true, nil
}

func (s *Server) fault(name string) string {
	for _, entry := range s.zone[name] {
		if strings.HasPrefix(entry, "FAULT ") {
			return entry
		}
	}
	return ""
}

// fill puts the records for a question into reply, aliases followed.
func (s *Server) fill(reply *dns.Msg, name string, kind uint16) {
	if s.flood(reply, name) {
		return
	}
	for range 10 {
		target := ""
		for _, entry := range s.zone[name] {
			rr, err := record(name, entry)
			if err != nil {
				continue
			}
			alias, isAlias := rr.(*dns.CNAME)
			if isAlias {
				target = strings.ToLower(strings.TrimSuffix(alias.Target, "."))
			}
			if isAlias || rr.Header().Rrtype == kind {
				reply.Answer = append(reply.Answer, rr)
			}
		}
		if target == "" {
			break
		}
		name = target
	}
	if !exists(s.zone, name) {
		reply.Rcode = dns.RcodeNameError
	}
	reply.Ns = []dns.RR{&dns.SOA{Hdr: head("example", dns.TypeSOA), Ns: "ns.example.", Mbox: "root.example.", Minttl: ttl}}
}

// flood answers with too much.
func (s *Server) flood(reply *dns.Msg, name string) bool {
	switch s.fault(name) {
	case Huge:
		reply.Answer = []dns.RR{text(name, "v=spf1 "+strings.Repeat("ip4:192.0.2.1 ", 60000/14)+"-all")}
	case Many:
		for i := range 1000 {
			reply.Answer = append(reply.Answer, text(name, "record "+strconv.Itoa(i)))
		}
	case Loop:
		reply.Answer = []dns.RR{&dns.CNAME{Hdr: head(name, dns.TypeCNAME), Target: dns.Fqdn(name)}}
	default:
		return false
	}
	return true
}

// exists says that name has entries or names below it.
func exists(zone map[string][]string, name string) bool {
	if _, ok := zone[name]; ok {
		return true
	}
	for owner := range zone {
		if strings.HasSuffix(owner, "."+name) {
			return true
		}
	}
	return false
}

// record makes the record of an entry.
func record(name, entry string) (dns.RR, error) {
	kind, content, _ := strings.Cut(entry, " ")
	number := dns.StringToType[kind]
	switch kind {
	case "TXT":
		return text(name, content), nil
	case "A", "AAAA":
		addr, err := netip.ParseAddr(content)
		if err != nil {
			return nil, err
		}
		if kind == "A" {
			return &dns.A{Hdr: head(name, number), A: addr.AsSlice()}, nil
		}
		return &dns.AAAA{Hdr: head(name, number), AAAA: addr.AsSlice()}, nil
	case "MX":
		order, host, _ := strings.Cut(content, " ")
		n, err := strconv.ParseUint(order, 10, 16)
		return &dns.MX{Hdr: head(name, number), Preference: uint16(n), Mx: dns.Fqdn(host)}, err
	case "PTR":
		return &dns.PTR{Hdr: head(name, number), Ptr: dns.Fqdn(content)}, nil
	case "CNAME":
		return &dns.CNAME{Hdr: head(name, number), Target: dns.Fqdn(content)}, nil
	}
	return nil, fmt.Errorf("unknown entry %q", entry)
}

func head(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
}

// text makes a TXT record, in strings of at most 255 bytes, in the escaped
// form that the dns package keeps.
func text(name, content string) *dns.TXT {
	rr := &dns.TXT{Hdr: head(name, dns.TypeTXT)}
	for {
		n := min(len(content), 255)
		rr.Txt = append(rr.Txt, escaped(content[:n]))
		if content = content[n:]; content == "" {
			return rr
		}
	}
}

func escaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
