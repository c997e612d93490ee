package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/filter/postfixrig"
	"sekisho/filter/specimen"
)

// load is a stream of numbered messages; every third is to be blocked.
type load struct {
	// after is the number behind which the messages' own numbers begin.
	after, messages, senders int
	// retry sends a message again after a 4xx or a broken session, as an MTA
	// does; without it the first such answer is counted and left.
	retry bool
	// limit is when the senders give up; 0: two minutes.
	limit time.Duration
	// enough, if any, is closed when the faults have been made: until then
	// more messages follow, for how many faults meet a fixed number of them
	// depends on the machine.
	enough <-chan struct{}
}

// ledger says what became of each message at the door.
type ledger struct {
	mu       sync.Mutex
	accepted map[int]int // times that a 250 was heard
	unclear  map[int]int // attempts without 250 that may have gone in
	deferred int         // 4xx
	broken   int         // sessions that broke
	refused  []string    // 5xx
	slowest  time.Duration
	unsent   int
	last     int // the highest number that was sent
}

func blocked(n int) bool { return n%3 == 0 }

func (s *stand) sender(n int) string { return fmt.Sprintf("m%d.%s@partner.example", n, s.name) }

func (s *stand) numbered(n int) []byte {
	m := specimen.MailSpec{From: specimen.Mailbox{Addr: s.sender(n)}, To: specimen.Mailbox{Addr: "hr@kansho.example.jp"},
		Subject: fmt.Sprintf("chaos %d", n), MessageID: fmt.Sprintf("chaos-%d@partner.example", n),
		Date: "Sun, 22 Nov 2026 09:00:00 +0900", Text: strings.Repeat("The minutes follow tomorrow.\n", 1+n%50)}
	if blocked(n) {
		m.Attachments = []specimen.Attachment{{Name: "form.exe", Data: append(specimen.PE(), fmt.Sprint(n)...)}}
	}
	return specimen.Mail(m)
}

// number finds the message of an envelope sender of this test, or 0.
func (s *stand) number(from string) int {
	digits, ok := strings.CutPrefix(strings.TrimSuffix(from, "."+s.name+"@partner.example"), "m")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return 0
	}
	return n
}

func newLedger() *ledger { return &ledger{accepted: map[int]int{}, unclear: map[int]int{}} }

// send plays the whole load and returns the ledger.
func (s *stand) send(l load) *ledger {
	led := newLedger()
	s.sendTo(led, l)
	return led
}

// sendTo plays the whole load and books it in led.
func (s *stand) sendTo(led *ledger, l load) {
	if l.limit == 0 {
		l.limit = 2 * time.Minute
	}
	end := time.Now().Add(l.limit)
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range max(1, l.senders) {
		wg.Go(func() {
			for n := range numbers {
				s.sendOne(led, n, l.retry, end)
			}
		})
	}
	n := l.after
	for n < l.after+l.messages || !l.done() && time.Now().Before(end) {
		n++
		numbers <- n
	}
	close(numbers)
	wg.Wait()
	led.last = n
}

// done says whether no more messages are asked for than l.messages.
func (l load) done() bool {
	if l.enough == nil {
		return true
	}
	select {
	case <-l.enough:
		return true
	default:
		return false
	}
}

func (s *stand) sendOne(led *ledger, n int, retry bool, end time.Time) {
	for time.Now().Before(end) {
		start := time.Now()
		reply, err := submit(s.postfix.SMTP(), s.sender(n), s.numbered(n))
		if led.note(n, reply, err, time.Since(start)) || !retry {
			return
		}
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond) // an MTA waits, too
	}
	led.mu.Lock()
	defer led.mu.Unlock()
	led.unsent++
}

// note books one attempt and says whether it is final.
func (l *ledger) note(n int, reply string, err error, took time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, took)
	switch {
	case err != nil:
		l.broken++
		l.unclear[n]++
	case strings.HasPrefix(reply, "2"):
		l.accepted[n]++
		return true
	case strings.HasPrefix(reply, "4"):
		l.deferred++
		l.unclear[n]++ // the filter may have kept it before the answer was lost
	default:
		l.refused = append(l.refused, fmt.Sprintf("%d: %s", n, reply))
		return true
	}
	return false
}

// submit sends one mail in a session of its own.
func submit(addr, from string, raw []byte) (string, error) {
	c, err := postfixrig.Dial(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if reply, err := c.Hello("mail.partner.example"); err != nil || !strings.HasPrefix(reply, "250") {
		return reply, err
	}
	reply, err := c.Send(from, []string{"hr@kansho.example.jp"}, raw)
	if err == nil {
		_ = c.Quit() // the answer has been heard
	}
	return reply, err
}

// found is where each message is after the storm.
type found struct {
	sink, quarantine, queue, hold map[int]int
}

// find lists sink, quarantine and Postfix's queue, once Postfix has delivered
// what it can.
func (s *stand) find() found {
	s.t.Helper()
	f := found{map[int]int{}, map[int]int{}, map[int]int{}, map[int]int{}}
	check(s.t, s.postfix.Flush())
	within(20*time.Second, func() bool { return s.onlyHeld() })
	for _, d := range s.sink.Messages() {
		f.sink[s.number(d.From)]++
	}
	queue, err := s.postfix.Queue()
	check(s.t, err)
	for _, e := range queue {
		if e.Name == "hold" {
			f.hold[s.number(e.Sender)]++
		} else {
			f.queue[s.number(e.Sender)]++
		}
	}
	for _, it := range s.listed() {
		f.quarantine[s.number(it.MailFrom)]++
	}
	for _, where := range []map[int]int{f.sink, f.quarantine, f.queue, f.hold} {
		delete(where, 0) // mail of other tests
	}
	return f
}

func (s *stand) onlyHeld() bool {
	queue, err := s.postfix.Queue()
	if err != nil {
		return false
	}
	for _, e := range queue {
		if e.Name != "hold" {
			return false
		}
	}
	return true
}

// entry is one line of quarantine list --json.
type entry struct {
	ID       string `json:"id"`
	MailFrom string `json:"mail_from"`
	State    string `json:"state"`
	Count    int    `json:"count"`
}

func (s *stand) listed() []entry {
	s.t.Helper()
	out, err := s.sekisho("quarantine", "list", "--json", "--store", s.storeInUse())
	if err != nil {
		s.t.Fatal(err)
	}
	var all []entry
	for line := range strings.Lines(out) {
		var e entry
		check(s.t, json.Unmarshal([]byte(line), &e))
		all = append(all, e)
	}
	return all
}

// storeInUse is the store that the configuration names.
func (s *stand) storeInUse() string {
	for _, line := range s.config {
		if dir, ok := strings.CutPrefix(line, "quarantine.dir: "); ok {
			return dir
		}
	}
	return s.store()
}

// account holds every accepted message against where it is: the promises of
// the whole project in numbers.
func (s *stand) account(led *ledger, l load) found {
	s.t.Helper()
	f := s.find()
	var lost, leaked, wrong, copies, twice []int
	for n := 1; n <= l.messages; n++ {
		kept := f.quarantine[n] + f.hold[n]
		if led.accepted[n] > 0 && f.sink[n]+f.queue[n]+kept == 0 {
			lost = append(lost, n)
		}
		if blocked(n) && f.sink[n]+f.queue[n] > 0 {
			leaked = append(leaked, n)
		}
		if !blocked(n) && kept > 0 {
			wrong = append(wrong, n)
		}
		if f.sink[n]+f.hold[n] > led.accepted[n]+led.unclear[n] {
			copies = append(copies, n)
		}
		if f.quarantine[n] > 1 {
			twice = append(twice, n)
		}
	}
	s.t.Logf("%d messages: accepted %d, 4xx %d, broken %d, 5xx %d, unsent %d, slowest %v; in sink %d, quarantine %d, hold %d, queue %d",
		l.messages, len(led.accepted), led.deferred, led.broken, len(led.refused), led.unsent, led.slowest.Round(time.Millisecond),
		len(f.sink), len(f.quarantine), len(f.hold), len(f.queue))
	none(s.t, "lost", lost)
	none(s.t, "leaked", leaked)
	none(s.t, "wrongly blocked", wrong)
	none(s.t, "copied without a broken attempt", copies)
	none(s.t, "twice in the quarantine", twice)
	if len(led.refused) > 0 {
		s.t.Errorf("refused: %q", led.refused)
	}
	if l.retry && led.unsent > 0 {
		s.t.Errorf("%d messages were never accepted", led.unsent)
	}
	return f
}

func none(t *testing.T, what string, numbers []int) {
	t.Helper()
	if len(numbers) > 0 {
		t.Errorf("%s: %d messages: %v", what, len(numbers), numbers[:min(len(numbers), 20)])
	}
}
