package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/inspect"
	"sekisho/filter/report"
	"sekisho/filter/sandbox/frame"
	"sekisho/filter/sandbox/inside"
	"sekisho/filter/specimen"
)

// small are the settings of most tests.
var small = Settings{Limits: budget.Default, Timeout: 20 * time.Second}

// newTestPool makes a pool of workers of this very binary.
func newTestPool(t testing.TB, opt Options) *Pool {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opt.Program = exe
	opt.MaxMessage = max(opt.MaxMessage, 8<<20)
	if opt.Recycle == 0 {
		opt.Recycle = 1000
	}
	if opt.MaxRSS == 0 {
		opt.MaxRSS = 300 << 20
	}
	p, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func mailInput(text string) inspect.Input {
	sum := sha256.Sum256([]byte(text))
	return inspect.Input{Kind: report.KindMail, SHA256: hex.EncodeToString(sum[:]), Raw: []byte(text)}
}

const honestMail = "From: a@example.jp\r\nSubject: hello\r\n\r\nhello\r\n"

// here is what a worker would report, without a worker.
func here(in inspect.Input) *report.Report {
	return inside.Inspect(frame.Job{Kind: in.Kind, Name: cut(in.Name), Size: int64(len(in.Raw)), Limits: small.Limits, Millis: 20000}, in.Raw)
}

// cause is why an input was not inspected, "" when it was.
func cause(r *report.Report) string {
	for _, f := range r.Findings {
		if f.Kind == finding.InspectFailed {
			return f.Evidence["cause"]
		}
	}
	return ""
}

func TestReportIsThatOfTheSameProcess(t *testing.T) {
	p := newTestPool(t, Options{})
	for _, c := range append(specimen.Attacks(), specimen.Honest()...) {
		t.Run(c.Name, func(t *testing.T) {
			in := mailInput(string(c.Raw))
			got := p.Inspect(t.Context(), in, small)
			want := here(in)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the worker's Report differs:\n%+v\n%+v", got, want)
			}
		})
	}
	file := inspect.Input{Kind: report.KindFile, Name: "dir/見積書.pdf  .exe", Raw: []byte("MZ")}
	if got, want := p.Inspect(t.Context(), file, small), here(file); !reflect.DeepEqual(got, want) {
		t.Errorf("the worker's Report of a file differs:\n%+v\n%+v", got, want)
	}
	if s := p.Status(); s.Failed != 0 || s.Lost != 0 {
		t.Errorf("status %+v, want none lost", s)
	}
}

func TestMisbehaviourIsAFinding(t *testing.T) {
	var mu sync.Mutex
	var lost []string
	p := newTestPool(t, Options{Workers: 2, Note: func(event string, f map[string]string) {
		mu.Lock()
		defer mu.Unlock()
		lost = append(lost, event+" "+f["cause"]+" "+f["detail"])
	}})
	tests := []struct {
		do, want, detail string
		timeout          time.Duration
		lost             int64
	}{
		{"crash", causeCrash, "a bug in a goroutine", 0, 2},
		{"loop", causeTimeout, "", 3 * time.Second, 2},
		{"silent", causeTimeout, "", 3 * time.Second, 2},
		// A fresh worker that runs out of memory would do so again.
		{"memory", causeMemory, "out of memory", 0, 1},
		{"garbage", causeAnswer, "packed", 0, 2},
		{"stranger", causeAnswer, "want", 0, 2},
		{"oversized", causeAnswer, "longer than allowed", 0, 2},
		{"flood", causeAnswer, "", 0, 2},
		{"slow", "", "", 0, 0},
		{"crash-when-worn", "", "", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.do, func(t *testing.T) {
			s := small
			if tt.timeout > 0 {
				s.Timeout = tt.timeout
			}
			mu.Lock()
			lost = nil
			mu.Unlock()
			before := p.Status()
			got := p.Inspect(t.Context(), mailInput("X-Do: "+tt.do+"\n\n"), s)
			if cause(got) != tt.want {
				t.Errorf("cause %q, want %q", cause(got), tt.want)
			}
			mu.Lock()
			defer mu.Unlock()
			if tt.want != "" && (p.Status().Lost != before.Lost+tt.lost || p.Status().Failed != before.Failed+1 || !got.Incomplete) {
				t.Errorf("status %+v after %+v, want %d more lost and one failed", p.Status(), before, tt.lost)
			}
			if tt.want != "" && (len(lost) == 0 || !strings.Contains(lost[0], tt.want) || !strings.Contains(lost[0], tt.detail)) {
				t.Errorf("noted %q, want %q with %q", lost, tt.want, tt.detail)
			}
		})
	}
	if got := p.Inspect(t.Context(), mailInput(honestMail), small); cause(got) != "" {
		t.Errorf("an honest mail afterwards: %q", cause(got))
	}
}

// TestBombsStayOutside is fault test F7: twenty mails that eat all memory end
// their workers and leave the gate as it was.
func TestBombsStayOutside(t *testing.T) {
	p := newTestPool(t, Options{Workers: 2})
	p.Inspect(t.Context(), mailInput(honestMail), small)
	before := resident(t)
	for range 20 {
		if c := cause(p.Inspect(t.Context(), mailInput("X-Do: memory\n\n"), small)); c != causeMemory {
			t.Errorf("cause %q, want %q", c, causeMemory)
		}
	}
	if grown := resident(t) - before; grown > 20<<20 {
		t.Errorf("the gate grew by %d MiB", grown>>20)
	}
	if s := p.Status(); s.Lost < 20 || s.Failed != 20 {
		t.Errorf("status %+v, want 20 lost and 20 failed", s)
	}
}

// TestFreshWorkerGetsASecondTry: what only a worn worker stumbles over is
// inspected after all.
func TestFreshWorkerGetsASecondTry(t *testing.T) {
	p := newTestPool(t, Options{Workers: 1})
	p.Inspect(t.Context(), mailInput(honestMail), small)
	if got := p.Inspect(t.Context(), mailInput("X-Do: crash-when-worn\n\n"), small); cause(got) != "" {
		t.Errorf("cause %q, want a Report of the second worker", cause(got))
	}
	if s := p.Status(); s.Lost != 1 || s.Failed != 0 {
		t.Errorf("status %+v, want one lost, none failed", s)
	}
}

// TestDeadlineOfTheCaller: whatever the worker does, the Report is there
// before the caller's deadline.
func TestDeadlineOfTheCaller(t *testing.T) {
	p := newTestPool(t, Options{Workers: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	got := p.Inspect(ctx, mailInput("X-Do: loop\n\n"), small)
	if ctx.Err() != nil || cause(got) != causeTimeout {
		t.Errorf("cause %q, ctx %v: want a timeout before the caller's own", cause(got), ctx.Err())
	}
}

// TestCallerGoesAway: an inspection that nobody waits for any more ends.
func TestCallerGoesAway(t *testing.T) {
	p := newTestPool(t, Options{Workers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan *report.Report, 2)
	for range 2 { // one at work, one waiting for a worker
		go func() { done <- p.Inspect(ctx, mailInput("X-Do: silent\n\n"), small) }()
	}
	waitFor(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.idle) == 1 && len(p.alive) == 2 })
	cancel()
	for range 2 {
		if c := cause(<-done); c != causeStopped && c != causeBusy {
			t.Errorf("cause %q, want stopped or busy", c)
		}
	}
	if got := p.Inspect(t.Context(), mailInput(honestMail), small); cause(got) != "" {
		t.Errorf("an honest mail afterwards: %q", cause(got))
	}
}

// TestTimeIsToldByTheWorker: a worker that notices the deadline itself reports
// how far it came, some time before the gate would end it.
func TestTimeIsToldByTheWorker(t *testing.T) {
	var b strings.Builder
	b.WriteString("From: a@example.jp\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n")
	for range 50 {
		b.WriteString("--x\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("http://example.jp/あいうえお\r\n", 10000))
	}
	raw := []byte(b.String())
	got := inside.Inspect(frame.Job{Kind: report.KindMail, Size: int64(len(raw)), Limits: small.Limits, Millis: 1}, raw)
	i := slices.IndexFunc(got.Findings, func(f finding.Finding) bool { return f.Kind == finding.LimitReached })
	if i < 0 || got.Findings[i].Evidence["limit"] != "time" || !got.Incomplete || cause(got) != "" {
		t.Errorf("findings %v, want the time limit", got.Findings)
	}
	for _, tt := range []struct{ left, want time.Duration }{
		{20 * time.Second, 18 * time.Second},
		{time.Second, 800 * time.Millisecond},
		{200 * time.Millisecond, 100 * time.Millisecond},
		{time.Microsecond, time.Millisecond},
		{-time.Second, time.Millisecond},
	} {
		if got := soft(tt.left); got != tt.want {
			t.Errorf("soft(%v) = %v, want %v", tt.left, got, tt.want)
		}
	}
}

// TestClockRunsWithinTheWorker: a reader that neither allocates nor waits is
// still told that its time is over.
func TestClockRunsWithinTheWorker(t *testing.T) {
	p := newTestPool(t, Options{Workers: 1})
	s := small
	s.Timeout = 4 * time.Second
	p.Inspect(t.Context(), mailInput(honestMail), small)
	waitFor(t, func() bool { // until its runtime rests
		before := processorTime(t, p)
		time.Sleep(50 * time.Millisecond)
		return processorTime(t, p) == before
	})
	got := p.Inspect(t.Context(), mailInput("X-Do: spin\n"+strings.Repeat("x", 2<<20)), s)
	if cause(got) != "" || got.Findings[0].Evidence["said"] != "stopped" || p.Status().Lost != 0 {
		t.Errorf("cause %q, findings %v, want that it was stopped", cause(got), got.Findings)
	}
}

func TestWorkersAreKilledFromOutside(t *testing.T) {
	p := newTestPool(t, Options{Workers: 2})
	stop := make(chan struct{})
	var killed, failed int
	var running sync.WaitGroup
	results := make(chan *report.Report)
	for range 4 {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				case results <- p.Inspect(t.Context(), mailInput("X-Do: slow\n\n"), small):
				}
			}
		})
	}
	answered := 0
	for killed < 20 {
		r := <-results
		answered++
		if r.Kind != report.KindMail || cause(r) != "" && cause(r) != causeCrash {
			t.Fatalf("a Report of another kind: %+v", r)
		}
		if cause(r) != "" {
			failed++
		}
		if killBusy(p) {
			killed++
		}
	}
	close(stop)
	go func() { running.Wait(); close(results) }()
	for range results {
		answered++
	}
	s := p.Status()
	if s.Lost < 20 {
		t.Errorf("%d kills, status %+v", killed, s)
	}
	if failed > killed/2 {
		t.Errorf("%d of %d kills cost a message its inspection: the second try does not work", failed, killed)
	}
	t.Logf("%d kills, %d answers, %d without inspection, %+v", killed, answered, failed, s)
}

// killBusy kills one worker that is at work.
func killBusy(p *Pool) bool {
	w := busy(p)
	if w == nil || w.cmd.Process.Kill() != nil {
		return false
	}
	<-w.dead // or the next kill could hit the same one, and count twice
	return true
}

// busy is a living worker that has a job.
func busy(p *Pool) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.alive {
		select {
		case <-w.dead:
			continue
		default:
		}
		if !contains(p.idle, w) {
			return w
		}
	}
	return nil
}

func contains(list []*worker, w *worker) bool {
	for _, x := range list {
		if x == w {
			return true
		}
	}
	return false
}

// TestIdleDeathsAreReplaced: a worker that dies while nobody uses it is
// noticed without a message having to meet it.
func TestIdleDeathsAreReplaced(t *testing.T) {
	p := newTestPool(t, Options{Workers: 2})
	waitFor(t, func() bool { return p.Status().Workers == 3 })
	for range 5 {
		p.mu.Lock()
		for _, w := range p.idle {
			if err := w.cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		p.mu.Unlock()
		if got := p.Inspect(t.Context(), mailInput(honestMail), small); cause(got) != "" {
			t.Errorf("cause %q", cause(got))
		}
		waitFor(t, func() bool { return p.Status().Workers == 3 })
	}
}

// TestRunningOutOfMemoryWhenWorn: the heap of a worker that has served before
// may be in pieces, so that one gets a second try.
func TestRunningOutOfMemoryWhenWorn(t *testing.T) {
	p := newTestPool(t, Options{Workers: 1})
	p.Inspect(t.Context(), mailInput(honestMail), small)
	if c := cause(p.Inspect(t.Context(), mailInput("X-Do: memory\n\n"), small)); c != causeMemory {
		t.Errorf("cause %q, want %q", c, causeMemory)
	}
	if s := p.Status(); s.Lost != 2 {
		t.Errorf("status %+v, want two lost", s)
	}
}

func TestRecycle(t *testing.T) {
	tests := []struct {
		name string
		opt  Options
		text string
		want int64 // at least
	}{
		{"after so many messages", Options{Workers: 1, Recycle: 5, MaxRSS: 1 << 40}, honestMail, 4},
		{"above so much memory", Options{Workers: 1, MaxRSS: 1}, honestMail + strings.Repeat("x", looksAbove), 20},
		{"never needlessly", Options{Workers: 1}, honestMail + strings.Repeat("x", looksAbove), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newTestPool(t, tt.opt)
			for range 20 {
				if got := p.Inspect(t.Context(), mailInput(tt.text), small); cause(got) != "" {
					t.Fatalf("cause %q", cause(got))
				}
			}
			if s := p.Status(); s.Recycled < tt.want || tt.want == 0 && s.Recycled > 0 || s.Lost != 0 {
				t.Errorf("status %+v, want %d recycled and none lost", s, tt.want)
			}
		})
	}
}

func TestParallelUse(t *testing.T) {
	p := newTestPool(t, Options{Recycle: 50})
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for j := range 100 {
				in := mailInput(fmt.Sprintf("From: a@example.jp\r\nSubject: %d-%d\r\n\r\nhello\r\n", i, j))
				if got := p.Inspect(t.Context(), in, small); got.SHA256 != in.SHA256 || got.Header.Subject != fmt.Sprintf("%d-%d", i, j) {
					t.Errorf("message %d-%d got the Report of another: %+v", i, j, got)
				}
			}
		})
	}
	running.Wait()
	if s := p.Status(); s.Lost != 0 || s.Failed != 0 || s.Recycled == 0 {
		t.Errorf("status %+v, want some recycled, none lost", s)
	}
}

// TestLargeMessage: 100 MB pass through, and the gate holds them once.
func TestLargeMessage(t *testing.T) {
	p := newTestPool(t, Options{Workers: 1, MaxMessage: 128 << 20})
	raw := append([]byte("From: a@example.jp\r\n\r\n"), bytes.Repeat([]byte("0123456789abcde\r\n"), 100<<20/17)...)
	in := inspect.Input{Kind: report.KindMail, Raw: raw}
	before := resident(t)
	got := p.Inspect(t.Context(), in, small)
	if cause(got) != "" || got.Size != int64(len(raw)) {
		t.Fatalf("cause %q, size %d", cause(got), got.Size)
	}
	if grown := resident(t) - before; grown > 16<<20 {
		t.Errorf("the gate grew by %d MiB", grown>>20)
	}
	if pages := p.idle[len(p.idle)-1].memory.pages(t); pages > 1<<20 {
		t.Errorf("%d bytes of message memory are still held", pages)
	}
	got = p.Inspect(t.Context(), inspect.Input{Kind: report.KindMail, Raw: make([]byte, 128<<20+1)}, small)
	if cause(got) != causeSize {
		t.Errorf("beyond the largest message: cause %q, want %q", cause(got), causeSize)
	}
}

// pages is how many bytes the memory takes up.
func (m *memory) pages(t *testing.T) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(m.fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

func resident(t *testing.T) int64 {
	t.Helper()
	runtime.GC()
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, _ := (&worker{statm: f}).usage()
	return n
}

func TestUnlockedWorkerIsRefused(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	prog, err := openProgram(exe)
	if err != nil {
		t.Fatal(err)
	}
	prog.argv = []string{"sekisho-unlocked"}
	p, err := newPool(Options{Workers: 1, MaxMessage: 1 << 20, Recycle: 1, MaxRSS: 1 << 30}, prog)
	if err == nil {
		p.Close()
	}
	if !errors.Is(err, ErrUnlocked) {
		t.Errorf("newPool = %v, want ErrUnlocked", err)
	}
}

func TestProgramThatOthersMayWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, want string
		mode       os.FileMode
	}{
		{"ours alone", "", 0o755},
		{"everyone's", "lets everyone write", 0o757},
		{"not a program", "not a program", 0o644},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := dir + "/worker"
			if err := errors.Join(os.WriteFile(path, []byte("#!/bin/true\n"), tt.mode), os.Chmod(path, tt.mode)); err != nil {
				t.Fatal(err)
			}
			prog, err := openProgram(path)
			if err == nil {
				prog.close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("openProgram = %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := New(Options{Program: dir}); err == nil {
		t.Error("a folder was taken for a program")
	}
	if _, err := New(Options{Program: dir + "/none"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	p := newTestPool(t, Options{Workers: 2})
	waitFor(t, func() bool { return p.Status().Workers == 3 })
	pids := pidsOf(p)
	done := make(chan *report.Report)
	go func() { done <- p.Inspect(t.Context(), mailInput("X-Do: silent\n\n"), small) }()
	waitFor(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.idle) == 2 })
	p.Close()
	if c := cause(<-done); c == "" {
		t.Error("an inspection outlived its pool")
	}
	for _, pid := range pids {
		if unix.Kill(pid, 0) == nil {
			t.Errorf("worker %d is still there", pid)
		}
	}
	if c := cause(p.Inspect(t.Context(), mailInput(honestMail), small)); c == "" {
		t.Error("a closed pool inspects")
	}
}

func pidsOf(p *Pool) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pids []int
	for w := range p.alive {
		pids = append(pids, w.cmd.Process.Pid)
	}
	return pids
}

// waitFor waits until a fact holds.
func waitFor(t *testing.T, fact func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !fact() {
		if time.Now().After(deadline) {
			t.Fatal("waited 20 s in vain")
		}
		time.Sleep(time.Millisecond)
	}
}
