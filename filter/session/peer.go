package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

const (
	// maxWords bounds what CONNECT, HELO, MAIL and RCPT may say; Postfix reads
	// SMTP lines of 2 KiB at most (line_length_limit).
	maxWords = 8 << 10
	// maxRcpts and maxRcptBytes bound the recipients of a message; Postfix
	// takes 1000 by default (smtpd_recipient_limit).
	maxRcpts     = 20000
	maxRcptBytes = 4 << 20
)

var (
	errWords     = errors.New("command too long")
	errConnect   = errors.New("malformed connect command")
	errRcpts     = errors.New("too many recipients")
	errNoMail    = errors.New("end of message without MAIL")
	errLateField = errors.New("header field after the end of the header")
)

var nul = []byte{0}

// peer is what the MTA has told about its client, and the transaction in
// progress, if there is one.
type peer struct {
	connected bool // CONNECT has come
	client    mail.Client
	macros    macros
	txn       *transaction
}

// connect reads the CONNECT command: host, family, port, address.
func (p *peer) connect(data []byte) error {
	p.reset()
	p.connected = true
	host, rest, ok := bytes.Cut(data, nul)
	if !ok || len(rest) == 0 || len(data) > maxWords {
		return errConnect
	}
	p.client.Host = string(host)
	switch milter.ProtoFamily(rest[0]) {
	case milter.FamilyInet, milter.FamilyInet6:
		if len(rest) < 3 {
			return errConnect
		}
		p.client.Port = binary.BigEndian.Uint16(rest[1:])
		p.client.Addr = address(rest[3:])
	}
	if p.client.Host == "unknown" && p.client.Addr.IsValid() {
		p.client.Host = "[" + p.client.Addr.String() + "]"
	}
	p.macros.reach(milter.CodeConn)
	return nil
}

// address reads an address as Postfix and as Sendmail write it. An IPv4
// address in IPv6 clothes is the IPv4 address: rules and SPF know only that.
func address(data []byte) netip.Addr {
	text, _, _ := bytes.Cut(data, nul)
	a, err := netip.ParseAddr(strings.TrimPrefix(string(text), "IPv6:"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// reset forgets everything, as a new client is announced. Macros that wait
// stay: those of CONNECT come ahead of it.
func (p *peer) reset() {
	p.abort()
	p.connected = false
	p.client = mail.Client{}
	p.macros.forgetSaid()
}

func (p *peer) helo(data []byte) error {
	if len(data) > maxWords {
		return errWords
	}
	name, _, _ := bytes.Cut(data, nul)
	p.client.Helo = string(name)
	p.macros.reach(milter.CodeHelo)
	return nil
}

// mail begins a transaction.
func (p *peer) mail(data []byte, t *transaction) error {
	p.abort()
	p.txn = t
	if len(data) > maxWords {
		return errWords
	}
	words := words(data)
	t.envelope.MailFrom = bare(words[0])
	t.envelope.MailArgs = words[1:]
	p.macros.reach(milter.CodeMail)
	return nil
}

func (p *peer) rcpt(data []byte) error {
	if len(data) > maxWords {
		return errWords
	}
	p.macros.reach(milter.CodeRcpt)
	if t := p.txn; t != nil {
		t.rcpt(bare(words(data)[0]))
	}
	return nil
}

// abort ends the transaction without an answer.
func (p *peer) abort() {
	p.macros.forgetMessage()
	if p.txn != nil {
		p.txn.release()
		p.txn = nil
	}
}

// words splits the NUL-terminated words of MAIL and RCPT. There is always one.
func words(data []byte) []string {
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// bare takes one pair of angle brackets off, and no more: what is inside is
// the sender's business.
func bare(path string) string {
	if strings.HasPrefix(path, "<") && strings.HasSuffix(path, ">") {
		return path[1 : len(path)-1]
	}
	return path
}

// finish turns the transaction into a message. The caller owns what release
// gives back, whether or not there is an error.
func (p *peer) finish() (m *mail.Message, release func(), err error) {
	t := p.txn
	p.txn = nil
	if t == nil {
		return nil, func() {}, errNoMail
	}
	m = &mail.Message{Client: p.client, Macros: p.macros.all()}
	m.QueueID = m.Macros["i"]
	m.Client.Daemon = m.Macros["daemon_name"]
	m.Client.TLSVersion = m.Macros["tls_version"]
	m.Client.AuthType = m.Macros["auth_type"]
	m.Client.AuthName = m.Macros["auth_authen"]
	p.macros.forgetMessage()
	return m, t.release, t.fill(m)
}
