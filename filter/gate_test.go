package filter

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"sekisho/filter/action"
	"sekisho/filter/auth"
	"sekisho/filter/auth/dnstest"
	"sekisho/filter/finding"
	"sekisho/filter/inspect"
	"sekisho/filter/mail"
	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/sqlite"
	"sekisho/filter/record"
	"sekisho/filter/report"
	"sekisho/filter/specimen"
)

// newGate is a gate over a true store, without DNS.
func newGate(t *testing.T, log *bytes.Buffer) (*Gate, quarantine.Store) {
	t.Helper()
	store, err := sqlite.Open(t.TempDir()+"/q", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &Gate{Store: store, Log: record.New(log, "json", time.Now), Now: time.Now,
		NewID: func() (quarantine.ID, error) { return quarantine.NewID(time.Now(), rand.Reader) }}
	g.Use(&Generation{Judge: defaultJudge(t), Action: action.Options{}, AuthID: "mx.kansho.example.jp"})
	return g, store
}

func message(raw []byte) *mail.Message {
	sum := sha256.Sum256(raw)
	return &mail.Message{QueueID: "4bXyZ", Raw: raw, Size: int64(len(raw)), SHA256: hex.EncodeToString(sum[:]),
		Client:   mail.Client{Addr: netip.MustParseAddr("203.0.113.9"), Helo: "mail.sender.example"},
		Envelope: mail.Envelope{MailFrom: "sender@partner.example", Rcpts: []string{"hr@kansho.example.jp"}}}
}

func attack(t *testing.T) []byte {
	t.Helper()
	for _, c := range specimen.Attacks() {
		if c.Want == "quarantine" {
			return c.Raw
		}
	}
	t.Fatal("no attack is to be quarantined")
	return nil
}

// Every mail of the demo gets the disposition it should, and the honest ones
// no mark at all.
func TestSpecimensAreJudgedAsTheyShould(t *testing.T) {
	j := defaultJudge(t)
	j.AuthTimeout = 5 * time.Second
	j.Auth = auth.New(dnstest.Fixed{
		"kansho.example.jp":        {"TXT v=spf1 ip4:192.0.2.10 -all"},
		"_dmarc.kansho.example.jp": {"TXT v=DMARC1; p=reject"},
	}, auth.Options{})
	for _, c := range append(specimen.Attacks(), specimen.Honest()...) {
		t.Run(c.Name, func(t *testing.T) {
			m := message(c.Raw)
			m.Envelope.MailFrom = c.From
			got := j.Message(t.Context(), m)
			if got.Verdict.Disposition.String() != c.Want {
				t.Errorf("%s by %s (findings %s), want %s", got.Verdict.Disposition, got.Verdict.Rule(), kindsOf(got), c.Want)
			}
			if c.Want == "accept" && len(got.Report.Findings) > 0 {
				t.Errorf("an honest mail has findings: %v", got.Report.Findings)
			}
		})
	}
}

// Store before answer: when the gate says discard, the store has the bytes.
func TestBlockedMailIsKeptBeforeTheAnswer(t *testing.T) {
	var log bytes.Buffer
	g, store := newGate(t, &log)
	m := message(attack(t))
	if reply := g.Answer(t.Context(), m); reply.Answer != mail.AnswerDiscard {
		t.Fatalf("Answer = %+v, want discard", reply)
	}
	items, err := store.List(t.Context(), quarantine.Filter{})
	if err != nil || len(items) != 1 {
		t.Fatalf("List = %v, %v", items, err)
	}
	raw, err := store.Open(t.Context(), items[0].ID)
	if err != nil || !bytes.Equal(raw, m.Raw) {
		t.Fatalf("the kept bytes differ: %v", err)
	}
	if !strings.Contains(log.String(), string(items[0].ID)) {
		t.Errorf("the log lacks the quarantine id: %s", log.String())
	}
}

// failing is a store that is out of order.
type failing struct{ keep, releasing error }

func (f failing) Keep(context.Context, quarantine.Item, []byte) (quarantine.Item, error) {
	return quarantine.Item{}, f.keep
}
func (f failing) Releasing(context.Context, string) (bool, error) { return false, f.releasing }

func failed(context.Context, inspect.Input) *report.Report {
	return &report.Report{Schema: 1, Kind: report.KindMail, Incomplete: true,
		Findings: []finding.Finding{finding.New(finding.InspectFailed, "", "cause", "test")}}
}

// No failure of ours is ever answered with accept.
func TestOurFailuresNeverAccept(t *testing.T) {
	broken := errors.New("disk on fire")
	tests := []struct {
		name  string
		spoil func(*Gate, *mail.Message)
		ctx   func(context.Context) context.Context
		want  mail.Answer
	}{
		{"the store cannot keep", func(g *Gate, _ *mail.Message) { g.Store = failing{keep: broken} }, nil, mail.AnswerDefer},
		{"no id can be made", func(g *Gate, _ *mail.Message) {
			g.NewID = func() (quarantine.ID, error) { return "", broken }
		}, nil, mail.AnswerDefer},
		{"the deadline has passed", func(*Gate, *mail.Message) {}, func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(context.DeadlineExceeded)
			return ctx
		}, mail.AnswerDefer},
		{"the store cannot say what is being released", func(g *Gate, m *mail.Message) {
			g.Store = failing{releasing: broken}
			m.Client.Addr = netip.MustParseAddr("127.0.0.1")
		}, nil, mail.AnswerDefer},
		{"the inspection failed", func(g *Gate, _ *mail.Message) {
			g.current.Load().Judge.Inspect = failed
		}, nil, mail.AnswerDiscard},
		{"the message is too large to inspect", func(_ *Gate, m *mail.Message) {
			m.Oversize, m.Raw = true, nil
		}, nil, mail.AnswerReject},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			g, _ := newGate(t, &log)
			m := message(attack(t))
			tt.spoil(g, m)
			ctx := t.Context()
			if tt.ctx != nil {
				ctx = tt.ctx(ctx)
			}
			if got := g.Answer(ctx, m); got.Answer != tt.want {
				t.Errorf("Answer = %+v, want %v", got, tt.want)
			}
			if log.Len() == 0 {
				t.Error("nothing was logged")
			}
		})
	}
}

// While the store is out of order, what it should keep goes to Postfix's hold
// queue, and nothing else does. The faults are told from those that pass.
func TestAnUnhealthyStoreHandsMailToPostfix(t *testing.T) {
	disk := &quarantine.Error{Doing: "keeping a mail", Err: fmt.Errorf("%w: %w", quarantine.ErrUnhealthy, syscall.EIO)}
	honest := specimen.Honest()[0].Raw
	tests := []struct {
		name   string
		raw    []byte
		keep   error
		defers bool
		want   mail.Answer
	}{
		{"the disk answers EIO", attack(t), disk, false, mail.AnswerHold},
		{"the disk is below its reserve", attack(t), quarantine.ErrFull, false, mail.AnswerHold},
		{"the operator wants no hold queue", attack(t), disk, true, mail.AnswerDefer},
		{"the index is locked by a backup", attack(t), quarantine.ErrBusy, false, mail.AnswerDefer},
		{"the bytes changed on their way", attack(t), quarantine.ErrDamaged, false, mail.AnswerDefer},
		{"honest mail flows", honest, disk, false, mail.AnswerAccept},
		{"honest mail flows where blocked mail waits", honest, disk, true, mail.AnswerAccept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			g, _ := newGate(t, &log)
			gen := *g.current.Load()
			gen.DeferWhenUnhealthy = tt.defers
			g.Use(&gen)
			g.Store = failing{keep: tt.keep, releasing: tt.keep}
			m := message(tt.raw)
			m.Client.Addr = netip.MustParseAddr("127.0.0.1") // so that the store is asked twice
			got := g.Answer(t.Context(), m)
			if got.Answer != tt.want {
				t.Errorf("Answer = %+v, want %v", got, tt.want)
			}
			if tt.want != mail.AnswerHold {
				return
			}
			if !strings.HasPrefix(got.Text, "sekisho ") || !strings.Contains(log.String(), `"disposition":"hold"`) {
				t.Errorf("text %q; the log does not say hold: %s", got.Text, log.String())
			}
		})
	}
}

// The trouble of the store is said once a minute, with a count, and so is its
// end.
func TestStoreTroubleIsSaidOnceAMinute(t *testing.T) {
	var log bytes.Buffer
	g, store := newGate(t, &log)
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	g.Now = func() time.Time { return now }
	g.Store = failing{keep: quarantine.ErrFull}
	for range 120 {
		g.Answer(t.Context(), message(attack(t)))
		now = now.Add(time.Second)
	}
	if n := strings.Count(log.String(), `"event":"store.trouble"`); n != 2 {
		t.Errorf("%d lines store.trouble in two minutes, want 2", n)
	}
	g.Store = store
	g.Answer(t.Context(), message(attack(t)))
	g.Answer(t.Context(), message(append(attack(t), '\n')))
	if n := strings.Count(log.String(), `"event":"store.healed","count":59`); n != 1 {
		t.Errorf("store.healed with its count was said %d times, want once:\n%s", n, log.String())
	}
}

// A mail that a reviewer is releasing right now passes, once; the same bytes
// at any other time are caught.
func TestAReleaseIsNotCaughtAgain(t *testing.T) {
	var log bytes.Buffer
	g, store := newGate(t, &log)
	m := message(attack(t))
	g.Answer(t.Context(), m)
	items, err := store.List(t.Context(), quarantine.Filter{})
	if err != nil || len(items) != 1 {
		t.Fatalf("List = %v, %v", items, err)
	}
	if _, err := store.BeginRelease(t.Context(), items[0].ID, quarantine.Actor{Name: "reviewer", Reason: "test"}, false); err != nil {
		t.Fatal(err)
	}
	back := message(m.Raw)
	back.Client.Addr = netip.MustParseAddr("127.0.0.1")
	if got := g.Answer(t.Context(), back); got.Answer != mail.AnswerAccept {
		t.Errorf("the release got %+v", got)
	}
	back.Client.Addr = netip.MustParseAddr("203.0.113.9")
	if got := g.Answer(t.Context(), back); got.Answer != mail.AnswerDiscard {
		t.Errorf("the same bytes from outside got %+v", got)
	}
}

// A reload changes the judge of the next message only.
func TestAMessageIsJudgedByOneGeneration(t *testing.T) {
	var log bytes.Buffer
	g, _ := newGate(t, &log)
	first := g.current.Load()
	judge := *first.Judge
	judge.Inspect = func(ctx context.Context, in inspect.Input) *report.Report {
		g.Use(&Generation{Judge: defaultJudge(t), AuthID: "second"})
		return failed(ctx, in)
	}
	g.Use(&Generation{Judge: &judge, AuthID: "first"})
	if got := g.Answer(t.Context(), message(attack(t))); got.Answer != mail.AnswerDiscard {
		t.Errorf("the message under way was judged by the new generation: %+v", got)
	}
	if g.current.Load().AuthID != "second" {
		t.Error("the new generation is not in force")
	}
}
