package session

import (
	"context"
	"encoding/binary"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

// ask has the handler decide, but waits for it no longer than allowed: then
// the message is answered without it and false returned. The handler runs
// right here, as handing each message to another goroutine and back would cost
// more than most of what it does; so it is the connection that goes elsewhere
// when the handler is late. The handler keeps the message's bytes until it
// returns. Its answer goes nowhere, even if it comes in the same moment: it may
// have been given in a hurry because ctx ended.
func (w *wire) ask(msg *mail.Message, release func()) (mail.Reply, bool) {
	defer release()
	ctx, cancel := context.WithTimeout(w.server.base, w.server.cfg.MessageTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { w.part(msg.QueueID) })
	reply := w.server.guarded(ctx, msg)
	return reply, stop()
}

// part answers a message whose handler is late and has a wire of its own go on
// with the connection. The late goroutine touches nothing of w any more but
// the sign that it has parted.
func (w *wire) part(queueID string) {
	s := w.server
	s.cfg.Note(NoteLate, map[string]any{"queue_id": queueID, "after": s.cfg.MessageTimeout.String()})
	next := &wire{Conn: w.Conn, server: s, in: w.in, peer: w.peer, terms: w.terms, busy: true, ending: true}
	s.succeed(w, next)
	_, _ = next.Write(packed(deferred)) // a failure is remembered by the wire
	s.attach(next)
}

// packed is a response as the library would send it.
func packed(r milter.Response) []byte {
	m := r.Response()
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(m.Data)))
	return append(append(b, m.Code), m.Data...)
}

// succeed notes that next has taken over the connection of w.
func (s *Server) succeed(w, next *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, w)
	s.conns[next] = struct{}{}
	s.running.Add(1)
}
