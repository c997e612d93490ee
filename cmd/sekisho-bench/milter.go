package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// target is one that is measured.
type target struct {
	name    string
	address string // as load.Plan wants it
	pids    []int
}

// acceptIndex is the place of the accepting milter among all.
const acceptIndex = 0

// acceptVariable makes this program the accepting milter, on that socket.
const acceptVariable = "SEKISHO_BENCH_ACCEPT"

// startAll starts the accepting milter and the daemon, and adds the others.
// stop is to be called in any case.
func startAll(ctx context.Context, s settings, dir string) (all []target, stop func(), err error) {
	var children []*child
	stop = func() {
		for _, c := range children {
			c.stop()
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, stop, err
	}
	accept := filepath.Join(dir, "accept.sock")
	daemon := filepath.Join(dir, "sekisho.sock")
	for _, c := range []*child{
		{name: "accept-all", socket: accept, command: exec.Command(self), env: acceptVariable + "=" + accept},
		{name: "sekisho", socket: daemon, command: exec.Command(s.program, "serve", "--no-auth", "--config", filepath.Join(dir, "sekisho.yaml"))},
	} {
		if c.socket == daemon {
			if err := configure(dir, daemon, s.config); err != nil {
				return nil, stop, err
			}
		}
		if err := c.start(ctx, dir); err != nil {
			return nil, stop, err
		}
		children = append(children, c)
		all = append(all, target{c.name, "unix:" + c.socket, []int{c.command.Process.Pid}})
	}
	for _, word := range s.others {
		m, err := other(word)
		if err != nil {
			return nil, stop, err
		}
		all = append(all, m)
	}
	return all, stop, nil
}

// configure moves the daemon into dir and leaves all else to the defaults.
func configure(dir, socket, more string) error {
	lines := fmt.Sprintf("listen: [\"unix:%s\"]\nquarantine.dir: %s/quarantine\nspool.dir: %s/spool\n", socket, dir, dir)
	for line := range strings.SplitSeq(more, ";") {
		lines += strings.TrimSpace(line) + "\n"
	}
	return os.WriteFile(filepath.Join(dir, "sekisho.yaml"), []byte(lines), 0o600)
}

// other reads NAME=ADDRESS[=PID,...].
func other(word string) (target, error) {
	f := strings.SplitN(word, "=", 3)
	if len(f) < 2 {
		return target{}, fmt.Errorf("%q: want NAME=ADDRESS[=PID,...]", word)
	}
	m := target{name: f[0], address: f[1]}
	for _, p := range list(strings.Join(f[2:], ",")) {
		pid, err := strconv.Atoi(p)
		if err != nil {
			return target{}, fmt.Errorf("%q: %q is no process", word, p)
		}
		m.pids = append(m.pids, pid)
	}
	return m, nil
}

// child is a milter that we started.
type child struct {
	name, socket, env string
	command           *exec.Cmd
	log               string
	ended             chan error
}

// start runs the child and waits for its socket.
func (c *child) start(ctx context.Context, dir string) error {
	c.log = filepath.Join(dir, c.name+".log")
	log, err := os.Create(c.log)
	if err != nil {
		return err
	}
	defer log.Close()
	c.command.Stderr = log
	c.command.Env = append(os.Environ(), c.env)
	if err := c.command.Start(); err != nil {
		return fmt.Errorf("%w (run make build first)", err)
	}
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.command.Wait() }()
	if err := c.ready(ctx); err != nil {
		c.stop()
		return err
	}
	return nil
}

// ready waits until the socket answers.
func (c *child) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for look := time.NewTicker(20 * time.Millisecond); ; {
		if conn, err := net.Dial("unix", c.socket); err == nil {
			look.Stop()
			return conn.Close()
		}
		select {
		case <-look.C:
		case err := <-c.ended:
			c.ended <- err
			said, _ := os.ReadFile(c.log) // without it, the error alone must do
			return fmt.Errorf("%s ended: %w\n%s", c.name, orEarly(err), said)
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen: %w", c.name, ctx.Err())
		}
	}
}

var errEarly = errors.New("without an error")

func orEarly(err error) error {
	if err == nil {
		return errEarly
	}
	return err
}

// stop ends the child, by force if it does not go in time.
func (c *child) stop() {
	if err := c.command.Process.Signal(syscall.SIGTERM); err != nil {
		return // it has ended
	}
	select {
	case <-c.ended:
	case <-time.After(20 * time.Second):
		_ = c.command.Process.Kill()
		<-c.ended
	}
}
