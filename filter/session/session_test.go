package session

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

// notes collects what Config.Note is told.
type notes struct {
	mu     sync.Mutex
	events []string
	fields []map[string]any
}

func (n *notes) take(event string, fields map[string]any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, event)
	n.fields = append(n.fields, fields)
}

func (n *notes) count(event string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := 0
	for _, e := range n.events {
		if e == event {
			c++
		}
	}
	return c
}

// await waits until the event was noted.
func (n *notes) await(t testing.TB, event string) {
	t.Helper()
	await(t, "event "+event, func() bool { return n.count(event) > 0 })
}

// await waits for a fact.
func await(t testing.TB, what string, fact func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !fact(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// serve runs a server on a free loopback port for the test.
func serve(t testing.TB, cfg Config, h Handler) (s *Server, addr string, n *notes) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n = &notes{}
	if cfg.Note == nil {
		cfg.Note = n.take
	}
	if cfg.SpoolDir == "" {
		cfg.SpoolDir = t.TempDir()
	}
	s = New(cfg, h)
	run(t, s, l)
	return s, l.Addr().String(), n
}

// run serves l until the end of the test.
func run(t testing.TB, s *Server, l net.Listener) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve() = %v", err)
		}
		if n := s.memory.Load(); n != 0 {
			t.Errorf("%d bytes of memory are still accounted for", n)
		}
	})
}

func accept(context.Context, *mail.Message) mail.Reply { return mail.Reply{Answer: mail.AnswerAccept} }

const everything = milter.OptProtocol(0x1fffff)

// dial negotiates as an MTA that offers all actions and the given steps.
func dial(t testing.TB, addr string, steps milter.OptProtocol) *milter.ClientSession {
	t.Helper()
	return dialOffering(t, addr, 0x1ff, steps)
}

func dialOffering(t testing.TB, addr string, actions milter.OptAction, steps milter.OptProtocol) *milter.ClientSession {
	t.Helper()
	c := milter.NewClientWithOptions("tcp", addr, milter.ClientOptions{
		ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second, ActionMask: actions, ProtocolMask: steps,
	})
	s, err := c.Session()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// goesOn fails unless a step was answered with continue.
func goesOn(t testing.TB, a *milter.Action, err error) {
	t.Helper()
	if err != nil || a.Code != milter.ActContinue {
		t.Fatalf("step answered %+v, %v; want continue", a, err)
	}
}

func connect(t testing.TB, c *milter.ClientSession) {
	t.Helper()
	must(t, c.Macros(milter.CodeConn, "j", "mx.example", "{daemon_name}", "smtpd"))
	a, err := c.Conn("out.client.example", milter.FamilyInet, 4711, "192.0.2.7")
	goesOn(t, a, err)
	a, err = c.Helo("client.example")
	goesOn(t, a, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// transact sends one message and returns how it was answered.
func transact(t testing.TB, c *milter.ClientSession, id string, fields [][2]string, body ...string) ([]milter.ModifyAction, *milter.Action) {
	t.Helper()
	begin(t, c, id)
	return data(t, c, fields, body...)
}

func begin(t testing.TB, c *milter.ClientSession, id string) {
	t.Helper()
	must(t, c.Macros(milter.CodeMail, "{mail_addr}", "a@client.example"))
	a, err := c.Mail("a@client.example", []string{"SIZE=100", "BODY=8BITMIME"})
	goesOn(t, a, err)
	a, err = c.Rcpt("b@example.jp", nil)
	goesOn(t, a, err)
	must(t, c.Macros(milter.CodeData, "i", id))
}

func data(t testing.TB, c *milter.ClientSession, fields [][2]string, body ...string) ([]milter.ModifyAction, *milter.Action) {
	t.Helper()
	for _, f := range fields {
		a, err := c.HeaderField(f[0], f[1])
		goesOn(t, a, err)
	}
	a, err := c.HeaderEnd()
	goesOn(t, a, err)
	for _, chunk := range body {
		a, err := c.BodyChunk([]byte(chunk))
		goesOn(t, a, err)
	}
	mods, act, err := c.End()
	must(t, err)
	must(t, c.Abort()) // as Postfix does after each message
	return mods, act
}

// copyOf keeps what a handler may not keep.
func copyOf(m *mail.Message) mail.Message {
	out := *m
	out.Raw = append([]byte(nil), m.Raw...)
	return out
}

// sayOn makes a handler that keeps a copy of each message and gives r.
func sayOn(got chan<- mail.Message, r mail.Reply) Handler {
	return func(_ context.Context, m *mail.Message) mail.Reply {
		got <- copyOf(m)
		return r
	}
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name  string
		reply mail.Reply
		code  milter.ActionCode
		smtp  int
		text  string
	}{
		{"nothing decided makes the mail wait", mail.Reply{}, milter.ActReplyCode, 451, "4.3.0 Message not inspected yet, please try again later"},
		{"accept", mail.Reply{Answer: mail.AnswerAccept}, milter.ActAccept, 0, ""},
		{"discard", mail.Reply{Answer: mail.AnswerDiscard}, milter.ActDiscard, 0, ""},
		{"reject as usual", mail.Reply{Answer: mail.AnswerReject}, milter.ActReplyCode, 550, "5.7.1 Message refused"},
		{"reject in our words", mail.Reply{Answer: mail.AnswerReject, Code: 554, Enhanced: "5.6.1", Text: "no .scr"}, milter.ActReplyCode, 554, "5.6.1 no .scr"},
		{"defer in our words", mail.Reply{Code: 452, Enhanced: "4.2.2", Text: "full"}, milter.ActReplyCode, 452, "4.2.2 full"},
		{"a reject cannot become a success", mail.Reply{Answer: mail.AnswerReject, Code: 250, Enhanced: "2.0.0", Text: "ok"}, milter.ActReplyCode, 550, "5.7.1 ok"},
		{"codes of two classes", mail.Reply{Answer: mail.AnswerReject, Code: 550, Enhanced: "4.7.1", Text: "x"}, milter.ActReplyCode, 550, "5.7.1 x"},
		{"a code that is none", mail.Reply{Answer: mail.AnswerReject, Code: 5, Enhanced: "5.x.1", Text: "x"}, milter.ActReplyCode, 550, "5.7.1 x"},
		{"percent signs are doubled for the MTA", mail.Reply{Answer: mail.AnswerReject, Text: "100% %s"}, milter.ActReplyCode, 550, "5.7.1 100%% %%s"},
		{"line ends cannot add a line", mail.Reply{Answer: mail.AnswerReject, Text: "a\r\n250 ok\x00\x1b"}, milter.ActReplyCode, 550, "5.7.1 a??250 ok??"},
		{"text beyond ASCII", mail.Reply{Answer: mail.AnswerReject, Text: "拒否 \u202e"}, milter.ActReplyCode, 550, "5.7.1 ?? ?"},
		{"long text is cut", mail.Reply{Answer: mail.AnswerReject, Text: long}, milter.ActReplyCode, 550, "5.7.1 " + long[:maxText]},
		{"an answer nobody knows makes the mail wait", mail.Reply{Answer: 99}, milter.ActReplyCode, 451, "4.3.0 Message not inspected yet, please try again later"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, addr, _ := serve(t, Config{}, func(context.Context, *mail.Message) mail.Reply { return tt.reply })
			c := dial(t, addr, everything)
			connect(t, c)
			_, act := transact(t, c, "4bXyZ", nil, "x")
			if act.Code != tt.code || act.SMTPCode != tt.smtp || act.SMTPText != tt.text {
				t.Errorf("answer to %+v: %c %d %q, want %c %d %q", tt.reply, act.Code, act.SMTPCode, act.SMTPText, tt.code, tt.smtp, tt.text)
			}
		})
	}
}

func TestClientIsRememberedAfterEachAnswer(t *testing.T) {
	for _, steps := range []milter.OptProtocol{0, everything} {
		answers := []mail.Answer{mail.AnswerAccept, mail.AnswerReject, mail.AnswerDiscard, mail.AnswerDefer, mail.AnswerHold}
		got := make(chan mail.Message, 1)
		var next mail.Answer
		_, addr, _ := serve(t, Config{}, func(_ context.Context, m *mail.Message) mail.Reply {
			got <- copyOf(m)
			return mail.Reply{Answer: next}
		})
		c := dial(t, addr, steps)
		connect(t, c)
		for i := range 10 {
			next = answers[i%len(answers)]
			id := string(rune('A' + i))
			transact(t, c, id, nil, "x")
			m := <-got
			if m.Client.Addr.String() != "192.0.2.7" || m.Client.Port != 4711 || m.Client.Host != "out.client.example" ||
				m.Client.Helo != "client.example" || m.Client.Daemon != "smtpd" || m.QueueID != id || m.Macros["j"] != "mx.example" {
				t.Errorf("message %d, steps %x: %+v, queue ID %q", i+1, steps, m.Client, m.QueueID)
			}
		}
	}
}

func TestMessageAsItCame(t *testing.T) {
	tests := []struct {
		name   string
		steps  milter.OptProtocol
		fields [][2]string
		body   []string
		raw    string
	}{
		{"order, case and duplicates", everything, [][2]string{{"subJECT", " one"}, {"Received", " x"}, {"SUBject", " two"}}, []string{"a\r\n"},
			"subJECT: one\r\nReceived: x\r\nSUBject: two\r\n\r\na\r\n"},
		{"folds become CRLF", everything, [][2]string{{"X", "\n a\n\tb"}, {"Y", " a\r\n b"}}, nil, "X:\r\n a\r\n\tb\r\nY: a\r\n b\r\n\r\n"},
		{"blanks after the colon are the sender's", everything, [][2]string{{"A", ""}, {"B", "v"}, {"C", "   v "}}, nil, "A:\r\nB:v\r\nC:   v \r\n\r\n"},
		{"an MTA that hides the blank", 0, [][2]string{{"A", "v"}}, []string{"b"}, "A: v\r\n\r\nb"},
		{"a NUL in a value loses nothing", everything, [][2]string{{"A", " a\x00b"}, {"B", " c"}}, nil, "A: a\x00b\r\nB: c\r\n\r\n"},
		{"body in pieces, bare line ends kept", everything, nil, []string{"a\n", "b\r", "\x00\xff"}, "\r\na\nb\r\x00\xff"},
		{"nothing at all", everything, nil, nil, "\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan mail.Message, 1)
			_, addr, _ := serve(t, Config{}, sayOn(got, mail.Reply{}))
			c := dial(t, addr, tt.steps)
			connect(t, c)
			transact(t, c, "1", tt.fields, tt.body...)
			m := <-got
			if string(m.Raw) != tt.raw || m.Size != int64(len(tt.raw)) || m.SHA256 != hexOf(tt.raw) {
				t.Errorf("Raw = %q (%d, %s), want %q", m.Raw, m.Size, m.SHA256, tt.raw)
			}
			var fields string
			for _, f := range m.Fields {
				fields += f.Name + ":" + f.Value + "\r\n"
			}
			if len(m.Fields) != len(tt.fields) || !strings.HasPrefix(tt.raw, fields) {
				t.Errorf("Fields = %q, want them to make up the header of %q", m.Fields, tt.raw)
			}
		})
	}
}

func TestEnvelope(t *testing.T) {
	got := make(chan mail.Message, 1)
	_, addr, _ := serve(t, Config{}, sayOn(got, mail.Reply{}))
	c := dial(t, addr, everything)
	connect(t, c)
	tests := []struct{ name, from, want string }{
		{"a bounce has no sender", "", ""},
		{"an address", "a@b.example", "a@b.example"},
		{"only one pair of brackets is the protocol's", "<a@b>", "<a@b>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Mail(tt.from, []string{"SMTPUTF8", "SIZE=5"})
			must(t, err)
			for _, to := range []string{"x@example.jp", `"a b"@example.jp`} {
				_, err := c.Rcpt(to, nil)
				must(t, err)
			}
			data(t, c, nil)
			e := (<-got).Envelope
			if e.MailFrom != tt.want || strings.Join(e.MailArgs, " ") != "SMTPUTF8 SIZE=5" || strings.Join(e.Rcpts, " ") != `x@example.jp "a b"@example.jp` {
				t.Errorf("Envelope = %+v, want from %q", e, tt.want)
			}
		})
	}
}

func TestAddressForms(t *testing.T) {
	tests := []struct {
		name, host, addr, wantHost, want string
		family                           milter.ProtoFamily
	}{
		{"IPv6 as Postfix says it", "h", "2001:db8::1", "h", "2001:db8::1", milter.FamilyInet6},
		{"IPv6 as Sendmail says it", "h", "IPv6:2001:db8::1", "h", "2001:db8::1", milter.FamilyInet6},
		{"IPv4 in IPv6 clothes is IPv4", "h", "::ffff:192.0.2.1", "h", "192.0.2.1", milter.FamilyInet6},
		{"no confirmed name", "unknown", "192.0.2.1", "[192.0.2.1]", "192.0.2.1", milter.FamilyInet},
		{"a local socket", "localhost", "/run/x", "localhost", "invalid IP", milter.FamilyUnix},
		{"an unknown family", "unknown", "", "unknown", "invalid IP", milter.FamilyUnknown},
		{"no address at all", "h", "not an address", "h", "invalid IP", milter.FamilyInet},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan mail.Message, 1)
			_, addr, _ := serve(t, Config{}, sayOn(got, mail.Reply{}))
			c := dial(t, addr, everything)
			_, err := c.Conn(tt.host, tt.family, 25, tt.addr)
			must(t, err)
			transact(t, c, "1", nil)
			m := <-got
			if m.Client.Host != tt.wantHost || m.Client.Addr.String() != tt.want {
				t.Errorf("Client = %+v, want %s %s", m.Client, tt.wantHost, tt.want)
			}
		})
	}
}

func TestEdits(t *testing.T) {
	edits := []mail.Edit{
		{Op: mail.EditInsert, Index: 0, Name: "Authentication-Results", Value: "mx;\r\n spf=pass"},
		{Op: mail.EditAdd, Name: "X-Sekisho", Value: "a\r\nEvil: b\nc\x00d"},
		{Op: mail.EditChange, Index: 2, Name: "Subject", Value: "new"},
		{Op: mail.EditChange, Index: 1, Name: "Subject", Value: ""},
		{Op: mail.EditDelete, Index: 3, Name: "Received"},
	}
	tests := []struct {
		name  string
		steps milter.OptProtocol
		lead  string
	}{
		{"values bring their blank", everything, " "},
		{"an MTA that brings the blank itself", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, addr, _ := serve(t, Config{}, func(context.Context, *mail.Message) mail.Reply {
				return mail.Reply{Answer: mail.AnswerHold, Text: "because\r\n", Edits: edits}
			})
			c := dial(t, addr, tt.steps)
			connect(t, c)
			mods, act := transact(t, c, "1", nil, "x")
			want := []milter.ModifyAction{
				{Code: milter.ActInsertHeader, HeaderName: "Authentication-Results", HeaderValue: tt.lead + "mx;\n spf=pass"},
				{Code: milter.ActAddHeader, HeaderName: "X-Sekisho", HeaderValue: tt.lead + "a  Evil: b c d"},
				{Code: milter.ActChangeHeader, HeaderIndex: 2, HeaderName: "Subject", HeaderValue: tt.lead + "new"},
				{Code: milter.ActChangeHeader, HeaderIndex: 1, HeaderName: "Subject", HeaderValue: " "},
				{Code: milter.ActChangeHeader, HeaderIndex: 3, HeaderName: "Received"},
				{Code: milter.ActQuarantine, Reason: "because??"},
			}
			if len(mods) != len(want) || act.Code != milter.ActAccept {
				t.Fatalf("edits %+v, answer %c; want %d and accept", mods, act.Code, len(want))
			}
			for i := range want {
				w, g := want[i], mods[i]
				if g.Code != w.Code || g.HeaderIndex != w.HeaderIndex || g.HeaderName != w.HeaderName || g.HeaderValue != w.HeaderValue || g.Reason != w.Reason {
					t.Errorf("edit %d = %+v, want %+v", i, g, w)
				}
			}
		})
	}
}

func TestWhatCannotBeCarriedOutMakesTheMailWait(t *testing.T) {
	tag := []mail.Edit{{Op: mail.EditAdd, Name: "X", Value: "v"}}
	tests := []struct {
		name    string
		actions milter.OptAction
		reply   mail.Reply
	}{
		{"edits the MTA did not offer", milter.OptAddHeader, mail.Reply{Answer: mail.AnswerAccept, Edits: tag}},
		{"a hold the MTA did not offer", milter.OptAddHeader | milter.OptChangeHeader, mail.Reply{Answer: mail.AnswerHold, Edits: tag}},
		{"a name that would break the header", 0x1ff, mail.Reply{Answer: mail.AnswerAccept, Edits: []mail.Edit{tag[0], {Op: mail.EditAdd, Name: "X: y\r\nZ"}}}},
		{"no name", 0x1ff, mail.Reply{Answer: mail.AnswerAccept, Edits: []mail.Edit{{Op: mail.EditAdd}}}},
		{"no index", 0x1ff, mail.Reply{Answer: mail.AnswerAccept, Edits: []mail.Edit{{Op: mail.EditDelete, Name: "X"}}}},
		{"an operation nobody knows", 0x1ff, mail.Reply{Answer: mail.AnswerAccept, Edits: []mail.Edit{{Op: 99, Name: "X"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, addr, n := serve(t, Config{}, func(context.Context, *mail.Message) mail.Reply { return tt.reply })
			c := dialOffering(t, addr, tt.actions, everything)
			connect(t, c)
			mods, act := transact(t, c, "1", nil, "x")
			if act.SMTPCode != 451 || len(mods) != 0 || n.count(NoteFailed) != 1 {
				t.Errorf("answer %+v with edits %+v, %d notes; want 451, none, 1", act, mods, n.count(NoteFailed))
			}
		})
	}
}

func TestPanicMakesTheMailWait(t *testing.T) {
	first := true
	_, addr, n := serve(t, Config{}, func(context.Context, *mail.Message) mail.Reply {
		if first {
			first = false
			panic("a bug")
		}
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	c := dial(t, addr, everything)
	connect(t, c)
	if _, act := transact(t, c, "1", nil, "x"); act.SMTPCode != 451 || n.count(NotePanic) != 1 {
		t.Errorf("answer after a panic: %+v, %d notes; want 451, 1", act, n.count(NotePanic))
	}
	if _, act := transact(t, c, "2", nil, "x"); act.Code != milter.ActAccept {
		t.Errorf("the next message: %+v, want accept", act)
	}
}

func TestLateHandler(t *testing.T) {
	release := make(chan struct{})
	read := make(chan string, 1)
	cfg := Config{MessageTimeout: 50 * time.Millisecond, SpoolOver: 10}
	_, addr, n := serve(t, cfg, func(ctx context.Context, m *mail.Message) mail.Reply {
		<-ctx.Done()
		<-release
		read <- string(m.Raw) // must not have been unmapped
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	c := dial(t, addr, everything)
	connect(t, c)
	for range 3 {
		if _, act := transact(t, c, "1", nil, "a body of some length"); act.SMTPCode != 451 {
			t.Errorf("answer of a late handler: %+v, want 451", act)
		}
	}
	if n.count(NoteLate) != 3 {
		t.Errorf("%d notes of lateness, want 3", n.count(NoteLate))
	}
	close(release)
	for range 3 {
		if got := <-read; got != "\r\na body of some length" {
			t.Errorf("Raw in the late handler = %q", got)
		}
	}
}

func TestAbortForgetsTheMessage(t *testing.T) {
	got := make(chan mail.Message, 1)
	_, addr, _ := serve(t, Config{}, sayOn(got, mail.Reply{}))
	c := dial(t, addr, everything)
	connect(t, c)
	begin(t, c, "first")
	_, err := c.HeaderField("Subject", " first")
	must(t, err)
	must(t, c.Abort())
	transact(t, c, "", [][2]string{{"Subject", " second"}}, "x")
	m := <-got
	if len(m.Fields) != 1 || m.Fields[0].Value != " second" || len(m.Envelope.Rcpts) != 1 || m.QueueID != "" {
		t.Errorf("after an abort: %q, %+v, queue ID %q", m.Fields, m.Envelope, m.QueueID)
	}
	if m.Client.Helo != "client.example" || m.Client.Daemon != "smtpd" {
		t.Errorf("Client after an abort = %+v", m.Client)
	}
}

func TestMailWithoutAbortBeginsAnew(t *testing.T) {
	got := make(chan mail.Message, 1)
	_, addr, _ := serve(t, Config{}, sayOn(got, mail.Reply{}))
	c := dial(t, addr, everything)
	connect(t, c)
	begin(t, c, "first")
	_, err := c.HeaderField("Subject", " first")
	must(t, err)
	transact(t, c, "second", nil, "x")
	if m := <-got; string(m.Raw) != "\r\nx" || len(m.Envelope.Rcpts) != 1 {
		t.Errorf("second MAIL: Raw = %q, %+v", m.Raw, m.Envelope)
	}
}

func TestEndWithoutMailIsNeverAccepted(t *testing.T) {
	_, addr, n := serve(t, Config{}, func(context.Context, *mail.Message) mail.Reply {
		t.Error("the handler was asked")
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	c := dial(t, addr, everything)
	connect(t, c)
	if _, act := data(t, c, [][2]string{{"A", " b"}}, "x"); act.SMTPCode != 451 || n.count(NoteFailed) != 1 {
		t.Errorf("answer %+v with %d notes, want 451 with 1", act, n.count(NoteFailed))
	}
}
