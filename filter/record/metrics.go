package record

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
)

// Metrics counts what a Log writes. Every count comes from an event or from
// the line of a message, so log and metrics cannot tell different stories.
type Metrics struct {
	registry   *prometheus.Registry
	events     *prometheus.CounterVec
	messages   *prometheus.CounterVec
	rules      *prometheus.CounterVec
	findings   *prometheus.CounterVec
	limits     *prometheus.CounterVec
	auth       *prometheus.CounterVec
	incomplete prometheus.Counter
	seconds    prometheus.Histogram
	bytes      prometheus.Counter
}

// MetricNames is the catalogue of what Metrics itself counts; docs/log.md
// holds it.
var MetricNames = []Info{
	{"sekisho_events_total", "Lines of the log by `event`."},
	{"sekisho_message_judged_total", "Messages that got a verdict, by `disposition`."},
	{"sekisho_message_judged_seconds", "Histogram of the time from the end of data to the answer."},
	{"sekisho_message_judged_bytes_total", "Bytes of these messages."},
	{"sekisho_message_incomplete_total", "Messages of which some bytes could not be read."},
	{"sekisho_rule_matched_total", "Matches by `rule`, and by `mode`: enforce or observe."},
	{"sekisho_finding_total", "Findings by `kind`."},
	{"sekisho_limit_reached_total", "Limits that messages met, by `limit`."},
	{"sekisho_auth_total", "Results of sender authentication by `method` (spf, dkim, dmarc) and `result`."},
}

// NewMetrics returns counters at zero.
func NewMetrics() *Metrics {
	help := map[string]string{}
	for _, m := range MetricNames {
		help[m.Name] = m.Text
	}
	vec := func(name string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help[name]}, labels)
	}
	one := func(name string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help[name]})
	}
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		events:     vec("sekisho_events_total", "event"),
		messages:   vec("sekisho_message_judged_total", "disposition"),
		rules:      vec("sekisho_rule_matched_total", "rule", "mode"),
		findings:   vec("sekisho_finding_total", "kind"),
		limits:     vec("sekisho_limit_reached_total", "limit"),
		auth:       vec("sekisho_auth_total", "method", "result"),
		incomplete: one("sekisho_message_incomplete_total"),
		bytes:      one("sekisho_message_judged_bytes_total"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sekisho_message_judged_seconds", Help: help["sekisho_message_judged_seconds"],
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 30}}),
	}
	m.registry.MustRegister(m.events, m.messages, m.rules, m.findings, m.limits, m.auth, m.incomplete, m.bytes, m.seconds,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Measure makes l count in m from now on. It is called before l is used.
func (l *Log) Measure(m *Metrics) { l.metrics = m }

// Value shows a value that is asked for whenever somebody looks: a counter if
// its name ends in _total, else a gauge.
func (m *Metrics) Value(name, text string, value func() float64) {
	if strings.HasSuffix(name, "_total") {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: text}, value))
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: text}, value))
}

// Build shows the version as the label of a gauge that is always 1.
func (m *Metrics) Build(name, text, version string) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: text, ConstLabels: prometheus.Labels{"version": version}})
	g.Set(1)
	m.registry.MustRegister(g)
}

// Handler answers in the text format of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *Metrics) event(ev Event) {
	if m != nil {
		m.events.WithLabelValues(string(ev)).Inc()
	}
}

// judged counts one message. Every label comes from our own closed lists: a
// sender cannot invent one.
func (m *Metrics) judged(j Judgement) {
	if m == nil {
		return
	}
	m.messages.WithLabelValues(j.Verdict.Disposition.String()).Inc()
	m.bytes.Add(float64(j.Message.Size))
	m.seconds.Observe(j.Took.Seconds())
	for _, r := range j.Verdict.Reasons {
		m.rules.WithLabelValues(r.Rule, "enforce").Inc()
	}
	for _, r := range j.Verdict.Observed {
		m.rules.WithLabelValues(r.Rule, "observe").Inc()
	}
	m.authenticated("spf", j.SPF)
	m.authenticated("dmarc", j.DMARC)
	for _, d := range j.DKIM {
		m.authenticated("dkim", resultOf(d))
	}
	if j.Report == nil {
		return
	}
	if j.Report.Incomplete {
		m.incomplete.Inc()
	}
	for _, f := range j.Report.Findings {
		m.findings.WithLabelValues(string(f.Kind)).Inc()
		if f.Kind == finding.LimitReached {
			m.limits.WithLabelValues(limitOf(f)).Inc()
		}
	}
}

// limitOf names a limit by our own list: the evidence may come from a worker
// that a message took over.
func limitOf(f finding.Finding) string {
	limit := budget.What(f.Evidence["limit"])
	if slices.Contains([]budget.What{budget.Bytes, budget.Member, budget.Members, budget.Depth, budget.Ratio, budget.Time}, limit) {
		return string(limit)
	}
	return "other"
}

// resultOf is the word before the domain of one DKIM result.
func resultOf(dkim string) string {
	result, _, _ := strings.Cut(dkim, " ")
	return result
}

func (m *Metrics) authenticated(method, result string) {
	if result != "" {
		m.auth.WithLabelValues(method, result).Inc()
	}
}
