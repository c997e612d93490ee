package auth

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxSPFRecord bounds one record; the largest honest ones have 2 kB.
const maxSPFRecord = 10 << 10

// spfRecord is a record that is right in every term (RFC 7208 §12): one wrong
// term anywhere is a permerror, even behind a term that matches (§4.6).
type spfRecord struct {
	terms    []spfTerm
	redirect string // a domain-spec
}

// spfTerm is one mechanism with its qualifier.
type spfTerm struct {
	result       string // what a match means
	name         string
	spec         string // the domain-spec; empty means the current domain
	bits4, bits6 int
	prefix       netip.Prefix // of ip4 and ip6
}

// qualifiers are the results that a mechanism's first byte asks for.
var qualifiers = map[byte]string{'+': Pass, '-': Fail, '~': SoftFail, '?': Neutral}

// isSPF says that a TXT record is an SPF record (§4.5).
func isSPF(text string) bool {
	const version = "v=spf1"
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) &&
		(len(text) == len(version) || text[len(version)] == ' ')
}

// parseSPF parses a whole record. Its error is a stop with permerror.
func parseSPF(text string) (spfRecord, error) {
	var rec spfRecord
	if len(text) > maxSPFRecord {
		return rec, stop{PermError, "record longer than 10 kB"}
	}
	seen := map[string]bool{}
	for word := range strings.SplitSeq(text[len("v=spf1"):], " ") {
		if word == "" {
			continue
		}
		if name, value, ok := modifier(word); ok {
			if !rec.modify(name, value, seen) {
				return rec, syntaxError
			}
			continue
		}
		t, ok := mechanism(word)
		if !ok {
			return rec, syntaxError
		}
		rec.terms = append(rec.terms, t)
	}
	return rec, nil
}

var syntaxError = stop{PermError, "syntax of the record"}

// modifier splits name=value. The name comes before any : / or %, which is
// how a modifier is told from a mechanism (§4.6.1).
func modifier(word string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(word, "=")
	if !ok || name == "" || !isLetter(name[0]) {
		return "", "", false
	}
	for i := 0; i < len(name); i++ {
		if !isNameByte(name[i]) && name[i] != '.' {
			return "", "", false
		}
	}
	return strings.ToLower(name), value, true
}

// modify takes a modifier in. redirect and exp may stand once (§6).
func (rec *spfRecord) modify(name, value string, seen map[string]bool) bool {
	if name != "redirect" && name != "exp" {
		ok, _ := macroString(value)
		return ok
	}
	if seen[name] || !domainSpec(value) {
		return false
	}
	seen[name] = true
	if name == "redirect" {
		rec.redirect = value
	}
	return true
}

// mechanism parses [qualifier] name [":" spec] [cidr] (§12).
func mechanism(word string) (spfTerm, bool) {
	t := spfTerm{result: Pass, bits4: 32, bits6: 128}
	if result, ok := qualifiers[word[0]]; ok {
		t.result, word = result, word[1:]
	}
	end := strings.IndexAny(word, ":/")
	if end < 0 {
		end = len(word)
	}
	t.name = strings.ToLower(word[:end])
	rest := word[end:]
	switch t.name {
	case "all":
		return t, rest == ""
	case "ip4", "ip6":
		return t, t.network(rest)
	case "include", "exists":
		return t, rest != "" && t.target(rest)
	case "ptr":
		return t, rest == "" || t.target(rest)
	case "a", "mx":
		rest, ok := t.cidr(rest)
		return t, ok && (rest == "" || t.target(rest))
	}
	return t, false
}

// target takes ":" domain-spec.
func (t *spfTerm) target(rest string) bool {
	if rest == "" || rest[0] != ':' || !domainSpec(rest[1:]) {
		return false
	}
	t.spec = rest[1:]
	return true
}

// cidr cuts [ip4-cidr-length] ["/" ip6-cidr-length] off the end. A slash in a
// domain-spec is no length: only what follows the last one can be.
func (t *spfTerm) cidr(rest string) (string, bool) {
	if i := strings.LastIndex(rest, "//"); i >= 0 && !strings.ContainsAny(rest[i+2:], "/.:%{}") {
		bits, ok := prefixLength(rest[i+2:], 128)
		if !ok {
			return "", false
		}
		t.bits6, rest = bits, rest[:i]
	}
	if i := strings.LastIndexByte(rest, '/'); i >= 0 && !strings.ContainsAny(rest[i+1:], ".:%{}") {
		bits, ok := prefixLength(rest[i+1:], 32)
		if !ok {
			return "", false
		}
		t.bits4, rest = bits, rest[:i]
	}
	return rest, true
}

// network takes ":" address ["/" length].
func (t *spfTerm) network(rest string) bool {
	if rest == "" || rest[0] != ':' {
		return false
	}
	text, length, cut := strings.Cut(rest[1:], "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.Is4() != (t.name == "ip4") {
		return false
	}
	bits, ok := addr.BitLen(), true
	if cut {
		bits, ok = prefixLength(length, addr.BitLen())
	}
	t.prefix = netip.PrefixFrom(addr, bits)
	return ok
}

// prefixLength parses a CIDR length: no sign, no leading zero.
func prefixLength(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s || n < 0 || n > most {
		return 0, false
	}
	return n, true
}

// domainSpec says that s is macro-string domain-end: it ends in a macro or in
// a dot and a top label (§7.1).
func domainSpec(s string) bool {
	ok, expandsLast := macroString(s)
	if !ok || expandsLast {
		return ok
	}
	s = strings.TrimSuffix(s, ".")
	dot := strings.LastIndexByte(s, '.')
	return dot >= 0 && topLabel(s[dot+1:])
}

// topLabel says that s is a toplabel: letters, digits, hyphens within, and
// not digits alone.
func topLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	digits := true
	for i := 0; i < len(s); i++ {
		if !isNameByte(s[i]) || s[i] == '_' {
			return false
		}
		digits = digits && s[i] >= '0' && s[i] <= '9'
	}
	return !digits
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
