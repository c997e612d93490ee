package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/filter/inspect"
	"sekisho/filter/quiet"
	"sekisho/filter/report"
	"sekisho/filter/sandbox/frame"
)

// worker is one process of the pool, used by one goroutine at a time.
type worker struct {
	cmd    *exec.Cmd
	conn   net.Conn
	wire   *quiet.Conn   // of conn
	in     *bufio.Reader // of wire
	memory *memory
	statm  *os.File // /proc/PID/statm
	stderr *clip
	hello  frame.Hello
	born   time.Time
	jobs   uint64
	until  time.Time // the deadline of conn
	buf    bytes.Buffer
	// dead is closed when the process has ended and was reaped.
	dead chan struct{}
}

// environment is all that a worker inherits. One thread computes, since there
// are as many workers as processors. The runtime would name its mappings by
// prctl, which the lock forbids.
// How much garbage may gather (GOGC) stands with the worker, which changes it.
var environment = []string{"GOMAXPROCS=1", "GOGC=400", "GOMEMLIMIT=384MiB", "GODEBUG=decoratemappings=0", "GOTRACEBACK=single", "LANG=C", "TZ=UTC"}

// startTime is how long a worker may take to lock itself and say so. It takes
// about ten milliseconds; a machine that pages takes longer.
const startTime = 10 * time.Second

// start makes a worker and hears its Hello. The calling goroutine must be
// locked to a thread that outlives the worker: the kernel kills the worker
// when that thread ends.
func (p *program) start(maxMessage int64) (*worker, error) {
	m, err := newMemory(maxMessage)
	if err != nil {
		return nil, err
	}
	w := &worker{memory: m, born: time.Now(), stderr: &clip{}, dead: make(chan struct{})}
	if err := w.spawn(p); err != nil {
		m.close()
		return nil, err
	}
	if err := w.greet(); err != nil {
		w.end()
		return nil, errors.Join(err, w.stderr.err())
	}
	return w, nil
}

// spawn starts the process with its socket and its view of the memory.
func (w *worker) spawn(p *program) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("making a socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "gate"), os.NewFile(uintptr(pair[1]), "worker")
	defer ours.Close()
	defer theirs.Close()
	view, err := w.memory.reader()
	if err != nil {
		return err
	}
	viewFile := os.NewFile(uintptr(view), "message")
	defer viewFile.Close()
	if w.conn, err = net.FileConn(ours); err != nil {
		return fmt.Errorf("using the socket pair: %w", err)
	}
	w.wire = quiet.New(w.conn)
	w.in = bufio.NewReaderSize(w.wire, 16<<10) // most Reports are shorter
	w.cmd = &exec.Cmd{Path: p.path(), Args: p.argv, Env: environment, Dir: "/", Stderr: w.stderr,
		ExtraFiles: []*os.File{theirs, viewFile}, WaitDelay: time.Second,
		// A group of its own: Ctrl-C stops the gate, which still answers.
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}}
	if err := w.cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w", p.name, err), w.conn.Close())
	}
	// Opened before the worker becomes undumpable and vanishes from a /proc
	// that hides what is not one's own.
	w.statm, err = os.Open("/proc/" + strconv.Itoa(w.cmd.Process.Pid) + "/statm")
	go w.reap()
	if err != nil {
		w.end()
		return err
	}
	return nil
}

// reap waits for the end of the process.
func (w *worker) reap() {
	_ = w.cmd.Wait() // its outcome is in ProcessState
	close(w.dead)
}

// greet reads the Hello and refuses a worker that is less locked than wanted.
func (w *worker) greet() error {
	if err := w.conn.SetDeadline(time.Now().Add(startTime)); err != nil {
		return err
	}
	id, err := frame.Read(w.in, &w.buf, frame.MaxHello)
	if err != nil {
		return fmt.Errorf("no word from the worker: %w", err)
	}
	if err := frame.Decode(w.buf.Bytes(), &w.hello); err != nil {
		return err
	}
	if id != 0 {
		return fmt.Errorf("a greeting with id %d", id)
	}
	return vet(w.hello)
}

// failure is why a worker gave no usable answer.
type failure struct {
	cause  string // as in the finding inspect.failed
	detail string // for the log
	at     time.Time
	// final says that another worker would do no better.
	final bool
}

// Causes of a failure.
const (
	causeCrash   = "crash"
	causeTimeout = "timeout"
	causeMemory  = "memory"
	causeAnswer  = "answer"
	causeStopped = "stopped" // by our own caller
	causeBusy    = "busy"    // no worker became free in time
	causeSize    = "size"
)

// ask has the worker inspect in. After a failure the worker must not be used
// again.
func (w *worker) ask(ctx context.Context, in inspect.Input, s Settings, deadline time.Time) (*report.Report, *failure) {
	stop, err := w.bound(ctx, deadline)
	if err != nil {
		return nil, w.failed(ctx, err)
	}
	defer stop()
	w.jobs++
	if err := w.hand(in, s, time.Until(deadline)); err != nil {
		return nil, w.failed(ctx, err)
	}
	id, err := frame.Read(w.in, &w.buf, frame.MaxAnswer)
	if err != nil {
		return nil, w.failed(ctx, err)
	}
	if id != w.jobs {
		return nil, &failure{cause: causeAnswer, detail: fmt.Sprintf("answer to job %d, asked was %d", id, w.jobs)}
	}
	rep, err := report.Unpack(w.buf.Bytes(), report.Expect{Kind: in.Kind, Size: int64(len(in.Raw)), SHA256: in.SHA256, Limits: s.Limits})
	if err != nil {
		return nil, &failure{cause: causeAnswer, detail: err.Error()}
	}
	return rep, nil
}

// bound makes reading and writing end at the deadline or a little later, or
// with ctx. A deadline that will do is left in place: each that comes before all
// others of the process wakes a thread to look at it.
func (w *worker) bound(ctx context.Context, deadline time.Time) (func(), error) {
	latest := deadline.Add(min(time.Until(deadline)/20, time.Second))
	if w.until.Before(deadline) || w.until.After(latest) {
		if err := w.conn.SetDeadline(latest); err != nil {
			return nil, err
		}
		w.until = latest
	}
	stop := context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }, nil
}

// hand gives the input to the worker.
func (w *worker) hand(in inspect.Input, s Settings, left time.Duration) error {
	if err := w.memory.put(in.Raw); err != nil {
		return err
	}
	job := frame.Job{Kind: in.Kind, Name: cut(in.Name), Size: int64(len(in.Raw)), SHA256: in.SHA256, Limits: s.Limits, Keys: in.Keys, Offer: in.Offer, Millis: soft(left).Milliseconds()}
	_, err := w.wire.Write(frame.Append(nil, w.jobs, job.Pack()))
	return err
}

// soft is when the worker itself stops and tells how far it came: early
// enough that it notices and its Report still gets through.
func soft(left time.Duration) time.Duration {
	early := max(left/10, min(left/2, 200*time.Millisecond))
	return max(left-early, time.Millisecond)
}

// maxName bounds the name of a loose file: a path that Linux knows.
const maxName = 4096

// cut keeps the end of a long name, where its extension is.
func cut(name string) string {
	return strings.ToValidUTF8(name[max(0, len(name)-maxName):], "\uFFFD")
}

// failed finds out what stood behind an error on the socket and ends the
// worker.
func (w *worker) failed(ctx context.Context, err error) *failure {
	switch {
	case ctx.Err() != nil:
		return &failure{cause: causeStopped, detail: ctx.Err().Error(), final: true}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &failure{cause: causeTimeout, detail: "no answer in time"}
	case errors.Is(err, frame.ErrTooLong):
		return &failure{cause: causeAnswer, detail: err.Error()}
	}
	// It hung up, so it has died or is about to; what its kernel and its
	// runtime said last tells why.
	select {
	case <-w.dead:
	case <-time.After(time.Second):
		return &failure{cause: causeAnswer, detail: "hung up: " + err.Error()}
	}
	detail := w.lastWords()
	if strings.Contains(detail, "out of memory") || strings.Contains(detail, "cannot allocate memory") {
		return &failure{cause: causeMemory, detail: detail, final: w.jobs == 1}
	}
	return &failure{cause: causeCrash, detail: detail}
}

// lastWords tells how a dead worker ended and what it said.
func (w *worker) lastWords() string { return w.cmd.ProcessState.String() + ": " + w.stderr.String() }

// usage returns the worker's memory in bytes: what is resident, and what
// counts towards its limit, where address space that Go's heap has used once
// stays for good. Both are 0 when it is gone (proc_pid_statm(5)).
func (w *worker) usage() (resident, data int64) {
	var b [128]byte
	n, err := w.statm.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return 0, 0
	}
	words := strings.Fields(string(b[:n]))
	if len(words) < 6 {
		return 0, 0
	}
	return pages(words[1]), pages(words[5])
}

// pages reads a number of pages as bytes.
func pages(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return 0
	}
	return n * int64(os.Getpagesize())
}

// end kills the worker and waits until it is gone.
func (w *worker) end() {
	_ = w.cmd.Process.Kill() // it may have ended by itself
	<-w.dead
	_ = w.conn.Close()
	if w.statm != nil {
		_ = w.statm.Close()
	}
	w.memory.close()
}

// clip keeps the beginning of what a worker writes to its standard error: the
// runtime's first words say what happened.
type clip struct {
	mu sync.Mutex
	b  []byte
}

const clipSize = 2 << 10

func (c *clip) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.b = append(c.b, p[:min(len(p), clipSize-len(c.b))]...)
	return len(p), nil
}

func (c *clip) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSpace(string(c.b))
}

// err is what was written as an error, nil when nothing was.
func (c *clip) err() error {
	if s := c.String(); s != "" {
		return errors.New(s)
	}
	return nil
}
