package auth

import (
	"slices"
	"strings"

	"sekisho/filter/escape"
	"sekisho/filter/mail"
)

// fieldName is the field of RFC 8601.
const fieldName = "Authentication-Results"

// maxReason bounds a reason in the field, so that no line comes near 998 bytes.
const maxReason = 120

// Header returns the value of our Authentication-Results field (RFC 8601
// §2.2), one result a line. Nothing in it can end the field or a quoted
// string: names are printed only if they are domain names.
func (r Results) Header(authservID string) string {
	lines := []string{safeID(authservID), r.SPF.header()}
	for _, s := range r.DKIM {
		lines = append(lines, s.header())
	}
	if len(r.DKIM) == 0 {
		lines = append(lines, "dkim=none")
	}
	lines = append(lines, r.DMARC.header())
	return strings.Join(lines, ";\r\n ")
}

// safeID is the identifier as a token; what is no token byte is dropped.
func safeID(id string) string {
	id = strings.Map(func(r rune) rune {
		if r < 0x80 && isTokenByte(byte(r)) {
			return r
		}
		return -1
	}, id)
	if id == "" || len(id) > maxName {
		return "sekisho.invalid"
	}
	return id
}

func (s SPF) header() string {
	property := "smtp.mailfrom"
	if s.Identity == "helo" {
		property = "smtp.helo"
	}
	return result("spf", s.Result, s.Reason) + domainProperty(property, s.Domain)
}

func (s Signature) header() string {
	text := result("dkim", s.Result, s.Reason) + domainProperty("header.d", s.Domain)
	if _, ok := domainName(s.Selector + ".x"); ok {
		text += " header.s=" + s.Selector
	}
	if s.Algorithm != "" {
		text += " header.a=" + safeID(s.Algorithm)
	}
	return text
}

func (d DMARC) header() string {
	text := result("dmarc", d.Result, d.Reason) + domainProperty("header.from", d.Domain)
	if isPolicy(d.Policy) {
		text += " policy.published=" + d.Policy
	}
	return text
}

// result writes method=result and the reason. A result that is no word of the
// list can only come from our own mistake and says so.
func result(method, word, reason string) string {
	if !slices.Contains([]string{Pass, Fail, SoftFail, Neutral, None, Policy, TempError, PermError}, word) {
		word = TempError
	}
	text := method + "=" + word
	if reason != "" {
		text += ` reason="` + safeReason(reason) + `"`
	}
	return text
}

// safeReason is text that can stand between quotes.
func safeReason(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' {
			return '\''
		}
		return r
	}, escape.ASCII(s))
	return s[:min(len(s), maxReason)]
}

// domainProperty writes a property, if its value is a domain name.
func domainProperty(name, domain string) string {
	if clean, ok := domainName(domain); ok {
		return " " + name + "=" + clean
	}
	return ""
}

// Strip returns the deletions of each Authentication-Results field that speaks
// in our name, or that cannot be parsed and might be taken so by another
// reader (RFC 8601 §5). They come from the highest index down: a deletion
// moves the fields below it.
func Strip(authservID string, fields []mail.HeaderField) []mail.Edit {
	var edits []mail.Edit
	index := 0
	for _, f := range fields {
		if !strings.EqualFold(strings.TrimSpace(f.Name), fieldName) {
			continue
		}
		index++
		if id, ok := authserv(f.Value); !ok || sameID(id, authservID) {
			edits = append(edits, mail.Edit{Op: mail.EditDelete, Index: index, Name: fieldName})
		}
	}
	slices.Reverse(edits)
	return edits
}

// sameID compares identifiers as a lenient reader does: in any case, with or
// without dots at the end.
func sameID(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "."), strings.TrimRight(b, "."))
}

// authserv returns the identifier that a field claims:
// [CFWS] value [CFWS version] [CFWS] ";" and anything. ok is false where the
// field is not of that form.
func authserv(value string) (id string, ok bool) {
	rest, ok := skipComments(value)
	if !ok {
		return "", false
	}
	id, rest, ok = takeID(rest)
	if !ok {
		return "", false
	}
	if rest, ok = skipComments(rest); !ok {
		return "", false
	}
	rest = strings.TrimLeft(rest, "0123456789") // the version
	rest, ok = skipComments(rest)
	return id, ok && strings.HasPrefix(rest, ";")
}

// takeID takes a token or a quoted string.
func takeID(s string) (id, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		return takeQuoted(s[1:])
	}
	n := 0
	for n < len(s) && isTokenByte(s[n]) {
		n++
	}
	return s[:n], s[n:], n > 0
}

// takeQuoted takes a quoted string after its first quote.
func takeQuoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			id := b.String()
			return id, s[i+1:], id != "" && !strings.ContainsFunc(id, notGraphic)
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// notGraphic says that r has no place in an identifier.
func notGraphic(r rune) bool { return r <= ' ' || r >= 0x7f }

// skipComments skips blanks, folds and nested comments (RFC 5322 §3.2.2).
func skipComments(s string) (rest string, ok bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			i++
		case strings.IndexByte(blanks, c) >= 0 || depth > 0:
		default:
			return s[i:], true
		}
	}
	return "", depth == 0
}

// isTokenByte says that c may stand in a token (RFC 2045 §5.1).
func isTokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}
