package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sekisho/filter"
	"sekisho/filter/config"
	"sekisho/filter/inspect"
	"sekisho/filter/record"
	"sekisho/filter/report"
	"sekisho/filter/sandbox"
)

// opener opens hostile bytes as the configuration wants it: in workers, or
// without a pool in this process.
type opener struct {
	pool *sandbox.Pool
	// standIn says that this program does the worker's work.
	standIn bool
}

// maxRSS is the memory above which a worker is replaced after its message.
const maxRSS = 300 << 20

// newOpener starts the workers. workers overrides sandbox.workers unless 0.
func newOpener(cfg *config.Config, workers int, note func(string, map[string]string)) (*opener, error) {
	if cfg.SandboxMode == "off" {
		return &opener{}, nil
	}
	program, standIn, err := workerProgram(cfg)
	if err != nil {
		return nil, err
	}
	if workers == 0 {
		workers = int(cfg.SandboxWorkers)
	}
	pool, err := sandbox.New(sandbox.Options{Program: program, Workers: workers, MaxMessage: cfg.MaxMessage,
		Recycle: int(cfg.SandboxRecycle), MaxRSS: maxRSS, Note: note})
	if err != nil {
		return nil, sandboxError(program, err)
	}
	return &opener{pool, standIn}, nil
}

// workerProgram finds the worker. Where none is installed and none was asked
// for by name, this program stands in for it: as locked up, only larger.
func workerProgram(cfg *config.Config) (path string, standIn bool, err error) {
	if path, err = sandbox.Find(cfg.SandboxWorker); err == nil {
		return path, false, nil
	}
	if path, err = os.Executable(); err != nil {
		return "", false, &config.Error{File: "sandbox.worker", Err: err, Hint: "install " + sandbox.ProgramName + " beside sekisho, or name its path in sandbox.worker"}
	}
	return path, true, nil
}

// sandboxError adds what to do.
func sandboxError(program string, err error) error {
	hint := "sandbox.worker must be the " + sandbox.ProgramName + " of this version, executable and writable for its owner only"
	if errors.Is(err, sandbox.ErrUnlocked) {
		hint = "it takes a kernel with seccomp, and a service manager that allows seccomp and prlimit; the emergency exit is sandbox.mode: off (docs/security.md)"
	}
	return &config.Error{File: program, Err: err, Hint: hint}
}

// inspector inspects within the limits of cfg, which may be newer than the
// workers.
func (o *opener) inspector(cfg *config.Config) filter.Inspector {
	if o.pool == nil {
		return filter.InProcess(limits(cfg), cfg.InspectTimeout)
	}
	s := sandbox.Settings{Limits: limits(cfg), Timeout: cfg.InspectTimeout}
	return func(ctx context.Context, in inspect.Input) *report.Report { return o.pool.Inspect(ctx, in, s) }
}

// lock tells what confines the workers.
func (o *opener) lock() string {
	if o.pool == nil {
		return "off"
	}
	return o.pool.Status().Lock
}

// status is the state of the workers, nothing without a pool.
func (o *opener) status() sandbox.Status {
	if o.pool == nil {
		return sandbox.Status{}
	}
	return o.pool.Status()
}

// level is how well the workers are locked up: 2 fully, 1 by seccomp alone, 0
// not at all.
func (o *opener) level() float64 {
	switch {
	case o.pool == nil:
		return 0
	case o.pool.Status().Degraded:
		return 1
	}
	return 2
}

func (o *opener) close() {
	if o.pool != nil {
		o.pool.Close()
	}
}

// noteSandbox writes what the pool reports.
func (d *daemon) noteSandbox(event string, fields map[string]string) {
	var line *record.Line
	switch event {
	case sandbox.EventDegraded:
		line = d.log.Warn(record.SandboxDegraded)
	case sandbox.EventLost:
		line = d.log.Warn(record.SandboxLost)
	default:
		line = d.log.Error(record.SandboxTrouble)
	}
	for _, k := range []string{"pid", "cause", "detail", "error"} {
		if v, ok := fields[k]; ok {
			line.Str(k, v)
		}
	}
	line.Send()
}

// checkSandbox starts a worker and tells what it proved.
func checkSandbox(cfg *config.Config) check {
	if cfg.SandboxMode == "off" {
		return check{"sandbox", "warn", "off: hostile bytes are opened in the daemon's own process", "set sandbox.mode: on"}
	}
	o, err := newOpener(cfg, 1, nil)
	if err != nil {
		return check{"sandbox", "fail", err.Error(), hint(err)}
	}
	defer o.close()
	s := o.pool.Status()
	if o.standIn {
		return check{"sandbox", "warn", "no " + sandbox.ProgramName + " is installed; sekisho itself stands in, locked: " + s.Lock,
			"install " + sandbox.ProgramName + " beside sekisho: it links no database, network or rule code"}
	}
	if s.Degraded {
		return check{"sandbox", "warn", s.Lock, "a kernel with landlock (5.13 or newer, in its list of security modules) adds a second wall"}
	}
	return check{Name: "sandbox", Status: "ok", Detail: fmt.Sprintf("a worker proved: %s, after %.1f ms", s.Lock, float64(s.LockTook.Microseconds())/1000)}
}
