// Package filter joins the rooms: a message comes from the session, is
// inspected and authenticated at the same time, judged by rules, kept where
// the verdict says so, answered and recorded.
//
// Two promises stand here and nowhere else. Store before answer: Postfix hears
// of a kept message only when it is safely on disk. And no failure of ours
// ever turns into accept: whatever breaks, the sender is asked to try again.
package filter

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sekisho/filter/action"
	"sekisho/filter/auth"
	"sekisho/filter/key"
	"sekisho/filter/mail"
	"sekisho/filter/quarantine"
	"sekisho/filter/record"
	"sekisho/filter/report"
	"sekisho/filter/rule"
	"sekisho/filter/verdict"
)

// Keeper is the part of quarantine.Store that the gate needs.
type Keeper interface {
	Keep(ctx context.Context, it quarantine.Item, raw []byte) (quarantine.Item, error)
	Releasing(ctx context.Context, sha256 string) (bool, error)
}

// Generation is the set of rules and settings that judges one message from
// its start to its end; a reload makes a new one.
type Generation struct {
	Judge  *Judge
	Action action.Options
	AuthID string
	// DeferWhenUnhealthy sends mail back with 451 while the store cannot take
	// it, instead of handing it to Postfix's hold queue.
	DeferWhenUnhealthy bool
	// PairWindow is how long a kept mail waits for its password, 0 for not.
	PairWindow time.Duration
	// ReleaseSMTP takes back what its password set free.
	ReleaseSMTP string
}

// Gate answers messages.
type Gate struct {
	Store Keeper
	Log   *record.Log
	Now   func() time.Time
	NewID func() (quarantine.ID, error)
	// Pairs is nil where no mail waits for its password.
	Pairs *Pairs

	current atomic.Pointer[Generation]
	trouble trouble
}

// Use puts g in force for the next message; those under way end on the old
// one.
func (g *Gate) Use(gen *Generation) { g.current.Store(gen) }

// Answer is the whole way of one message.
func (g *Gate) Answer(ctx context.Context, m *mail.Message) mail.Reply {
	start := g.Now()
	reply, err := g.answer(ctx, m, start)
	if err != nil {
		g.Log.Error(record.MessageFailed).Str("queue_id", m.QueueID).Str("mail_from", m.Envelope.MailFrom).
			Strs("rcpt_to", m.Envelope.Rcpts).Str("sha256", m.SHA256).Err(err).Send()
		return mail.Reply{Answer: mail.AnswerDefer}
	}
	return reply
}

func (g *Gate) answer(ctx context.Context, m *mail.Message, start time.Time) (mail.Reply, error) {
	gen := g.current.Load()
	incident, err := g.NewID()
	if err != nil {
		return mail.Reply{}, fmt.Errorf("making an incident id: %w", err)
	}
	j := gen.Judge.Message(ctx, m)
	if err := ctx.Err(); err != nil {
		return mail.Reply{}, fmt.Errorf("judging: %w", context.Cause(ctx))
	}
	released, err := g.released(ctx, m, j.Verdict)
	if err != nil {
		return mail.Reply{}, err
	}
	if released {
		g.Log.Info(record.QuarantineRelease).Str("queue_id", m.QueueID).Str("sha256", m.SHA256).Str("rule", j.Verdict.Rule()).Send()
		j.Verdict = verdict.Verdict{RuleSet: j.Verdict.RuleSet}
	}
	kept, err := g.keep(ctx, gen, m, j, incident)
	if unhealthy(err) && !gen.DeferWhenUnhealthy {
		g.trouble.failed(g.Log, start, m, err)
		j.Verdict.Disposition, err = verdict.Hold, nil
	}
	if err != nil {
		return mail.Reply{}, err
	}
	if kept != "" {
		incident = kept
	}
	g.Pairs.hear(m, j)
	g.record(m, j, incident, kept, g.Now().Sub(start))
	return gen.reply(m, j, incident), nil
}

// released says whether m is a message that a reviewer is giving back right
// now: it comes over loopback and its bytes are those of an entry in state
// releasing. It was judged once, by a person; a Postfix that sends releases
// through this milter must not catch it again. Mail that passes anyway is not
// asked about: it must flow while the store is out of order.
func (g *Gate) released(ctx context.Context, m *mail.Message, v verdict.Verdict) (bool, error) {
	if v.Disposition == verdict.Accept || g.Store == nil || !m.Client.Addr.IsLoopback() || m.SHA256 == "" {
		return false, nil
	}
	ok, err := g.Store.Releasing(ctx, m.SHA256)
	if unhealthy(err) {
		// Go on to keep it: that is what makes the store find out whether it
		// works again. A release caught twice is kept twice, never lost.
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for releases: %w", err)
	}
	return ok, nil
}

// errOversizeKept is a rule's wish that cannot be carried out.
var errOversizeKept = errors.New("a rule asks to keep a message that is larger than limit.message")

// keep stores the message if the verdict says so and returns its id.
func (g *Gate) keep(ctx context.Context, gen *Generation, m *mail.Message, j Judged, incident quarantine.ID) (quarantine.ID, error) {
	if j.Verdict.Disposition != verdict.Quarantine {
		return "", nil
	}
	if m.Oversize {
		return "", errOversizeKept
	}
	it := item(m, j, incident)
	it.Awaits = gen.awaits(m, j, g.Now())
	it, err := g.Store.Keep(ctx, it, m.Raw)
	if err != nil {
		return "", fmt.Errorf("keeping the message: %w", err)
	}
	g.trouble.worked(g.Log)
	if !it.Awaits.IsZero() {
		g.Pairs.stir() // the password may have come first
	}
	return it.ID, nil
}

// item is what the quarantine remembers of a message.
func item(m *mail.Message, j Judged, id quarantine.ID) quarantine.Item {
	it := quarantine.Item{ID: id, QueueID: m.QueueID, MailFrom: m.Envelope.MailFrom, Rcpts: m.Envelope.Rcpts,
		ClientHost: m.Client.Host, Helo: m.Client.Helo, SHA256: m.SHA256, Size: m.Size,
		Disposition: j.Verdict.Disposition.String(), Rule: j.Verdict.Rule(), RuleSet: j.Verdict.RuleSet, Reasons: j.Verdict.Reasons}
	if m.Client.Addr.IsValid() {
		it.ClientAddr = m.Client.Addr.String()
	}
	for _, a := range m.Envelope.MailArgs {
		it.SMTPUTF8 = it.SMTPUTF8 || strings.EqualFold(a, "SMTPUTF8")
	}
	if r := j.Report; r != nil {
		it.Subject, it.MessageID, it.Raw = r.Header.Subject, r.Header.MessageID, r.Header.Raw
		it.Findings = r.Findings[:min(len(r.Findings), maxKeptFindings)]
		if len(r.Header.From) > 0 {
			it.From, it.FromName = r.Header.From[0].Addr, r.Header.From[0].Name
		}
	}
	return it
}

// maxKeptFindings bounds the findings of a quarantine entry.
const maxKeptFindings = 200

func (g *Gate) record(m *mail.Message, j Judged, incident, kept quarantine.ID, took time.Duration) {
	g.Log.Judged(record.Judgement{Message: m, Report: j.Report, Verdict: j.Verdict, Incident: string(incident),
		QuarantineID: string(kept), SPF: j.Auth.SPF.Result, DMARC: j.Auth.DMARC.Result, DKIM: dkimWords(j.Auth), Took: took})
}

func dkimWords(r auth.Results) []string {
	var out []string
	for _, s := range r.DKIM {
		out = append(out, s.Result+" "+s.Domain)
	}
	return out
}

// reply turns the verdict into the answer to Postfix.
func (gen *Generation) reply(m *mail.Message, j Judged, incident quarantine.ID) mail.Reply {
	plan := action.Plan{Verdict: j.Verdict, Incident: string(incident), Fields: m.Fields}
	plan.Strip = auth.Strip(gen.AuthID, m.Fields)
	if j.Authenticated {
		plan.Results = j.Auth.Header(gen.AuthID)
	}
	return gen.Action.Reply(plan)
}

// Judged is all that is known of a message after judgement.
type Judged struct {
	Report  *report.Report
	Auth    auth.Results
	Verdict verdict.Verdict
	// Authenticated says that Auth was asked for at all.
	Authenticated bool
}

// Judge inspects, authenticates and judges; `scan` uses it without a Gate.
type Judge struct {
	Rules *rule.Set
	// Auth is nil where sender authentication is off.
	Auth       *auth.Checker
	Inspect    Inspector
	OwnDomains []string
	// Internal says whether a client address counts as inside.
	Internal func(netip.Addr) bool
	// Reports remembers what was inspected before; nil for no memory.
	Reports *Reports
	// AuthTimeout bounds all DNS of one message.
	AuthTimeout time.Duration
	// Keys are the operator's passwords for what is encrypted.
	Keys []key.Key
	// HoldEncrypted is rule.Facts.HoldEncrypted.
	HoldEncrypted bool
	// Offer asks each Report for the passwords that the message tells.
	Offer bool
}

// Message judges one message.
func (j *Judge) Message(ctx context.Context, m *mail.Message) Judged {
	var out Judged
	if m.Oversize {
		out.Report = oversize(m)
		out.Verdict = j.judge(out, m)
		return out
	}
	results := j.authenticate(ctx, m)
	out.Report = j.inspect(ctx, m)
	if results != nil {
		out.Auth, out.Authenticated = <-results, true
	}
	out.Verdict = j.judge(out, m)
	return out
}

// Current is the generation in force.
func (g *Gate) Current() *Generation { return g.current.Load() }

// RuleSet names the generation of rules in force.
func (g *Gate) RuleSet() string { return g.current.Load().Judge.Rules.ID() }
