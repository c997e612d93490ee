package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// macro is one %{...} (RFC 7208 §7.1).
type macro struct {
	letter     byte // in lower case
	escape     bool // it was written in upper case: URL-escaped
	digits     int  // right-hand labels to keep; 0 for all
	reverse    bool
	delimiters string
}

// macroString says whether s is a macro-string, and whether its last element
// is a macro-expand rather than a literal.
func macroString(s string) (ok, expandsLast bool) {
	for i := 0; i < len(s); {
		expandsLast = s[i] == '%'
		switch {
		case !expandsLast:
			if s[i] < 0x21 || s[i] > 0x7e {
				return false, false
			}
			i++
		case i+1 < len(s) && strings.IndexByte("%_-", s[i+1]) >= 0:
			i += 2
		default:
			_, end, ok := parseMacro(s, i)
			if !ok {
				return false, false
			}
			i = end
		}
	}
	return true, expandsLast
}

// parseMacro parses %{ letter digits r delimiters } at i.
func parseMacro(s string, i int) (m macro, end int, ok bool) {
	if !strings.HasPrefix(s[i:], "%{") {
		return m, i, false
	}
	closing := strings.IndexByte(s[i:], '}')
	if closing < 3 {
		return m, i, false
	}
	m.letter, m.escape = s[i+2]|0x20, s[i+2] < 'a'
	// c, r and t are for explanations only (§7.2).
	if strings.IndexByte("slodiphv", m.letter) < 0 || !isLetter(s[i+2]) {
		return m, i, false
	}
	rest := s[i+3 : i+closing]
	n := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	if n > 0 {
		m.digits, _ = strconv.Atoi(rest[:min(n, 6)])
		if m.digits == 0 {
			return m, i, false
		}
	}
	rest = rest[n:]
	if rest != "" && rest[0]|0x20 == 'r' {
		m.reverse, rest = true, rest[1:]
	}
	m.delimiters = rest
	return m, i + closing + 1, strings.Trim(rest, ".-+,/_=") == ""
}

// expand writes out the macros of a domain-spec that was parsed before.
// A name that comes out too long loses labels on the left (§7.3).
func (e *evaluation) expand(spec, domain string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(spec); {
		switch {
		case spec[i] != '%':
			b.WriteByte(spec[i])
			i++
		case spec[i+1] == '{':
			m, end, _ := parseMacro(spec, i)
			value, err := e.value(m, domain)
			if err != nil {
				return "", err
			}
			b.WriteString(m.transform(value))
			i = end
		default:
			b.WriteString(map[byte]string{'%': "%", '_': " ", '-': "%20"}[spec[i+1]])
			i += 2
		}
	}
	name := strings.TrimSuffix(b.String(), ".")
	for len(name) > maxName {
		name = parent(name)
	}
	return name, nil
}

// value is what a macro letter stands for (§7.2).
func (e *evaluation) value(m macro, domain string) (string, error) {
	switch m.letter {
	case 's':
		return e.local + "@" + e.sender, nil
	case 'l':
		return e.local, nil
	case 'o':
		return e.sender, nil
	case 'd':
		return domain, nil
	case 'i':
		return dotted(e.client), nil
	case 'v':
		if e.client.Is4() {
			return "in-addr", nil
		}
		return "ip6", nil
	case 'h':
		return e.helo, nil
	}
	return e.clientName(domain)
}

// clientName is %{p}: a validated name, best the domain itself, then one below it.
func (e *evaluation) clientName(domain string) (string, error) {
	names, err := e.clientNames()
	if err != nil {
		return "", err
	}
	if slices.Contains(names, domain) {
		return domain, nil
	}
	for _, name := range names {
		if under(name, domain) {
			return name, nil
		}
	}
	if len(names) > 0 {
		return names[0], nil
	}
	return "unknown", nil
}

// transform splits at the delimiters, turns round, keeps the right-hand parts
// and joins them by dots.
func (m macro) transform(value string) string {
	delimiters := m.delimiters
	if delimiters == "" {
		delimiters = "."
	}
	parts := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(delimiters, r) })
	if m.reverse {
		slices.Reverse(parts)
	}
	if m.digits > 0 && m.digits < len(parts) {
		parts = parts[len(parts)-m.digits:]
	}
	value = strings.Join(parts, ".")
	if m.escape {
		return urlEscape(value)
	}
	return value
}

// urlEscape escapes all but the unreserved characters of RFC 3986.
func urlEscape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; isNameByte(c) || c == '.' || c == '~' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// dotted writes an address for %{i}: dotted quads, or nibbles for IPv6.
func dotted(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	var nibbles []string
	for _, c := range a.As16() {
		nibbles = append(nibbles, fmt.Sprintf("%x", c>>4), fmt.Sprintf("%x", c&15))
	}
	return strings.Join(nibbles, ".")
}

// reverseName is the name under which PTR records of a stand.
func reverseName(a netip.Addr) string {
	parts := strings.Split(dotted(a), ".")
	slices.Reverse(parts)
	if a.Is4() {
		return strings.Join(parts, ".") + ".in-addr.arpa"
	}
	return strings.Join(parts, ".") + ".ip6.arpa"
}
