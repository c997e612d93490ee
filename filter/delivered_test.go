package filter

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/filter/mail"
	"sekisho/filter/postfixrig"
	"sekisho/filter/session"
	"sekisho/filter/specimen"
)

// sent is a mail on its way through Postfix.
type sent struct {
	name string
	raw  []byte
	held bool // it must not be delivered
}

// deliveredMails are those of the demonstration, mails that Postfix changes
// after we have judged them, and mutants.
func deliveredMails() (out []sent) {
	for _, c := range append(specimen.Attacks(), specimen.Honest()...) {
		out = append(out, sent{c.Name, c.Raw, c.Want == "quarantine" && c.Name != "own-domain"}) // that one is told by DNS
	}
	for name, raw := range changedOnTheWay() {
		out = append(out, sent{name, []byte(raw), strings.Contains(raw, "MZ")})
	}
	for seed := range uint64(120) {
		out = append(out, sent{fmt.Sprintf("mutant %d", seed), specimen.Mutant(seed), false})
	}
	return out
}

// changedOnTheWay are mails whose lines Postfix breaks, cuts, converts or strips.
func changedOnTheWay() map[string]string {
	const head, limit = "From: a@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n", 998
	file := "Content-Type: application/x-msdownload; name=a.exe\r\n\r\nMZ\r\n"
	parted := func(before string) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n" + before + "--b\r\n" + file + "--b--\r\n"
	}
	pad := func(n int) string { return strings.Repeat("a", n) }
	return map[string]string{
		"an honest long line":              head + "\r\n" + strings.Repeat("word ", 1000) + "\r\n",
		"a delimiter that a refold frees":  head + parted(pad(limit)),
		"a delimiter at the second refold": head + parted(pad(2*limit-1)),
		"a field that a refold frees":      head + "X-Pad: " + pad(limit-len("X-Pad: ")) + parted(""),
		"a name that a refold parts":       head + "Content-Type: application/octet-stream; x=" + pad(limit-47) + "; name=a.exe\r\n\r\nMZ\r\n",
		"a header field of 150,000 bytes":  head + "X-Pad: " + strings.Repeat("a b\r\n ", 25000) + "\r\n" + parted(""),
		"a type behind 150,000 bytes":      head + "Content-Type: multipart/mixed;" + strings.Repeat("\r\n x=y;", 18000) + "\r\n boundary=b" + strings.TrimPrefix(parted(""), "Content-Type: multipart/mixed; boundary=b"),
		// Postfix cuts the field before we see it: the name reaches nobody.
		"a part's type behind 150,000":      head + strings.Replace(strings.Replace(parted(""), "name=a.exe", strings.Repeat("x=y;\r\n ", 18000)+"name=a.exe", 1), "MZ", "no program", 1),
		"bare CR":                           head + strings.ReplaceAll(parted(""), "\r\n--b", "\r--b"),
		"bare LF":                           strings.ReplaceAll(head+parted(""), "\r\n", "\n"),
		"NUL in a header field":             head + strings.Replace(parted(""), "boundary=b", "bound\x00ary=b", 1),
		"NUL in a name":                     head + strings.Replace(parted(""), "a.exe", "a.\x00exe", 1),
		"NUL in a delimiter":                head + strings.Replace(parted(""), "--b\r\nContent-Type: app", "--\x00b\r\nContent-Type: app", 1),
		"8-bit text":                        head + "\r\nこんにちは\r\n",
		"8-bit names in Shift_JIS":          head + strings.Replace(parted(""), "a.exe", "\"\x95\x5c.exe\"", 1),
		"8-bit header":                      head + "X-Y: \xff\xfe\r\n" + parted(""),
		"a header line without a colon":     head + "junk\r\n" + parted(""),
		"a blank before the colon":          head + strings.Replace(parted(""), "Type:", "Type :", 1),
		"no header at all":                  "\r\n" + file,
		"a body of one line without an end": head + "\r\nbegin 644 a.exe\r\n#35H@\r\n`\r\nend",
	}
}

// TestWhatReachesTheRecipientIsJudged lets every mail through a true Postfix
// and judges again what it delivers: a mail that the milter saw as harmless must not
// become another on its way.
func TestWhatReachesTheRecipientIsJudged(t *testing.T) {
	if err := postfixrig.Available(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("%v (make setup installs it)", err)
	}
	w := newWatched(t)
	mails := deliveredMails()
	client, err := postfixrig.Dial(w.postfix.SMTP())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if reply, err := client.Hello("client.example"); err != nil {
		t.Fatal(reply, err)
	}
	for i, m := range mails {
		reply, err := client.Send("sender@example.com", []string{recipient(i)}, m.raw)
		if err != nil || !strings.HasPrefix(reply, "250") {
			t.Fatalf("%s: reply %q, %v", m.name, reply, err)
		}
	}
	for i, m := range mails {
		w.compare(t, i, m)
	}
}

func recipient(i int) string { return fmt.Sprintf("mail%d@kansho.example.jp", i) }

// watched is a Postfix whose milter remembers its verdicts and passes all mail.
type watched struct {
	postfix *postfixrig.Postfix
	sink    *postfixrig.Sink
	judge   *Judge
	mu      sync.Mutex
	judged  map[string]Judged
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{judge: defaultJudge(t), judged: map[string]Judged{}}
	l, err := session.Listen("inet:127.0.0.1:0", false, 0)
	if err != nil {
		t.Fatal(err)
	}
	server := session.New(session.Config{SpoolDir: t.TempDir()}, func(ctx context.Context, m *mail.Message) mail.Reply {
		got := w.judge.Message(ctx, &mail.Message{Raw: m.Raw, Size: m.Size})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.judged[m.Envelope.Rcpts[0]] = got
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	if w.sink, err = postfixrig.NewSink(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.sink.Close() })
	// As docs/postfix.md has it, but for bare line ends, which are let in.
	w.postfix, err = postfixrig.Start(t.Context(), postfixrig.Options{Milters: []string{"inet:" + l.Addr().String()}, SinkAddr: w.sink.Addr(),
		Extra: []string{`message_strip_characters = \0`}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.postfix.Stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// compare judges the delivered copy of a mail.
func (w *watched) compare(t *testing.T, i int, m sent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	d, err := w.sink.Wait(ctx, func(d postfixrig.Delivered) bool { return len(d.To) == 1 && d.To[0] == recipient(i) })
	if err != nil {
		t.Fatal(m.name, err)
	}
	w.mu.Lock()
	before, known := w.judged[recipient(i)]
	w.mu.Unlock()
	if !known {
		t.Fatalf("%s was delivered and not judged", m.name)
	}
	if m.held && before.Verdict.Disposition.Delivers() {
		t.Errorf("%s: the milter judged %s (%s)", m.name, before.Verdict.Disposition, kindsOf(before))
	}
	after := judgeRaw(t, w.judge, d.Data)
	if before.Verdict.Disposition != after.Verdict.Disposition || before.Verdict.Rule() != after.Verdict.Rule() {
		t.Errorf("%s: the milter judged %s by %q (%s), the delivered copy is %s by %q (%s); sent\n%.1500q\ndelivered\n%.1500q", m.name,
			before.Verdict.Disposition, before.Verdict.Rule(), kindsOf(before), after.Verdict.Disposition, after.Verdict.Rule(), kindsOf(after), m.raw, d.Data)
	}
}
