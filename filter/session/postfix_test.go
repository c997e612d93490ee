package session

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sekisho/filter/mail"
	"sekisho/filter/postfixrig"
)

// checkpoint is a real Postfix in front of a server of ours.
type checkpoint struct {
	postfix *postfixrig.Postfix
	sink    *postfixrig.Sink
	server  *Server
	notes   *notes
}

// rig is the one Postfix for all tests: starting one takes seconds. Its milter
// port stays the same; each test serves there in its turn.
var rig struct {
	once   sync.Once
	p      *postfixrig.Postfix
	sink   *postfixrig.Sink
	milter string
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if rig.p != nil {
		if err := rig.p.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		rig.sink.Close()
	}
	os.Exit(code)
}

func startRig() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if rig.err = err; err != nil {
		return
	}
	rig.milter = l.Addr().String()
	l.Close()
	if rig.sink, rig.err = postfixrig.NewSink(); rig.err != nil {
		return
	}
	rig.p, rig.err = postfixrig.Start(context.Background(), postfixrig.Options{
		Milters:  []string{"inet:" + rig.milter},
		SinkAddr: rig.sink.Addr(),
		TLS:      true,
		Extra: []string{
			"smtpd_recipient_restrictions = check_recipient_access inline:{{refused@example.jp = REJECT}}",
			"header_size_limit = 1000000",
		},
	})
}

// stand puts a server with handler h behind the Postfix.
func stand(t *testing.T, cfg Config, h Handler) *checkpoint {
	t.Helper()
	if err := postfixrig.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	rig.once.Do(startRig)
	if rig.err != nil {
		t.Fatal(rig.err)
	}
	l, err := Listen("inet:"+rig.milter, false, 0)
	must(t, err)
	n := &notes{}
	cfg.Note = n.take
	cfg.SpoolDir = t.TempDir()
	s := New(cfg, h)
	run(t, s, l)
	return &checkpoint{postfix: rig.p, sink: rig.sink, server: s, notes: n}
}

// dial opens an SMTP session in which Postfix believes in this client.
func (c *checkpoint) dial(t *testing.T) *postfixrig.Client {
	t.Helper()
	smtp, err := postfixrig.Dial(c.postfix.SMTP())
	must(t, err)
	t.Cleanup(func() { smtp.Close() })
	say(t, "220")(smtp.XClient("ADDR=192.0.2.7", "PORT=4711", "NAME=out.client.example", "LOGIN=taro"))
	say(t, "250")(smtp.Hello("client.example"))
	return smtp
}

// say checks a reply.
func say(t *testing.T, want string) func(string, error) {
	return func(reply string, err error) {
		t.Helper()
		if err != nil || !strings.HasPrefix(reply, want) {
			log := rig.p.Log()
			t.Fatalf("reply %q, %v; want %s\n%s", reply, err, want, log[max(0, len(log)-2000):])
		}
	}
}

// delivered waits for the mail with this Message-ID at the sink.
func (c *checkpoint) delivered(t *testing.T, id string) postfixrig.Delivered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	d, err := c.sink.Wait(ctx, has(id))
	if err != nil {
		t.Fatal(id, err, c.postfix.Log())
	}
	return d
}

func (c *checkpoint) wasDelivered(id string) bool { return c.sink.Count(has(id)) > 0 }

func has(id string) func(postfixrig.Delivered) bool {
	return func(d postfixrig.Delivered) bool { return bytes.Contains(d.Data, []byte("<"+id+">")) }
}

func letter(id, more string) []byte {
	return []byte("Message-ID: <" + id + ">\r\nSubject: test\r\n" + more + "\r\nbody of " + id + "\r\n")
}

// answerInID lets the Message-ID say what the handler answers.
func answerInID(m *mail.Message) mail.Reply {
	for word, a := range map[string]mail.Answer{
		"accept": mail.AnswerAccept, "reject": mail.AnswerReject, "discard": mail.AnswerDiscard, "defer": mail.AnswerDefer, "hold": mail.AnswerHold,
	} {
		if bytes.Contains(m.Raw, []byte("<"+word)) {
			return mail.Reply{Answer: a, Text: "as you wish: 100% " + word}
		}
	}
	return mail.Reply{}
}

// steps are what a client may do in a session; each leaves it ready for MAIL.
var steps = map[string]func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string){
	"accept": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("accept-"+id, "")))
		c.delivered(t, "accept-"+id)
	},
	"reject": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "550 5.7.1 as you wish: 100% reject")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("reject-"+id, "")))
	},
	"discard": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("discard-"+id, "")))
	},
	"defer": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "451 4.3.0 as you wish: 100% defer")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("defer-"+id, "")))
	},
	"hold": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("hold-"+id, "")))
	},
	"RSET": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "250")(smtp.Cmd("MAIL FROM:<other@client.example>"))
		say(t, "250")(smtp.Cmd("RCPT TO:<other@example.jp>"))
		say(t, "250")(smtp.Reset())
	},
	"refused recipient": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "554")(smtp.Send("a@client.example", []string{"refused@example.jp"}, nil))
		say(t, "250")(smtp.Reset())
	},
	"new EHLO": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "250")(smtp.Hello("client.example"))
	},
	"EHLO amid a transaction": func(t *testing.T, c *checkpoint, smtp *postfixrig.Client, id string) {
		say(t, "250")(smtp.Cmd("MAIL FROM:<other@client.example>"))
		say(t, "250")(smtp.Hello("client.example"))
	},
}

// TestEverySessionOrder is F31: on the tenth message as on the first, whatever
// came before it, the handler knows the client.
func TestEverySessionOrder(t *testing.T) {
	got := make(chan mail.Message, 100)
	c := stand(t, Config{}, func(_ context.Context, m *mail.Message) mail.Reply {
		got <- copyOf(m)
		return answerInID(m)
	})
	orders := [][]string{
		{"accept", "reject", "discard", "defer", "hold", "RSET", "refused recipient", "new EHLO", "EHLO amid a transaction"},
		{"EHLO amid a transaction", "new EHLO", "refused recipient", "RSET", "hold", "defer", "discard", "reject", "accept"},
		{"RSET", "RSET", "reject", "reject", "RSET", "accept", "accept", "refused recipient", "discard", "discard"},
		{"defer", "RSET", "new EHLO", "defer", "refused recipient", "hold", "accept", "new EHLO", "reject"},
	}
	for i, order := range orders {
		t.Run(strings.Join(order, ","), func(t *testing.T) {
			smtp := c.dial(t)
			for j, name := range order {
				steps[name](t, c, smtp, fmt.Sprintf("%d-%d", i, j))
				id := fmt.Sprintf("accept-after-%d-%d", i, j)
				say(t, "250")(smtp.Send("a@client.example", []string{"refused@example.jp", "b@example.jp"}, letter(id, "")))
				c.delivered(t, id)
				m := lastOf(t, got, id)
				if m.Client.Addr.String() != "192.0.2.7" || m.Client.Port != 4711 || m.Client.Host != "out.client.example" || m.Client.Helo != "client.example" {
					t.Errorf("%s after %s: client %+v", id, name, m.Client)
				}
				if m.Client.Daemon != "mx.rig.test" || m.Client.AuthName != "taro" || m.QueueID == "" || m.Client.TLSVersion != "" {
					t.Errorf("%s after %s: client %+v, queue ID %q, macros %v", id, name, m.Client, m.QueueID, m.Macros)
				}
				if m.Envelope.MailFrom != "a@client.example" || strings.Join(m.Envelope.Rcpts, ",") != "b@example.jp" {
					t.Errorf("%s after %s: envelope %+v", id, name, m.Envelope)
				}
			}
		})
	}
	for _, word := range []string{"reject", "discard", "defer", "hold"} {
		if n := c.sink.Count(func(d postfixrig.Delivered) bool { return bytes.Contains(d.Data, []byte("<"+word+"-")) }); n != 0 {
			t.Errorf("%d mails answered %s were delivered", n, word)
		}
	}
}

// lastOf reads up to the message with this id.
func lastOf(t *testing.T, got <-chan mail.Message, id string) mail.Message {
	t.Helper()
	for {
		select {
		case m := <-got:
			if bytes.Contains(m.Raw, []byte("<"+id+">")) {
				return m
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("message %s never came to the handler", id)
		}
	}
}

func TestTLSAndNewNamesAreSeen(t *testing.T) {
	got := make(chan mail.Message, 100)
	c := stand(t, Config{}, sayOn(got, mail.Reply{Answer: mail.AnswerAccept}))
	send := func(smtp *postfixrig.Client, id string) mail.Message {
		say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter(id, "")))
		return lastOf(t, got, id)
	}
	for _, hello := range []bool{true, false} {
		smtp, err := postfixrig.Dial(c.postfix.SMTP())
		must(t, err)
		say(t, "250")(smtp.Hello("plain.example"))
		if m := send(smtp, "before-tls"); m.Client.TLSVersion != "" || m.Client.Helo != "plain.example" {
			t.Errorf("before STARTTLS: %+v", m.Client)
		}
		say(t, "220")(smtp.StartTLS())
		if hello {
			say(t, "250")(smtp.Hello("secret.example"))
		}
		for i := range 3 {
			m := send(smtp, fmt.Sprint("after-tls-", hello, i))
			if !strings.HasPrefix(m.Client.TLSVersion, "TLSv1") || m.Client.Addr.String() != "127.0.0.1" || hello && m.Client.Helo != "secret.example" {
				t.Errorf("after STARTTLS, EHLO %t: %+v", hello, m.Client)
			}
		}
		must(t, smtp.Quit())
	}
}

// TestRejectHoldsWithoutReplies proves that no answer goes astray when Postfix
// waits for none but the last: a stray one would pass the mail.
func TestRejectHoldsWithoutReplies(t *testing.T) {
	var steps atomic.Uint32
	var c *checkpoint
	c = stand(t, Config{}, func(_ context.Context, m *mail.Message) mail.Reply {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		for w := range c.server.conns {
			if w.terms != nil {
				steps.Store(uint32(w.terms.steps))
			}
		}
		return mail.Reply{Answer: mail.AnswerReject, Text: "no"}
	})
	smtp := c.dial(t)
	for i := range 5 {
		id := fmt.Sprint("must-not-pass-", i)
		fields := strings.Repeat("X-Filler: x\r\n", 50)
		say(t, "550 5.7.1 no")(smtp.Send("a@client.example", []string{"b@example.jp"}, append(letter(id, fields), bytes.Repeat([]byte("0123456789\r\n"), 20000)...)))
		if c.wasDelivered(id) {
			t.Errorf("%s was delivered", id)
		}
	}
	if steps.Load() != uint32(stepsWanted) {
		t.Errorf("agreed steps %x, want %x: this test proves nothing without them", steps.Load(), uint32(stepsWanted))
	}
}

func TestTrueBytes(t *testing.T) {
	got := make(chan mail.Message, 100)
	c := stand(t, Config{}, sayOn(got, mail.Reply{Answer: mail.AnswerAccept}))
	smtp := c.dial(t)
	header := "Message-ID: <true-bytes>\r\nsubJECT:no blank\r\nReceived: from a by b;\r\n\tdate\r\nSUBject:   three  \r\n" +
		"X-Fold: a\r\n \r\n b\r\nSubject: again\r\nX-Empty:\r\nX-Raw: \x93\xfa\x96\x7b \u65e5\u672c\r\nX-Long: " + strings.Repeat("l", 30000) + "\r\n"
	// A bare CR or LF is not here: Postfix makes it a blank before anyone sees
	// it (cleanup_replace_stray_cr_lf).
	body := "a\x00b\r\n.dot\r\n\xff\xfe\x1b$B\r\n\r\n\r\nend\r\n"
	say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, []byte(header+"\r\n"+body)))
	m := lastOf(t, got, "true-bytes")
	// Postfix shows a milter every field but its own Received.
	if want := header + "\r\n" + body; string(m.Raw) != want {
		i := 0
		for i < min(len(want), len(m.Raw)) && m.Raw[i] == want[i] {
			i++
		}
		t.Errorf("Raw differs from byte %d: %.100q, want %.100q", i, m.Raw[i:], want[i:])
	}
	names := ""
	for _, f := range m.Fields {
		names += f.Name + " "
	}
	if names != "Message-ID subJECT Received SUBject X-Fold Subject X-Empty X-Raw X-Long " {
		t.Errorf("Fields %s", names)
	}
}

func TestNULInHeaderLosesNoField(t *testing.T) {
	got := make(chan mail.Message, 100)
	c := stand(t, Config{}, sayOn(got, mail.Reply{Answer: mail.AnswerAccept}))
	smtp := c.dial(t)
	say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("nul", "X-Before: 1\r\nX-Nul: a\x00b\r\nX-After: 2\r\n")))
	m := lastOf(t, got, "nul")
	for _, want := range []string{"X-Before: 1\r\n", "X-Nul: a", "X-After: 2\r\n"} {
		if !bytes.Contains(m.Raw, []byte(want)) {
			t.Errorf("Raw = %q lacks %q", m.Raw, want)
		}
	}
	if !strings.Contains(string(c.delivered(t, "nul").Data), "X-After: 2") {
		t.Error("the delivered copy lacks X-After")
	}
}

func TestEditsArrive(t *testing.T) {
	c := stand(t, Config{}, func(context.Context, *mail.Message) mail.Reply {
		return mail.Reply{Answer: mail.AnswerAccept, Edits: []mail.Edit{
			{Op: mail.EditDelete, Index: 3, Name: "Authentication-Results"},
			{Op: mail.EditDelete, Index: 1, Name: "Authentication-Results"},
			{Op: mail.EditDelete, Index: 1, Name: "Received"},
			{Op: mail.EditChange, Index: 1, Name: "Subject", Value: "[!] test\r\n folded"},
			{Op: mail.EditInsert, Index: 0, Name: "X-Top", Value: "mx.rig.test;\r\n\tspf=pass"},
			{Op: mail.EditAdd, Name: "X-Bottom", Value: "a\r\nX-Evil: 1"},
		}}
	})
	smtp := c.dial(t)
	more := "Authentication-Results: one\r\nauthentication-results: two\r\nAuthentication-RESULTS: three\r\nReceived: from elsewhere\r\nReceived: from far\r\n"
	say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("edits", more)))
	got := string(c.delivered(t, "edits").Data)
	for _, want := range []string{
		"X-Top: mx.rig.test;\r\n\tspf=pass\r\n", "\r\nSubject: [!] test\r\n folded\r\n", "\r\nauthentication-results: two\r\n", "\r\nX-Bottom: a  X-Evil: 1\r\n\r\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("delivered %q lacks %q", got, want)
		}
	}
	// Postfix's own Received is not counted: it cannot be deleted by mistake.
	if !strings.Contains(got, "by mx.rig.test") || strings.Contains(got, "from elsewhere") || !strings.Contains(got, "from far") {
		t.Errorf("delivered %q, want only the sender's first Received gone", got)
	}
	if !strings.HasPrefix(got, "X-Top:") || strings.Contains(got, ": one") || strings.Contains(got, ": three") || strings.Contains(got, "\r\nX-Evil") {
		t.Errorf("delivered %q", got)
	}
}

func TestHoldIsPostfixsHoldQueue(t *testing.T) {
	c := stand(t, Config{}, func(context.Context, *mail.Message) mail.Reply {
		return mail.Reply{Answer: mail.AnswerHold, Text: "for review", Edits: []mail.Edit{{Op: mail.EditAdd, Name: "X-Held", Value: "yes"}}}
	})
	smtp := c.dial(t)
	reply, err := smtp.Send("held@client.example", []string{"b@example.jp"}, letter("held", ""))
	say(t, "250")(reply, err)
	queue, err := c.postfix.Queue()
	must(t, err)
	for _, e := range queue {
		if e.Name == "hold" && e.Sender == "held@client.example" && strings.Contains(reply, e.ID) {
			return
		}
	}
	t.Errorf("Queue() = %+v, want %q on hold", queue, reply)
}

func TestLargeMailIsSpooled(t *testing.T) {
	got := make(chan mail.Message, 1)
	c := stand(t, Config{}, func(_ context.Context, m *mail.Message) mail.Reply {
		got <- copyOf(m)
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	smtp := c.dial(t)
	data := append(letter("large", ""), bytes.Repeat([]byte(strings.Repeat("0123456789abcdef", 4)+"\r\n"), 20<<20/66)...)
	say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, data))
	if m := <-got; !bytes.Equal(m.Raw, data) || m.SHA256 != hexOf(string(data)) || m.Oversize {
		t.Errorf("Raw has %d bytes, digest %s; want %d", len(m.Raw), m.SHA256, len(data))
	}
	if d := c.delivered(t, "large"); !bytes.HasSuffix(d.Data, data) {
		t.Errorf("delivered %d bytes that do not end in the %d sent", len(d.Data), len(data))
	}
}

func TestOversizeIsForTheHandler(t *testing.T) {
	c := stand(t, Config{MaxMessage: 100000}, func(_ context.Context, m *mail.Message) mail.Reply {
		if m.Oversize && len(m.Raw) == 0 && m.Size > 200000 && len(m.Fields) == 2 {
			return mail.Reply{Answer: mail.AnswerReject, Code: 552, Enhanced: "5.3.4", Text: "too large"}
		}
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	data := append(letter("oversize", ""), bytes.Repeat([]byte("0123456789\r\n"), 20000)...)
	say(t, "552 5.3.4 too large")(c.dial(t).Send("a@client.example", []string{"b@example.jp"}, data))
}

func TestPanicAndLatenessInPostfix(t *testing.T) {
	c := stand(t, Config{MessageTimeout: 3 * time.Second}, func(ctx context.Context, m *mail.Message) mail.Reply {
		switch {
		case bytes.Contains(m.Raw, []byte("<panic>")):
			panic("a bug")
		case bytes.Contains(m.Raw, []byte("<late>")):
			<-ctx.Done()
		}
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	smtp := c.dial(t)
	for _, id := range []string{"panic", "late"} {
		say(t, "451 4.3.0")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter(id, "")))
	}
	say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("after-both", "")))
	c.delivered(t, "after-both")
	if c.wasDelivered("panic") || c.wasDelivered("late") || c.notes.count(NotePanic) != 1 || c.notes.count(NoteLate) != 1 {
		t.Errorf("delivered a mail that had to wait, or notes %v", c.notes.events)
	}
}

func TestShutdownDrainsInFlightMail(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	c := stand(t, Config{}, func(context.Context, *mail.Message) mail.Reply {
		close(entered)
		<-release
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	smtp, idle := c.dial(t), c.dial(t)
	sent := make(chan string, 1)
	go func() {
		reply, err := smtp.Send("a@client.example", []string{"b@example.jp"}, letter("in-flight", ""))
		sent <- fmt.Sprint(reply, err)
	}()
	<-entered
	down := make(chan error, 1)
	go func() { down <- c.server.Shutdown(context.Background()) }()
	await(t, "the idle session to be closed", func() bool { return c.server.Active() == 1 })
	say(t, "451")(idle.Send("a@client.example", []string{"b@example.jp"}, letter("too-late", "")))
	close(release)
	if reply := <-sent; !strings.HasPrefix(reply, "250") {
		t.Errorf("in-flight mail: %q, want 250", reply)
	}
	c.delivered(t, "in-flight")
	if err := <-down; err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
}

// TestUNIXSocket is how the packages ship it; it needs a Postfix of its own.
func TestUNIXSocket(t *testing.T) {
	c := stand(t, Config{}, accept) // for the sink, and to skip where there is no Postfix
	dir, err := os.MkdirTemp("", "session-")
	must(t, err)
	defer os.RemoveAll(dir)
	must(t, os.Chmod(dir, 0o755)) // Postfix's user must get at the socket
	l, err := Listen("unix:"+dir+"/milter", false, 0o666)
	must(t, err)
	got := make(chan mail.Message, 1)
	run(t, New(Config{SpoolDir: dir}, sayOn(got, mail.Reply{Answer: mail.AnswerAccept})), l)
	p, err := postfixrig.Start(t.Context(), postfixrig.Options{Milters: []string{"unix:" + dir + "/milter"}, SinkAddr: c.sink.Addr()})
	must(t, err)
	defer func() { must(t, p.Stop()) }()
	smtp, err := postfixrig.Dial(p.SMTP())
	must(t, err)
	defer smtp.Close()
	say(t, "250")(smtp.Hello("client.example"))
	say(t, "250")(smtp.Send("a@client.example", []string{"b@example.jp"}, letter("unix", "")))
	if m := <-got; m.Client.Addr.String() != "127.0.0.1" || m.QueueID == "" {
		t.Errorf("client %+v, queue ID %q", m.Client, m.QueueID)
	}
	c.delivered(t, "unix")
}
