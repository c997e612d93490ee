package record

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sekisho/filter/finding"
	"sekisho/filter/mail"
	"sekisho/filter/report"
	"sekisho/filter/verdict"
)

func shown(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestMetricsCountWhatTheLogSays(t *testing.T) {
	m := NewMetrics()
	l := New(io.Discard, "json", clock)
	l.Measure(m)
	rep := &report.Report{Incomplete: true, Findings: []finding.Finding{
		finding.New(finding.LimitReached, "1", "limit", "members"),
		// A worker that a message took over says what it likes.
		finding.New(finding.LimitReached, "1", "limit", "\xff\n# EOF"),
	}}
	l.Judged(Judgement{Message: &mail.Message{Size: 5}, Report: rep, SPF: "pass", DKIM: []string{"fail a.example", "pass b.example"}, Took: 3 * time.Millisecond,
		Verdict: verdict.Verdict{Disposition: verdict.Reject, Reasons: []verdict.Reason{{Rule: "a"}}, Observed: []verdict.Reason{{Rule: "b"}}}})
	l.Judged(Judgement{Message: &mail.Message{Size: 7}}) // no Report, no authentication
	l.Warn(StoreTrouble).Send()
	got := shown(t, m)
	for _, want := range []string{
		`sekisho_message_judged_total{disposition="reject"} 1`,
		`sekisho_message_judged_total{disposition="accept"} 1`,
		"sekisho_message_judged_bytes_total 12",
		"sekisho_message_judged_seconds_count 2",
		`sekisho_message_judged_seconds_bucket{le="0.005"} 2`,
		`sekisho_message_judged_seconds_bucket{le="0.002"} 1`,
		"sekisho_message_incomplete_total 1",
		`sekisho_rule_matched_total{mode="enforce",rule="a"} 1`,
		`sekisho_rule_matched_total{mode="observe",rule="b"} 1`,
		`sekisho_finding_total{kind="limit.reached"} 2`,
		`sekisho_limit_reached_total{limit="members"} 1`,
		`sekisho_limit_reached_total{limit="other"} 1`,
		`sekisho_auth_total{method="spf",result="pass"} 1`,
		`sekisho_auth_total{method="dkim",result="fail"} 1`,
		`sekisho_events_total{event="message.judged"} 2`,
		`sekisho_events_total{event="store.trouble"} 1`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestEveryMetricHasItsText(t *testing.T) {
	m := NewMetrics()
	m.Value("x_total", "A count.", func() float64 { return 3 })
	m.Value("x_now", "A value.", func() float64 { return 4 })
	m.Build("x_build", "What runs.", "v1")
	l := New(io.Discard, "json", clock)
	l.Measure(m)
	l.Judged(Judgement{Message: &mail.Message{}, SPF: "none", Report: &report.Report{Findings: []finding.Finding{finding.New(finding.LimitReached, "", "limit", "time")}},
		Verdict: verdict.Verdict{Reasons: []verdict.Reason{{Rule: "a"}}}})
	got := shown(t, m)
	for _, info := range MetricNames {
		if !strings.Contains(got, "# HELP "+info.Name+" "+info.Text+"\n") {
			t.Errorf("%s has no text", info.Name)
		}
	}
	for _, want := range []string{"# TYPE x_total counter\nx_total 3\n", "# TYPE x_now gauge\nx_now 4\n", `x_build{version="v1"} 1`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q", want)
		}
	}
}
