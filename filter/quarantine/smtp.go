package quarantine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"

	"sekisho/filter/escape"
)

const (
	// maxReplies bounds what a server may say in one session.
	maxReplies = 256 << 10
	// maxReply bounds what is kept and shown of one reply.
	maxReply = 500
	// finalSteps: RFC 5321 §4.5.3.2.6 gives the final dot far more time than
	// a command, since impatience there makes duplicates.
	finalSteps = 5
)

// client is one SMTP session. net/smtp and go-smtp are not used, because both
// rewrite bare CR and LF in the mail.
type client struct {
	conn net.Conn
	text *textproto.Reader
	out  *bufio.Writer
	step time.Duration
	exts map[string]bool
}

// dial connects and says EHLO. A ctx that ends breaks the session off.
func dial(ctx context.Context, o ReleaseOptions) (*client, error) {
	addr, helo, step := o.SMTP, o.Helo, o.Step
	if addr == "" {
		addr = DefaultSMTP
	}
	if helo == "" {
		helo = "localhost"
	}
	if step == 0 {
		step = defaultStep
	}
	d := net.Dialer{Timeout: step}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, &Error{Doing: "connecting", Err: fmt.Errorf("%w: %w", ErrNotSent, err),
			Hint: "add the re-injection entry of docs/quarantine.md to master.cf, or name another address with --smtp"}
	}
	c := newClient(ctx, conn, step)
	if err := c.greet(helo); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func newClient(ctx context.Context, conn net.Conn, step time.Duration) *client {
	limited := io.LimitReader(conn, maxReplies)
	return &client{
		conn: &bound{Conn: conn, stop: context.AfterFunc(ctx, func() { conn.Close() })},
		text: textproto.NewReader(bufio.NewReader(limited)),
		out:  bufio.NewWriterSize(timed{conn, step}, 64<<10),
		step: step,
	}
}

// timed gives each write its own deadline.
type timed struct {
	net.Conn
	step time.Duration
}

func (t timed) Write(b []byte) (int, error) {
	if err := t.SetDeadline(time.Now().Add(t.step)); err != nil {
		return 0, err
	}
	return t.Conn.Write(b)
}

// bound is a connection that a context ends.
type bound struct {
	net.Conn
	stop func() bool
}

func (b *bound) Close() error {
	b.stop()
	return b.Conn.Close()
}

// close says QUIT out of politeness: what it answers changes nothing.
func (c *client) close() {
	_ = c.line("QUIT")
	c.conn.Close()
}

// greet reads the banner and the list of extensions.
func (c *client) greet(helo string) error {
	if _, err := c.reply("the greeting", 220); err != nil {
		return err
	}
	text, err := c.command(250, "EHLO", helo)
	if err != nil {
		return err
	}
	c.exts = map[string]bool{}
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.exts[strings.ToUpper(word)] = true
	}
	return nil
}

// deliver runs one transaction and returns the reply to the final dot. It asks
// sending just before that dot.
func (c *client) deliver(it Item, raw []byte, sending func() error) (string, error) {
	if err := c.envelope(it, raw); err != nil {
		return "", err
	}
	if _, err := c.command(354, "DATA"); err != nil {
		return "", err
	}
	if err := c.data(raw); err != nil {
		return "", fmt.Errorf("%w: sending the mail: %w", ErrNotSent, err)
	}
	if err := sending(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return c.dot()
}

// envelope sends MAIL and RCPT. A mail is sent to all of its recipients or to
// none: a second release for the rest would need a second record.
func (c *client) envelope(it Item, raw []byte) error {
	args, err := c.mailArgs(it, raw)
	if err != nil {
		return err
	}
	if _, err := c.command(250, "MAIL FROM:<"+it.MailFrom+">"+args); err != nil {
		return err
	}
	var refused []error
	for _, rcpt := range it.Rcpts {
		err := c.rcpt(rcpt)
		if _, answered := err.(*refusal); answered {
			refused = append(refused, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("%d of %d recipients refused: %w", len(refused), len(it.Rcpts), refused[0])
	}
	return nil
}

func (c *client) rcpt(addr string) error {
	_, err := c.command(25, "RCPT TO:<"+addr+">") // 250, 251 and 252 accept
	return err
}

// mailArgs are the ESMTP parameters that the mail needs to pass unchanged.
func (c *client) mailArgs(it Item, raw []byte) (string, error) {
	args := ""
	if !ascii(raw) {
		if !c.exts["8BITMIME"] {
			return "", fmt.Errorf("%w: the server does not offer 8BITMIME", ErrNotSent)
		}
		args += " BODY=8BITMIME"
	}
	if it.SMTPUTF8 || !ascii([]byte(it.MailFrom+strings.Join(it.Rcpts, ""))) {
		if !c.exts["SMTPUTF8"] {
			return "", fmt.Errorf("%w: the server does not offer SMTPUTF8", ErrNotSent)
		}
		args += " SMTPUTF8"
	}
	return args, nil
}

// data sends raw with its leading dots doubled. A line starts after any LF:
// Postfix ends lines so, and a sender's "LF . CRLF" must not end the mail.
func (c *client) data(raw []byte) error {
	for len(raw) > 0 {
		line, rest := raw, []byte(nil)
		if n := bytes.IndexByte(raw, '\n'); n >= 0 {
			line, rest = raw[:n+1], raw[n+1:]
		}
		if line[0] == '.' {
			c.out.WriteByte('.') // bufio keeps an error until Flush
		}
		c.out.Write(line)
		if len(rest) == 0 && !bytes.HasSuffix(line, []byte("\r\n")) {
			c.out.WriteString("\r\n") // RFC 5321 §4.1.1.4: the dot needs its line
		}
		raw = rest
	}
	return c.out.Flush()
}

// dot ends the mail and reads the one answer that counts. All but a clear
// answer is unclear: the server may have the mail.
func (c *client) dot() (string, error) {
	if err := c.line("."); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnclear, err)
	}
	if err := c.deadline(finalSteps); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnclear, err)
	}
	code, text, err := c.text.ReadResponse(0)
	reply := shown(code, text)
	switch {
	case code == 250 && err == nil:
		return reply, nil
	case code >= 400 && code < 600 && err == nil:
		return "", &refusal{"the mail", reply}
	case err != nil:
		return "", fmt.Errorf("%w: no answer to the final dot: %w", ErrUnclear, err)
	}
	return "", fmt.Errorf("%w: strange answer to the final dot: %s", ErrUnclear, reply)
}

// command sends a line and expects a reply whose code begins with want.
func (c *client) command(want int, words ...string) (string, error) {
	if err := c.line(strings.Join(words, " ")); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return c.reply(words[0], want)
}

func (c *client) line(s string) error {
	c.out.WriteString(s + "\r\n") // bufio keeps an error until Flush
	return c.out.Flush()
}

func (c *client) reply(to string, want int) (string, error) {
	if err := c.deadline(1); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	code, text, err := c.text.ReadResponse(want)
	if err == nil {
		return text, nil
	}
	if code > 0 {
		return "", &refusal{escape.Text(to), shown(code, text)}
	}
	return "", fmt.Errorf("%w: no answer to %s: %w", ErrNotSent, escape.Text(to), err)
}

func (c *client) deadline(steps int) error {
	return c.conn.SetDeadline(time.Now().Add(time.Duration(steps) * c.step))
}

// refusal is the server's no.
type refusal struct{ to, reply string }

func (r *refusal) Error() string { return r.to + " was answered " + r.reply }
func (r *refusal) Unwrap() error { return ErrNotSent }

// shown makes one safe line of a reply.
func shown(code int, text string) string {
	s := fmt.Sprintf("%d %s", code, strings.ReplaceAll(text, "\n", " / "))
	if len(s) > maxReply {
		s = strings.ToValidUTF8(s[:maxReply], "") + " ..."
	}
	return escape.Text(s)
}

// sendable refuses an envelope that cannot be sent, or that would smuggle
// further SMTP commands.
func sendable(it Item) error {
	if len(it.Rcpts) == 0 {
		return fmt.Errorf("%w: %w", ErrNotSent, ErrNoRcpt)
	}
	for _, addr := range append([]string{it.MailFrom}, it.Rcpts...) {
		if strings.ContainsFunc(addr, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("%w: %w: %s", ErrNotSent, ErrAddress, quoted(addr))
		}
	}
	return nil
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
