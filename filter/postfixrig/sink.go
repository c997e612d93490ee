package postfixrig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/emersion/go-smtp"
)

// Delivered is one mail that reached the sink.
type Delivered struct {
	From string
	To   []string
	Data []byte // as it came, line ends CRLF
}

// Sink is an SMTP server that takes every mail and keeps it in memory.
type Sink struct {
	server *smtp.Server
	addr   string
	done   chan error

	mu       sync.Mutex
	messages []Delivered
	arrived  chan struct{} // closed and replaced at each arrival
}

// maxDelivered is far beyond any test's largest mail.
const maxDelivered = 1 << 30

// NewSink starts a sink on a free loopback port.
func NewSink() (*Sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("postfixrig: sink: %w", err)
	}
	s := &Sink{addr: l.Addr().String(), done: make(chan error, 1), arrived: make(chan struct{})}
	s.server = smtp.NewServer(s)
	s.server.Domain = "sink.rig.test"
	s.server.MaxMessageBytes = maxDelivered
	s.server.MaxLineLength = 1 << 20
	s.server.EnableSMTPUTF8 = true
	go func() { s.done <- s.server.Serve(l) }()
	return s, nil
}

// Addr is the sink's host:port.
func (s *Sink) Addr() string { return s.addr }

// NewSession takes up a connection.
func (s *Sink) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &sinkSession{sink: s}, nil
}

// Messages returns what has arrived, in order.
func (s *Sink) Messages() []Delivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Delivered(nil), s.messages...)
}

// Count returns how many of the mails that have arrived match.
func (s *Sink) Count(match func(Delivered) bool) int {
	n := 0
	for _, m := range s.Messages() {
		if match(m) {
			n++
		}
	}
	return n
}

// Duplicates returns how many mails are a second copy of an earlier one, told
// by id: what names a mail, such as its Message-ID.
func (s *Sink) Duplicates(id func(Delivered) string) int {
	seen, n := map[string]bool{}, 0
	for _, m := range s.Messages() {
		if seen[id(m)] {
			n++
		}
		seen[id(m)] = true
	}
	return n
}

// Wait returns the first mail that matches, as soon as it is there.
func (s *Sink) Wait(ctx context.Context, match func(Delivered) bool) (Delivered, error) {
	for checked := 0; ; {
		s.mu.Lock()
		messages, arrived := s.messages, s.arrived
		s.mu.Unlock()
		for ; checked < len(messages); checked++ {
			if match(messages[checked]) {
				return messages[checked], nil
			}
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return Delivered{}, fmt.Errorf("postfixrig: %d mails arrived, none as wanted: %w", checked, ctx.Err())
		}
	}
}

// Close ends the sink.
func (s *Sink) Close() error {
	err := s.server.Close()
	if served := <-s.done; !errors.Is(served, smtp.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (s *Sink) keep(d Delivered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, d)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// sinkSession is one connection to the sink.
type sinkSession struct {
	sink *Sink
	mail Delivered
}

// Mail begins a transaction.
func (s *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	s.mail = Delivered{From: from}
	return nil
}

// Rcpt adds a recipient.
func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = append(s.mail.To, to)
	return nil
}

// Data takes the mail.
func (s *sinkSession) Data(r io.Reader) error {
	var data bytes.Buffer
	if _, err := data.ReadFrom(r); err != nil {
		return err
	}
	s.mail.Data = data.Bytes()
	s.sink.keep(s.mail)
	return nil
}

// Reset drops the transaction.
func (s *sinkSession) Reset() { s.mail = Delivered{} }

// Logout ends the session.
func (s *sinkSession) Logout() error { return nil }
