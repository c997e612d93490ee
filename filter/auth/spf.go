package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
)

// The limits of RFC 7208 §4.6.4, and ours on the queries of all terms together:
// ten mx terms of ten hosts each would be a hundred.
const (
	maxSPFTerms   = 10
	maxSPFVoids   = 2
	maxSPFHosts   = 10
	maxSPFQueries = 60
)

// stop ends an evaluation with a result.
type stop struct{ result, reason string }

func (s stop) Error() string { return s.result + ": " + s.reason }

// evaluation is one check_host() (RFC 7208 §4) with all that it draws in.
type evaluation struct {
	ctx      context.Context
	resolver Resolver
	client   netip.Addr
	local    string // of the sender, for macros
	sender   string // the sender's domain, for macros
	helo     string

	terms, voids, queries int
	// validated are the client's names by reverse and forward lookup; asked
	// for once (§5.5).
	validated []string
	reversed  bool
}

// spf checks MAIL FROM, or postmaster at the HELO name for the null sender.
func (c *Checker) spf(ctx context.Context, q Query) SPF {
	local, domain := senderDomain(q.MailFrom)
	out := SPF{Result: None, Identity: "mailfrom"}
	if q.MailFrom == "" {
		local, domain, out.Identity = "", q.Helo, "helo"
	}
	name, ok := domainName(trimDot(domain))
	if !ok {
		out.Reason = "no domain to ask for"
		return out
	}
	out.Domain = name
	if !q.ClientIP.IsValid() {
		out.Reason = "no client address"
		return out
	}
	if local == "" {
		local = "postmaster" // §4.3
	}
	e := &evaluation{
		ctx: ctx, resolver: c.resolver, client: q.ClientIP.Unmap().WithZone(""),
		local: local, sender: name, helo: q.Helo,
	}
	out.Result, out.Reason = e.check(name)
	// A deadline inside a ptr term is silent by §5.5: without this, the time
	// running out could end as a fail.
	if ctx.Err() != nil && out.Result != Pass {
		out.Result, out.Reason = TempError, "DNS: out of time"
	}
	return out
}

// check evaluates domain's record (§4).
func (e *evaluation) check(domain string) (result, reason string) {
	rec, err := e.record(domain)
	if err == nil {
		result, reason, err = e.evaluate(rec, domain)
	}
	var s stop
	if errors.As(err, &s) {
		return s.result, s.reason
	}
	return result, reason
}

// record fetches and parses the one SPF record at domain (§4.4 to §4.6).
func (e *evaluation) record(domain string) (spfRecord, error) {
	if !askable(domain) || !strings.Contains(domain, ".") {
		return spfRecord{}, stop{None, "not a domain"}
	}
	texts, err := e.lookup(domain, "TXT")
	if notFound(err) {
		return spfRecord{}, stop{None, "no such domain"}
	}
	if err != nil {
		return spfRecord{}, err
	}
	var found []string
	for _, text := range texts {
		if isSPF(text) {
			found = append(found, text)
		}
	}
	switch len(found) {
	case 0:
		return spfRecord{}, stop{None, "no record"}
	case 1:
		return parseSPF(found[0])
	}
	return spfRecord{}, stop{PermError, "several records"}
}

// evaluate tries the mechanisms in order, then the redirect (§4.6.2, §6.1).
func (e *evaluation) evaluate(rec spfRecord, domain string) (result, reason string, err error) {
	for _, t := range rec.terms {
		matched, err := e.matches(t, domain)
		if err != nil {
			return "", "", err
		}
		if matched {
			return t.result, "matched " + t.name, nil
		}
	}
	if rec.redirect == "" {
		return Neutral, "nothing matched", nil
	}
	if err := e.countTerm(); err != nil {
		return "", "", err
	}
	target, err := e.expand(rec.redirect, domain)
	if err != nil {
		return "", "", err
	}
	result, reason = e.check(target)
	if result == None {
		return PermError, "redirect to a domain without a record", nil
	}
	return result, reason, nil
}

// matches says whether one mechanism holds for the client (§5).
func (e *evaluation) matches(t spfTerm, domain string) (bool, error) {
	switch t.name {
	case "all":
		return true, nil
	case "ip4", "ip6":
		return t.prefix.Contains(e.client), nil
	}
	if err := e.countTerm(); err != nil {
		return false, err
	}
	target := domain
	if t.spec != "" {
		var err error
		if target, err = e.expand(t.spec, domain); err != nil {
			return false, err
		}
	}
	switch t.name {
	case "include":
		return e.include(target)
	case "a":
		return e.hostMatches(target, t, true)
	case "mx":
		return e.mxMatches(target, t)
	case "exists":
		found, err := e.ask(target, "A")
		return len(found) > 0, err
	}
	return e.ptrMatches(target)
}

// include says whether the included record passes (§5.2).
func (e *evaluation) include(target string) (bool, error) {
	result, reason := e.check(target)
	switch result {
	case Pass:
		return true, nil
	case TempError:
		return false, stop{TempError, reason}
	case PermError:
		return false, stop{PermError, reason}
	case None:
		return false, stop{PermError, "include of a domain without a record"}
	}
	return false, nil
}

// hostMatches says whether one of host's addresses covers the client.
func (e *evaluation) hostMatches(host string, t spfTerm, countVoid bool) (bool, error) {
	kind, bits := "A", t.bits4
	if e.client.Is6() {
		kind, bits = "AAAA", t.bits6
	}
	ask := e.ask
	if !countVoid {
		ask = e.tolerate
	}
	found, err := ask(host, kind)
	if err != nil {
		return false, err
	}
	for _, text := range found {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		if prefix, err := addr.Prefix(bits); err == nil && prefix.Contains(e.client) {
			return true, nil
		}
	}
	return false, nil
}

// mxMatches asks each mail host of target; more than ten are an error (§4.6.4).
func (e *evaluation) mxMatches(target string, t spfTerm) (bool, error) {
	hosts, err := e.ask(target, "MX")
	if err != nil {
		return false, err
	}
	if len(hosts) > maxSPFHosts {
		return false, stop{PermError, "more than 10 MX hosts"}
	}
	for _, host := range hosts {
		matched, err := e.hostMatches(host, t, false)
		if matched || err != nil {
			return matched, err
		}
	}
	return false, nil
}

// ptrMatches says whether a validated name of the client is target or below it (§5.5).
func (e *evaluation) ptrMatches(target string) (bool, error) {
	names, err := e.clientNames()
	if err != nil {
		return false, err
	}
	target = strings.ToLower(trimDot(target))
	for _, name := range names {
		if under(name, target) {
			return true, nil
		}
	}
	return false, nil
}

// clientNames validates the first ten reverse names. Trouble in the client's
// own reverse zone means no name, not temperror (§5.5).
func (e *evaluation) clientNames() ([]string, error) {
	if e.reversed {
		return e.validated, nil
	}
	e.reversed = true
	names, err := e.ask(reverseName(e.client), "PTR")
	if stopped := (stop{}); errors.As(err, &stopped) && stopped.result == PermError {
		return nil, err
	}
	for _, name := range names[:min(len(names), maxSPFHosts)] {
		name = strings.ToLower(trimDot(name))
		whole := spfTerm{bits4: 32, bits6: 128}
		if ok, err := e.hostMatches(name, whole, false); ok && err == nil {
			e.validated = append(e.validated, name)
		}
	}
	return e.validated, nil
}

// countTerm accounts for one more term that asks the DNS.
func (e *evaluation) countTerm() error {
	if e.terms++; e.terms > maxSPFTerms {
		return stop{PermError, "more than 10 terms that ask the DNS"}
	}
	return nil
}

// ask looks a name up for a mechanism. No answer is counted as a void lookup
// and is no error.
func (e *evaluation) ask(name, kind string) ([]string, error) {
	found, err := e.tolerate(name, kind)
	if err != nil || len(found) > 0 {
		return found, err
	}
	if e.voids++; e.voids > maxSPFVoids {
		return nil, stop{PermError, "more than 2 void lookups"}
	}
	return nil, nil
}

// tolerate looks a name up where none may be found. A name that cannot be
// asked for is one that does not exist (§4.8).
func (e *evaluation) tolerate(name, kind string) ([]string, error) {
	name = trimDot(name)
	if !askable(name) {
		return nil, nil
	}
	found, err := e.lookup(name, kind)
	if notFound(err) {
		return nil, nil
	}
	return found, err
}

// lookup asks the resolver. Its error is notFound or a stop.
func (e *evaluation) lookup(name, kind string) ([]string, error) {
	if e.queries++; e.queries > maxSPFQueries {
		return nil, stop{PermError, "more than 60 DNS queries"}
	}
	found, err := e.resolver.Lookup(e.ctx, name, kind)
	if err != nil && !notFound(err) {
		return nil, stop{TempError, "DNS did not answer"}
	}
	return found, err
}
