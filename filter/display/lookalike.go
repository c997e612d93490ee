package display

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Imitates says that a reader takes host for one of domain though it is not:
// written in look-alike characters, with a hyphen more, less or for a dot, or
// with domain in front of the true one. Both are in lower case. Names that
// differ in a letter a reader can see are not named: they may be honest.
func Imitates(host, domain string) bool {
	host, domain = strings.Trim(host, "."), strings.Trim(domain, ".")
	if host == "" || domain == "" || host == domain || strings.HasSuffix(host, "."+domain) || strings.HasSuffix(domain, "."+host) {
		return false
	}
	if plainHost(host) && !strings.Contains(dotless(host), dotless(domain)) {
		return false // nothing in it is read as anything else
	}
	seen, own := skeleton(unicodeHost(host)), skeleton(unicodeHost(domain))
	if strings.HasPrefix(seen, own+".") || strings.Contains(seen, "."+own+".") {
		return true // the true domain stands behind
	}
	flat := dotless(own)
	for n := range strings.Count(own, ".") + 2 {
		if dotless(lastLabels(seen, n+1)) == flat {
			return true
		}
	}
	for label := range strings.SplitSeq(seen, ".") {
		if label == flat {
			return true
		}
	}
	return false
}

// plainHost says that a host is its own skeleton.
func plainHost(host string) bool {
	for i := range len(host) {
		if host[i] >= 0x7f || host[i] <= ' ' {
			return false
		}
	}
	return !strings.ContainsAny(host, "01-") && !strings.Contains(host, "rn") && !strings.Contains(host, "vv") && strings.ToLower(host) == host
}

func dotless(host string) string { return strings.ReplaceAll(host, ".", "") }

// unicodeHost returns a host as mail programs show it.
func unicodeHost(host string) string {
	if u, err := idna.Punycode.ToUnicode(host); err == nil {
		return u
	}
	return host
}

// lastLabels returns the last n labels of host, all of it where it has no more.
func lastLabels(host string, n int) string {
	at := len(host)
	for ; n > 0; n-- {
		if at = strings.LastIndexByte(host[:at], '.'); at < 0 {
			return host
		}
	}
	return host[at+1:]
}

// skeleton returns the letters that a reader takes a host for (UTS #39 §4, with
// the digits and pairs that pass for a letter in a small font).
func skeleton(host string) string {
	host = norm.NFKD.String(Visible(strings.ToLower(host)))
	host = strings.Map(func(r rune) rune {
		if r == '-' || r == '\u30fb' || unicode.Is(unicode.Mn, r) {
			return -1
		}
		return Likeness(r)
	}, host)
	return alike.Replace(host)
}

// alike are the ASCII characters that pass for others.
var alike = strings.NewReplacer("0", "o", "1", "l", "rn", "m", "vv", "w", "。", ".")

// Likeness returns the small ASCII letter that r is or looks like, else r in
// lower case.
func Likeness(r rune) rune {
	if ascii, ok := confusables[r]; ok {
		return ascii
	}
	low := unicode.ToLower(r)
	if ascii, ok := confusables[low]; ok {
		return ascii
	}
	return low
}

// confusables are the letters of other scripts that spell an extension to the
// eye or to case folding, from the data of UTS #39. Capitals come by way of
// their small letter, except where only the capital looks alike.
var confusables = letters(
	"aа", "aα", "aɑ", "bЬ", "bΒ", "bВ", "cс", "cϲ", "cᴄ", "cⅽ", "dԁ", "dⅾ", "eе", "eҽ", "eΕ", "gɡ", "gց",
	"hһ", "hհ", "hН", "hΗ", "iі", "iı", "iι", "iİ", "iɩ", "iӏ", "jј", "jϳ", "kк", "kκ", "kᴋ", "lӀ", "mм", "mΜ", "mⅿ",
	"nո", "nΝ", "nп", "oо", "oο", "oօ", "pр", "pρ", "qԛ", "rг", "rᴦ", "sѕ", "sſ", "sꜱ", "tт", "tτ", "tΤ",
	"uս", "uυ", "uʋ", "vѵ", "vν", "vᴠ", "wԝ", "wѡ", "wᴡ", "xх", "xχ", "xΧ", "x×", "yу", "yγ", "yү", "yΥ", "zᴢ", "zΖ",
)

// letters builds a map from pairs of an ASCII letter and its look-alike.
func letters(pairs ...string) map[rune]rune {
	out := make(map[rune]rune, len(pairs))
	for _, p := range pairs {
		r := []rune(p)
		out[r[1]] = r[0]
	}
	return out
}
