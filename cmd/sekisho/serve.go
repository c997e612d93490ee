package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sekisho/filter"
	"sekisho/filter/action"
	"sekisho/filter/config"
	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/sqlite"
	"sekisho/filter/record"
	"sekisho/filter/session"
)

// serveFlags override single keys of the configuration.
type serveFlags struct {
	listen             []string
	store, spool, logs string
	noAuth             bool
}

func serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "run the milter",
		Long: `Run the milter in the foreground. Without a configuration file it listens on
inet:127.0.0.1:8896, keeps mail below /var/lib/sekisho and uses the built-in rules.

SIGTERM and SIGINT stop it after the messages under way have their answer.
SIGHUP reads configuration and rules again: all of them, or on any mistake none.
Sockets, limits, spool, workers and the quarantine's folder need a restart; the log says so.`,
		Example: "  sekisho serve\n  sekisho serve --config /etc/sekisho/sekisho.yaml\n  sekisho serve --listen unix:/run/sekisho/milter.sock --store /var/lib/sekisho/quarantine",
		Args:    noArgs,
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.listen, "listen", nil, "address of the milter socket, overrides listen (repeatable)")
	fl.StringVar(&f.store, "store", "", "quarantine folder, overrides quarantine.dir")
	fl.StringVar(&f.spool, "spool", "", "spool folder, overrides spool.dir")
	fl.StringVar(&f.logs, "log-format", "", "json or text, overrides log.format")
	fl.BoolVar(&f.noAuth, "no-auth", false, "do not check SPF, DKIM and DMARC, overrides auth.enabled")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		d := &daemon{load: func() (*config.Config, error) { return f.config(c) }, logTo: c.ErrOrStderr(), hup: make(chan os.Signal, 1)}
		return d.run(ctx)
	}
	return c
}

// config reads the configuration and lays the flags over it.
func (f serveFlags) config(c *cobra.Command) (*config.Config, error) {
	cfg, err := loadConfig(c)
	if err != nil {
		return nil, err
	}
	var errs []error
	set := func(key, flag string, words ...string) {
		if len(words) > 0 && words[0] != "" {
			errs = append(errs, cfg.Set(key, flag, words...))
		}
	}
	set("listen", "--listen", f.listen...)
	set("quarantine.dir", "--store", f.store)
	set("spool.dir", "--spool", f.spool)
	set("log.format", "--log-format", f.logs)
	if f.noAuth {
		set("auth.enabled", "--no-auth", "false")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return cfg, cfg.Check()
}

// daemon is a running `serve`.
type daemon struct {
	load   func() (*config.Config, error)
	logTo  io.Writer
	hup    chan os.Signal
	log    *record.Log
	gate   *filter.Gate
	store  quarantine.Store
	opener *opener
	// metrics is nil unless somebody may read them.
	metrics *record.Metrics
}

// run serves until ctx ends. Nothing listens before everything is ready.
func (d *daemon) run(ctx context.Context) error {
	// From the first moment: an early SIGHUP must not end the daemon.
	signal.Notify(d.hup, syscall.SIGHUP)
	defer signal.Stop(d.hup)
	// Whoever read our log may go away: that must not end the daemon.
	signal.Ignore(syscall.SIGPIPE)
	cfg, err := d.load()
	if err != nil {
		return err
	}
	d.log = record.NewQueued(d.logTo, cfg.LogFormat, time.Now)
	if cfg.MetricsListen != "" {
		d.metrics = record.NewMetrics()
		d.log.Measure(d.metrics)
	}
	defer func() { _ = d.log.Close(time.Second) }() // nobody is left to be told
	if d.opener, err = newOpener(cfg, 0, d.noteSandbox); err != nil {
		return err
	}
	defer d.opener.close()
	thrift(d.opener)
	gen, err := d.generation(cfg)
	if err != nil {
		return err
	}
	if err := ownDir(cfg.SpoolDir); err != nil {
		return err
	}
	store, err := sqlite.Open(cfg.QuarantineDir, sqlite.Options{Serve: true, Reserve: cfg.QuarantineReserve})
	if err != nil {
		return err
	}
	d.store = store
	defer store.Close()
	d.gate = &filter.Gate{Store: store, Log: d.log, Now: time.Now, NewID: func() (quarantine.ID, error) { return quarantine.NewID(time.Now(), rand.Reader) }}
	d.gate.Use(gen)
	stop := d.pair(ctx, cfg.StopTimeout)
	defer stop()
	return d.listen(ctx, cfg)
}

// listen opens the sockets and serves them until ctx ends, then drains.
func (d *daemon) listen(ctx context.Context, cfg *config.Config) error {
	listeners, err := openListeners(cfg)
	if err != nil {
		return err
	}
	server := session.New(sessionConfig(cfg, d.note), d.gate.Answer)
	d.measure(server)
	stopMetrics, err := d.serveMetrics(cfg)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	defer stopMetrics()
	failed := make(chan error, len(listeners))
	var running sync.WaitGroup
	for _, l := range listeners {
		running.Go(func() { failed <- server.Serve(l) })
	}
	d.log.Info(record.ServiceStarted).Str("version", buildVersion()).Strs("listen", cfg.Listen).
		Str("rule_set", d.ruleSet()).Str("sandbox", d.opener.lock()).Send()
	err = d.wait(ctx, cfg, failed)
	d.log.Info(record.ServiceStopping).Int("count", int64(server.Active())).Send()
	limit, cancel := context.WithTimeout(context.Background(), cfg.StopTimeout)
	defer cancel()
	err = errors.Join(err, server.Shutdown(limit))
	running.Wait()
	d.log.Info(record.ServiceStopped).Err(err).Send()
	return err
}

// wait reloads at each SIGHUP until ctx ends or a listener fails.
func (d *daemon) wait(ctx context.Context, running *config.Config, failed <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-d.hup:
			d.reload(running)
		}
	}
}

// reload takes new configuration and rules, or keeps the old ones and says
// every mistake. What only a restart changes is told.
func (d *daemon) reload(running *config.Config) {
	cfg, err := d.load()
	if err == nil {
		var gen *filter.Generation
		if gen, err = d.generation(cfg); err == nil {
			d.gate.Use(gen)
			line := d.log.Info(record.ReloadDone).Str("rule_set", gen.Judge.Rules.ID())
			if keys := running.Unchanged(cfg); len(keys) > 0 {
				line.Str("hint", "in force after a restart only: "+strings.Join(keys, ", "))
			}
			line.Send()
			return
		}
	}
	for _, e := range flatten(err) {
		d.log.Error(record.ReloadRefused).Err(e).Str("hint", hint(e)).Send()
	}
}

// flatten takes a joined error apart.
func flatten(err error) []error {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range many.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}

func (d *daemon) ruleSet() string { return d.gate.RuleSet() }

// note writes what the session reports.
func (d *daemon) note(event string, fields map[string]any) {
	line := d.log.Warn(record.SessionTrouble).Str("stage", event)
	for _, k := range []string{"queue_id", "peer", "error", "phase", "limit", "after", "connections", "stack"} {
		if v, ok := fields[k]; ok {
			line.Str(k, fmt.Sprint(v))
		}
	}
	line.Send()
}

// generation builds what judges and answers out of the configuration.
func (d *daemon) generation(cfg *config.Config) (*filter.Generation, error) {
	judge, err := newJudge(cfg, cfg.Auth)
	if err != nil {
		return nil, err
	}
	judge.Inspect = d.opener.inspector(cfg)
	judge.Reports = filter.NewReports(rememberedWeight)
	window := time.Duration(0)
	if cfg.PasswordPairing == "on" {
		judge.Offer, window = true, cfg.PasswordWindow
	}
	id := cfg.AuthID
	if id == "" {
		if id, err = os.Hostname(); err != nil {
			return nil, &config.Error{File: "auth.id", Err: err, Hint: "set auth.id to this host's name"}
		}
	}
	return &filter.Generation{Judge: judge, AuthID: id, PairWindow: window, ReleaseSMTP: cfg.ReleaseSMTP, DeferWhenUnhealthy: cfg.WhenUnhealthy == "defer",
		Action: action.Options{SubjectPrefix: cfg.SubjectPrefix, Contact: cfg.RejectContact}}, nil
}

// rememberedWeight bounds the memory of Reports: some thousand messages, at
// most some tens of megabytes.
const rememberedWeight = 50000

// openListeners opens all sockets or none.
func openListeners(cfg *config.Config) ([]net.Listener, error) {
	var out []net.Listener
	for _, address := range cfg.Listen {
		l, err := session.Listen(address, cfg.ListenRemote, cfg.SocketMode)
		if err != nil {
			return nil, &config.Error{File: "listen", Err: errors.Join(err, closeAll(out)), Hint: listenHint(err)}
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		return nil, &config.Error{File: "listen", Err: errors.New("no address to listen on"), Hint: "for example listen: [inet:127.0.0.1:8896]"}
	}
	return out, nil
}

func closeAll(listeners []net.Listener) (err error) {
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

func listenHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "make the socket's folder: install -d -o sekisho -g postfix -m 2750 FOLDER"
	case errors.Is(err, fs.ErrPermission):
		return "the service user must be able to make files in the socket's folder; ports below 1024 are root's"
	}
	return "choose another address with listen or --listen, or stop the program that uses it"
}

func sessionConfig(cfg *config.Config, note func(string, map[string]any)) session.Config {
	return session.Config{MaxMessage: cfg.MaxMessage, MaxHeader: int(cfg.MaxHeader), MaxFields: int(cfg.MaxFields), MaxConns: int(cfg.MaxConnections),
		ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, IdleTimeout: cfg.IdleTimeout, DataTimeout: cfg.DataTimeout, MessageTimeout: cfg.MessageTimeout,
		SpoolDir: cfg.SpoolDir, SpoolOver: cfg.SpoolOver, Note: note}
}

// ownDir makes dir for us alone, or refuses one that others may enter.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &config.Error{File: dir, Err: unwrapPath(err), Hint: "create it for the service user: install -d -o sekisho -m 0700 " + dir}
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	var what []string
	if !info.IsDir() {
		what = append(what, "is not a folder")
	}
	if info.Mode().Perm()&0o077 != 0 {
		what = append(what, fmt.Sprintf("mode %04o lets others in", info.Mode().Perm()))
	}
	if ok && int(st.Uid) != os.Geteuid() {
		what = append(what, fmt.Sprintf("belongs to user %d", st.Uid))
	}
	if len(what) > 0 {
		return &config.Error{File: dir, Err: errors.New(strings.Join(what, ", ")), Hint: "install -d -o sekisho -m 0700 " + dir}
	}
	return nil
}
