package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sekisho/filter"
	"sekisho/filter/action"
	"sekisho/filter/auth"
	"sekisho/filter/auth/dnstest"
	"sekisho/filter/budget"
	"sekisho/filter/mail"
	"sekisho/filter/quarantine"
	events "sekisho/filter/record"
	"sekisho/filter/rule"
	"sekisho/rules"
)

// The simulation runs the gate's decision and the store's code against a disk
// that fails, a clock that jumps, a DNS that lies and a power supply that goes
// off, all chosen by one seed. What it counts are promises: a blocked mail that
// was answered as taken must be in the store from then on, whole, once, until a
// reviewer deletes it; and no blocked mail may be answered with accept.
var (
	simSeeds = flag.Int("sim.seeds", 2000, "number of seeds to simulate")
	simSeed  = flag.Uint64("sim.seed", 0, "replay this one seed")
)

func TestSimulation(t *testing.T) {
	judge := simJudge(t)
	first, last := uint64(1), uint64(*simSeeds)
	if *simSeed != 0 {
		first, last = *simSeed, *simSeed
	}
	var sum simCount
	for seed := first; seed <= last; seed++ {
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, judge, seed)
			s.play()
			sum.add(s.count)
		})
		if t.Failed() {
			t.Fatalf("replay: go test ./filter/quarantine/sqlite -run Simulation -sim.seed %d -v", seed)
		}
	}
	t.Logf("%d seeds: %+v", last-first+1, sum)
	if *simSeed == 0 && (sum.Kept == 0 || sum.Deferred+sum.Held == 0 || sum.Crashes == 0 || sum.Cuts == 0 || sum.Released == 0) {
		t.Error("the simulation never met one of the things it is about")
	}
}

// TestSimulationEveryCall fails, kills and cuts the power at the n-th file
// operation of one fixed story, for every n.
func TestSimulationEveryCall(t *testing.T) {
	judge := simJudge(t)
	for _, f := range []fault{failOnce, failOn, kill, powerCut} {
		for n := 1; ; n++ {
			met := false
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, judge, uint64(n))
				s.arm(f, n)
				s.blocked()
				s.retry()
				s.clean()
				s.release()
				s.remove()
				met = s.armed == noFault
				s.end()
			})
			if t.Failed() {
				t.Fatalf("%v at operation %d", f, n)
			}
			if !met {
				break
			}
		}
	}
}

// simCount says what a simulation met.
type simCount struct{ Kept, Deferred, Held, Accepted, Released, Deleted, Crashes, Cuts, Faults, Jumps int }

func (c *simCount) add(o simCount) {
	c.Kept += o.Kept
	c.Deferred += o.Deferred
	c.Held += o.Held
	c.Accepted += o.Accepted
	c.Released += o.Released
	c.Deleted += o.Deleted
	c.Crashes += o.Crashes
	c.Cuts += o.Cuts
	c.Faults += o.Faults
	c.Jumps += o.Jumps
}

// simZone is what the DNS knows; its server is sometimes out of order.
var simZone = map[string][]string{
	"partner.example":        {"TXT v=spf1 ip4:203.0.113.9 -all"},
	"_dmarc.partner.example": {"TXT v=DMARC1; p=none"},
}

// moody is a DNS that fails for a while.
type moody struct {
	dnstest.Fixed
	broken *bool
}

func (m moody) Lookup(ctx context.Context, name, kind string) ([]string, error) {
	if *m.broken {
		return nil, errors.New("the server could not")
	}
	return m.Fixed.Lookup(ctx, name, kind)
}

func simJudge(t *testing.T) *filter.Judge {
	t.Helper()
	set, err := rule.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	return &filter.Judge{Rules: set, Inspect: filter.InProcess(budget.Small, time.Hour),
		Internal: func(netip.Addr) bool { return false }, AuthTimeout: time.Second}
}

// fault is what happens at a file operation.
type fault int

const (
	noFault  fault = iota
	failOnce       // one operation fails
	failOn         // this and all later operations fail, until healed
	kill           // the process ends before the operation
	powerCut       // the machine ends before it: what was not synced is lost
)

func (f fault) String() string {
	return [...]string{"no fault", "one failure", "failures", "a kill", "a power cut"}[f]
}

// sim is the world of one seed.
type sim struct {
	t     *testing.T
	rng   *rand.Rand
	base  string
	dir   string
	st    *Store
	gate  *filter.Gate
	skew  time.Duration
	dns   bool // the DNS is broken
	count simCount

	armed fault
	in    int // operations until it strikes
	// after a kill or a power cut: the folder as the next start finds it.
	left string
	// synced are the names in msg at the last sync of that folder, in order
	// of their renames what came after.
	synced, renamed []string

	number   int
	promised map[string]quarantine.ID // SHA-256 of each blocked mail answered as taken
	last     *mail.Message
}

func newSim(t *testing.T, judge *filter.Judge, seed uint64) *sim {
	t.Helper()
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 34)), base: simDir(t), promised: map[string]quarantine.ID{}}
	s.dir = filepath.Join(s.base, "0")
	j := *judge
	j.Auth = auth.New(moody{dnstest.Fixed(simZone), &s.dns}, auth.Options{Now: s.now})
	s.gate = &filter.Gate{Log: events.New(io.Discard, "json", s.now), Now: s.now,
		NewID: func() (quarantine.ID, error) { return quarantine.NewID(s.now(), chance{s.rng}) }}
	s.gate.Use(&filter.Generation{Judge: &j, Action: action.Options{}, AuthID: "mx.sim.test"})
	s.open()
	return s
}

// simDir is a folder in memory where there is one: two thousand stores are
// opened and synced.
func simDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sekisho-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// chance makes ids out of the seed.
type chance struct{ *rand.Rand }

func (c chance) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c.Uint32())
	}
	return len(p), nil
}

func (s *sim) now() time.Time { return time.Now().Add(s.skew) }

// play does a dozen things in an order that the seed chooses.
func (s *sim) play() {
	steps := []func(){s.blocked, s.blocked, s.clean, s.retry, s.release, s.remove, s.jump, s.trouble, s.trouble, s.heal, s.restart}
	for range 6 + s.rng.IntN(8) {
		steps[s.rng.IntN(len(steps))]()
		if s.t.Failed() {
			break
		}
	}
	s.end()
}

// open starts the store, as the daemon does at its start.
func (s *sim) open() {
	st, err := Open(s.dir, Options{Serve: true, Now: s.now, Random: chance{s.rng}})
	if err != nil {
		s.t.Fatalf("opening the store: %v", err)
	}
	st.disk.trip = s.trip
	s.st, s.gate.Store = st, st
	s.synced, s.renamed = s.names(), nil
}

func (s *sim) names() []string {
	entries, err := os.ReadDir(filepath.Join(s.dir, "msg"))
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// trip stands before every file operation of the store.
func (s *sim) trip(op string) error {
	if s.left != "" {
		return errors.New("the process is gone")
	}
	for _, name := range s.names() {
		if !slices.Contains(s.synced, name) && !slices.Contains(s.renamed, name) {
			s.renamed = append(s.renamed, name)
		}
	}
	if s.armed != noFault {
		s.in--
	}
	if s.armed == noFault || s.in > 0 {
		if op == "syncdir" {
			s.synced, s.renamed = s.names(), nil
		}
		return nil
	}
	return s.strike(op)
}

func (s *sim) strike(op string) error {
	f := s.armed
	switch f {
	case failOnce, failOn:
		s.count.Faults++
		if f == failOnce {
			s.armed = noFault
		}
		return &os.PathError{Op: op, Path: "sim", Err: []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS}[s.rng.IntN(3)]}
	case kill:
		s.count.Crashes++
	case powerCut:
		s.count.Cuts++
	}
	s.armed = noFault
	s.freeze(f == powerCut)
	return errors.New("the process is gone")
}

// freeze copies the store as it stands now: all later work of this process
// will not have happened. In a power cut, renames that were not yet synced are
// lost from some point on, and files in tmp keep a part of their bytes.
func (s *sim) freeze(cut bool) {
	s.left = filepath.Join(s.base, fmt.Sprint(s.count.Crashes+s.count.Cuts))
	if err := os.CopyFS(s.left, os.DirFS(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	for _, d := range []string{"", "msg", "tmp"} {
		if err := os.Chmod(filepath.Join(s.left, d), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	if !cut {
		return
	}
	for _, name := range s.renamed[s.rng.IntN(len(s.renamed)+1):] {
		if err := os.Rename(filepath.Join(s.left, "msg", name), filepath.Join(s.left, "tmp", name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
	}
	torn, err := filepath.Glob(filepath.Join(s.left, "tmp", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range torn {
		if info, err := os.Stat(file); err != nil || os.Truncate(file, s.rng.Int64N(info.Size()+1)) != nil {
			s.t.Fatalf("tearing %s: %v", file, err)
		}
	}
}

// reboot goes on where the kill or the power cut left the store.
func (s *sim) reboot() {
	if s.left == "" {
		return
	}
	_ = s.st.Close() // it says that the process is gone
	s.dir, s.left = s.left, ""
	s.open()
	s.check()
}

func (s *sim) arm(f fault, n int) { s.armed, s.in = f, n }

// trouble arms a fault, or breaks or mends the DNS.
func (s *sim) trouble() {
	if s.rng.IntN(4) == 0 {
		s.dns = !s.dns
		return
	}
	s.arm(fault(1+s.rng.IntN(4)), 1+s.rng.IntN(14))
}

// heal mends the disk; the store finds out within seconds.
func (s *sim) heal() {
	s.armed = noFault
	for range 30 {
		if s.st.Healthy() == nil {
			return
		}
		time.Sleep(time.Second)
	}
	if s.left == "" {
		s.t.Errorf("30 s after the disk was mended: %v", s.st.Healthy())
	}
}

func (s *sim) jump() {
	s.count.Jumps++
	s.skew += []time.Duration{-time.Hour, 10 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour, time.Second}[s.rng.IntN(4)]
}

func (s *sim) restart() {
	s.armed = noFault
	if err := s.st.Close(); err != nil {
		s.t.Errorf("closing: %v", err)
	}
	s.open()
	s.check()
}

func (s *sim) message(blocked bool) *mail.Message {
	s.number++
	body := fmt.Sprintf("From: a@partner.example\r\nSubject: %d\r\nMessage-ID: <%d@partner.example>\r\nMIME-Version: 1.0\r\n", s.number, s.number)
	if blocked {
		body += "Content-Type: application/octet-stream; name=report.pdf.exe\r\nContent-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAEAAAA\r\n"
	} else {
		body += "\r\nGood morning.\r\n"
	}
	sum := sha256.Sum256([]byte(body))
	return &mail.Message{QueueID: fmt.Sprintf("4b%d", s.number), Raw: []byte(body), Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]),
		Client:   mail.Client{Addr: netip.MustParseAddr("203.0.113.9"), Helo: "mail.partner.example"},
		Envelope: mail.Envelope{MailFrom: "a@partner.example", Rcpts: []string{"b@kansho.example.jp"}}}
}

func (s *sim) blocked() { s.deliver(s.message(true)) }

// retry sends the last blocked mail again, as a sender without an answer does.
func (s *sim) retry() {
	if s.last != nil {
		s.deliver(s.last)
	}
}

func (s *sim) deliver(m *mail.Message) {
	s.last = m
	reply := s.gate.Answer(s.t.Context(), m)
	if s.left != "" {
		s.reboot() // the answer never left the process
		return
	}
	switch reply.Answer {
	case mail.AnswerDiscard:
		s.count.Kept++
		s.promised[m.SHA256] = ""
	case mail.AnswerHold:
		s.count.Held++
	case mail.AnswerDefer:
		s.count.Deferred++
	default:
		s.t.Errorf("a blocked mail was answered %+v", reply)
	}
	s.check()
}

// clean mail flows whatever the store is like.
func (s *sim) clean() {
	reply := s.gate.Answer(s.t.Context(), s.message(false))
	if reply.Answer != mail.AnswerAccept {
		s.t.Errorf("a clean mail was answered %+v", reply)
	}
	s.count.Accepted++
}

// pick returns a promised mail that is held, if the store can tell.
func (s *sim) pick() (quarantine.Item, bool) {
	items, err := s.st.List(s.t.Context(), quarantine.Filter{State: quarantine.Held})
	if err != nil || len(items) == 0 {
		return quarantine.Item{}, false
	}
	return items[s.rng.IntN(len(items))], true
}

// release gives a mail back to a Postfix that answers 250 or 452.
func (s *sim) release() {
	it, ok := s.pick()
	if !ok {
		return
	}
	if _, err := s.st.BeginRelease(s.t.Context(), it.ID, reviewer, false); err == nil {
		if s.rng.IntN(2) == 0 {
			_, err = s.st.FinishRelease(s.t.Context(), it.ID, "250 Ok")
		} else {
			_, err = s.st.FailRelease(s.t.Context(), it.ID, "452 later", false)
		}
		if err == nil {
			s.count.Released++
		}
	}
	s.reboot()
	s.check()
}

func (s *sim) remove() {
	it, ok := s.pick()
	if !ok {
		return
	}
	// From here on the mail may be gone: the reviewer asked for it, and a
	// crash may come before or after it was done.
	delete(s.promised, it.SHA256)
	if s.last != nil && s.last.SHA256 == it.SHA256 {
		s.last = nil
	}
	if _, err := s.st.Delete(s.t.Context(), it.ID, reviewer); err == nil {
		s.count.Deleted++
	}
	s.reboot()
	s.check()
}

// check holds the store to every promise.
func (s *sim) check() {
	if s.left != "" {
		return
	}
	items, err := s.st.List(s.t.Context(), quarantine.Filter{})
	if err != nil {
		s.t.Errorf("List: %v", err)
		return
	}
	have := map[string][]quarantine.Item{}
	for _, it := range items {
		have[it.SHA256] = append(have[it.SHA256], it)
	}
	for sha := range s.promised {
		s.kept(sha, have[sha])
	}
}

// kept checks one promised mail: there, whole, and waiting at most once.
func (s *sim) kept(sha string, items []quarantine.Item) {
	waiting := 0
	whole := false
	for _, it := range items {
		if it.State == quarantine.Held {
			waiting++
		}
		raw, err := s.st.Open(s.t.Context(), it.ID)
		whole = whole || err == nil && strings.HasPrefix(string(raw), "From: ")
	}
	if !whole {
		s.t.Errorf("promised mail %.8s is lost: %d entries", sha, len(items))
	}
	if waiting > 1 {
		s.t.Errorf("promised mail %.8s waits %d times", sha, waiting)
	}
}

// end heals, restarts and reads everything once more.
func (s *sim) end() {
	s.reboot()
	s.heal()
	s.restart()
	problems, err := s.st.Verify(s.t.Context())
	if err != nil || len(problems) > 0 {
		s.t.Errorf("Verify: %v, %v", problems, err)
	}
	audit, err := s.st.Audit(s.t.Context(), "")
	if err != nil || quarantine.CheckChain(audit) != nil {
		s.t.Errorf("the audit log's chain: %v, %v", err, quarantine.CheckChain(audit))
	}
	if err := s.st.Close(); err != nil {
		s.t.Errorf("closing: %v", err)
	}
}
