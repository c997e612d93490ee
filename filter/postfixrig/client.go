package postfixrig

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// replyLimit is how long a reply may take; it is above every deadline tested.
const replyLimit = 2 * time.Minute

// Client speaks SMTP as it is told to. A reply is all of its lines with "\n"
// between them; a refusal is a reply, not an error.
type Client struct {
	conn net.Conn
	in   *bufio.Reader
}

// Dial connects and reads the greeting.
func Dial(addr string) (*Client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("postfixrig: %w", err)
	}
	c := &Client{conn: conn, in: bufio.NewReader(conn)}
	reply, err := c.reply()
	if err == nil && !strings.HasPrefix(reply, "220") {
		err = fmt.Errorf("postfixrig: greeting %q", reply)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// Cmd sends a line and returns the reply.
func (c *Client) Cmd(line string) (string, error) {
	return c.exchange([]byte(line + "\r\n"))
}

func (c *Client) exchange(b []byte) (string, error) {
	c.conn.SetDeadline(time.Now().Add(replyLimit))
	if _, err := c.conn.Write(b); err != nil {
		return "", fmt.Errorf("postfixrig: %w", err)
	}
	return c.reply()
}

// reply reads lines up to the last, which has a blank after its code.
func (c *Client) reply() (string, error) {
	c.conn.SetReadDeadline(time.Now().Add(replyLimit))
	var lines []string
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return strings.Join(lines, "\n"), fmt.Errorf("postfixrig: reading a reply: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "\n"), nil
		}
	}
}

// Hello says EHLO.
func (c *Client) Hello(name string) (string, error) { return c.Cmd("EHLO " + name) }

// XClient pretends to be another client, such as "ADDR=192.0.2.7", "PORT=4711",
// "NAME=mail.example.com", "LOGIN=taro". Postfix then starts over: say Hello.
func (c *Client) XClient(attributes ...string) (string, error) {
	return c.Cmd("XCLIENT " + strings.Join(attributes, " "))
}

// StartTLS encrypts the session without looking at the certificate.
func (c *Client) StartTLS() (string, error) {
	reply, err := c.Cmd("STARTTLS")
	if err != nil || !strings.HasPrefix(reply, "220") {
		return reply, err
	}
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		return reply, fmt.Errorf("postfixrig: TLS: %w", err)
	}
	c.conn, c.in = conn, bufio.NewReader(conn)
	return reply, nil
}

// Send sends one mail and returns the reply that decided it: the one to the
// data, or the refusal of the sender or of the last recipient.
func (c *Client) Send(from string, to []string, data []byte) (string, error) {
	reply, err := c.Cmd("MAIL FROM:<" + from + ">")
	if err != nil || !accepted(reply) {
		return reply, err
	}
	taken := false
	for _, rcpt := range to {
		if reply, err = c.Cmd("RCPT TO:<" + rcpt + ">"); err != nil {
			return reply, err
		}
		taken = taken || accepted(reply)
	}
	if !taken {
		return reply, nil
	}
	return c.Data(data)
}

// Data sends a mail's data after MAIL and RCPT.
func (c *Client) Data(data []byte) (string, error) {
	reply, err := c.Cmd("DATA")
	if err != nil || !strings.HasPrefix(reply, "354") {
		return reply, err
	}
	return c.exchange(dotted(data))
}

func accepted(reply string) bool { return strings.HasPrefix(reply, "2") }

// dotted stuffs dots (RFC 5321 §4.5.2) and ends the data; nothing else is
// changed, so a test can send bare line ends.
func dotted(data []byte) []byte {
	out := bytes.ReplaceAll(data, []byte("\r\n."), []byte("\r\n.."))
	if bytes.HasPrefix(out, []byte(".")) {
		out = append([]byte("."), out...)
	}
	if !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out[:len(out):len(out)], "\r\n"...)
	}
	return append(out[:len(out):len(out)], ".\r\n"...)
}

// Reset says RSET.
func (c *Client) Reset() (string, error) { return c.Cmd("RSET") }

// Quit says QUIT and closes the connection.
func (c *Client) Quit() error {
	_, err := c.Cmd("QUIT")
	return firstError(err, c.conn.Close())
}

// Close closes the connection without a word.
func (c *Client) Close() error { return c.conn.Close() }

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
