package session

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/emersion/go-milter"
)

// wire is the connection as the library sees it. It reads whole packets within
// deadlines, records what they say, and passes on to the library only commands
// that the library is to answer. Errors end here: the library would print them,
// with the peer's bytes, to standard error.
type wire struct {
	net.Conn
	server *Server
	in     *packets
	peer   *peer
	terms  *terms // nil before the negotiation

	pending []byte // of the packet at hand, what the library has not read
	offered bool   // the reply to the offer is still to be sent
	ending  bool   // the message's end has been passed on for its answer
	broken  bool   // a write failed; nothing more can be said
	parted  bool   // another wire has taken the connection over (late.go)

	edits   []byte // edits that wait for the answer to travel with
	editing bool

	mu     sync.Mutex
	busy   bool // a message is in flight: Shutdown waits for its answer
	closed bool
}

func newWire(s *Server, conn net.Conn) *wire {
	return &wire{Conn: conn, server: s, in: newPackets(conn, s.cfg.ReadTimeout), peer: &peer{}}
}

// Read gives the library the next packet for it.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.pending) == 0 {
		if err := w.next(); err != nil {
			w.complain(err)
			return 0, io.EOF
		}
	}
	n := copy(p, w.pending)
	w.pending = w.pending[n:]
	return n, nil
}

// next reads one packet, and keeps it for the library if it is the library's.
func (w *wire) next() error {
	if w.broken || w.parted || !w.settle() {
		return io.EOF
	}
	idle, _ := w.patience()
	frame, err := w.in.next(idle)
	if err != nil {
		return err
	}
	forward, err := w.take(milter.Code(frame[lengthSize]), frame[lengthSize+1:])
	if forward {
		w.pending = frame
	}
	return err
}

// patience is how long the peer may be silent now.
func (w *wire) patience() (time.Duration, string) {
	cfg := &w.server.cfg
	switch {
	case w.terms == nil || !w.peer.connected:
		return cfg.ReadTimeout, "connect"
	case w.peer.txn != nil && len(w.peer.txn.envelope.Rcpts) > 0 && w.peer.txn.size == 0:
		return cfg.DataTimeout, "data"
	default:
		return cfg.IdleTimeout, "idle"
	}
}

// take records what a packet says. It tells whether the library is to answer:
// the negotiation, the end of a message and the end of the connection.
func (w *wire) take(code milter.Code, data []byte) (forward bool, err error) {
	if code == milter.CodeOptNeg || w.terms == nil {
		return true, w.negotiate(code, data)
	}
	switch code {
	case milter.CodeMacro:
		return false, w.peer.macros.add(data)
	case milter.CodeConn:
		return false, w.step(milter.OptNoConnReply, w.peer.connect(data))
	case milter.CodeHelo:
		return false, w.step(milter.OptNoHeloReply, w.peer.helo(data))
	case milter.CodeMail:
		return false, w.step(milter.OptNoMailReply, w.peer.mail(data, newTransaction(w.server, w.terms.leadingSpace())))
	case milter.CodeRcpt:
		return false, w.step(milter.OptNoRcptReply, w.peer.rcpt(data))
	case milter.CodeAbort:
		w.peer.abort()
		w.setBusy(false)
		return false, nil
	case milter.CodeQuit:
		return true, nil
	case milter.CodeQuitNewConn:
		w.peer.reset()
		w.setBusy(false)
		return false, nil
	case codeUnknown:
		return false, w.goOn(milter.OptNoUnknownReply)
	}
	return w.takeContent(code, data)
}

// step ends a step in the middle: with err, or by asking to go on.
func (w *wire) step(flag milter.OptProtocol, err error) error {
	if err != nil {
		return err
	}
	return w.goOn(flag)
}

// codeUnknown is SMFIC_UNKNOWN, an SMTP command that the MTA does not know.
const codeUnknown = milter.Code('U')

var errCode = errors.New("unknown command")

// takeContent is the part of take from DATA to the end of the message. The
// library would keep a map of all fields, allocate for each chunk, lose fields
// with a NUL, and answer DATA against the terms.
func (w *wire) takeContent(code milter.Code, data []byte) (forward bool, err error) {
	w.setBusy(true)
	t := w.peer.txn
	switch code {
	case milter.CodeData:
		w.peer.macros.reach(code)
		return false, w.goOn(milter.OptNoDataReply)
	case milter.CodeHeader:
		if t != nil {
			t.header(data)
		}
		return false, w.goOn(milter.OptNoHeaderReply)
	case milter.CodeEOH:
		w.peer.macros.reach(code)
		if t != nil {
			t.endHeader()
		}
		return false, w.goOn(milter.OptNoEOHReply)
	case milter.CodeBody, milter.CodeEOB:
		if t != nil {
			t.body(data)
		}
		if code == milter.CodeBody {
			return false, w.goOn(milter.OptNoBodyReply)
		}
		w.peer.macros.reach(code)
		w.ending = true
		return true, nil
	}
	return false, fmt.Errorf("%w %q", errCode, byte(code))
}

var (
	errFirst  = errors.New("first command is not the negotiation")
	errSecond = errors.New("second negotiation")
)

func (w *wire) negotiate(code milter.Code, offer []byte) error {
	switch {
	case code != milter.CodeOptNeg:
		return errFirst
	case w.terms != nil:
		return errSecond
	}
	t, err := agree(offer)
	if err == nil {
		w.terms, w.offered = &t, true
	}
	return err
}

// goOn answers a packet that the library does not see, unless the MTA waits
// for no answer to it: one that it does not wait for would be taken as the
// answer to the end of the message, and pass the mail.
func (w *wire) goOn(flag milter.OptProtocol) error {
	if w.terms.silent(flag) {
		return nil
	}
	_, err := w.Write([]byte{0, 0, 0, 1, byte(milter.ActContinue)})
	return err
}

// Write sends what the library says; edits of a message wait for the answer
// that follows them. A failure is remembered for the next Read.
func (w *wire) Write(p []byte) (int, error) {
	if w.broken || w.parted {
		return len(p), nil
	}
	if w.editing {
		w.edits = append(w.edits, p...)
		return len(p), nil
	}
	out := p
	if w.offered {
		w.offered = false
		out = w.terms.rewrite(p)
	}
	if w.edits != nil {
		out, w.edits = append(w.edits, p...), nil
	}
	w.Conn.SetWriteDeadline(time.Now().Add(w.server.cfg.WriteTimeout))
	if _, err := w.in.bytes.Write(out); err != nil {
		w.broken = true
		w.server.cfg.Note(NoteUnanswered, map[string]any{"peer": w.name(), "error": err.Error()})
	}
	return len(p), nil
}

// complain notes why the connection ends, unless it just ended.
func (w *wire) complain(err error) {
	fields := map[string]any{"peer": w.name()}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), isReset(err):
	case errors.Is(err, os.ErrDeadlineExceeded):
		_, fields["phase"] = w.patience()
		w.server.cfg.Note(NoteTimeout, fields)
	default:
		fields["error"] = err.Error()
		w.server.cfg.Note(NoteProtocol, fields)
	}
}

// isReset tells whether the peer is gone without a farewell.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// name is the peer's address; peers on a UNIX socket have none.
func (w *wire) name() string {
	if a := w.RemoteAddr(); a != nil && a.String() != "" {
		return a.String()
	}
	return "local"
}

// settle is called between packets. It gives memory back and tells whether the
// connection may go on: after a Shutdown only with a message in flight.
func (w *wire) settle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ending {
		w.ending, w.busy = false, false
	}
	if !w.busy {
		w.in.rest()
	}
	return w.busy || !w.server.isDraining()
}

func (w *wire) setBusy(busy bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = busy
}

// closeIfIdle ends the connection unless a message is in flight.
func (w *wire) closeIfIdle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.busy {
		w.Conn.Close()
	}
}

// Close is called by the library when it is done with the connection.
func (w *wire) Close() error {
	w.mu.Lock()
	again := w.closed
	w.closed = true
	w.mu.Unlock()
	if again {
		return nil
	}
	if w.parted {
		w.server.running.Done()
		return nil
	}
	err := w.Conn.Close()
	w.peer.abort()
	w.in.release()
	w.server.gone(w)
	return err
}
