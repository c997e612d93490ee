package load

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Plan says what is played at whom.
type Plan struct {
	Address string // unix:/path or inet:host:port
	Jobs    []Job
	// Count is how many messages are sent; the jobs are taken in turn.
	Count int
	// First is the number of the first message: no two messages of a
	// comparison should be the same.
	First int
	// Conns is how many connections are busy at once.
	Conns int
	// PerConn is how many messages go over one connection.
	PerConn int
	Timeout time.Duration
	// Roots are the milter's processes; their descendants are counted too.
	Roots []int
}

// Result is what a run showed.
type Result struct {
	Messages int
	Bytes    int64
	Took     time.Duration
	CPU      time.Duration // of the milter's processes
	PeakRSS  int64         // of all of them together
	Replies  float64       // a message
	Answers  map[string]int
	ByKind   map[string]KindResult
	waits    []time.Duration
}

// KindResult is the worst that a kind of mail showed.
type KindResult struct {
	Messages int
	Slowest  time.Duration
	Answer   string
}

// CPUPerMessage in milliseconds.
func (r Result) CPUPerMessage() float64 {
	return r.CPU.Seconds() * 1000 / float64(max(1, r.Messages))
}

// Rate is messages a second.
func (r Result) Rate() float64 { return float64(r.Messages) / r.Took.Seconds() }

// Wait returns the quantile q of the time from a message's last byte to its
// answer.
func (r Result) Wait(q float64) time.Duration {
	if len(r.waits) == 0 {
		return 0
	}
	return r.waits[min(len(r.waits)-1, int(q*float64(len(r.waits))))]
}

// Run plays the plan and waits for its end. The first error ends it.
func Run(p Plan) (Result, error) {
	before, err := cpu(p.Roots)
	if err != nil {
		return Result{}, err
	}
	watch := watchMemory(p.Roots)
	start := time.Now()
	out, err := p.play()
	out.Took = time.Since(start)
	out.PeakRSS = watch.end()
	if err != nil {
		return out, err
	}
	after, err := cpu(p.Roots)
	out.CPU = after - before
	slices.Sort(out.waits)
	return out, err
}

// play starts one worker for each connection and joins what they saw.
func (p Plan) play() (Result, error) {
	numbers := make(chan int)
	parts := make([]Result, p.Conns)
	errs := make([]error, p.Conns)
	failed := make(chan struct{})
	var once sync.Once
	var running sync.WaitGroup
	for i := range p.Conns {
		running.Go(func() {
			if parts[i], errs[i] = p.worker(numbers); errs[i] != nil {
				once.Do(func() { close(failed) })
			}
		})
	}
	p.feed(numbers, failed)
	running.Wait()
	out := Result{Answers: map[string]int{}, ByKind: map[string]KindResult{}}
	for _, part := range parts {
		out.add(part)
	}
	if out.Messages > 0 {
		out.Replies /= float64(out.Messages)
	}
	for _, err := range errs {
		if err != nil {
			return out, fmt.Errorf("%s: %w", p.Address, err)
		}
	}
	return out, nil
}

func (p Plan) feed(numbers chan<- int, failed <-chan struct{}) {
	defer close(numbers)
	for i := range p.Count {
		select {
		case numbers <- i:
		case <-failed:
			return
		}
	}
}

// worker sends messages over one connection after the other.
func (p Plan) worker(numbers <-chan int) (Result, error) {
	r := Result{Answers: map[string]int{}, ByKind: map[string]KindResult{}}
	var c *client
	var err error
	for n := range numbers {
		if c != nil && r.Messages%p.PerConn == 0 {
			r.leave(c)
			c = nil
		}
		if c == nil {
			if c, err = dial(p.Address, p.Timeout); err != nil {
				return r, err
			}
		}
		j := &p.Jobs[n%len(p.Jobs)]
		a, err := c.play(j, fmt.Sprintf("4b%08X", p.First+n))
		if err != nil {
			c.conn.Close()
			return r, fmt.Errorf("message %d (%s): %w", n, j.Kind, err)
		}
		r.count(j, a)
	}
	if c != nil {
		r.leave(c)
	}
	return r, nil
}

func (r *Result) leave(c *client) {
	r.Replies += float64(c.replies)
	c.close()
}

func (r *Result) count(j *Job, a answer) {
	r.Messages++
	r.Bytes += int64(j.Size)
	r.Answers[a.word]++
	r.waits = append(r.waits, a.wait)
	k := r.ByKind[j.Kind]
	r.ByKind[j.Kind] = KindResult{k.Messages + 1, max(k.Slowest, a.wait), a.word}
}

// add takes in what another worker saw.
func (r *Result) add(o Result) {
	r.Messages += o.Messages
	r.Bytes += o.Bytes
	r.Replies += o.Replies
	r.waits = append(r.waits, o.waits...)
	for w, n := range o.Answers {
		r.Answers[w] += n
	}
	for kind, b := range o.ByKind {
		a := r.ByKind[kind]
		r.ByKind[kind] = KindResult{a.Messages + b.Messages, max(a.Slowest, b.Slowest), b.Answer}
	}
}
