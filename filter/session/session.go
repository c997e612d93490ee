// Package session is the milter socket: it turns what Postfix says over it into
// a mail.Message, asks a Handler, and carries the mail.Reply back.
//
// It judges nothing and opens nothing. Whatever goes wrong in here is answered
// with 451 4.3.0, never with accept. Postfix is expected at the other end, but
// whoever reaches the socket is treated as a stranger: packets, header, body,
// recipients, connections and time are all bounded.
//
// The protocol is Sendmail's milter protocol version 6 as Postfix speaks it
// (MILTER_README, src/milter/milter8.c). github.com/emersion/go-milter serves
// it, one library server for each connection. Between the library and the
// socket stands a net.Conn of ours (wire.go) that does what the library cannot
// be told: it agrees only to what the MTA offered, keeps the macros of every
// stage, and collects header fields and body itself, because the library
// collects all fields without bound, drops those that hold a NUL and answers
// steps for which no reply was agreed.
package session

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

// Handler decides on one message. The message and its Raw are valid until it
// returns; ctx ends at the message's deadline or when the server is stopped.
type Handler func(ctx context.Context, m *mail.Message) mail.Reply

// Config bounds the sessions. A zero field takes its default.
type Config struct {
	MaxMessage int64 // bytes of a message; a larger one is handed over as Oversize (128 MiB)
	MaxHeader  int   // bytes of all header fields; more is Oversize (256 KiB)
	MaxFields  int   // header fields; more is Oversize (1000)
	MaxConns   int   // connections; at the limit no further one is taken up (10000)

	ReadTimeout    time.Duration // for negotiation, and for one packet once it has begun (30 s)
	WriteTimeout   time.Duration // for one reply (30 s)
	IdleTimeout    time.Duration // between packets; above Postfix's smtpd_timeout of 300 s (310 s)
	DataTimeout    time.Duration // while Postfix receives the data, as long as its slowest client (1 h)
	MessageTimeout time.Duration // for the Handler (30 s)

	SpoolDir  string // where large messages are kept while they are looked at (the system's directory)
	SpoolOver int64  // bytes of a message kept in memory (1 MiB)
	MaxMemory int64  // bytes of all messages kept in memory; beyond it small ones are spooled too (64 MiB)

	// Note is told of each event (see notes.go); it must be quick and safe to
	// call from several goroutines.
	Note func(event string, fields map[string]any)
}

// withDefaults returns c with every zero field filled in.
func (c Config) withDefaults() Config {
	setDefault(&c.MaxMessage, 128<<20)
	setDefault(&c.MaxHeader, 256<<10)
	setDefault(&c.MaxFields, 1000)
	setDefault(&c.MaxConns, 10000)
	setDefault(&c.ReadTimeout, 30*time.Second)
	setDefault(&c.WriteTimeout, 30*time.Second)
	setDefault(&c.IdleTimeout, 310*time.Second)
	setDefault(&c.DataTimeout, time.Hour)
	setDefault(&c.MessageTimeout, 30*time.Second)
	setDefault(&c.SpoolOver, 1<<20)
	setDefault(&c.MaxMemory, 64<<20)
	if c.Note == nil {
		c.Note = func(string, map[string]any) {}
	}
	return c
}

// setDefault gives *v the value d if it has none.
func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Server serves milter connections.
type Server struct {
	cfg    Config
	handle Handler

	slots   chan struct{} // one token for each connection taken up
	memory  atomic.Int64  // bytes of messages held in memory
	running sync.WaitGroup

	base context.Context // ends when the server is stopped hard
	stop context.CancelFunc

	mu        sync.Mutex
	draining  chan struct{} // closed when Shutdown has begun
	conns     map[*wire]struct{}
	listeners map[net.Listener]struct{}
}

// New makes a server that asks h about each message.
func New(cfg Config, h Handler) *Server {
	cfg = cfg.withDefaults()
	base, stop := context.WithCancel(context.Background())
	return &Server{
		cfg:       cfg,
		handle:    h,
		slots:     make(chan struct{}, cfg.MaxConns),
		base:      base,
		stop:      stop,
		draining:  make(chan struct{}),
		conns:     map[*wire]struct{}{},
		listeners: map[net.Listener]struct{}{},
	}
}

// Active returns the number of connections being served.
func (s *Server) Active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Serve takes up connections from l until Shutdown, and then returns nil. It
// may run for several listeners at once; it closes l at its end.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.attend(l) {
		return nil
	}
	defer s.leave(l)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			s.admit(conn)
		case s.isDraining():
			return nil
		case !passing(err):
			return err
		default:
			s.cfg.Note(NoteAccept, map[string]any{"error": err.Error()})
			s.pause(100 * time.Millisecond)
		}
	}
}

// passing tells whether an accept failed for a lack that may end by itself.
func passing(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pause waits for d, or until Shutdown.
func (s *Server) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.draining:
	}
}

// attend notes that l is being served, unless the server is being shut down.
func (s *Server) attend(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDraining() {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) leave(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// admit serves conn as soon as there is a free slot. Meanwhile the listener
// rests: the kernel's queue holds the others, and nothing of them is in memory.
func (s *Server) admit(conn net.Conn) {
	select {
	case s.slots <- struct{}{}:
	default:
		s.cfg.Note(NoteFull, map[string]any{"connections": s.cfg.MaxConns})
		select {
		case s.slots <- struct{}{}:
		case <-s.draining:
			conn.Close()
			return
		}
	}
	s.start(conn)
}

// start hands conn to a library server of its own, which ends with wire.Close.
func (s *Server) start(conn net.Conn) {
	w := newWire(s, conn)
	if !s.enter(w) {
		conn.Close()
		<-s.slots
		return
	}
	s.attach(w)
}

// attach has the library serve w in the background.
func (s *Server) attach(w *wire) {
	lib := &milter.Server{
		// The library asks for a new backend after each final reply. It gets
		// the same again, or it would have forgotten the client.
		NewMilter: func() milter.Milter { return &backend{wire: w} },
		Actions:   actionsWanted,
		Protocol:  stepsWanted,
		SymList:   macrosWanted,
	}
	// Serve takes the one connection, starts it and returns.
	_ = lib.Serve(&oneConn{conn: w})
}

// enter notes that w is open, unless the server is being shut down.
func (s *Server) enter(w *wire) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDraining() {
		return false
	}
	s.conns[w] = struct{}{}
	s.running.Add(1)
	return true
}

// gone notes that w is closed.
func (s *Server) gone(w *wire) {
	s.mu.Lock()
	delete(s.conns, w)
	s.mu.Unlock()
	<-s.slots
	s.running.Done()
}

// Shutdown takes up no more connections, closes those without a message in
// flight, lets the others have their answer and waits for them. When ctx ends
// first, everything is closed and ctx's error returned: Postfix then defers.
func (s *Server) Shutdown(ctx context.Context) error {
	s.drain()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		s.stop()
		return nil
	case <-ctx.Done():
		s.stop()
		s.closeAll()
		return ctx.Err()
	}
}

// drain closes the listeners and every connection that may be closed.
func (s *Server) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isDraining() {
		close(s.draining)
	}
	for l := range s.listeners {
		l.Close()
	}
	for w := range s.conns {
		w.closeIfIdle()
	}
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.conns {
		w.Conn.Close()
	}
}

// oneConn is the listener of a library server: it has one connection.
type oneConn struct {
	conn  net.Conn
	taken bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.taken {
		return nil, net.ErrClosed
	}
	l.taken = true
	return l.conn, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
