package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// maxSignatures is how many signatures of one message are judged; honest mail
// has one to three.
const maxSignatures = 8

// dkim judges the signatures, those for an author's domain first.
func (c *Checker) dkim(ctx context.Context, head header, authors []string) []Signature {
	found := signatureFields(head)
	if len(found) == 0 {
		return []Signature{} // a list in the JSON of scan, too
	}
	if head.excess != "" {
		return []Signature{{Result: PermError, Reason: head.excess}}
	}
	found = authorsFirst(found, authors)
	judged := found[:min(len(found), maxSignatures)]
	m := newSignedMessage(head, len(judged))
	out := make([]Signature, len(judged))
	var wg sync.WaitGroup
	for i, s := range judged {
		ask(&wg, func() { out[i] = c.signature(ctx, m, s) }, func() {
			out[i] = Signature{Result: TempError, Domain: s.domain, Reason: ourFault}
		})
	}
	wg.Wait()
	if left := len(found) - len(judged); left > 0 {
		out = append(out, Signature{Result: Policy, Reason: fmt.Sprintf("%d more signatures not judged", left)})
	}
	return out
}

// signatureFields parses each DKIM-Signature field.
func signatureFields(head header) []*signature {
	var found []*signature
	for i, f := range head.fields {
		if f.name == "dkim-signature" {
			found = append(found, parseSignature(i, f.value()))
		}
	}
	return found
}

// authorsFirst moves the signatures that could align to the front, so that a
// heap of others cannot push them out of the eight.
func authorsFirst(found []*signature, authors []string) []*signature {
	related := func(s *signature) int {
		for _, author := range authors {
			if s.domain == author {
				return 0
			}
			if s.domain != "" && (under(author, s.domain) || under(s.domain, author)) {
				return 1
			}
		}
		return 2
	}
	slices.SortStableFunc(found, func(a, b *signature) int { return related(a) - related(b) })
	return found
}

// signature judges one signature: what its tags say, then its key, then the
// hashes.
func (c *Checker) signature(ctx context.Context, m *signedMessage, s *signature) Signature {
	out := Signature{Domain: s.domain, Selector: s.selector, Algorithm: s.algorithm}
	if s.result == "" {
		s.checkTime(c.now())
	}
	if s.result != "" {
		out.Result, out.Reason = s.result, s.reason
		return out
	}
	k, result, reason := c.key(ctx, s)
	if result == "" {
		result, reason = m.verify(s, k)
	}
	if result == Pass && k.testing {
		// RFC 6376 §3.6.1: not to be treated differently from no signature.
		result, reason = Policy, "the key is in test mode"
	}
	out.Result, out.Reason = result, reason
	if result == Pass {
		out.Uncovered = m.uncovered(s)
		if s.signedAt.After(c.now().Add(clockSkew)) {
			out.Reason = "signed in the future"
		}
	}
	return out
}

// key fetches the key of s and checks that it may sign so.
func (c *Checker) key(ctx context.Context, s *signature) (k signingKey, result, reason string) {
	texts, err := c.resolver.Lookup(ctx, s.selector+"._domainkey."+s.domain, "TXT")
	if notFound(err) {
		return k, PermError, "no key"
	}
	if err != nil {
		return k, TempError, "DNS did not answer"
	}
	k, reason = findKey(texts)
	if reason == "" {
		reason = k.permits(s)
	}
	if reason != "" {
		return k, PermError, reason
	}
	return k, "", ""
}

// readerFields are the fields that a reader or a mail program goes by.
var readerFields = []string{"from", "sender", "reply-to", "to", "cc", "subject", "date", "content-type", "content-transfer-encoding"}

// uncovered lists the fields of which the message has more than s signs
// (RFC 6376 §8.15): one may have been added on the way.
func (m *signedMessage) uncovered(s *signature) []string {
	var names []string
	for _, name := range readerFields {
		signed := 0
		for _, h := range s.headers {
			if h == name {
				signed++
			}
		}
		if len(m.byName[name]) > signed {
			names = append(names, name)
		}
	}
	return names
}
