// Package postfixrig is for tests and the demo only: a private Postfix, a sink
// that takes the mail it delivers, and a client that speaks SMTP to it word by
// word.
//
// The Postfix has its own queue and configuration below one directory, listens
// on loopback only, resolves no names and delivers everything to the sink. The
// system's own Postfix is never touched. It needs root, because Postfix does,
// and Debian's postfix package. The settings follow postconf(5), master(5) and
// XCLIENT_README.
package postfixrig

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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

// Options say what the Postfix shall be like.
type Options struct {
	// Dir is where everything goes. Empty means a directory of its own that
	// Stop removes. Postfix's user must be able to walk there.
	Dir string
	// Milters are asked about each mail, as "inet:127.0.0.1:1234" or "unix:/path".
	Milters []string
	// SinkAddr is the SMTP server, host:port, that gets all mail.
	SinkAddr string
	// MessageSizeLimit is 64 MiB if zero.
	MessageSizeLimit int64
	// TLS offers STARTTLS with a certificate made on the spot.
	TLS bool
	// Extra are lines for main.cf; a later setting wins over ours.
	Extra []string
}

// Postfix is a running instance.
type Postfix struct {
	opts     Options
	dir      string
	own      bool // dir is ours to remove
	smtp     string
	reinject string
	master   int
}

// startLimit is how long Postfix may take to answer on its port.
const startLimit = 2 * time.Minute

// greetLimit is how long one attempt may take: a service that dies at once
// leaves the connection hanging in the master's queue.
const greetLimit = 5 * time.Second

// Available tells why no private Postfix can be started here, if so.
func Available() error {
	for _, program := range []string{"postfix", "postconf", "postqueue"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("postfixrig: %s is missing: apt-get install postfix", program)
		}
	}
	if os.Geteuid() != 0 {
		return errors.New("postfixrig: starting Postfix needs root")
	}
	return nil
}

// Start starts a Postfix and waits until it answers.
func Start(ctx context.Context, o Options) (*Postfix, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	p := &Postfix{opts: o, dir: o.Dir}
	if err := p.start(ctx); err != nil {
		err = fmt.Errorf("postfixrig: %w\n%s", err, p.Log())
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func (p *Postfix) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := p.prepare(); err != nil {
		return err
	}
	if _, err := p.run(ctx, "postfix", "start"); err != nil {
		return err
	}
	master, err := p.readMaster()
	if err != nil {
		return err
	}
	p.master = master
	for _, addr := range []string{p.smtp, p.reinject} {
		if err := p.await(ctx, addr); err != nil {
			return err
		}
	}
	return nil
}

// SMTP is the address, host:port, where mail passes the milters.
func (p *Postfix) SMTP() string { return p.smtp }

// Reinject is the address where it does not.
func (p *Postfix) Reinject() string { return p.reinject }

// Dir is where the instance lives; its configuration is in conf below.
func (p *Postfix) Dir() string { return p.dir }

// run runs one of Postfix's commands for this instance.
func (p *Postfix) run(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"-c", p.conf()}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, errs.String())
	}
	return out.Bytes(), nil
}

func (p *Postfix) conf() string { return filepath.Join(p.dir, "conf") }

func (p *Postfix) readMaster() (int, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "queue", "pid", "master.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// await waits until the SMTP server at addr greets.
func (p *Postfix) await(ctx context.Context, addr string) error {
	for {
		err := greeted(ctx, addr)
		if err == nil {
			return nil
		}
		if strings.Contains(p.Log(), "fatal: ") {
			return fmt.Errorf("Postfix dislikes its configuration: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer on %s: %w", addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func greeted(ctx context.Context, addr string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(greetLimit))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "220") {
		return fmt.Errorf("greeting %q", line)
	}
	_, err = conn.Write([]byte("QUIT\r\n"))
	return err
}

// Stop ends the instance, makes sure that none of its processes is left, and
// removes the directory if it was not given.
func (p *Postfix) Stop() error {
	var errs []error
	if p.master != 0 {
		errs = append(errs, p.stop())
		p.master = 0
	}
	if p.own {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}

// stop asks first. All processes are in the master's process group, and the
// master ends them; "postfix stop" does the same but sleeps in whole seconds.
func (p *Postfix) stop() error {
	err := syscall.Kill(p.master, syscall.SIGTERM)
	if err == nil && p.ended(10*time.Second) {
		return nil
	}
	_ = syscall.Kill(-p.master, syscall.SIGKILL)
	if !p.ended(5 * time.Second) {
		return errors.Join(err, fmt.Errorf("postfixrig: processes of group %d are left", p.master))
	}
	return err
}

// ended waits until the master's process group is empty.
func (p *Postfix) ended(within time.Duration) bool {
	deadline := time.Now().Add(within)
	for !errors.Is(syscall.Kill(-p.master, 0), syscall.ESRCH) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// Log is what Postfix has logged.
func (p *Postfix) Log() string {
	text, err := os.ReadFile(filepath.Join(p.dir, "mail.log"))
	if err != nil {
		return ""
	}
	return string(text)
}

// QueueEntry is one mail in the queue, as postqueue(1) describes it.
type QueueEntry struct {
	Name        string `json:"queue_name"` // such as "hold" or "deferred"
	ID          string `json:"queue_id"`
	ArrivalTime int64  `json:"arrival_time"`
	Size        int64  `json:"message_size"`
	Sender      string `json:"sender"`
	Recipients  []struct {
		Address     string `json:"address"`
		DelayReason string `json:"delay_reason"`
	} `json:"recipients"`
}

// Queue lists the queue, mail on hold included.
func (p *Postfix) Queue() ([]QueueEntry, error) {
	out, err := p.run(context.Background(), "postqueue", "-j")
	if err != nil {
		return nil, fmt.Errorf("postfixrig: %w", err)
	}
	var entries []QueueEntry
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var e QueueEntry
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("postfixrig: reading the queue: %w", err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Flush makes Postfix try to deliver what it has deferred.
func (p *Postfix) Flush() error {
	_, err := p.run(context.Background(), "postqueue", "-f")
	return err
}
