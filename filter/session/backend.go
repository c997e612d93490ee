package session

import (
	"context"
	"fmt"
	"net"
	"net/textproto"
	"runtime/debug"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

// backend is what the library asks. What the commands said is already with the
// wire; here is only what to answer.
type backend struct{ wire *wire }

var _ milter.Milter = (*backend)(nil)

// step answers a command in the middle: go on, or nothing at all if the MTA
// waits for nothing. An answer it does not wait for would be taken as the
// answer to the end of the message, and pass the mail.
func (b *backend) step(flag milter.OptProtocol) (milter.Response, error) {
	if b.wire.terms.silent(flag) {
		return nil, nil
	}
	return milter.RespContinue, nil
}

// Connect answers CONNECT.
func (b *backend) Connect(string, string, uint16, net.IP, *milter.Modifier) (milter.Response, error) {
	return b.step(milter.OptNoConnReply)
}

// Helo answers HELO and EHLO.
func (b *backend) Helo(string, *milter.Modifier) (milter.Response, error) {
	return b.step(milter.OptNoHeloReply)
}

// MailFrom answers MAIL.
func (b *backend) MailFrom(string, *milter.Modifier) (milter.Response, error) {
	return b.step(milter.OptNoMailReply)
}

// RcptTo answers RCPT.
func (b *backend) RcptTo(string, *milter.Modifier) (milter.Response, error) {
	return b.step(milter.OptNoRcptReply)
}

// Header is never asked: the wire takes the fields.
func (b *backend) Header(string, string, *milter.Modifier) (milter.Response, error) {
	return b.step(milter.OptNoHeaderReply)
}

// Headers answers the end of the header.
func (b *backend) Headers(textproto.MIMEHeader, *milter.Modifier) (milter.Response, error) {
	return b.step(milter.OptNoEOHReply)
}

// BodyChunk is never asked: the wire takes the body.
func (b *backend) BodyChunk([]byte, *milter.Modifier) (milter.Response, error) {
	return b.step(milter.OptNoBodyReply)
}

// Abort ends a transaction; the wire has forgotten it already.
func (b *backend) Abort(*milter.Modifier) error { return nil }

// Body answers the end of the message.
func (b *backend) Body(m *milter.Modifier) (milter.Response, error) {
	msg, reply := b.judge()
	resp, err := b.carryOut(reply, m)
	if err != nil {
		b.wire.server.failed(msg, err)
	}
	return resp, nil
}

// judge gets the message together and asks the handler.
func (b *backend) judge() (*mail.Message, mail.Reply) {
	s, t := b.wire.server, b.wire.peer.txn
	msg, release, err := b.wire.peer.finish()
	if err != nil {
		release()
		s.failed(msg, err)
		return msg, mail.Reply{}
	}
	if t.limit != "" {
		s.cfg.Note(NoteLimit, map[string]any{"queue_id": msg.QueueID, "limit": t.limit})
	}
	return msg, s.ask(msg, release)
}

// failed notes a failure of ours. There is no message if none had begun.
func (s *Server) failed(msg *mail.Message, err error) {
	s.cfg.Note(NoteFailed, map[string]any{"queue_id": queueID(msg), "error": err.Error()})
}

func queueID(msg *mail.Message) string {
	if msg == nil {
		return ""
	}
	return msg.QueueID
}

// ask has the handler decide, but waits for it no longer than allowed. A
// handler that is late keeps the message's bytes until it returns; its answer
// goes nowhere, even if it comes in the same moment: it may have been given in
// a hurry because ctx ended.
func (s *Server) ask(msg *mail.Message, release func()) mail.Reply {
	ctx, cancel := context.WithTimeout(s.base, s.cfg.MessageTimeout)
	defer cancel()
	answer := make(chan mail.Reply, 1)
	s.running.Go(func() {
		defer release()
		answer <- s.guarded(ctx, msg)
	})
	var r mail.Reply
	select {
	case r = <-answer:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		s.cfg.Note(NoteLate, map[string]any{"queue_id": msg.QueueID, "after": s.cfg.MessageTimeout.String()})
		return mail.Reply{}
	}
	return r
}

// guarded turns a panic of the handler into a reply that makes the mail wait.
func (s *Server) guarded(ctx context.Context, msg *mail.Message) (r mail.Reply) {
	defer func() {
		if p := recover(); p != nil {
			r = mail.Reply{}
			s.cfg.Note(NotePanic, map[string]any{
				"queue_id": msg.QueueID, "error": fmt.Sprint(p), "stack": string(debug.Stack()),
			})
		}
	}()
	return s.handle(ctx, msg)
}
