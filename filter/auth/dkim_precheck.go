package auth

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSignedNames bounds h=; honest signers stay under 40.
	maxSignedNames = 100
	// clockSkew is how far ahead a signer's clock may be.
	clockSkew = time.Hour
)

// tag is one name=value of a tag list (RFC 6376 §3.2).
type tag struct {
	name, value string
	// start and end are where the value stands, blanks included.
	start, end int
}

// tags is a parsed tag list.
type tags []tag

func (l tags) get(name string) (string, bool) {
	for _, t := range l {
		if t.name == name {
			return t.value, true
		}
	}
	return "", false
}

// parseTags parses a tag list. Names are case-sensitive and stand once.
func parseTags(s string) (tags, error) {
	var list tags
	seen := map[string]bool{}
	for at := 0; at <= len(s); {
		end := len(s)
		if n := strings.IndexByte(s[at:], ';'); n >= 0 {
			end = at + n
		}
		if part := s[at:end]; strings.Trim(part, blanks) != "" {
			name, value, ok := strings.Cut(part, "=")
			start := at + len(name) + 1
			name, value = strings.Trim(name, blanks), strings.Trim(value, blanks)
			if !ok || !isTagName(name) || !isTagValue(value) || seen[name] {
				return nil, errors.New("not a tag list")
			}
			seen[name] = true
			list = append(list, tag{name, value, start, end})
		}
		at = end + 1
	}
	return list, nil
}

// blanks are what folding white space is made of.
const blanks = " \t\r\n"

func isTagName(s string) bool {
	if s == "" || !isLetter(s[0]) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isNameByte(s[i]) || s[i] == '-' {
			return false
		}
	}
	return true
}

func isTagValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < 0x21 || s[i] > 0x7e) && strings.IndexByte(blanks, s[i]) < 0 {
			return false
		}
	}
	return true
}

// unblanked removes folding white space, which may stand anywhere in a base64
// value or a list.
func unblanked(s string) string {
	if !strings.ContainsAny(s, blanks) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(blanks, r) {
			return -1
		}
		return r
	}, s)
}

// signature is one DKIM-Signature field, taken apart.
type signature struct {
	field int // its place in the header
	value string
	tags  tags

	domain, selector, algorithm string // safe to print
	identity                    string // the domain of i=
	headers                     []string
	simpleHeader, simpleBody    bool
	bodyHash, bytes             []byte
	signedAt, expires           time.Time

	// result is set when the field alone decides.
	result, reason string
}

func (s *signature) refuse(result, reason string) bool {
	s.result, s.reason = result, reason
	return false
}

// parseSignature takes a field apart and refuses, before any DNS question and
// any work, all that no honest signer sends.
func parseSignature(field int, value []byte) *signature {
	s := &signature{field: field, value: string(value)}
	list, err := parseTags(s.value)
	if err != nil {
		s.refuse(PermError, "malformed tags")
		return s
	}
	s.tags = list
	_ = s.readNames() && s.readAlgorithm() && s.readHeaders() && s.readHashes() && s.readTimes() && s.readLength()
	return s
}

// readNames takes d=, s=, i= and v=. They go into DNS questions and into the
// log, so nothing but a domain name may stand there (CVE-2020-12272).
func (s *signature) readNames() bool {
	d, _ := s.tags.get("d")
	selector, _ := s.tags.get("s")
	domain, ok := domainName(d)
	if !ok || !isASCII(d) {
		return s.refuse(PermError, "d= is not a domain name")
	}
	s.domain, s.identity = domain, domain
	if selector, ok = domainName(selector + "." + domain); !ok || !askable(selector) {
		return s.refuse(PermError, "s= is not a selector")
	}
	s.selector = strings.TrimSuffix(selector, "."+domain)
	if i, ok := s.tags.get("i"); ok {
		_, identity := senderDomain(unblanked(i))
		if identity, ok = domainName(identity); !ok || !under(identity, domain) {
			return s.refuse(PermError, "i= is not within d=")
		}
		s.identity = identity
	}
	if v, _ := s.tags.get("v"); v != "1" {
		return s.refuse(PermError, "unknown version")
	}
	return true
}

// readAlgorithm takes a=, c= and q=. rsa-sha1 is refused (RFC 8301 §3.1).
func (s *signature) readAlgorithm() bool {
	a, _ := s.tags.get("a")
	switch a = strings.ToLower(a); a {
	case "rsa-sha256", "ed25519-sha256":
		s.algorithm = a
	case "rsa-sha1":
		s.algorithm = a
		return s.refuse(PermError, "rsa-sha1 is not accepted")
	default:
		return s.refuse(PermError, "unknown algorithm")
	}
	c, _ := s.tags.get("c")
	head, body, _ := strings.Cut(strings.ToLower(unblanked(c)), "/")
	simpleHeader, ok := canonicalization(head)
	simpleBody, ok2 := canonicalization(body)
	if !ok || !ok2 {
		return s.refuse(PermError, "unknown canonicalization")
	}
	s.simpleHeader, s.simpleBody = simpleHeader, simpleBody
	if q, ok := s.tags.get("q"); ok && !slices.Contains(list(strings.ToLower(q)), "dns/txt") {
		return s.refuse(PermError, "unknown key query")
	}
	return true
}

// canonicalization says whether word is simple, the default.
func canonicalization(word string) (simple, ok bool) {
	simple = word == "" || word == "simple"
	return simple, simple || word == "relaxed"
}

// list splits a value at its colons.
func list(value string) []string { return strings.Split(unblanked(value), ":") }

// readHeaders takes h=. From must be signed (RFC 6376 §5.4).
func (s *signature) readHeaders() bool {
	h, _ := s.tags.get("h")
	if strings.Count(h, ":") >= maxSignedNames {
		return s.refuse(PermError, "more than 100 signed fields")
	}
	s.headers = list(strings.ToLower(h))
	if !slices.Contains(s.headers, "from") {
		return s.refuse(PermError, "From is not signed")
	}
	return true
}

// readHashes takes bh= and b=.
func (s *signature) readHashes() bool {
	var errs [2]error
	bh, _ := s.tags.get("bh")
	b, _ := s.tags.get("b")
	s.bodyHash, errs[0] = base64.StdEncoding.DecodeString(unblanked(bh))
	s.bytes, errs[1] = base64.StdEncoding.DecodeString(unblanked(b))
	if errors.Join(errs[:]...) != nil || len(s.bodyHash) == 0 || len(s.bytes) == 0 {
		return s.refuse(PermError, "malformed hash or signature")
	}
	return true
}

// readTimes takes t= and x=.
func (s *signature) readTimes() bool {
	for _, clock := range []struct {
		tag string
		to  *time.Time
	}{{"t", &s.signedAt}, {"x", &s.expires}} {
		text, ok := s.tags.get(clock.tag)
		if !ok {
			continue
		}
		seconds, err := strconv.ParseUint(text, 10, 40) // 12 digits at most by RFC 6376 §3.5
		if err != nil {
			return s.refuse(PermError, "malformed time")
		}
		*clock.to = time.Unix(int64(seconds), 0)
	}
	if !s.expires.IsZero() && !s.signedAt.IsZero() && !s.expires.After(s.signedAt) {
		return s.refuse(PermError, "x= is not after t=")
	}
	return true
}

// readLength refuses l=: whoever signs half a body lets others write the rest
// (RFC 6376 §8.2).
func (s *signature) readLength() bool {
	if _, ok := s.tags.get("l"); ok {
		return s.refuse(Policy, "l= leaves a part of the body unsigned")
	}
	return true
}

// checkTime refuses an expired signature.
func (s *signature) checkTime(now time.Time) {
	if !s.expires.IsZero() && now.After(s.expires) {
		s.refuse(Fail, "expired")
	}
}
