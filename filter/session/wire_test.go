package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sekisho/filter/mail"
)

// script is a connection whose peer has said everything beforehand.
type script struct {
	io.Reader
	mu      sync.Mutex
	written bytes.Buffer
	closed  chan struct{}
	once    sync.Once
}

func newScript(in []byte) *script {
	return &script{Reader: bytes.NewReader(in), closed: make(chan struct{})}
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written.Write(p)
}

func (s *script) Close() error                     { s.once.Do(func() { close(s.closed) }); return nil }
func (s *script) LocalAddr() net.Addr              { return nil }
func (s *script) RemoteAddr() net.Addr             { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// codes are the codes of the packets that were written, or false if what was
// written is not whole packets.
func (s *script) codes() (string, bool) {
	out, codes := s.written.Bytes(), ""
	for len(out) > 0 {
		if len(out) < 5 {
			return codes, false
		}
		n := int(binary.BigEndian.Uint32(out))
		if n < 1 || n > len(out)-4 {
			return codes, false
		}
		codes += string(out[4])
		out = out[4+n:]
	}
	return codes, true
}

// play lets s serve what the peer says, up to its end.
func play(s *Server, in []byte) *script {
	conn := newScript(in)
	s.slots <- struct{}{}
	s.start(conn)
	<-conn.closed
	s.running.Wait()
	return conn
}

// FuzzWire promises: whatever the peer says, a mail is accepted only if the
// handler said so; a step that was to be silent is; each message is whole and
// is what its digest says; and no memory is left behind.
func FuzzWire(f *testing.F) {
	for _, steps := range []uint32{0, 0x1fffff} {
		hello := offer(6, 0x1ff, steps) + packet('D', "Cj\x00mx\x00") + packet('C', "h\x004\x12\x67192.0.2.1\x00") + packet('H', "h\x00")
		msg := packet('D', "Mi\x00Q\x00") + packet('M', "<a@b>\x00SIZE=1\x00") + packet('R', "<c@d>\x00") + packet('T', "") +
			packet('L', "Subject\x00 a\n b\x00") + packet('L', "X\x00\x00") + packet('N', "") + packet('B', "body\r\n") + packet('E', "")
		f.Add([]byte(hello + msg + packet('A', "") + msg + packet('Q', "")))
		f.Add([]byte(hello + msg + packet('K', "") + hello))
		f.Add([]byte(hello + strings.Repeat(packet('L', "X\x00"+strings.Repeat("v", 60)+"\x00"), 20) + packet('E', "")))
		f.Add([]byte(hello + msg[:60]))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		asked := 0
		s := New(Config{MaxMessage: 4000, MaxHeader: 1000, MaxFields: 10, SpoolOver: 100, SpoolDir: os.TempDir()}, func(_ context.Context, m *mail.Message) mail.Reply {
			asked++
			whole(t, m)
			return mail.Reply{Answer: mail.AnswerAccept}
		})
		conn := play(s, in)
		codes, ok := conn.codes()
		if !ok {
			t.Fatalf("wrote %q: not whole packets", conn.written.Bytes())
		}
		if n := strings.Count(codes, "a"); n != asked {
			t.Errorf("%d accepts for %d questions", n, asked)
		}
		if silent(conn.written.Bytes()) && strings.Contains(codes, "c") {
			t.Errorf("replies %q where all steps were to be silent", codes)
		}
		if n := s.memory.Load(); n != 0 {
			t.Errorf("%d bytes of memory are still accounted for", n)
		}
	})
}

// silent tells whether the negotiation agreed on no replies.
func silent(out []byte) bool {
	return len(out) >= 17 && out[4] == 'O' && binary.BigEndian.Uint32(out[13:]) == uint32(stepsWanted)
}

// whole checks a message against itself.
func whole(t *testing.T, m *mail.Message) {
	if m.Oversize {
		if len(m.Raw) != 0 || m.SHA256 != "" {
			t.Errorf("an oversize message has %d bytes", len(m.Raw))
		}
		return
	}
	header := ""
	for _, f := range m.Fields {
		header += f.Name + ":" + f.Value + "\r\n"
	}
	if !strings.HasPrefix(string(m.Raw), header+"\r\n") || m.Size != int64(len(m.Raw)) || m.SHA256 != hexOf(string(m.Raw)) {
		t.Errorf("%q with fields %q, size %d, digest %s", m.Raw, m.Fields, m.Size, m.SHA256)
	}
}

// FuzzStatus promises: a reply is one line of printable ASCII with a code of
// its class, whatever text a rule puts into it.
func FuzzStatus(f *testing.F) {
	f.Add(550, "5.7.1", "refused: 100%", true)
	f.Add(250, "2.0.0", "a\r\n250 ok\x00", false)
	f.Fuzz(func(t *testing.T, code int, enhanced, text string, reject bool) {
		class := byte('4')
		if reject {
			class = '5'
		}
		got := status(mail.Reply{Code: code, Enhanced: enhanced, Text: text}, class).Response()
		line := strings.TrimSuffix(string(got.Data), "\x00")
		if got.Code != 'y' || len(line) < 11 || line[0] != class || line[3] != ' ' || line[4] != class || len(line) > 2*maxText+20 {
			t.Errorf("status(%d, %q, %q) = %q", code, enhanced, text, line)
		}
		for _, r := range line {
			if r < ' ' || r > '~' {
				t.Errorf("status(%d, %q, %q) = %q", code, enhanced, text, line)
			}
		}
		if strings.Count(line, "%")%2 != 0 {
			t.Errorf("status(%d, %q, %q) = %q: a lone percent sign", code, enhanced, text, line)
		}
	})
}

// failing is a listener that fails in the given ways, one after another.
type failing struct {
	net.Listener
	errs []error
}

func (l *failing) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

func TestServeOutlivesALackOfDescriptors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	n := &notes{}
	s := New(Config{Note: n.take}, accept)
	broken := errors.New("broken for good")
	err = s.Serve(&failing{l, []error{&net.OpError{Err: os.NewSyscallError("accept4", syscall.EMFILE)}, broken}})
	if !errors.Is(err, broken) || n.count(NoteAccept) != 1 {
		t.Errorf("Serve() = %v with %d notes; want %v with 1", err, n.count(NoteAccept), broken)
	}
}

func TestUnwritablePeerIsNoted(t *testing.T) {
	n := &notes{}
	s := New(Config{Note: n.take}, accept)
	a, b := net.Pipe()
	go func() {
		io.WriteString(b, offer(6, 0, 0))
		b.Close()
	}()
	s.slots <- struct{}{}
	s.start(a)
	s.running.Wait()
	if n.count(NoteUnanswered) != 1 {
		t.Errorf("notes %v, want one of %s", n.events, NoteUnanswered)
	}
}

func TestMacrosOfEachStage(t *testing.T) {
	var got map[string]string
	s := New(Config{}, func(_ context.Context, m *mail.Message) mail.Reply {
		got = m.Macros
		return mail.Reply{}
	})
	end := packet('M', "<>\x00") + packet('R', "<a>\x00") + packet('E', "")
	hello := offer(6, 0x1ff, 0x1fffff) + packet('D', "Cj\x00mx\x00{x}\x00connect\x00") + packet('C', "h\x00U\x00") + packet('D', "H{tls}\x001\x00") + packet('H', "h\x00")
	tests := []struct{ name, in, want string }{
		{"all stages are merged", packet('D', "Mm\x001\x00") + packet('M', "<>\x00") + packet('D', "Ti\x00Q\x00") + packet('T', "") + packet('E', ""), "i=Q j=mx m=1 tls=1 x=connect"},
		{"the latest wins", packet('D', "M{x}\x00mail\x00") + end, "j=mx tls=1 x=mail"},
		{"a new HELO without macros has none", packet('H', "h2\x00") + end, "j=mx x=connect"},
		{"those of the message before are gone", packet('D', "Mi\x00old\x00") + end + packet('A', "") + end, "j=mx tls=1 x=connect"},
		{"without an abort too", packet('D', "Mi\x00old\x00") + end + end, "j=mx tls=1 x=connect"},
		{"announced, then aborted", packet('M', "<>\x00") + packet('D', "Ti\x00old\x00") + packet('A', "") + end, "j=mx tls=1 x=connect"},
		{"announced for MAIL ahead of it", packet('A', "") + packet('D', "Mi\x00new\x00") + end, "i=new j=mx tls=1 x=connect"},
		{"a name without a value", packet('D', "Mi") + end, "i= j=mx tls=1 x=connect"},
		{"a stage that never was", packet('D', "zi\x00no\x00") + end, "j=mx tls=1 x=connect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got = nil
			play(s, []byte(hello+tt.in))
			var words []string
			for _, name := range []string{"i", "j", "m", "tls", "x"} {
				if v, ok := got[name]; ok {
					words = append(words, name+"="+v)
				}
			}
			if strings.Join(words, " ") != tt.want {
				t.Errorf("Macros = %v, want %s", got, tt.want)
			}
		})
	}
}

func TestPacketsAcrossBuffers(t *testing.T) {
	for _, size := range []int{1, smallBuffer - 5, smallBuffer - 4, smallBuffer, largeBuffer - 1, largeBuffer, 300000, maxPacket - 1} {
		want := packet('B', strings.Repeat("x", size-1)+"y")
		p := newPackets(newScript([]byte(packet('A', "")+want+want+packet('Q', ""))), time.Second)
		for i, w := range []string{packet('A', ""), want, want, packet('Q', "")} {
			got, err := p.next(time.Second)
			if err != nil || string(got) != w {
				t.Fatalf("size %d: packet %d has %d bytes, %v; want %d", size, i, len(got), err, len(w))
			}
			p.rest()
		}
		if _, err := p.next(time.Second); !errors.Is(err, io.EOF) || p.buf != nil || p.large {
			t.Errorf("size %d: at the end %v, buffer %t", size, err, p.buf != nil)
		}
	}
}

// TestWaitingHoldsNoBuffer: a peer that stops amid a packet costs what it sent.
func TestWaitingHoldsNoBuffer(t *testing.T) {
	near, far := unixPair(t)
	p := newPackets(far, time.Second)
	want := packet('L', "Subject\x00 "+strings.Repeat("v", 2*maxHeld)+"\x00")
	for _, cut := range []int{0, 1, 100, maxHeld} {
		p.timeout = 20 * time.Millisecond
		if _, err := io.WriteString(near, want[:cut]); err != nil {
			t.Fatal(err)
		}
		if _, err := p.next(20 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) && cut == 0 {
			t.Errorf("silence: %v, want the deadline", err)
		}
		p.timeout = time.Millisecond
		if _, err := p.next(time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) || p.buf != nil || len(p.held) != cut {
			t.Errorf("after %d bytes: %v, buffer %t, %d bytes held; want the deadline, none, %d", cut, err, p.buf != nil, len(p.held), cut)
		}
		p.timeout = time.Minute
		if _, err := io.WriteString(near, want[cut:]); err != nil {
			t.Fatal(err)
		}
		if got, err := p.next(time.Minute); err != nil || string(got) != want {
			t.Errorf("cut at %d: %d bytes, %v; want %d", cut, len(got), err, len(want))
		}
	}
}

// unixPair is both ends of a connection.
func unixPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	must(t, err)
	defer l.Close()
	near, err = net.Dial("unix", l.Addr().String())
	must(t, err)
	far, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}
