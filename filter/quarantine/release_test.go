package quarantine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/sqlite"
	"sekisho/filter/quarantine/storetest"
)

// sink is an SMTP server that follows a script: a reply for each command that
// begins with a key; "drop" closes the connection, "hang" never answers.
type sink struct {
	script map[string]string
	ln     net.Listener
	wg     sync.WaitGroup

	mu    sync.Mutex
	said  []string
	mails [][]byte
}

func newSink(t *testing.T, script map[string]string) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{script: script, ln: ln}
	s.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); s.wg.Wait() })
	return s
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	if !s.answer(c, "greeting", "220 sink ESMTP") {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.note(line)
		reply := "250 2.0.0 Ok"
		switch {
		case strings.HasPrefix(line, "EHLO"):
			reply = "250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8"
		case line == "DATA":
			reply = "354 go on"
		}
		if !s.answer(c, line, reply) {
			return
		}
		if line == "DATA" && s.script["DATA"] == "" && !s.data(c, r) {
			return
		}
	}
}

func (s *sink) data(c net.Conn, r *bufio.Reader) bool {
	if s.script["body"] == "drop" {
		return false
	}
	var mail []byte
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return false
		}
		if string(line) == ".\r\n" {
			break
		}
		mail = append(mail, bytes.TrimPrefix(line, []byte("."))...)
	}
	if !s.answer(c, ".", "250 2.0.0 Ok: queued as 4cSINK") {
		return false
	}
	s.mu.Lock()
	s.mails = append(s.mails, mail)
	s.mu.Unlock()
	return true
}

// answer says the scripted reply or the usual one, and whether to go on.
func (s *sink) answer(c net.Conn, line, usual string) bool {
	for key, reply := range s.script {
		if key != "body" && strings.HasPrefix(line, key) {
			usual = reply
		}
	}
	switch usual {
	case "drop":
		return false
	case "hang":
		c.Read(make([]byte, 1)) // until the client has had enough
		return false
	}
	_, err := c.Write([]byte(usual + "\r\n"))
	return err == nil
}

func (s *sink) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, line)
}

func (s *sink) received() ([]string, [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.said...), append([][]byte(nil), s.mails...)
}

func store(t *testing.T) *sqlite.Store {
	t.Helper()
	st, err := sqlite.Open(t.TempDir()+"/q", sqlite.Options{Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func options(s *sink) quarantine.ReleaseOptions {
	o := quarantine.ReleaseOptions{SMTP: s.ln.Addr().String(), Actor: "hanako", Reason: "telephoned", Step: 20 * time.Second}
	for _, does := range s.script {
		if does == "hang" {
			o.Step = 300 * time.Millisecond
		}
	}
	return o
}

func keep(t *testing.T, st quarantine.Store, it quarantine.Item, raw []byte) quarantine.Item {
	t.Helper()
	it, err := st.Keep(t.Context(), it, raw)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func TestReleaseSendsTheBytes(t *testing.T) {
	null := storetest.Item(1)
	null.MailFrom = ""
	japanese := storetest.Item(1)
	japanese.MailFrom = "総務@年金.example"
	asked := storetest.Item(1)
	asked.SMTPUTF8 = true
	tests := []struct {
		name string
		it   quarantine.Item
		raw  string
		from string
		tail string // what SMTP adds to the bytes
	}{
		{"plain text", storetest.Item(1), "A: b\r\n\r\nhello\r\n", "MAIL FROM:<Sender1@Example.COM>", ""},
		{"null sender", null, "A: b\r\n\r\nhello\r\n", "MAIL FROM:<>", ""},
		{"eight bits", storetest.Item(1), "A: \xe5\x8c\xbb\r\n\r\n\xff\r\n", "MAIL FROM:<Sender1@Example.COM> BODY=8BITMIME", ""},
		{"address beyond ASCII", japanese, "A: b\r\n\r\n", "MAIL FROM:<総務@年金.example> SMTPUTF8", ""},
		{"the sender asked for SMTPUTF8", asked, "A: b\r\n\r\n", "MAIL FROM:<Sender1@Example.COM> SMTPUTF8", ""},
		{"leading dots", storetest.Item(1), ".\r\n..\r\n...a\r\n\r\n.\r\n", "MAIL FROM:<Sender1@Example.COM>", ""},
		{"smuggled end of data", storetest.Item(1), "A: b\r\n\r\nx\n.\r\nMAIL FROM:<evil@x>\n.\n\r.\r\n", "MAIL FROM:<Sender1@Example.COM>", ""},
		{"a line of 100,000 bytes", storetest.Item(1), "A: b\r\n\r\n" + strings.Repeat("x", 100000) + "\r\n", "MAIL FROM:<Sender1@Example.COM>", ""},
		{"no last line end", storetest.Item(1), "A: b\r\n\r\nend", "MAIL FROM:<Sender1@Example.COM>", "\r\n"},
		{"empty", storetest.Item(1), "", "MAIL FROM:<Sender1@Example.COM>", ""},
		{"awkward bytes", storetest.Item(1), string(storetest.Mail(1)), "MAIL FROM:<Sender1@Example.COM> BODY=8BITMIME", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, s := store(t), newSink(t, nil)
			it := keep(t, st, tt.it, []byte(tt.raw))
			r, err := quarantine.Release(t.Context(), st, it.ID, options(s))
			if err != nil || r.Item.State != quarantine.Released || r.Reply != "250 2.0.0 Ok: queued as 4cSINK" {
				t.Fatalf("Release = %+v %q, %v, want released", r.Item.Standing, r.Reply, err)
			}
			said, mails := s.received()
			if len(mails) != 1 || string(mails[0]) != tt.raw+tt.tail {
				t.Errorf("sent %.200q, want %.200q", mails, tt.raw+tt.tail)
			}
			if len(said) < 4 || said[1] != tt.from || said[3] != `RCPT TO:<"odd local"@nenkin.example>` {
				t.Errorf("said %q, want %q and both recipients", said, tt.from)
			}
		})
	}
}

func TestReleaseRefused(t *testing.T) {
	tests := []struct {
		name   string
		script map[string]string
		want   error
		reply  string // part of LastReply
	}{
		{"452 to the final dot", map[string]string{".": "452 4.3.1 Insufficient system storage"}, quarantine.ErrNotSent, "452 4.3.1"},
		{"550 to the final dot", map[string]string{".": "550 5.7.1 no"}, quarantine.ErrNotSent, "550 5.7.1"},
		{"several lines", map[string]string{".": "550-5.7.1 first\r\n550 5.7.1 second"}, quarantine.ErrNotSent, "first / 5.7.1 second"},
		{"hostile reply", map[string]string{".": "550 \x1b[2J\u202eevil"}, quarantine.ErrNotSent, "⟨U+001B⟩[2J⟨U+202E⟩evil"},
		{"one recipient of two", map[string]string{"RCPT TO:<somu@": "550 5.1.1 unknown"}, quarantine.ErrNotSent, "1 of 2 recipients refused: RCPT TO:<somu@nenkin.example> was answered 550 5.1.1 unknown"},
		{"sender", map[string]string{"MAIL": "452 later"}, quarantine.ErrNotSent, "452 later"},
		{"DATA", map[string]string{"DATA": "451 later"}, quarantine.ErrNotSent, "451 later"},
		{"greeting", map[string]string{"greeting": "421 busy"}, quarantine.ErrNotSent, "421 busy"},
		{"no greeting", map[string]string{"greeting": "hang"}, quarantine.ErrNotSent, "timeout"},
		{"hangs at RCPT", map[string]string{"RCPT": "hang"}, quarantine.ErrNotSent, "timeout"},
		{"drops at DATA", map[string]string{"DATA": "drop"}, quarantine.ErrNotSent, "EOF"},
		{"drops before the mail", map[string]string{"body": "drop"}, quarantine.ErrUnclear, ""},
		{"hangs after the final dot", map[string]string{".": "hang"}, quarantine.ErrUnclear, "no answer to the final dot"},
		{"drops after the final dot", map[string]string{".": "drop"}, quarantine.ErrUnclear, "no answer to the final dot"},
		{"nonsense after the final dot", map[string]string{".": "ok"}, quarantine.ErrUnclear, "no answer to the final dot"},
		{"strange code", map[string]string{".": "251 elsewhere"}, quarantine.ErrUnclear, "251 elsewhere"},
		{"no 8BITMIME", map[string]string{"EHLO": "250 sink"}, quarantine.ErrNotSent, "8BITMIME"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, s := store(t), newSink(t, tt.script)
			it := keep(t, st, storetest.Item(1), storetest.Mail(1))
			r, err := quarantine.Release(t.Context(), st, it.ID, options(s))
			if !errors.Is(err, tt.want) || !strings.Contains(r.Item.LastReply, tt.reply) {
				t.Fatalf("Release = %q, %v, want %v with %q", r.Item.LastReply, err, tt.want, tt.reply)
			}
			tryAgain(t, st, it.ID, tt.want)
		})
	}
}

// tryAgain releases to a willing server: at once after a clear refusal, only
// with again after an unclear end.
func tryAgain(t *testing.T, st quarantine.Store, id quarantine.ID, before error) {
	t.Helper()
	good := newSink(t, nil)
	o := options(good)
	if errors.Is(before, quarantine.ErrUnclear) {
		it, err := st.Get(t.Context(), id)
		if err != nil || it.State != quarantine.Releasing || !it.MaybeSent {
			t.Errorf("Get = %+v, %v, want releasing and maybe sent", it.Standing, err)
		}
		if _, err := quarantine.Release(t.Context(), st, id, o); !errors.Is(err, quarantine.ErrUnclear) {
			t.Errorf("Release without again = %v, want ErrUnclear", err)
		}
		o.Again = true
	}
	if r, err := quarantine.Release(t.Context(), st, id, o); err != nil || r.Item.State != quarantine.Released {
		t.Errorf("Release again = %+v, %v, want released", r.Item.Standing, err)
	}
	if _, mails := good.received(); len(mails) != 1 {
		t.Errorf("%d mails were sent, want 1", len(mails))
	}
}

func TestReleaseIsSafeToRepeat(t *testing.T) {
	st, s := store(t), newSink(t, nil)
	it := keep(t, st, storetest.Item(1), storetest.Mail(1))
	for n := range 3 {
		r, err := quarantine.Release(t.Context(), st, it.ID, options(s))
		if err != nil || r.Already != (n > 0) || r.Item.State != quarantine.Released {
			t.Errorf("release %d = %+v, %v", n, r, err)
		}
	}
	if _, mails := s.received(); len(mails) != 1 {
		t.Errorf("%d mails were sent, want 1", len(mails))
	}
	o := options(s)
	o.Again = true
	if r, err := quarantine.Release(t.Context(), st, it.ID, o); err != nil || r.Already {
		t.Errorf("Release again = %+v, %v, want it sent", r, err)
	}
	if _, mails := s.received(); len(mails) != 2 {
		t.Errorf("%d mails were sent, want 2", len(mails))
	}
}

func TestReleaseRaces(t *testing.T) {
	st, s := store(t), newSink(t, nil)
	const mails, reviewers = 50, 4 // 200 attempts
	for n := range mails {
		it := keep(t, st, storetest.Item(n), storetest.Mail(n))
		var wg sync.WaitGroup
		for r := range reviewers {
			wg.Go(func() {
				o := options(s)
				o.Actor = fmt.Sprint("reviewer ", r)
				_, err := quarantine.Release(t.Context(), st, it.ID, o)
				if err != nil && !errors.Is(err, quarantine.ErrReleasing) {
					t.Errorf("Release = %v, want nil or ErrReleasing", err)
				}
			})
		}
		wg.Wait()
	}
	if _, got := s.received(); len(got) != mails {
		t.Errorf("%d mails were sent, want each of %d once", len(got), mails)
	}
}

func TestReleaseRefusesBeforeSending(t *testing.T) {
	evil := storetest.Item(1)
	evil.Rcpts = []string{"a@example>\r\nRCPT TO:<b@example"}
	nobody := storetest.Item(1)
	nobody.Rcpts = nil
	tests := []struct {
		name   string
		it     quarantine.Item
		reason string
		want   error
	}{
		{"no reason", storetest.Item(1), "", quarantine.ErrReason},
		{"blank reason", storetest.Item(1), " \t", quarantine.ErrReason},
		{"an address with a line end", evil, "r", quarantine.ErrAddress},
		{"no recipients", nobody, "r", quarantine.ErrNoRcpt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, s := store(t), newSink(t, nil)
			it := keep(t, st, tt.it, storetest.Mail(1))
			o := options(s)
			o.Reason = tt.reason
			if _, err := quarantine.Release(t.Context(), st, it.ID, o); !errors.Is(err, tt.want) {
				t.Errorf("Release = %v, want %v", err, tt.want)
			}
			if said, _ := s.received(); len(said) > 0 {
				t.Errorf("said %q, want nothing", said)
			}
			if got, err := st.Get(t.Context(), it.ID); err != nil || got.State != quarantine.Held {
				t.Errorf("Get = %s, %v, want held", got.State, err)
			}
		})
	}
}

func TestReleaseWithoutServer(t *testing.T) {
	st, s := store(t), newSink(t, nil)
	s.ln.Close()
	it := keep(t, st, storetest.Item(1), storetest.Mail(1))
	_, err := quarantine.Release(t.Context(), st, it.ID, options(s))
	var qe *quarantine.Error
	if !errors.As(err, &qe) || !errors.Is(err, quarantine.ErrNotSent) || !strings.Contains(qe.Hint, "master.cf") {
		t.Errorf("Release = %v, want ErrNotSent with a hint", err)
	}
	tryAgain(t, st, it.ID, err)
}

func TestReleaseEndsWithItsContext(t *testing.T) {
	st, s := store(t), newSink(t, map[string]string{"RCPT": "hang"})
	it := keep(t, st, storetest.Item(1), storetest.Mail(1))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	o := options(s)
	o.Step = time.Minute
	start := time.Now()
	r, err := quarantine.Release(ctx, st, it.ID, o)
	if !errors.Is(err, quarantine.ErrNotSent) || time.Since(start) > 30*time.Second {
		t.Errorf("Release = %v after %v, want ErrNotSent soon", err, time.Since(start))
	}
	if r.Item.State != quarantine.Held {
		t.Errorf("state %s, want held: what happened is recorded after the caller has gone", r.Item.State)
	}
}
