package inspect

import (
	"html"
	"strings"

	"golang.org/x/text/unicode/norm"

	"sekisho/filter/display"
	"sekisho/filter/finding"
	"sekisho/filter/link"
	"sekisho/filter/part"
)

// authorship looks at the author that the reader sees (RFC 5322 §3.6.2:
// exactly one From field; several mailboxes only with a Sender), and at where
// the reader's answer would go.
func authorship(at string, h part.Header) []finding.Finding {
	var fs []finding.Finding
	switch {
	case h.FromFields == 0 || len(h.From) == 0:
		fs = append(fs, finding.New(finding.FromMissing, at))
	case h.FromFields > 1 || len(h.From) > 1:
		fs = append(fs, finding.New(finding.FromMultiple, at, "addresses", addresses(h.From)))
	}
	if len(h.FromOther) > 0 {
		fs = append(fs, finding.New(finding.FromAmbiguous, at, "addresses", addresses(h.From), "others", addresses(h.FromOther)))
	}
	for _, list := range []struct {
		kind      finding.Kind
		mailboxes []part.Address
	}{{finding.FromDeceptive, h.From}, {finding.ReplyDeceptive, h.ReplyTo}, {finding.SenderDeceptive, h.Sender}} {
		for _, a := range list.mailboxes {
			if f, ok := deceptive(list.kind, at, a); ok {
				fs = append(fs, f)
			}
		}
	}
	return fs
}

// joinSigns takes the blanks round a sign away: a reader does not see them.
var joinSigns = strings.NewReplacer(" @ ", "@", " @", "@", "@ ", "@")

// deceptive finds a display name that shows another's address: one of another
// site, since a house has many hosts.
func deceptive(kind finding.Kind, at string, a part.Address) (finding.Finding, bool) {
	seen := joinSigns.Replace(html.UnescapeString(norm.NFKC.String(display.Line(a.Name))))
	for _, shown := range addressesIn(seen) {
		if d := domain(shown); link.Site(d) != link.Site(a.Domain) {
			return finding.New(kind, at, "shown", display.Shown(a.Name), "name", a.Name, "true", a.Addr, "form", form(seen, shown),
				"domain", strings.ToLower(d), "true_domain", a.Domain), true
		}
	}
	return finding.Finding{}, false
}

// form tells the address of a list's or a service's member, which both write
// before the word "via" and their own name, from any other.
func form(name, shown string) string {
	_, behind, _ := strings.Cut(name, shown)
	behind = strings.TrimLeft(behind, "'\")> ")
	if strings.HasPrefix(behind, "via ") || strings.HasPrefix(behind, "経由") {
		return "via"
	}
	return "plain"
}

func addresses(list []part.Address) string {
	var out []string
	for _, a := range list {
		out = append(out, a.Addr)
	}
	return strings.Join(out, " ")
}

// addressesIn finds the mail addresses within a display name.
func addressesIn(name string) []string {
	var out []string
	for word := range strings.FieldsFuncSeq(name, partsAddresses) {
		local, dom, ok := strings.Cut(word, "@")
		dom = strings.Trim(strings.ReplaceAll(dom, "。", "."), ".")
		if ok && local != "" && strings.Contains(dom, ".") {
			out = append(out, local+"@"+dom)
		}
	}
	return out
}

// partsAddresses says that r stands between an address and other text.
func partsAddresses(r rune) bool {
	return strings.ContainsRune(" \t\"'<>()[],;:|/「」『』【】〈〉《》、・\u3000", r)
}

func domain(addr string) string { return addr[strings.LastIndexByte(addr, '@')+1:] }
