package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The steps for which a milter may ask not to be told (noX) or not to answer
// (silentX), as bits of the negotiation.
const (
	noConnect, silentConnect = 1 << 0, 1 << 12
	noHelo, silentHelo       = 1 << 1, 1 << 13
	noMail, silentMail       = 1 << 2, 1 << 14
	noRcpt, silentRcpt       = 1 << 3, 1 << 15
	noBody, silentBody       = 1 << 4, 1 << 19
	noHeader, silentHeader   = 1 << 5, 1 << 7
	noEOH, silentEOH         = 1 << 6, 1 << 18
	noData, silentData       = 1 << 9, 1 << 16
	maySkip                  = 1 << 10
	keepsBlank               = 1 << 20

	// What Postfix 3.7 offers.
	version     = 6
	allActions  = 0x1ff
	allProtocol = 0x1fffff
)

// client is one connection to a milter.
type client struct {
	conn    net.Conn
	in      *bufio.Reader
	out     *bufio.Writer
	steps   uint32 // what the milter asked for
	timeout time.Duration
	buffer  []byte
	replies int
}

// answer is how a message ended.
type answer struct {
	word string
	// wait is from the end of the message to the last reply.
	wait time.Duration
}

// dial opens a connection to "unix:/path" or "inet:host:port", agrees on the
// protocol and plays the start of an SMTP session.
func dial(address string, timeout time.Duration) (*client, error) {
	kind, where, _ := strings.Cut(address, ":")
	network := map[string]string{"unix": "unix", "inet": "tcp"}[kind]
	if network == "" {
		return nil, fmt.Errorf("address %q: want unix:/path or inet:host:port", address)
	}
	conn, err := net.DialTimeout(network, where, timeout)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), out: bufio.NewWriterSize(conn, 128<<10), timeout: timeout}
	if err := c.open(); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) open() error {
	var offer [12]byte
	binary.BigEndian.PutUint32(offer[0:], version)
	binary.BigEndian.PutUint32(offer[4:], allActions)
	binary.BigEndian.PutUint32(offer[8:], allProtocol)
	c.out.Write(packet('O', offer[:]))
	code, terms, err := c.read()
	if err != nil || code != 'O' || len(terms) < len(offer) {
		return fmt.Errorf("negotiation: answer %q of %d bytes: %w", code, len(terms), orNone(err))
	}
	c.steps = binary.BigEndian.Uint32(terms[8:])
	host := append([]byte("mail.example.net\x004"), 0xa1, 0x12)
	for _, s := range []step{
		{"connect", noConnect, silentConnect, connectMacros, packet('C', append(host, "192.0.2.10\x00"...))},
		{"helo", noHelo, silentHelo, macros('H'), packet('H', words("mail.example.net"))},
	} {
		if word, err := c.take(s); err != nil || word != "" {
			return fmt.Errorf("%s: answer %q: %w", s.name, word, orNone(err))
		}
	}
	return nil
}

var connectMacros = macros('C', "j", "mx.example.jp", "{daemon_name}", "mx.example.jp", "{daemon_addr}", "127.0.0.1", "v", "Postfix 3.7.11")

var errAnswer = errors.New("unexpected answer")

// orNone names a missing error: the answer itself was the trouble.
func orNone(err error) error {
	if err == nil {
		return errAnswer
	}
	return err
}

// step is one command with the macros before it.
type step struct {
	name            string
	unwanted, quiet uint32
	macros, packet  []byte
}

// take sends a step and returns what ended the message, if something did.
// Postfix sends the macros even of a step that the milter does not want.
func (c *client) take(s step) (string, error) {
	c.out.Write(s.macros)
	if c.steps&s.unwanted != 0 {
		return "", nil
	}
	c.out.Write(s.packet)
	if c.steps&s.quiet != 0 {
		return "", nil
	}
	code, data, err := c.reply()
	if err != nil || code == 'c' {
		return "", err
	}
	if code == 's' && s.packet[4] == 'B' {
		return "skip", nil
	}
	return word(code, data), nil
}

// play sends one message.
func (c *client) play(j *Job, id string) (answer, error) {
	// Postfix ends each message with an ABORT, an accepted one too.
	defer c.out.Write(packet('A', nil))
	for _, s := range envelope(id) {
		if w, err := c.take(s); err != nil || w != "" {
			return answer{word: w}, err
		}
	}
	if w, err := c.content(j, id); err != nil || w != "" && w != "skip" {
		return answer{word: w}, err
	}
	c.out.Write(macros('E', "i", id))
	c.out.Write(packet('E', nil))
	start := time.Now()
	code, data, err := c.reply()
	return answer{word(code, data), time.Since(start)}, err
}

func envelope(id string) []step {
	const from, to = "sender@example.net", "user@example.jp"
	return []step{
		{"mail", noMail, silentMail, macros('M', "i", id, "{mail_addr}", from, "{mail_host}", "example.net", "{mail_mailer}", "smtp"), packet('M', words("<"+from+">", "SIZE=10240"))},
		{"rcpt", noRcpt, silentRcpt, macros('R', "i", id, "{rcpt_addr}", to, "{rcpt_host}", "example.jp", "{rcpt_mailer}", "smtp"), packet('R', words("<"+to+">"))},
		{"data", noData, silentData, macros('T', "i", id), packet('T', nil)},
	}
}

// content sends header and body. The macros come before each packet, as
// Postfix sends them.
func (c *client) content(j *Job, id string) (string, error) {
	fields := j.fields[0]
	if c.steps&keepsBlank != 0 {
		fields = j.fields[1]
	}
	// A field that no other message has: mail that comes again is no work.
	own := packet('L', words("X-Load-Id", id))
	for _, f := range append([][]byte{own}, fields...) {
		if w, err := c.take(step{"header", noHeader, silentHeader, macros('L', "i", id), f}); err != nil || w != "" {
			return w, err
		}
	}
	if w, err := c.take(step{"end of header", noEOH, silentEOH, macros('N', "i", id), packet('N', nil)}); err != nil || w != "" {
		return w, err
	}
	for _, b := range j.chunks {
		if w, err := c.take(step{"body", noBody, silentBody, macros('B', "i", id), b}); err != nil || w != "" {
			return w, err
		}
	}
	return "", nil
}

// reply reads on to what is no modification and no sign of life.
func (c *client) reply() (byte, []byte, error) {
	for {
		code, data, err := c.read()
		if err != nil || !strings.ContainsRune("p+-2bmiheq", rune(code)) {
			return code, data, err
		}
	}
}

// maxReply is more than any milter has to say.
const maxReply = 1 << 20

func (c *client) read() (byte, []byte, error) {
	c.conn.SetDeadline(time.Now().Add(c.timeout))
	if err := c.out.Flush(); err != nil {
		return 0, nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > maxReply {
		return 0, nil, fmt.Errorf("reply of %d bytes: %w", n, errAnswer)
	}
	if n > len(c.buffer) {
		c.buffer = make([]byte, n)
	}
	if _, err := io.ReadFull(c.in, c.buffer[:n]); err != nil {
		return 0, nil, err
	}
	c.replies++
	return c.buffer[0], c.buffer[1:n], nil
}

// word names a final reply. Continue at the end of the message is an accept.
func word(code byte, data []byte) string {
	switch code {
	case 'a', 'c':
		return "accept"
	case 'r':
		return "reject"
	case 't':
		return "defer"
	case 'd':
		return "discard"
	case 'y':
		if len(data) > 0 && data[0] == '4' {
			return "defer"
		}
		return "reject"
	}
	return fmt.Sprintf("%q", code)
}

// close ends the session as Postfix does.
func (c *client) close() {
	c.out.Write(packet('Q', nil))
	c.conn.SetDeadline(time.Now().Add(time.Second))
	_ = c.out.Flush() // the peer may be gone
	_ = c.conn.Close()
}
