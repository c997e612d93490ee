package link

import (
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"

	"sekisho/filter/display"
	"sekisho/filter/finding"
)

// visible returns what a reader sees of s: invisible characters dropped, runs
// of blanks and line ends one blank.
func visible(s string) string {
	if strings.ContainsFunc(s, steers) {
		s = display.Line(strings.Join(strings.Fields(s), " "))
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && (unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector) || r == '\u034f') {
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// steers says that r changes the order in which other characters are shown.
func steers(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

// claimed returns the host that a text shows to its reader: of its first URL
// or "www." word, or of the whole text where that is a host and nothing else.
// Words without a host claim nothing; neither does an address of mail.
func claimed(shown string) (host string, ok bool) {
	text := together(norm.NFKC.String(fullStops.Replace(shown)))
	if start, ok := urlStart(text, []byte(text), 0); ok {
		url := trimURL(text[start:urlEnd(text, start)])
		if !strings.Contains(url, "://") {
			url = "http://" + url
		}
		t := parse(whole(url), target{})
		if host := dropPort(t.user); strings.Contains(host, ".") {
			return ascii(host), special[t.scheme] // a reader stops at the first host
		}
		return t.host, special[t.scheme] && strings.Contains(t.host, ".")
	}
	if strings.ContainsAny(text, " @") || text == "" {
		return "", false
	}
	t := parse("http://"+trimURL(text), target{})
	return t.host, bareHost(t)
}

// together takes the blanks out of an address that is written with some, as
// "https : // www . example . jp".
func together(text string) string {
	if strings.Contains(text, "://") || !strings.Contains(text, " ") {
		return text
	}
	joined := strings.ReplaceAll(text, " ", "")
	if scheme, _, ok := strings.Cut(strings.ToLower(joined), "://"); ok && (scheme == "http" || scheme == "https") {
		return joined
	}
	return text
}

// whole gives an address back the scheme that it is shown without in part:
// "ttps://", "hxxps://".
func whole(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	switch strings.ToLower(scheme) {
	case "ttp", "hxxp", "tp":
		return "http://" + rest
	case "ttps", "hxxps", "tps":
		return "https://" + rest
	}
	return url
}

var fullStops = strings.NewReplacer("。", ".", "\u2024", ".")

// words are endings that are a top-level domain and, more often, the
// extension of a file or part of a name ("Node.js", "ASP.NET", "報告.zip").
var words = map[string]bool{
	"zip": true, "mov": true, "md": true, "sh": true, "py": true, "pl": true, "rs": true, "ps": true, "so": true, "cc": true,
	"app": true, "ai": true, "net": true, "in": true, "to": true, "is": true, "it": true, "no": true, "st": true, "id": true,
}

// bareHost says that a text without scheme is a host and no word with a dot:
// its suffix is managed by a registry, and it is longer than a brand's name
// ("Booking.com") or goes on with a path.
func bareHost(t target) bool {
	suffix, managed := publicsuffix.PublicSuffix(t.host)
	if !managed || suffix == t.host || t.written == "" || strings.ContainsFunc(t.written, func(r rune) bool { return r >= 0x80 }) {
		return false
	}
	labels := strings.Count(t.host, ".") - strings.Count(suffix, ".")
	capital := strings.ContainsFunc(t.written, unicode.IsUpper)
	return labels > 1 || t.path != "" && !words[suffix] || !capital && !words[suffix]
}

// mismatch states that the text shows one site and the link goes to another.
func (c *collector) mismatch(t target, shown string) {
	if t.scheme == "mailto" {
		c.otherMailbox(t, shown)
		return
	}
	if site, other, lies := different(t, shown); lies {
		c.state(finding.LinkMismatch, "shown", shown, "target", t.raw, "shown_site", site, "target_site", other, "redirect", redirect(t, site))
	}
}

// lies says that the text shows another site than the link goes to.
func lies(t target, shown string) bool {
	_, _, lies := different(t, shown)
	return lies
}

// different compares the site that a text shows with the one that t leads to.
func different(t target, shown string) (site, other string, differ bool) {
	if !special[t.scheme] && t.scheme != "unc" || t.scheme == "file" && t.host == "" {
		return "", "", false
	}
	host, ok := claimed(shown)
	if !ok {
		return "", "", false
	}
	inner := unwrapped(t)
	site, other = Site(host), inner.site()
	if site == other && !strings.Contains(shown, inner.query) {
		if onward := forwarded(inner); onward.site() != "" && onward.site() != site {
			return site, onward.site(), true
		}
	}
	return site, other, site != other && other != "" && !sameAddress(host, inner.host)
}

// forwarders are the parameters of pages that send their visitor on. A page of
// the shown site with one of them leads elsewhere: an open redirect.
var forwarders = []string{"url", "u", "q", "redirect", "redirect_uri", "redirect_url", "redirecturl", "redir", "goto", "go", "next", "target",
	"to", "link", "dest", "destination", "continue", "out", "forward", "jump", "rurl"}

// forwarded returns the address that t's own query says it sends on to, with a
// scheme or two slashes, as a browser would follow it.
func forwarded(t target) target {
	for _, key := range forwarders {
		v := parameter(t.query, key)
		if scheme, _, ok := cutScheme(v); ok && (scheme == "http" || scheme == "https") || strings.HasPrefix(v, "//") {
			return parse(v, target{})
		}
	}
	return target{}
}

// otherMailbox states that the text shows one mail address and the link writes
// to another site's.
func (c *collector) otherMailbox(t target, shown string) {
	site, other := mailSite(norm.NFKC.String(shown)), mailSite(unpercent(t.path))
	if site != "" && other != "" && site != other {
		c.state(finding.LinkMismatch, "shown", shown, "target", t.raw, "shown_site", site, "target_site", other, "redirect", "no")
	}
}

// mailSite returns the site of a text that is a mail address and nothing else.
func mailSite(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || strings.ContainsAny(s, " ,;<>") {
		return ""
	}
	return Site(ascii(s[at+1:]))
}

func sameAddress(a, b string) bool {
	x, errA := netip.ParseAddr(a)
	y, errB := netip.ParseAddr(b)
	return errA == nil && errB == nil && x == y
}

// redirect says "yes" where the target names the shown site in its own path or
// query, as the counters of newsletters do. It is easily forged.
func redirect(t target, site string) string {
	if strings.Contains(strings.ToLower(unpercent(unpercent(t.path+"?"+t.query))), site) {
		return "yes"
	}
	return "no"
}

// rewriters are the gateways and mail programs that put their own address in
// front of every link and name the true one in a parameter.
var rewriters = map[string][]string{
	"safelinks.protection.outlook.com": {"url"},
	"urldefense.proofpoint.com":        {"u"},
	"linkprotect.cudasvc.com":          {"a"},
	"www.google.com":                   {"q", "url"},
	"www.google.co.jp":                 {"q", "url"},
	"l.facebook.com":                   {"u"},
	"statics.teams.cdn.office.net":     {"url"},
}

// unwrapped returns the address inside that of a rewriter.
func unwrapped(t target) target {
	for host, keys := range rewriters {
		if t.host != host && !strings.HasSuffix(t.host, "."+host) {
			continue
		}
		for _, key := range keys {
			if v := parameter(t.query, key); v != "" {
				return parse(proofpoint(host, v), target{})
			}
		}
	}
	if t.host == "urldefense.com" || t.host == "urldefense.us" {
		if _, rest, ok := strings.Cut(t.path, "/v3/__"); ok {
			rest, _, _ = strings.Cut(rest, "__;")
			return parse(rest, target{})
		}
	}
	return t
}

// proofpoint undoes the spelling of Proofpoint's first two versions.
func proofpoint(host, v string) string {
	if host != "urldefense.proofpoint.com" {
		return v
	}
	return unpercent(proofpointBytes.Replace(v))
}

var proofpointBytes = strings.NewReplacer("-", "%", "_", "/")

// parameter returns one value of a query, decoded.
func parameter(query, key string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			return unpercent(v)
		}
	}
	return ""
}
