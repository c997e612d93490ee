package session

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

// backend is what the library asks: only for the answer to a message, since the
// wire takes all else.
type backend struct {
	milter.NoOpMilter
	wire *wire
}

var _ milter.Milter = (*backend)(nil)

// Body answers the end of the message, unless that was done already.
func (b *backend) Body(m *milter.Modifier) (milter.Response, error) {
	w := b.wire
	msg, reply, inTime := b.judge()
	if !inTime {
		w.parted = true
		return nil, nil
	}
	w.editing = true
	resp, err := b.carryOut(reply, m)
	w.editing = false
	if err != nil {
		w.edits = nil
		w.server.failed(msg, err)
	}
	// Sent from here: the library would set aside 4 KiB for each answer.
	_, _ = w.Write(packed(resp)) // a failure is remembered by the wire
	return nil, nil
}

// judge gets the message together and asks the handler. It is false if the
// handler was late.
func (b *backend) judge() (*mail.Message, mail.Reply, bool) {
	s, t := b.wire.server, b.wire.peer.txn
	msg, release, err := b.wire.peer.finish()
	if err != nil {
		release()
		s.failed(msg, err)
		return msg, mail.Reply{}, true
	}
	if t.limit != "" {
		s.cfg.Note(NoteLimit, map[string]any{"queue_id": msg.QueueID, "limit": t.limit})
	}
	reply, inTime := b.wire.ask(msg, release)
	return msg, reply, inTime
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
