package filter

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/filter/inspect"
	"sekisho/filter/mail"
	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/sqlite"
	"sekisho/filter/record"
	"sekisho/filter/report"
	"sekisho/filter/testfile"
)

// pairing is a gate that holds what is encrypted, and the pairs behind it.
type pairing struct {
	gate     *Gate
	pairs    *Pairs
	store    quarantine.Store
	log      bytes.Buffer
	now      time.Time
	released []quarantine.ID
	// refuse is what Postfix says to releases.
	refuse error
}

func newPairing(t *testing.T, dir string) *pairing {
	t.Helper()
	store, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &pairing{store: store, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	now := func() time.Time { return p.now }
	log := record.New(&p.log, "json", now)
	ids := 0
	p.gate = &Gate{Store: store, Log: log, Now: now, NewID: func() (quarantine.ID, error) {
		ids++
		return quarantine.NewID(p.now.Add(time.Duration(ids)*time.Hour*24), strings.NewReader(strings.Repeat(string(rune('a'+ids)), 64)))
	}}
	judge := defaultJudge(t)
	judge.HoldEncrypted, judge.Offer = true, true
	p.gate.Use(&Generation{Judge: judge, AuthID: "mx.kansho.example.jp", PairWindow: 24 * time.Hour})
	p.pairs = NewPairs(PairOptions{Store: store, Log: log, Now: now, Current: p.gate.Current, Release: p.release})
	p.gate.Pairs = p.pairs
	return p
}

func (p *pairing) release(ctx context.Context, id quarantine.ID, reason string) (quarantine.Result, error) {
	it, err := p.store.BeginRelease(ctx, id, quarantine.Actor{Name: "sekisho", Reason: reason}, false)
	if err != nil {
		return quarantine.Result{}, err
	}
	if p.refuse != nil {
		_, err := p.store.FailRelease(ctx, id, p.refuse.Error(), false)
		return quarantine.Result{Item: it}, errors.Join(p.refuse, err)
	}
	p.released = append(p.released, id)
	it, err = p.store.FinishRelease(ctx, id, "250 2.0.0 Ok")
	return quarantine.Result{Item: it, Reply: "250 2.0.0 Ok"}, err
}

// send has the gate answer a mail and the pairs look once.
func (p *pairing) send(t *testing.T, raw []byte, from string, rcpts ...string) mail.Answer {
	t.Helper()
	m := message(raw)
	m.Envelope = mail.Envelope{MailFrom: from, Rcpts: rcpts}
	answer := p.gate.Answer(t.Context(), m).Answer
	p.pairs.round(t.Context())
	return answer
}

func (p *pairing) held(t *testing.T) []quarantine.Item {
	t.Helper()
	items, err := p.store.List(t.Context(), quarantine.Filter{State: quarantine.Held})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// ppap are the two mails. The archive's password is kanmon1024; with evil it
// holds a program under a name that says nothing.
func archiveMail(t *testing.T, from, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testfile.Root(t), "testdata/containers", file))
	if err != nil {
		t.Fatal(err)
	}
	return []byte("From: " + from + "\r\nTo: hr@kansho.example.jp\r\nSubject: =?UTF-8?B?" + base64.StdEncoding.EncodeToString([]byte("見積書の送付")) +
		"?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=k\r\n\r\n--k\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
		"パスワードは別途お送りします。\r\n--k\r\nContent-Type: application/octet-stream; name=\"" + filepath.Base(file) +
		"\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(b) + "\r\n--k--\r\n")
}

func letterMail(from, text string) []byte {
	return []byte("From: " + from + "\r\nTo: hr@kansho.example.jp\r\nSubject: Re\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text + "\r\n")
}

const (
	partner = "sato@partner.example"
	hr      = "hr@kansho.example.jp"
	cleanZ  = "zip/infozip-zipcrypto.zip"
	evilZ   = "zip/7zip-program.zip"
	told    = "先ほどのファイルのパスワードは「kanmon1024」です。"
)

func TestPair(t *testing.T) {
	tests := []struct {
		name             string
		file             string
		letter           func(p *pairing) (from, rcpt, text string)
		first            bool // the letter comes before the archive
		released, waits  bool
		rule, outcome    string
		event, eventRule string
	}{
		{name: "the password follows", file: cleanZ, released: true, outcome: "opened"},
		{name: "the password came first", file: cleanZ, first: true, released: true, outcome: "opened"},
		{name: "from the sender's gateway", file: cleanZ, released: true, outcome: "opened",
			letter: func(*pairing) (string, string, string) { return "noreply@partner.example", hr, told }},
		{name: "a 7z that hides its names", file: "7z/7zip-hidden.7z", released: true, outcome: "opened"},
		{name: "a program comes to light", file: evilZ, rule: "executable-program", outcome: "opened"},
		{name: "another password", file: cleanZ, waits: true, rule: "container-encrypted-held", outcome: "failed",
			letter: func(*pairing) (string, string, string) { return partner, hr, "パスワード:hakone1024" }},
		{name: "of another sender", file: cleanZ, waits: true, rule: "container-encrypted-held",
			letter: func(*pairing) (string, string, string) { return "sato@stranger.example", hr, told }},
		{name: "to another recipient", file: cleanZ, waits: true, rule: "container-encrypted-held",
			letter: func(*pairing) (string, string, string) { return partner, "soumu@kansho.example.jp", told }},
		{name: "a letter without a password", file: cleanZ, waits: true, rule: "container-encrypted-held",
			letter: func(*pairing) (string, string, string) { return partner, hr, "お世話になっております。" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPairing(t, t.TempDir()+"/q")
			defer p.store.Close()
			from, rcpt, text := partner, hr, told
			if tt.letter != nil {
				from, rcpt, text = tt.letter(p)
			}
			steps := []func(){
				func() {
					if a := p.send(t, archiveMail(t, partner, tt.file), partner, hr, "Keiri@kansho.example.jp"); a != mail.AnswerDiscard {
						t.Fatalf("the archive was answered with %v, want it kept", a)
					}
				},
				func() {
					if a := p.send(t, letterMail(from, text), from, strings.ToUpper(rcpt)); a != mail.AnswerAccept {
						t.Fatalf("the letter was answered with %v", a)
					}
				},
			}
			if tt.first {
				slices.Reverse(steps)
			}
			for _, step := range steps {
				step()
			}
			held := p.held(t)
			if tt.released != (len(p.released) == 1) || tt.released != (len(held) == 0) {
				t.Fatalf("released %v, held %d; log:\n%s", p.released, len(held), p.log.String())
			}
			if !tt.released && !strings.HasPrefix(held[0].Rule, tt.rule) {
				t.Errorf("kept by %q, want %q", held[0].Rule, tt.rule)
			}
			waiting, err := p.store.Awaiting(t.Context())
			if err != nil || tt.waits != (len(waiting) == 1) {
				t.Errorf("%d wait, %v", len(waiting), err)
			}
			if strings.Contains(p.log.String(), "kanmon1024") || strings.Contains(p.log.String(), "hakone1024") {
				t.Errorf("the log tells a password:\n%s", p.log.String())
			}
			p.checkAudit(t, tt.outcome)
		})
	}
}

// checkAudit looks for the outcome in the audit log, and for no password.
func (p *pairing) checkAudit(t *testing.T, outcome string) {
	t.Helper()
	log, err := p.store.Audit(t.Context(), "")
	if err != nil || quarantine.CheckChain(log) != nil {
		t.Fatalf("Audit: %v, %v", err, quarantine.CheckChain(log))
	}
	found := outcome == ""
	for _, e := range log {
		found = found || e.Action == quarantine.ActPassword && e.Outcome == outcome && strings.Contains(e.Reason, "4bXyZ")
		if strings.Contains(e.Detail+e.Reason, "1024") {
			t.Errorf("the audit log tells a password: %+v", e)
		}
	}
	if !found {
		t.Errorf("no audit entry says %q: %+v", outcome, log)
	}
}

// TestPairExpires: past the window the mail stays kept and waits no more, and
// a letter from before the window is forgotten.
func TestPairExpires(t *testing.T) {
	p := newPairing(t, t.TempDir()+"/q")
	defer p.store.Close()
	p.send(t, letterMail(partner, told), partner, hr)
	p.now = p.now.Add(25 * time.Hour)
	p.send(t, archiveMail(t, partner, cleanZ), partner, hr)
	if len(p.held(t)) != 1 || len(p.released) != 0 {
		t.Fatalf("a letter of yesterday opened it:\n%s", p.log.String())
	}
	p.now = p.now.Add(24 * time.Hour)
	p.pairs.round(t.Context())
	if waiting, err := p.store.Awaiting(t.Context()); err != nil || len(waiting) != 0 {
		t.Errorf("%d wait past the window, %v", len(waiting), err)
	}
	if !strings.Contains(p.log.String(), `"event":"password.expired"`) {
		t.Errorf("nothing says that the wait ended:\n%s", p.log.String())
	}
	p.send(t, letterMail(partner, told), partner, hr)
	if len(p.held(t)) != 1 || len(p.released) != 0 {
		t.Error("a password past the window set the mail free")
	}
}

// TestPairSurvives: a mail that waits is opened by a letter that comes after a
// restart.
func TestPairSurvives(t *testing.T) {
	dir := t.TempDir() + "/q"
	p := newPairing(t, dir)
	p.send(t, archiveMail(t, partner, cleanZ), partner, hr)
	if err := p.store.Close(); err != nil {
		t.Fatal(err)
	}
	p = newPairing(t, dir)
	defer p.store.Close()
	p.send(t, letterMail(partner, told), partner, hr)
	if len(p.released) != 1 {
		t.Errorf("released %v after the restart; log:\n%s", p.released, p.log.String())
	}
}

// TestPairFailures: whatever of ours fails, the mail stays kept, the log says
// so, and it is tried again.
func TestPairFailures(t *testing.T) {
	p := newPairing(t, t.TempDir()+"/q")
	defer p.store.Close()
	p.refuse = errors.New("451 4.3.0 try again")
	p.send(t, archiveMail(t, partner, cleanZ), partner, hr)
	p.send(t, letterMail(partner, told), partner, hr)
	if len(p.released) != 0 || len(p.held(t)) != 1 || !strings.Contains(p.log.String(), `"event":"password.failed"`) {
		t.Fatalf("released %v, held %d; log:\n%s", p.released, len(p.held(t)), p.log.String())
	}
	p.refuse = nil
	if p.pairs.round(t.Context()); len(p.released) != 0 {
		t.Error("it was tried again at once")
	}
	p.now = p.now.Add(2 * pairRetry)
	if p.pairs.round(t.Context()); len(p.released) != 1 {
		t.Errorf("it was not tried again; log:\n%s", p.log.String())
	}

	broken := newPairing(t, t.TempDir()+"/q")
	defer broken.store.Close()
	broken.send(t, archiveMail(t, partner, cleanZ), partner, hr)
	broken.pairs.hear(message(nil), Judged{Report: failed(t.Context(), inspect.Input{Kind: report.KindMail})})
	j := broken.gate.Current().Judge
	reader := j.Inspect
	j.Inspect = failed
	m := message(letterMail(partner, told))
	m.Envelope = mail.Envelope{MailFrom: partner, Rcpts: []string{hr}}
	good := Judged{Report: reader(t.Context(), inspect.Input{Kind: report.KindMail})}
	good.Report.Passwords = []string{"kanmon1024"}
	broken.pairs.hear(m, good)
	broken.pairs.round(t.Context())
	if len(broken.released) != 0 || len(broken.held(t)) != 1 || !strings.Contains(broken.log.String(), `"event":"password.failed"`) {
		t.Errorf("released %v after an inspection that failed; log:\n%s", broken.released, broken.log.String())
	}
}

// TestPairWaitsForLocksOnly: what another rule holds as well is for a reviewer.
func TestPairWaitsForLocksOnly(t *testing.T) {
	p := newPairing(t, t.TempDir()+"/q")
	defer p.store.Close()
	raw := bytes.Replace(archiveMail(t, partner, cleanZ), []byte("infozip-zipcrypto.zip"), []byte("invoice.pdf.exe"), 1)
	p.send(t, raw, partner, hr)
	p.send(t, letterMail(partner, told), partner, hr)
	if len(p.held(t)) != 1 || len(p.released) != 0 {
		t.Errorf("released %v", p.released)
	}
	if waiting, err := p.store.Awaiting(t.Context()); err != nil || len(waiting) != 0 {
		t.Errorf("%d wait for a password that changes nothing, %v", len(waiting), err)
	}
}

// TestPairForgets: letters are bounded, the oldest go first.
func TestPairForgets(t *testing.T) {
	p := newPairing(t, t.TempDir()+"/q")
	defer p.store.Close()
	j := Judged{Report: failed(t.Context(), inspect.Input{Kind: report.KindMail})}
	j.Report.Passwords = slices.Repeat([]string{"x"}, 60)
	for range mostWords/60 + 100 {
		m := message(nil)
		p.pairs.hear(m, j)
	}
	if p.pairs.words > mostWords || len(p.pairs.letters) > mostLetters || p.pairs.letters[0].number == 1 {
		t.Errorf("%d words of %d letters, the first is number %d", p.pairs.words, len(p.pairs.letters), p.pairs.letters[0].number)
	}
}

// TestPairRunEnds: Run ends with its context.
func TestPairRunEnds(t *testing.T) {
	p := newPairing(t, t.TempDir()+"/q")
	defer p.store.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.pairs.Run(ctx); close(done) }()
	cancel()
	<-done
}
