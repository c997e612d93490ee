package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sekisho/filter/postfixrig"
)

// program is the built sekisho.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := postfixrig.Available(); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err, "(make setup installs it)")
			if os.Getenv("CI") != "" {
				return 1
			}
			return 0
		}
		dir, err := os.MkdirTemp("", "sekisho-chaos-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "sekisho")
		if out, err := exec.Command("go", "build", "-o", dir, "sekisho/cmd/...").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "chaos: building: %v\n%s", err, out)
			return 1
		}
		defer stopCommon()
		return m.Run()
	}())
}

// common is the Postfix and sink of all tests that need no settings of their
// own: starting one takes seconds. Each test has a name of its own in the
// senders of its messages.
var common struct {
	postfix *postfixrig.Postfix
	sink    *postfixrig.Sink
	port    string
	tests   int
}

func stopCommon() {
	if common.postfix == nil {
		return
	}
	if err := errors.Join(common.postfix.Stop(), common.sink.Close()); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
}

// patience is what no answer may take and nothing is waited for longer: far
// from a moment, so that a machine which stalls is not taken for a daemon that
// hangs.
const patience = 15 * time.Second

// deep multiplies a count when SEKISHO_CHAOS=deep.
func deep(n, factor int) int {
	if os.Getenv("SEKISHO_CHAOS") == "deep" {
		return n * factor
	}
	return n
}

// stand is one Postfix, its sink, and the daemon's folder and address.
type stand struct {
	t       *testing.T
	name    string // of this test, in each sender's address
	dir     string
	port    string
	postfix *postfixrig.Postfix
	sink    *postfixrig.Sink
	// config are lines of the daemon's configuration beside those of start.
	config []string
	daemon *daemon
}

// newStand gives Postfix and sink, but no daemon. With extra, which are lines
// of main.cf, both are the test's own.
func newStand(t *testing.T, extra ...string) *stand {
	t.Helper()
	common.tests++
	s := &stand{t: t, dir: t.TempDir(), name: fmt.Sprintf("t%d", common.tests)}
	if len(extra) > 0 {
		s.postfix, s.sink, s.port = startPostfix(t, extra)
		t.Cleanup(func() { check(t, errors.Join(s.postfix.Stop(), s.sink.Close())) })
	} else {
		if common.postfix == nil {
			common.postfix, common.sink, common.port = startPostfix(t, nil)
		}
		s.postfix, s.sink, s.port = common.postfix, common.sink, common.port
	}
	t.Cleanup(func() {
		if s.daemon != nil {
			s.daemon.stop()
		}
		if t.Failed() {
			t.Logf("the end of the daemon's log:\n%s", tail(s.log(), 4000))
		}
	})
	return s
}

func startPostfix(t *testing.T, extra []string) (*postfixrig.Postfix, *postfixrig.Sink, string) {
	t.Helper()
	port := freePort(t)
	sink, err := postfixrig.NewSink()
	if err != nil {
		t.Fatal(err)
	}
	postfix, err := postfixrig.Start(context.Background(), postfixrig.Options{Milters: []string{"inet:127.0.0.1:" + port},
		SinkAddr: sink.Addr(), TLS: true, MessageSizeLimit: 256 << 20, Extra: extra})
	if err != nil {
		t.Fatal(err)
	}
	return postfix, sink, port
}

func (s *stand) store() string   { return filepath.Join(s.dir, "store") }
func (s *stand) logFile() string { return filepath.Join(s.dir, "serve.log") }

func (s *stand) log() string {
	b, _ := os.ReadFile(s.logFile()) // not there yet: empty
	return string(b)
}

// configure writes the configuration file and returns its name.
func (s *stand) configure() string {
	s.t.Helper()
	lines := append([]string{
		"spool.dir: " + filepath.Join(s.dir, "spool"),
		"auth.id: mx.kansho.example.jp",
	}, s.config...)
	text := strings.Join(lines, "\n") + "\n"
	for key, line := range map[string]string{
		"listen:":         "listen: [inet:127.0.0.1:" + s.port + "]",
		"quarantine.dir:": "quarantine.dir: " + s.store(), "auth.enabled:": "auth.enabled: false", "rules.dirs:": "rules.dirs: []",
	} {
		if !strings.Contains(text, key) {
			text += line + "\n"
		}
	}
	file := filepath.Join(s.dir, "sekisho.yaml")
	check(s.t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// start runs the daemon and waits until it listens.
func (s *stand) start() *daemon {
	s.t.Helper()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	return s.startLogging(log)
}

func (s *stand) startLogging(log *os.File) *daemon {
	s.t.Helper()
	d := &daemon{done: make(chan struct{})}
	d.cmd = exec.Command(program, "serve", "--config", s.configure())
	d.cmd.Stderr = log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	s.daemon = d
	if !within(15*time.Second, func() bool { return listening(s.port) || d.ended() }) || d.ended() {
		s.t.Fatalf("the daemon does not listen: %v\n%s", d.err, tail(s.log(), 4000))
	}
	return d
}

// sekisho runs the command line on the stand's store and returns what it says.
func (s *stand) sekisho(args ...string) (stdout string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("sekisho %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), err
}

// waitLog waits until the daemon's log matches.
func (s *stand) waitLog(pattern string) {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	if !within(20*time.Second, func() bool { return re.MatchString(s.log()) }) {
		s.t.Fatalf("the log has no match for %s", pattern)
	}
}

// daemon is a running sekisho serve.
type daemon struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

func (d *daemon) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

func (d *daemon) signal(sig syscall.Signal) { _ = d.cmd.Process.Signal(sig) } // it may have ended

// kill ends the daemon's whole process group at once and waits for its end.
func (d *daemon) kill() {
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	<-d.done
}

// stop asks the daemon to end, and makes it.
func (d *daemon) stop() {
	d.signal(syscall.SIGCONT)
	d.signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
	}
	d.kill()
}

// memory is the daemon's memory in MiB: VmRSS now, VmHWM at its height.
func (d *daemon) memory(key string) int { return memoryOf(d.cmd.Process.Pid, key) }

// memoryOf is 0 for a process that has ended.
func memoryOf(pid int, key string) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0]) // the kernel's own number
			return n >> 10
		}
	}
	return 0
}

func listening(port string) bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// within asks again and again whether a fact holds.
func within(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		if holds() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
