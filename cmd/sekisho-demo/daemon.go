package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// daemon is a running `sekisho serve` whose log is read as it comes.
type daemon struct {
	cmd     *exec.Cmd
	address string
	log     string

	mu     sync.Mutex
	judged map[string]event // by message id
	seen   chan struct{}    // closed and renewed at each event
	done   chan error
}

// event is the part of message.judged that the demo shows.
type event struct {
	Event        string   `json:"event"`
	MessageID    string   `json:"message_id"`
	Disposition  string   `json:"disposition"`
	Rule         string   `json:"rule"`
	Reasons      []string `json:"reasons"`
	QuarantineID string   `json:"quarantine_id"`
	Error        string   `json:"error"`
}

// startDaemon writes a configuration that moves the daemon into dir, and
// leaves all else to the defaults.
func startDaemon(ctx context.Context, program, dir, dns string) (*daemon, string, error) {
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	d := &daemon{address: "inet:127.0.0.1:" + port, log: filepath.Join(dir, "sekisho.log"), judged: map[string]event{}, seen: make(chan struct{}), done: make(chan error, 1)}
	config := filepath.Join(dir, "sekisho.yaml")
	text := fmt.Sprintf("listen: [%s]\nquarantine.dir: %s/quarantine\nspool.dir: %s/spool\nauth.id: mx.kansho.example.jp\nauth.dns: [%s]\n", d.address, dir, dir, dns)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	d.cmd = exec.Command(program, "serve", "--config", config)
	logs, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, "", err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("%w (run make build first)", err)
	}
	go d.read(logs)
	return d, config, d.ready(ctx)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// read keeps the log and notes each judged message; at its end the process is
// waited for.
func (d *daemon) read(logs io.Reader) {
	file, err := os.Create(d.log)
	if err != nil {
		d.done <- err
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(logs)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		fmt.Fprintln(file, lines.Text())
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			d.note(e)
		}
	}
	d.done <- d.cmd.Wait()
}

func (d *daemon) note(e event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := e.MessageID
	if key == "" {
		key = e.Event
	}
	d.judged[key] = e
	close(d.seen)
	d.seen = make(chan struct{})
}

// forget drops an event, so that wait waits for the next of its kind.
func (d *daemon) forget(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.judged, key)
}

// wait returns the event of a message id, or of an event's name.
func (d *daemon) wait(ctx context.Context, key string) (event, error) {
	for {
		d.mu.Lock()
		e, ok := d.judged[key]
		next := d.seen
		d.mu.Unlock()
		if ok {
			return e, nil
		}
		select {
		case <-next:
		case err := <-d.done:
			d.done <- err
			return event{}, fmt.Errorf("the daemon ended: %v; its last words:\n%s", err, d.tail())
		case <-ctx.Done():
			return event{}, fmt.Errorf("waiting for %q in the daemon's log: %w", key, ctx.Err())
		}
	}
}

func (d *daemon) ready(ctx context.Context) error {
	_, err := d.wait(ctx, "service.started")
	return err
}

// tail returns the last lines of the log.
func (d *daemon) tail() string {
	raw, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// stop ends the daemon gracefully and insists on a clean exit.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-d.done:
		if err != nil {
			return fmt.Errorf("the daemon's end: %w", err)
		}
		return nil
	case <-time.After(20 * time.Second):
		return errors.Join(errors.New("the daemon does not stop; killed"), d.cmd.Process.Kill())
	}
}
