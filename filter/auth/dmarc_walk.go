package auth

import (
	"context"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// maxWalk is how many names a walk asks for at most (RFC 9989 §4.10).
const maxWalk = 8

// found is a record and the name it stands at.
type found struct {
	domain string
	record *dmarcRecord
}

// tree is what a walk from a domain to the root saw.
type tree struct {
	records []found // from the domain upwards
	org     string  // the organisational domain
	suffix  string  // the public suffix domain that has a record, if any
	trouble bool    // some name could not be asked
}

// at returns the record at domain; nil without one.
func (t tree) at(domain string) *dmarcRecord {
	for _, f := range t.records {
		if f.domain == domain {
			return f.record
		}
	}
	return nil
}

// walk asks for the DMARC records from domain up to the root and finds the
// organisational domain (RFC 9989 §4.10).
func (c *Checker) walk(ctx context.Context, domain string) tree {
	var t tree
	for _, name := range walkNames(domain) {
		texts, err := c.resolver.Lookup(ctx, "_dmarc."+name, "TXT")
		if err != nil && !notFound(err) {
			t.trouble = true
			break
		}
		r := findDMARC(texts)
		if r == nil {
			continue
		}
		t.records = append(t.records, found{name, r})
		if r.psd == 'n' || r.psd == 'y' && name != domain {
			break
		}
	}
	t.org, t.suffix = organisation(domain, t.records)
	return t
}

// walkNames are the names of a walk: the domain, and its parents of at most
// seven labels.
func walkNames(domain string) []string {
	names := []string{domain}
	for name := parent(domain); name != ""; name = parent(name) {
		if strings.Count(name, ".") < maxWalk-1 {
			names = append(names, name)
		}
	}
	return names
}

// organisation picks the organisational domain out of the records of a walk
// (§4.10.2), and the public suffix domain above it that has a record. Without
// any record the public suffix list answers, for alignment only.
func organisation(domain string, records []found) (org, suffix string) {
	if len(records) == 0 {
		return listedOrganisation(domain), ""
	}
	for _, f := range records {
		if f.record.psd == 'n' {
			return f.domain, ""
		}
		if f.domain != domain && (f.record.psd == 'y' || isSuffix(f.domain)) {
			return below(domain, f.domain), f.domain
		}
		org = f.domain
	}
	return org, ""
}

// isSuffix says that domain is a public suffix. RFC 9989 takes the topmost
// record for the organisation's own; where a registry publishes one and has not
// set psd=y, all who register there would be of one organisation and could
// speak for each other. The list prevents that.
func isSuffix(domain string) bool {
	suffix, listed := publicsuffix.PublicSuffix(domain)
	return suffix == domain && (listed || !strings.Contains(domain, "."))
}

// below returns domain cut to one label more than suffix.
func below(domain, suffix string) string {
	labels := strings.Split(strings.TrimSuffix(domain, "."+suffix), ".")
	return labels[len(labels)-1] + "." + suffix
}

// listedOrganisation is domain cut to one label more than its public suffix.
func listedOrganisation(domain string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return domain
	}
	return org
}

// sameSuffix says that by the list two domains are of one organisation.
func sameSuffix(a, b string) bool { return listedOrganisation(a) == listedOrganisation(b) }
