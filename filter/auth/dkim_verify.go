package auth

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-msgauth/dkim"
)

// The library copies a body byte by byte (22 ms/MB for each relaxed signature)
// and joins the lines of a folded field one by one. It is asked only where
// both stay small; a larger message is verified by our own code, which hashes
// the body once for all signatures. FuzzVerifiers holds the two to the same
// answers.
const (
	libraryBody   = 2 << 20 // bytes of body, over all signatures
	libraryHeader = 4 << 20 // bytes of signed header times its lines
)

// signedMessage is a message whose signatures are verified.
type signedMessage struct {
	header
	byName     map[string][]int // the places of the fields, top first
	signatures int
	bareCR     func() bool     // counted once, and only for small bodies
	simple     func() [32]byte // the hash of the body, found once
	relaxed    func() [32]byte
}

func newSignedMessage(h header, signatures int) *signedMessage {
	m := &signedMessage{header: h, byName: map[string][]int{}, signatures: signatures}
	for i, f := range h.fields {
		m.byName[f.name] = append(m.byName[f.name], i)
	}
	m.bareCR = sync.OnceValue(func() bool { return hasBareCR(h) })
	m.simple = sync.OnceValue(func() [32]byte { return hashBody(h.body, true) })
	m.relaxed = sync.OnceValue(func() [32]byte { return hashBody(h.body, false) })
	return m
}

// hasBareCR says that a CR stands without its LF, which the library takes for
// a line end in one place and for a blank in another.
func hasBareCR(h header) bool {
	for _, f := range h.fields {
		if bytes.Count(f.raw, []byte("\r")) != bytes.Count(f.raw, []byte("\r\n")) {
			return true
		}
	}
	return bytes.Count(h.body, []byte("\r")) != bytes.Count(h.body, []byte("\r\n"))
}

// verify judges s with its key: the body hash first, which is cheap and the
// usual reason for a failure, then the signature.
func (m *signedMessage) verify(s *signature, k signingKey) (result, reason string) {
	if hash := m.sum(s); subtle.ConstantTimeCompare(hash[:], s.bodyHash) != 1 {
		return Fail, "the body was changed"
	}
	picked := m.pick(s)
	if m.libraryFits(s, picked) {
		return m.verifyByLibrary(s, k, picked)
	}
	return m.verifyByHand(s, k, picked)
}

// sum is the hash of the body in the form that s asks for.
func (m *signedMessage) sum(s *signature) [32]byte {
	if s.simpleBody {
		return m.simple()
	}
	return m.relaxed()
}

// pick returns the places of the signed fields in the order of h=: each name
// takes the lowest field not yet taken (RFC 6376 §5.4.2).
func (m *signedMessage) pick(s *signature) []int {
	var picked []int
	taken := map[string]int{}
	for _, name := range s.headers {
		places := m.byName[name]
		if left := len(places) - taken[name]; left > 0 {
			picked = append(picked, places[left-1])
			taken[name]++
		}
	}
	return picked
}

// verifyByHand hashes the header by RFC 6376 §3.7 and checks the signature.
func (m *signedMessage) verifyByHand(s *signature, k signingKey, picked []int) (result, reason string) {
	var data bytes.Buffer
	for _, i := range picked {
		writeField(&data, m.fields[i].raw, s.simpleHeader)
		data.WriteString("\r\n")
	}
	writeField(&data, m.unsigned(s), s.simpleHeader)
	hash := sha256.Sum256(data.Bytes())
	valid := false
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		valid = rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], s.bytes) == nil
	case ed25519.PublicKey:
		valid = ed25519.Verify(public, hash[:], s.bytes)
	}
	return verdictOf(valid)
}

func verdictOf(valid bool) (result, reason string) {
	if valid {
		return Pass, ""
	}
	return Fail, "the signature does not fit the header"
}

// unsigned is the signature's own field with the value of b= taken out, and
// of b= alone: other tags may hold the text "b=".
func (m *signedMessage) unsigned(s *signature) []byte {
	raw := m.fields[s.field].raw
	offset := len(raw) - len(s.value)
	for _, t := range s.tags {
		if t.name == "b" {
			return slices.Concat(raw[:offset+t.start], raw[offset+t.end:])
		}
	}
	return raw
}

// writeField writes a field in canonical form without its last line end.
func writeField(data *bytes.Buffer, raw []byte, simple bool) {
	raw = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if simple {
		for i, line := range bytes.Split(raw, []byte("\n")) {
			if i > 0 {
				data.WriteString("\r\n")
			}
			data.Write(bytes.TrimSuffix(line, []byte("\r")))
		}
		return
	}
	name, value, _ := bytes.Cut(raw, []byte(":"))
	data.Write(bytes.ToLower(bytes.TrimRight(name, " \t")))
	data.WriteByte(':')
	for i, word := range bytes.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(blanks, r) }) {
		if i > 0 {
			data.WriteByte(' ')
		}
		data.Write(word)
	}
}

// otherB finds text that the library takes for the b= tag.
var otherB = regexp.MustCompile(`b\s*=`)

// libraryFits says that go-msgauth stays cheap and right on s: a small body
// and header, no tag that it reads otherwise than the standard, no second
// signature among the signed fields (it would judge that too), and no x=,
// which it compares with its own clock.
func (m *signedMessage) libraryFits(s *signature, picked []int) bool {
	size, lines := 0, 0
	for _, i := range append(slices.Clone(picked), s.field) {
		size += len(m.fields[i].raw)
		lines += bytes.Count(m.fields[i].raw, []byte("\n"))
	}
	return len(m.body)*m.signatures <= libraryBody && size*lines <= libraryHeader && !m.bareCR() &&
		s.expires.IsZero() && !slices.Contains(s.headers, "dkim-signature") &&
		len(otherB.FindAllString(s.value, 2)) == 1 && s.plain()
}

// plain says that the tags which the library compares byte by byte are in
// lower case and without blanks within.
func (s *signature) plain() bool {
	for _, name := range []string{"a", "c", "d", "i", "q", "s", "t"} {
		value, _ := s.tags.get(name)
		if value != strings.ToLower(value) || strings.ContainsAny(value, blanks) {
			return false
		}
	}
	return !slices.Contains(s.headers, "")
}

// verifyByLibrary shows go-msgauth the signed fields, this one signature and
// the body, in one piece: a body that comes in pieces costs it the square.
func (m *signedMessage) verifyByLibrary(s *signature, k signingKey, picked []int) (result, reason string) {
	var data bytes.Buffer
	places := append(slices.Clone(picked), s.field)
	slices.Sort(places)
	for _, i := range places {
		raw := m.fields[i].raw
		data.Write(bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r")))
		data.WriteString("\r\n")
	}
	data.WriteString("\r\n")
	data.Write(m.body)
	checks, err := dkim.VerifyWithOptions(bytes.NewReader(data.Bytes()), &dkim.VerifyOptions{
		LookupTXT:        func(string) ([]string, error) { return []string{k.record()}, nil },
		MaxVerifications: 1,
	})
	if err != nil || len(checks) != 1 {
		return PermError, "the message cannot be read"
	}
	if dkim.IsPermFail(checks[0].Err) {
		return PermError, "the signature cannot be read"
	}
	return verdictOf(checks[0].Err == nil)
}
