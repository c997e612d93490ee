// Package link finds the links in HTML and in text, and those that show one
// address and lead to another.
//
// It fetches nothing, resolves nothing and judges nothing: which hosts and
// extensions matter is written in rules. It reads addresses as browsers do
// (WHATWG URL), which repair more than RFC 3986 allows; sites are registrable
// domains by the public suffix list. It departs from WHATWG in one thing: a
// path is never normalised, since only its end is asked for.
package link

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"sekisho/filter/finding"
)

// maxLinks bounds the distinct links of one entity; a newsletter has some
// hundred.
const maxLinks = 500

// Link is one link.
type Link struct {
	// URL is the address as written, entities decoded.
	URL string
	// Shown is the text that the reader sees in its place, "" for a bare URL.
	Shown string
	// Scheme, Host and Site are of the address as a browser reads it: lower
	// case, host in its ASCII form without port, site registrable.
	Scheme, Host, Site string
	// Ext is the extension that the path ends in, lower case, without dot.
	Ext string
}

// Site returns the registrable domain of host, host itself where it has none:
// an IP address, a single label, a public suffix.
func Site(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return host
	}
	site, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host
	}
	return site
}

// collector gathers the links and findings of one entity.
type collector struct {
	path  string
	base  target
	links []Link
	seen  map[string]bool
	fs    []finding.Finding
	full  bool
}

func newCollector(path string) *collector {
	return &collector{path: path, seen: map[string]bool{}}
}

// add keeps a link of a page. shown is the text in its place, as written.
func (c *collector) add(raw, shown string) {
	raw = clipped(strings.TrimSpace(raw))
	if raw == "" || raw[0] == '#' {
		return
	}
	if shown = visible(clipped(shown)); c.fresh(raw, shown) {
		c.keep(parse(raw, c.base), shown)
	}
}

// fresh says that a link is to be kept, and remembers it. Reaching the limit
// is stated once.
func (c *collector) fresh(raw, shown string) bool {
	key := raw + "\x00" + shown
	if c.full || c.seen[key] {
		return false
	}
	if len(c.links) == maxLinks {
		c.full = true
		c.state(finding.LimitReached, "limit", "links")
		return false
	}
	c.seen[key] = true
	return true
}

// keep keeps a link and states what is to be said about it.
func (c *collector) keep(t target, shown string) {
	c.links = append(c.links, Link{URL: t.raw, Shown: shown, Scheme: t.scheme, Host: t.host, Site: t.site(), Ext: t.ext()})
	c.judge(t, shown)
}

// judge runs the detectors over one link.
func (c *collector) judge(t target, shown string) {
	if what := dangerous(t); what != "" {
		c.state(finding.LinkScheme, "url", t.raw, "scheme", what, "shown", shown)
	}
	if form := deceptive(t); form != "" {
		c.state(finding.LinkDeceptive, "url", t.raw, "form", form, "host", t.host, "shown", shown)
	}
	if ext := fileExt(t); ext != "" {
		c.state(finding.LinkProgram, "url", t.raw, "ext", ext, "host", t.host, "site", t.site(), "shown", shown)
	}
	c.mismatch(t, shown)
}

func (c *collector) state(kind finding.Kind, evidence ...string) {
	c.fs = append(c.fs, finding.New(kind, c.path, evidence...))
}

// maxText bounds an address and the text in its place: data: addresses carry
// whole files.
const maxText = 8 << 10

// clipped keeps the first maxText bytes.
func clipped(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
