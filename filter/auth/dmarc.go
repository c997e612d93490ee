package auth

import (
	"context"
	"sync"
)

// maxAuthors is how many author domains are judged; the strictest answer wins
// (RFC 9989 §11.5).
const maxAuthors = 5

// policy is what the DNS says for one author domain, before the results of
// SPF and DKIM are known.
type policy struct {
	author string
	tree   tree
	// record is the one that applies; nil without one.
	record *dmarcRecord
	// asked is the policy that the record has for author.
	asked string
	// trouble says that the record could not be learnt.
	trouble bool
}

// authorDomains returns the domains to judge, or why there are none to judge:
// no author, or several fields of which each mail program shows another, is
// never "no policy" (RFC 5322 §3.6; the attacks of Chen et al., 2020).
func authorDomains(q Query, head header) (domains []string, refused string) {
	switch fields := max(q.FromFields, head.count("from")); {
	case fields == 0:
		return nil, "no From field"
	case fields > 1:
		return nil, "several From fields"
	case len(q.Authors) == 0:
		return nil, "no author domain in From"
	}
	seen := map[string]bool{}
	for _, author := range q.Authors {
		name, ok := domainName(trimDot(author))
		if !ok {
			refused = "an author domain is not a domain name"
			continue
		}
		if !seen[name] {
			domains = append(domains, name)
		}
		if seen[name] = true; len(domains) > maxAuthors {
			return nil, "more than 5 author domains"
		}
	}
	if len(domains) > 0 {
		refused = "" // another reading of the field has no domain; those that have one are judged
	}
	return domains, refused
}

// policies asks for the policy of each author domain.
func (c *Checker) policies(ctx context.Context, authors []string) []policy {
	out := make([]policy, len(authors))
	var wg sync.WaitGroup
	for i, author := range authors {
		ask(&wg, func() { out[i] = c.policy(ctx, author) }, func() { out[i] = policy{author: author, trouble: true} })
	}
	wg.Wait()
	return out
}

// policy finds the record for author (RFC 9989 §4.10.1): its own, that of its
// organisational domain, or that of the public suffix domain above.
func (c *Checker) policy(ctx context.Context, author string) policy {
	p := policy{author: author, tree: c.walk(ctx, author)}
	if own := p.tree.at(author); own.usable() {
		p.record, p.asked = own, own.p
		return p
	}
	p.trouble = p.tree.trouble
	for _, place := range []string{p.tree.org, p.tree.suffix} {
		if r := p.tree.at(place); p.record == nil && r.usable() {
			p.record = r
		}
	}
	if p.record != nil && !p.trouble {
		p.asked, p.trouble = c.subdomainPolicy(ctx, p.record, author)
	}
	return p
}

// subdomainPolicy is what a record above author asks for it: np where the name
// does not exist at all, else sp, else p (RFC 9989 §4.7).
func (c *Checker) subdomainPolicy(ctx context.Context, r *dmarcRecord, author string) (asked string, trouble bool) {
	if r.np == r.sp {
		return r.sp, false
	}
	_, err := c.resolver.Lookup(ctx, author, "A")
	switch {
	case notFound(err):
		return r.np, false
	case err != nil:
		return "", true
	}
	return r.sp, false
}

// dmarc joins the policies with the results of SPF and DKIM. It marks the
// aligned signatures in res.
func (c *Checker) dmarc(ctx context.Context, policies []policy, refused string, res *Results) DMARC {
	if refused != "" {
		return DMARC{Result: PermError, Reason: refused}
	}
	worst := DMARC{Result: TempError, Reason: ourFault} // stands if there is no policy to judge by
	for i, p := range policies {
		if d := c.judge(ctx, p, res); i == 0 || severity(d) > severity(worst) {
			worst = d
		}
	}
	if len(policies) > 1 {
		worst.Reason = "several author domains: the strictest"
	}
	return worst
}

// severity orders the answers for several author domains.
func severity(d DMARC) int {
	switch {
	case d.Result == Fail && d.Disposition == "reject":
		return 5
	case d.Result == Fail && d.Disposition == "quarantine":
		return 4
	case d.Result == TempError:
		return 3
	case d.Result == Fail:
		return 2
	case d.Result == None:
		return 1
	}
	return 0
}

// judge gives the answer for one author domain.
func (c *Checker) judge(ctx context.Context, p policy, res *Results) DMARC {
	d := DMARC{Domain: p.author, OrgDomain: p.tree.org, Policy: p.asked}
	strictSPF, strictDKIM := false, false
	if p.record != nil {
		strictSPF, strictDKIM = p.record.strictSPF, p.record.strictDKIM
	}
	unsure := false
	if res.SPF.Result == Pass || res.SPF.Result == TempError {
		aligned, trouble := c.aligned(ctx, p, res.SPF.Domain, strictSPF)
		d.SPFAligned = aligned && res.SPF.Result == Pass
		unsure = trouble || aligned && res.SPF.Result == TempError
	}
	for i := range res.DKIM {
		s := &res.DKIM[i]
		aligned, trouble := c.aligned(ctx, p, s.Domain, strictDKIM)
		s.Aligned = s.Aligned || aligned
		d.DKIMAligned = d.DKIMAligned || aligned && s.Result == Pass
		unsure = unsure || trouble && s.Result == Pass || aligned && s.Result == TempError
	}
	d.conclude(p, unsure)
	return d
}

// conclude fills in the result. unsure says that an identifier which might
// have passed and aligned could not be learnt.
func (d *DMARC) conclude(p policy, unsure bool) {
	switch {
	case p.trouble:
		d.Result, d.Reason = TempError, "DNS did not answer"
	case p.record == nil:
		d.Result, d.Reason = None, "no record"
	case d.SPFAligned || d.DKIMAligned:
		d.Result, d.Disposition = Pass, "none"
	case unsure:
		d.Result, d.Reason = TempError, "DNS did not answer for SPF or DKIM"
	default:
		d.Result, d.Disposition = Fail, p.asked
		if p.record.testing {
			d.Disposition, d.Reason = milder[p.asked], "the policy is in test mode"
		}
	}
}

// milder is a step less (RFC 9989 §4.7, t=y).
var milder = map[string]string{"reject": "quarantine", "quarantine": "none", "none": "none"}

// aligned says whether an identifier's domain stands for p's author
// (RFC 9989 §4.4): the same name, or, relaxed, of the same organisation.
func (c *Checker) aligned(ctx context.Context, p policy, domain string, strict bool) (aligned, trouble bool) {
	switch {
	case domain == "":
		return false, false
	case domain == p.author:
		return true, false
	case strict || !related(domain, p):
		return false, false
	case p.tree.trouble:
		return false, true
	case domain == p.tree.org:
		return true, false
	}
	t := c.walk(ctx, domain)
	return t.org == p.tree.org && !t.trouble, t.trouble
}

// related says that domain can be of the author's organisation at all, which
// saves the walk for most: its organisational domain is above it.
func related(domain string, p policy) bool {
	if p.tree.trouble {
		return under(domain, p.author) || under(p.author, domain) || sameSuffix(domain, p.author)
	}
	return under(domain, p.tree.org)
}
