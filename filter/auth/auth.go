// Package auth asks the DNS whether a message may come from whom it says:
// SPF, DKIM and DMARC, and the Authentication-Results field that tells of it.
//
// It judges nothing: a result is a word of RFC 8601, and what follows from it
// is written in the rules. It believes no header: a result in the message is
// a stranger's claim, and one in our name is removed (Strip). DNS trouble is
// temperror, never pass and never none, and no answer comes later than the
// deadline. ARC is not read yet.
//
// It follows RFC 7208 (SPF), RFC 6376, 8301, 8463 (DKIM), RFC 9989 (DMARC;
// records of RFC 7489 are understood, pct is ignored) and RFC 8601. It departs
// from them thus: the explanation that an SPF record offers for a refusal
// (exp=) is never fetched, since it is a stranger's text in our reply; a
// signature with l= and one by a key in test mode is "policy"; SPF stops at
// 60 queries for one message.
//
// Signatures are verified by go-msgauth where its cost is bounded, and else
// by our own reading of RFC 6376 (dkim_verify.go says where and why); SPF
// records are evaluated by our own code, with blitiri.com.ar/go/spf as the
// second opinion of its tests.
package auth

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The words of RFC 8601 §2.7 that a result may be.
const (
	Pass      = "pass"
	Fail      = "fail"
	SoftFail  = "softfail"
	Neutral   = "neutral"
	None      = "none"
	Policy    = "policy"
	TempError = "temperror"
	PermError = "permerror"
)

// Query is what is known of one message.
type Query struct {
	ClientIP netip.Addr
	Helo     string
	MailFrom string // without angle brackets; empty for <>
	// Raw is the whole message. It is only read during Check.
	Raw []byte
	// Authors are the domains of the mailboxes in RFC5322.From.
	Authors []string
	// FromFields is how many From fields the message has.
	FromFields int
	// Authenticated says that the client logged in: its mail is not checked.
	Authenticated bool
}

// Options are the checker's settings. The zero value is the default.
type Options struct {
	// Timeout bounds the whole of Check; 8 s by default.
	Timeout time.Duration
	// Now is the clock for the x= and t= of signatures; time.Now by default.
	Now func() time.Time
}

// Checker checks messages. It is used by many goroutines.
type Checker struct {
	resolver Resolver
	timeout  time.Duration
	now      func() time.Time
}

// defaultTimeout leaves time for the inspection within the gate's deadline of 30 s.
const defaultTimeout = 8 * time.Second

// New returns a Checker that asks r.
func New(r Resolver, o Options) *Checker {
	c := &Checker{resolver: r, timeout: o.Timeout, now: o.Now}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// Results are the answers for one message.
type Results struct {
	SPF   SPF         `json:"spf"`
	DKIM  []Signature `json:"dkim"`
	DMARC DMARC       `json:"dmarc"`
}

// SPF is the result for one identity (RFC 7208 §2.3, §2.4).
type SPF struct {
	Result string `json:"result"`
	Domain string `json:"domain,omitempty"`
	// Identity is "mailfrom", or "helo" for a message with the null sender.
	Identity string `json:"identity,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// Signature is the result for one DKIM-Signature field.
type Signature struct {
	Result    string `json:"result"`
	Domain    string `json:"domain,omitempty"`
	Selector  string `json:"selector,omitempty"`
	Algorithm string `json:"algorithm,omitempty"`
	Reason    string `json:"reason,omitempty"`
	// Aligned says that Domain stands for an author's domain, whatever Result is.
	Aligned bool `json:"aligned"`
	// Uncovered are the fields of a signed message that a reader goes by and
	// that occur more often than the signature covers them.
	Uncovered []string `json:"uncovered,omitempty"`
}

// DMARC is the result for the author's domain.
type DMARC struct {
	Result string `json:"result"`
	// Policy is what the domain's owner publishes for Domain: none,
	// quarantine, reject, or empty without a record.
	Policy    string `json:"policy,omitempty"`
	Domain    string `json:"domain,omitempty"`
	OrgDomain string `json:"org_domain,omitempty"`
	// Disposition is what the owner asks for this message: none when it
	// passed, and a step less than Policy while a record is in test mode.
	Disposition string `json:"disposition,omitempty"`
	Reason      string `json:"reason,omitempty"`
	SPFAligned  bool   `json:"spf_aligned"`
	DKIMAligned bool   `json:"dkim_aligned"`
}

// Check asks all questions at once and returns when each has its answer or the
// deadline has passed. It never fails: what could not be learnt is temperror.
func (c *Checker) Check(ctx context.Context, q Query) Results {
	if q.Authenticated {
		const why = "the client logged in"
		return Results{SPF: SPF{Result: None, Reason: why}, DKIM: []Signature{}, DMARC: DMARC{Result: None, Reason: why}}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	head := splitHeader(q.Raw)
	authors, refused := authorDomains(q, head)

	var res Results
	var policies []policy
	var wg sync.WaitGroup
	ask(&wg, func() { res.SPF = c.spf(ctx, q) }, func() { res.SPF = SPF{Result: TempError, Reason: ourFault} })
	ask(&wg, func() { res.DKIM = c.dkim(ctx, head, authors) }, func() {
		res.DKIM = []Signature{{Result: TempError, Reason: ourFault}}
	})
	wg.Go(func() { policies = c.policies(ctx, authors) })
	wg.Wait()
	res.DMARC = c.dmarc(ctx, policies, refused, &res)
	return res
}

// ourFault is the reason of an answer that a panic took from us.
const ourFault = "internal error"

// ask runs question in a goroutine of its own. Libraries read hostile bytes in
// there: a panic of theirs costs one answer, which failed fills in, and not the
// mail of everybody else.
func ask(wg *sync.WaitGroup, question, failed func()) {
	wg.Go(func() {
		defer func() {
			if recover() != nil {
				failed()
			}
		}()
		question()
	})
}

// senderDomain returns what stands behind the LAST @: a quoted local part may
// hold others.
func senderDomain(address string) (local, domain string) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address, ""
	}
	return address[:at], address[at+1:]
}
