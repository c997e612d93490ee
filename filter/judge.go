package filter

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sekisho/filter/auth"
	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/inspect"
	"sekisho/filter/mail"
	"sekisho/filter/part"
	"sekisho/filter/quiet"
	"sekisho/filter/report"
	"sekisho/filter/rule"
	"sekisho/filter/verdict"
)

// Inspector opens hostile bytes and reports. It always returns a Report: its
// own failure, or ctx's end, is a finding in it.
type Inspector func(ctx context.Context, in inspect.Input) *report.Report

// InProcess returns an Inspector that reads within this process, with a panic
// and the deadline turned into findings.
func InProcess(limits budget.Limits, timeout time.Duration) Inspector {
	return func(ctx context.Context, in inspect.Input) *report.Report {
		bud := budget.New(limits)
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		stop := context.AfterFunc(ctx, bud.Stop)
		defer stop()
		quiet.Wake()
		return inspect.Run(in, bud)
	}
}

// oversize is the Report of a message that was not stored, so not inspected.
func oversize(m *mail.Message) *report.Report {
	return &report.Report{Schema: report.Schema, Kind: report.KindMail, Size: m.Size, Incomplete: true,
		Findings: []finding.Finding{finding.New(finding.MessageOversize, "")}}
}

// inspect asks the memory, then the Inspector.
func (j *Judge) inspect(ctx context.Context, m *mail.Message) *report.Report {
	if rep := j.Reports.get(m.SHA256); rep != nil {
		return rep
	}
	rep := j.Inspect(ctx, inspect.Input{Kind: report.KindMail, SHA256: m.SHA256, Raw: m.Raw, Keys: j.Keys, Offer: j.Offer})
	j.Reports.put(m.SHA256, rep)
	return rep
}

// authenticate asks DNS while the inspection runs; nil when it is not asked.
func (j *Judge) authenticate(ctx context.Context, m *mail.Message) <-chan auth.Results {
	if j.Auth == nil || j.inside(m.Client) || m.Client.Addr.IsLoopback() {
		return nil // our own programs have no SPF record to pass
	}
	done := make(chan auth.Results, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, j.AuthTimeout)
		defer cancel()
		done <- j.check(ctx, m)
	}()
	return done
}

// check asks for the results. A panic in there is our bug; for the message it
// is as if DNS had not answered.
func (j *Judge) check(ctx context.Context, m *mail.Message) (r auth.Results) {
	defer func() {
		if recover() != nil {
			r = auth.Results{SPF: auth.SPF{Result: auth.TempError}, DMARC: auth.DMARC{Result: auth.TempError, Reason: "internal error"}}
		}
	}()
	h := part.ReadHeader(m.Raw)
	q := auth.Query{ClientIP: m.Client.Addr, Helo: m.Client.Helo, MailFrom: m.Envelope.MailFrom, Raw: m.Raw, FromFields: h.FromFields}
	// Every author that some mail program may show is judged: which one the
	// reader sees, his program decides.
	for _, a := range slices.Concat(h.From, h.FromOther) {
		if a.Domain != "" {
			q.Authors = append(q.Authors, a.Domain)
		}
	}
	return j.Auth.Check(ctx, q)
}

// inside says whether the message comes from our own people.
func (j *Judge) inside(c mail.Client) bool {
	return c.AuthType != "" || j.Internal(c.Addr)
}

// manyFacts take the rules a while, during which others want their turn.
const manyFacts = 2000

// judge asks the rules.
func (j *Judge) judge(out Judged, m *mail.Message) verdict.Verdict {
	if r := out.Report; len(r.Entities)+len(r.Findings)+len(r.Links) > manyFacts {
		quiet.Wake()
	}
	f := rule.NewFacts(out.Report, m.Envelope, m.Client, authFacts(out))
	f.OwnDomains = j.OwnDomains
	f.HoldEncrypted = j.HoldEncrypted
	f.Inside = j.inside(m.Client)
	return j.Rules.Judge(f)
}

// File judges a loose file as if it had come by mail.
func (j *Judge) File(ctx context.Context, name string, b []byte) Judged {
	out := Judged{Report: j.Inspect(ctx, inspect.Input{Kind: report.KindFile, Name: name, Raw: b, Keys: j.Keys})}
	out.Verdict = j.judge(out, &mail.Message{})
	return out
}

// authFacts hands the results over to the rules. For a failed message the
// policy is what the owner asks for this message: one step less while the
// record is in test mode (RFC 9989 t=y).
func authFacts(out Judged) rule.Auth {
	a := out.Auth
	f := rule.Auth{Checked: out.Authenticated, SPF: a.SPF.Result, SPFDomain: a.SPF.Domain, SPFAligned: a.DMARC.SPFAligned,
		DMARC: a.DMARC.Result, DMARCPolicy: cmp.Or(a.DMARC.Disposition, a.DMARC.Policy), AuthorDomain: a.DMARC.Domain, OrgDomain: a.DMARC.OrgDomain}
	for _, s := range a.DKIM {
		f.DKIM = append(f.DKIM, rule.Signature{Result: s.Result, Domain: s.Domain, Aligned: s.Aligned})
	}
	return f
}
