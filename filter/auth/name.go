package auth

import (
	"net"
	"strings"

	"golang.org/x/net/idna"
)

const (
	maxName  = 253 // RFC 1035 §2.3.4, as text without the last dot
	maxLabel = 63
)

// toASCII maps a name with U-labels to its A-label form (RFC 5890), as a mail
// program does before it looks the name up.
var toASCII = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// domainName returns name in lower-case A-labels, and whether it is a domain
// of two labels or more in letters, digits, hyphens and underscores. Only such
// names are asked for as a domain of somebody, and only such are printed.
func domainName(name string) (string, bool) {
	if !isASCII(name) {
		mapped, err := toASCII.ToASCII(name)
		if err != nil {
			return "", false
		}
		name = mapped
	}
	name = strings.ToLower(name)
	if !askable(name) || !strings.Contains(name, ".") {
		return "", false
	}
	for i := 0; i < len(name); i++ {
		if name[i] != '.' && !isNameByte(name[i]) {
			return "", false
		}
	}
	return name, true
}

// askable says that name fits into a DNS question: no empty label, none too
// long. Any byte may stand in a label: an SPF macro may bring it.
func askable(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= 'A' && c <= 'Z'
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// under says that name is domain or a name below it. Both are in lower case.
func under(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// parent returns name without its first label; empty for a single label.
func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// notFound says that err means: there is no such name.
func notFound(err error) bool {
	dnsErr, ok := err.(*net.DNSError)
	return ok && dnsErr.IsNotFound
}

// trimDot removes the root's dot.
func trimDot(name string) string { return strings.TrimSuffix(name, ".") }
