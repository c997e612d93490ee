package main

import (
	"errors"
	"net/http"
	"time"

	"sekisho/filter/config"
	"sekisho/filter/record"
	"sekisho/filter/session"
)

// gauges are the metrics beside those of the log; docs/log.md holds them.
var gauges = []record.Info{
	{Name: "sekisho_build_info", Text: "Always 1; the `version`."},
	{Name: "sekisho_connections", Text: "Milter connections at this moment."},
	{Name: "sekisho_store_healthy", Text: "1 while the quarantine keeps mail, 0 while it cannot."},
	{Name: "sekisho_log_dropped_total", Text: "Lines that the log did not take."},
	{Name: "sekisho_sandbox_level", Text: "What confines the workers: 2 landlock and seccomp, 1 seccomp alone, 0 nothing (`sandbox.mode: off`)."},
	{Name: "sekisho_workers", Text: "Workers alive at this moment."},
	{Name: "sekisho_workers_started_total", Text: "Workers started."},
	{Name: "sekisho_workers_lost_total", Text: "Workers that crashed, hung or were thrown away for what they said."},
	{Name: "sekisho_inspect_failed_total", Text: "Messages that no worker could inspect (finding `inspect.failed`)."},
}

// measure adds the gauges of the running parts.
func (d *daemon) measure(server *session.Server) {
	if d.metrics == nil {
		return
	}
	values := map[string]func() float64{
		"sekisho_connections":           func() float64 { return float64(server.Active()) },
		"sekisho_store_healthy":         func() float64 { return one(d.store.Healthy() == nil) },
		"sekisho_log_dropped_total":     func() float64 { return float64(d.log.Dropped()) },
		"sekisho_sandbox_level":         func() float64 { return d.opener.level() },
		"sekisho_workers":               func() float64 { return float64(d.opener.status().Workers) },
		"sekisho_workers_started_total": func() float64 { return float64(d.opener.status().Started) },
		"sekisho_workers_lost_total":    func() float64 { return float64(d.opener.status().Lost) },
		"sekisho_inspect_failed_total":  func() float64 { return float64(d.opener.status().Failed) },
	}
	for _, g := range gauges[1:] {
		d.metrics.Value(g.Name, g.Text, values[g.Name])
	}
	d.metrics.Build(gauges[0].Name, gauges[0].Text, buildVersion())
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// metricsTimeout bounds what one reader of the metrics may take.
const metricsTimeout = 10 * time.Second

// serveMetrics listens where the configuration says, if anywhere, and returns
// what ends it.
func (d *daemon) serveMetrics(cfg *config.Config) (stop func(), err error) {
	if cfg.MetricsListen == "" {
		return func() {}, nil
	}
	l, err := session.Listen(cfg.MetricsListen, false, cfg.SocketMode)
	if err != nil {
		return nil, &config.Error{File: "metrics.listen", Err: err, Hint: "choose another address, on loopback: metrics know no passwords"}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", d.metrics.Handler())
	server := &http.Server{Handler: mux, ReadTimeout: metricsTimeout, WriteTimeout: metricsTimeout, IdleTimeout: metricsTimeout, MaxHeaderBytes: 8 << 10}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.log.Warn(record.SessionTrouble).Str("stage", "metrics").Err(err).Send() // mail goes on
		}
	}()
	return func() { _ = server.Close(); <-ended }, nil
}
