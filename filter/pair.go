package filter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sekisho/filter/finding"
	"sekisho/filter/inspect"
	"sekisho/filter/key"
	"sekisho/filter/mail"
	"sekisho/filter/quarantine"
	"sekisho/filter/record"
	"sekisho/filter/report"
	"sekisho/filter/verdict"
)

// PairStore is the part of quarantine.Store that the pairing needs.
type PairStore interface {
	Awaiting(ctx context.Context) ([]quarantine.Item, error)
	Settle(ctx context.Context, id quarantine.ID, how quarantine.Settlement) error
	Open(ctx context.Context, id quarantine.ID) ([]byte, error)
}

// Pairs brings kept mail that is encrypted together with the mail that tells
// its password, as Japanese offices send them (PPAP), in either order.
//
// A letter, as we call the mail with the password, can do one thing only: have
// a kept mail inspected once more. Who forges one gains an inspection. What is
// released is released by the verdict on what was found inside, and whatever
// fails leaves the mail kept.
//
// Letters are remembered in memory alone: a password of two correspondents is
// not written to our disk. A restart forgets them; what waits is in the store.
type Pairs struct {
	o       PairOptions
	mu      sync.Mutex
	letters []letter
	words   int
	last    int64 // number of the latest letter
	// waits is what was done for each mail that waits; only Run looks at it.
	waits map[quarantine.ID]*wait
	wake  chan struct{}
}

// PairOptions are what a Pairs works with.
type PairOptions struct {
	Store PairStore
	Log   *record.Log
	Now   func() time.Time
	// Release gives a kept mail back to Postfix.
	Release func(ctx context.Context, id quarantine.ID, reason string) (quarantine.Result, error)
	// Current is the generation in force.
	Current func() *Generation
}

// wait is what was done for a mail that waits.
type wait struct {
	seen   int64 // the latest letter that was tried
	rounds int   // how often letters were tried in vain
	// later is when it is tried again after a failure of ours, failed how
	// often that happened.
	later  time.Time
	failed int
}

// letter is a mail that tells a password.
type letter struct {
	number  int64
	at      time.Time
	queueID string
	sha256  string
	senders []string // domains, of the envelope and of From
	rcpts   []string
	words   []string
}

const (
	// mostLetters and mostWords bound what is remembered: a day of a large
	// office, some megabytes.
	mostLetters = 20000
	mostWords   = 100000
	// mostRounds is how often letters may try to open one mail: somebody who
	// forges hundreds must not keep the workers busy.
	mostRounds = 50
	// pairStep is how often the clock is asked what expired.
	pairStep = 30 * time.Second
	// pairRetry is the first wait after a failure of ours; it doubles.
	pairRetry = time.Minute
	pairName  = "sekisho"
)

// NewPairs returns an empty memory.
func NewPairs(o PairOptions) *Pairs {
	return &Pairs{o: o, waits: map[quarantine.ID]*wait{}, wake: make(chan struct{}, 1)}
}

// hear remembers the passwords that a delivered mail tells.
func (p *Pairs) hear(m *mail.Message, j Judged) {
	if p == nil || len(j.Report.Passwords) == 0 || !j.Verdict.Disposition.Delivers() {
		return
	}
	l := letter{at: p.o.Now(), queueID: m.QueueID, sha256: m.SHA256, words: j.Report.Passwords,
		senders: domainsOf(append(authors(j.Report), m.Envelope.MailFrom)), rcpts: folded(m.Envelope.Rcpts)}
	if len(l.senders) == 0 || len(l.rcpts) == 0 {
		return
	}
	p.mu.Lock()
	p.last++
	l.number = p.last
	p.letters = append(p.letters, l)
	p.words += len(l.words)
	for len(p.letters) > mostLetters || p.words > mostWords {
		p.forget(1)
	}
	p.mu.Unlock()
	p.stir()
}

// forget drops the n oldest letters.
func (p *Pairs) forget(n int) {
	for _, l := range p.letters[:n] {
		p.words -= len(l.words)
	}
	p.letters = slices.Delete(p.letters, 0, n)
}

// stir has the waiting mails looked at.
func (p *Pairs) stir() {
	if p == nil {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default: // it is awake
	}
}

// Run pairs until ctx ends.
func (p *Pairs) Run(ctx context.Context) {
	tick := time.NewTicker(pairStep)
	defer tick.Stop()
	for ctx.Err() == nil {
		p.round(ctx)
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-tick.C:
		}
	}
}

// round looks at every mail that waits.
func (p *Pairs) round(ctx context.Context) {
	window := p.o.Current().PairWindow
	if window <= 0 {
		return
	}
	items, err := p.o.Store.Awaiting(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.o.Log.Error(record.PasswordFailed).Str("stage", "listing what waits").Err(err).Send()
		}
		return
	}
	p.tidy(items, window)
	for _, it := range items {
		if ctx.Err() != nil {
			return
		}
		p.look(ctx, it)
	}
}

// tidy forgets letters beyond the window and mails that wait no longer.
func (p *Pairs) tidy(items []quarantine.Item, window time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := 0
	for old < len(p.letters) && p.o.Now().Sub(p.letters[old].at) > window {
		old++
	}
	p.forget(old)
	waits := map[quarantine.ID]*wait{}
	for _, it := range items {
		waits[it.ID] = cmp.Or(p.waits[it.ID], &wait{})
	}
	p.waits = waits
}

// look does what is due for one mail that waits.
func (p *Pairs) look(ctx context.Context, it quarantine.Item) {
	now := p.o.Now()
	if !now.Before(it.Awaits) {
		p.expire(ctx, it)
		return
	}
	w := p.waits[it.ID]
	letters := p.lettersFor(it, w.seen)
	if len(letters) == 0 || now.Before(w.later) || w.rounds >= mostRounds {
		return
	}
	err := p.try(ctx, it, letters)
	switch {
	case err == nil:
		w.seen, w.rounds, w.failed = letters[len(letters)-1].number, w.rounds+1, 0
	case ctx.Err() == nil:
		w.later = now.Add(pairRetry << min(w.failed, 6))
		w.failed++
		p.line(p.o.Log.Error(record.PasswordFailed), it, letters).Err(err).Str("hint", "the mail stays kept; it is tried again").Send()
	}
}

// lettersFor returns the letters after the one called seen, of the same sender
// and to one of its recipients, the latest last.
func (p *Pairs) lettersFor(it quarantine.Item, seen int64) []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	senders, rcpts := domainsOf([]string{it.MailFrom, it.From}), folded(it.Rcpts)
	var out []letter
	for _, l := range p.letters {
		if l.number > seen && l.sha256 != it.SHA256 && meet(l.senders, senders) && meet(l.rcpts, rcpts) {
			out = append(out, l)
		}
	}
	return out
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// folded are addresses in lower case: no mail system of our days tells them
// apart by it.
func folded(addresses []string) []string {
	out := make([]string, 0, len(addresses))
	for _, a := range addresses {
		out = append(out, strings.ToLower(a))
	}
	return out
}

// domainsOf are the domains of addresses. A password often comes from another
// address of the same sender: its mail gateway writes the second letter.
func domainsOf(addresses []string) (out []string) {
	for _, a := range folded(addresses) {
		if at := strings.LastIndexByte(a, '@'); at >= 0 && at+1 < len(a) && !slices.Contains(out, a[at+1:]) {
			out = append(out, a[at+1:])
		}
	}
	return out
}

func authors(r *report.Report) (out []string) {
	for _, a := range r.Header.From {
		out = append(out, a.Addr)
	}
	return out
}

// try inspects a kept mail with the words of letters and acts on what comes to
// light. An error is a failure of ours.
func (p *Pairs) try(ctx context.Context, it quarantine.Item, letters []letter) error {
	raw, err := p.o.Store.Open(ctx, it.ID)
	if err != nil {
		return err
	}
	judged, err := p.o.Current().Judge.reopen(ctx, it, raw, keysOf(letters))
	if err != nil {
		return err
	}
	switch v := judged.Verdict; {
	case isLocked(judged.Report):
		return p.wrong(ctx, it, letters)
	case v.Disposition == verdict.Accept:
		return p.free(ctx, it, letters, judged)
	default:
		return p.keep(ctx, it, letters, judged)
	}
}

// keysOf are the words of letters, the latest letter's first, each once.
func keysOf(letters []letter) (out []key.Key) {
	known := map[string]bool{}
	for _, l := range slices.Backward(letters) {
		for _, w := range l.words {
			if !known[w] && len(out) < key.Most/2 {
				known[w] = true
				out = append(out, key.Key{Text: w, Source: key.Mail})
			}
		}
	}
	return out
}

// wrong records that no word of the letters fits: a further letter may come.
func (p *Pairs) wrong(ctx context.Context, it quarantine.Item, letters []letter) error {
	err := p.settle(ctx, it, letters, quarantine.Settlement{Outcome: quarantine.OutFailed,
		Detail: "none of " + strconv.Itoa(len(keysOf(letters))) + " words opens it"})
	if err == nil {
		p.line(p.o.Log.Info(record.PasswordWrong), it, letters).Send()
	}
	return err
}

// keep records that the mail is open and stays for what was found inside.
func (p *Pairs) keep(ctx context.Context, it quarantine.Item, letters []letter, j Judged) error {
	now := judgedItem(it, j)
	err := p.settle(ctx, it, letters, quarantine.Settlement{Outcome: quarantine.OutOpened, Done: true, Judged: &now,
		Detail: "inspected; kept by " + j.Verdict.Rule()})
	if err == nil {
		p.line(p.o.Log.Warn(record.PasswordOpened), it, letters).Str("disposition", "quarantine").Str("rule", j.Verdict.Rule()).
			Strs("reasons", rulesOf(j.Verdict.Reasons)).Send()
	}
	return err
}

// free records that the mail is open and clean, and gives it back to Postfix.
// The wait ends with the release only: until then it is tried again.
func (p *Pairs) free(ctx context.Context, it quarantine.Item, letters []letter, j Judged) error {
	if err := p.settle(ctx, it, letters, quarantine.Settlement{Outcome: quarantine.OutOpened, Detail: "inspected; nothing against it"}); err != nil {
		return err
	}
	// A release that has begun is not broken off by our own stop.
	res, err := p.o.Release(context.WithoutCancel(ctx), it.ID, reasonOf(letters)+"; opened, inspected and clean")
	if err != nil {
		return fmt.Errorf("releasing: %w", err)
	}
	p.line(p.o.Log.Info(record.PasswordOpened), it, letters).Str("disposition", j.Verdict.Disposition.String()).Str("reply", res.Reply).Send()
	return nil
}

// expire ends the wait of a mail whose password did not come.
func (p *Pairs) expire(ctx context.Context, it quarantine.Item) {
	err := p.o.Store.Settle(ctx, it.ID, quarantine.Settlement{Who: quarantine.Actor{Name: pairName, Reason: "no password came in time"},
		Outcome: quarantine.OutExpired, Done: true})
	if err != nil && !errors.Is(err, quarantine.ErrAlready) {
		p.line(p.o.Log.Error(record.PasswordFailed), it, nil).Str("stage", "ending the wait").Err(err).Send()
		return
	}
	p.line(p.o.Log.Warn(record.PasswordExpired), it, nil).Str("hint", "the mail stays kept for a reviewer").Send()
}

func (p *Pairs) settle(ctx context.Context, it quarantine.Item, letters []letter, how quarantine.Settlement) error {
	how.Who = quarantine.Actor{Name: pairName, Reason: reasonOf(letters)}
	err := p.o.Store.Settle(ctx, it.ID, how)
	if errors.Is(err, quarantine.ErrAlready) {
		return nil // a reviewer was quicker
	}
	return err
}

// reasonOf names the mails that the password may have come with.
func reasonOf(letters []letter) string {
	var ids []string
	for _, l := range letters[max(0, len(letters)-3):] {
		ids = append(ids, cmp.Or(l.queueID, "unknown"))
	}
	return "password of mail " + strings.Join(ids, ", ")
}

func (p *Pairs) line(n *record.Line, it quarantine.Item, letters []letter) *record.Line {
	n.Str("quarantine_id", string(it.ID)).Str("mail_from", it.MailFrom).Strs("rcpt_to", it.Rcpts)
	if len(letters) > 0 {
		n.Str("queue_id", letters[len(letters)-1].queueID).Int("count", int64(len(letters)))
	}
	return n
}

func rulesOf(reasons []verdict.Reason) (out []string) {
	for _, r := range reasons {
		out = append(out, r.Rule)
	}
	return out
}

// isLocked says that something of the mail could not be opened.
func isLocked(r *report.Report) bool {
	return slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Kind == finding.ContainerEncrypted })
}

// reopen inspects and judges a kept mail with further keys. Its senders were
// authenticated when it came, and it would not wait if they had spoken against
// it; DNS may say something else by now and is not asked.
func (j *Judge) reopen(ctx context.Context, it quarantine.Item, raw []byte, keys []key.Key) (Judged, error) {
	in := inspect.Input{Kind: report.KindMail, SHA256: it.SHA256, Raw: raw, Keys: append(keys, j.Keys...)}
	out := Judged{Report: j.Inspect(ctx, in)}
	if !repeatable(out.Report) {
		return out, errors.New("the inspection did not come to its end")
	}
	out.Verdict = j.judge(out, messageOf(it, raw))
	return out, nil
}

// messageOf is a kept mail as it came.
func messageOf(it quarantine.Item, raw []byte) *mail.Message {
	m := &mail.Message{QueueID: it.QueueID, Raw: raw, Size: it.Size, SHA256: it.SHA256,
		Envelope: mail.Envelope{MailFrom: it.MailFrom, Rcpts: it.Rcpts}, Client: mail.Client{Host: it.ClientHost, Helo: it.Helo}}
	if a, err := netip.ParseAddr(it.ClientAddr); err == nil {
		m.Client.Addr = a
	}
	return m
}

// judgedItem is it with a new verdict.
func judgedItem(it quarantine.Item, j Judged) quarantine.Item {
	it.Rejudge(item(messageOf(it, nil), j, it.ID))
	return it
}

// awaits says until when a mail that is to be kept waits for its password: it
// does so when nothing but its lock speaks against it, zero otherwise.
func (gen *Generation) awaits(m *mail.Message, j Judged, now time.Time) time.Time {
	if gen.PairWindow <= 0 || j.Report == nil || !isLocked(j.Report) || j.Verdict.Disposition != verdict.Quarantine {
		return time.Time{}
	}
	open := *j.Report
	open.Findings = slices.DeleteFunc(slices.Clone(open.Findings), func(f finding.Finding) bool { return f.Kind == finding.ContainerEncrypted })
	without := j
	without.Report = &open
	if gen.Judge.judge(without, m).Disposition != verdict.Accept {
		return time.Time{}
	}
	return now.Add(gen.PairWindow)
}
