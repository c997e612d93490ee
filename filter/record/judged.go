package record

import (
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"sekisho/filter/escape"
	"sekisho/filter/finding"
	"sekisho/filter/mail"
	"sekisho/filter/report"
	"sekisho/filter/verdict"
)

// maxListed bounds the findings and attachments of one line: a mail with ten
// thousand parts must not write a megabyte of log.
const maxListed = 100

// Judgement is all that the line message.judged says.
type Judgement struct {
	Message      *mail.Message
	Report       *report.Report
	Verdict      verdict.Verdict
	Incident     string
	QuarantineID string
	SPF, DMARC   string
	DKIM         []string
	Took         time.Duration
}

// Judged writes message.judged.
func (l *Log) Judged(j Judgement) {
	l.metrics.judged(j)
	n := l.Info(MessageJudged)
	n.client(j.Message)
	n.Str("incident", j.Incident).Str("disposition", j.Verdict.Disposition.String())
	n.optional("rule", j.Verdict.Rule())
	n.Strs("reasons", ruleIDs(j.Verdict.Reasons))
	if len(j.Verdict.Observed) > 0 {
		n.Strs("observed", ruleIDs(j.Verdict.Observed))
	}
	n.optional("quarantine_id", j.QuarantineID)
	n.optional("spf", j.SPF).optional("dmarc", j.DMARC)
	if len(j.DKIM) > 0 {
		n.Strs("dkim", j.DKIM)
	}
	n.report(j.Report)
	n.Str("rule_set", j.Verdict.RuleSet)
	n.e.Float64("took_ms", float64(j.Took.Microseconds())/1000)
	n.Send()
}

// optional adds a text field unless it is empty.
func (n *Line) optional(field, value string) *Line {
	if value == "" {
		return n
	}
	return n.Str(field, value)
}

// client adds who sent what to whom.
func (n *Line) client(m *mail.Message) {
	n.Str("queue_id", m.QueueID)
	if m.Client.Addr.IsValid() {
		n.Str("client_ip", m.Client.Addr.String())
	}
	n.optional("client_host", m.Client.Host).Str("helo", m.Client.Helo)
	n.optional("auth_type", m.Client.AuthType)
	n.Str("mail_from", m.Envelope.MailFrom).Strs("rcpt_to", first(m.Envelope.Rcpts, maxListed))
	n.Int("size", m.Size).Str("sha256", m.SHA256)
}

// report adds what the inspection found.
func (n *Line) report(r *report.Report) {
	if r == nil {
		return
	}
	var from []string
	for _, a := range first(r.Header.From, maxListed) {
		from = append(from, a.Addr)
	}
	n.Strs("header_from", from)
	if len(r.Header.FromOther) > 0 {
		var other []string
		for _, a := range first(r.Header.FromOther, maxListed) {
			other = append(other, a.Addr)
		}
		n.Strs("from_other", other)
	}
	if len(r.Header.From) > 0 {
		n.optional("from_name", r.Header.From[0].Name)
	}
	n.Str("subject", r.Header.Subject).Str("message_id", r.Header.MessageID)
	if len(r.Header.Raw) > 0 {
		n.e.Dict("raw", hexadecimal(r.Header.Raw))
	}
	n.e.Array("findings", findings(first(r.Findings, maxListed)))
	if len(r.Findings) > maxListed {
		n.Int("findings_total", int64(len(r.Findings)))
	}
	n.e.Array("attachments", attachments(r.Entities))
	n.Bool("incomplete", r.Incomplete)
}

func ruleIDs(reasons []verdict.Reason) []string {
	ids := make([]string, len(reasons))
	for i, r := range reasons {
		ids[i] = r.Rule
	}
	return ids
}

func first[T any](list []T, n int) []T { return list[:min(len(list), n)] }

func findings(fs []finding.Finding) *zerolog.Array {
	arr := zerolog.Arr()
	for _, f := range fs {
		d := zerolog.Dict().Str("kind", string(f.Kind)).Str("path", escape.Text(f.Path))
		if len(f.Evidence) > 0 {
			safe := make(map[string]any, len(f.Evidence))
			for k, v := range f.Evidence {
				safe[k] = escape.Text(v)
			}
			d.Dict("evidence", zerolog.Dict().Fields(safe))
		}
		arr.Dict(d)
	}
	return arr
}

func attachments(es []report.Entity) *zerolog.Array {
	arr := zerolog.Arr()
	listed := 0
	for _, e := range es {
		if e.Name == "" || listed == maxListed {
			continue
		}
		listed++
		d := zerolog.Dict().Str("path", escape.Text(e.Path)).Str("name", escape.Text(e.Name)).
			Strs("types", e.Types).Int64("size", e.Size).Str("sha256", e.SHA256)
		if len(e.Raw) > 0 {
			d.Dict("raw", hexadecimal(e.Raw))
		}
		arr.Dict(d)
	}
	return arr
}

// hexadecimal are the bytes of what could not be decoded, by what is shown of
// it.
func hexadecimal(raw map[string]string) *zerolog.Event {
	d := zerolog.Dict()
	for _, shown := range slices.Sorted(maps.Keys(raw)) {
		d.Str(escape.Text(shown), raw[shown])
	}
	return d
}
