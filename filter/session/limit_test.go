package session

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

func hexOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestOversize(t *testing.T) {
	field := [2]string{"X", " " + strings.Repeat("v", 95)} // 100 bytes with its line end
	many := func(n int) (fields [][2]string) {
		for range n {
			fields = append(fields, field)
		}
		return fields
	}
	tests := []struct {
		name   string
		cfg    Config
		fields [][2]string
		body   []string
		limit  string
		kept   int
	}{
		{"exactly the largest message", Config{MaxMessage: 202}, many(1), []string{strings.Repeat("b", 100)}, "", 1},
		{"one byte more", Config{MaxMessage: 202}, many(1), []string{strings.Repeat("b", 50), strings.Repeat("b", 51), "more"}, "message", 1},
		{"far more, spooled before", Config{MaxMessage: 1000, SpoolOver: 10}, many(1), []string{strings.Repeat("b", 800), strings.Repeat("b", 800)}, "message", 1},
		{"exactly the largest header", Config{MaxHeader: 300}, many(3), []string{"b"}, "", 3},
		{"one field more", Config{MaxHeader: 300}, many(4), []string{"b"}, "header", 3},
		{"exactly the most fields", Config{MaxFields: 5}, many(5), []string{"b"}, "", 5},
		{"a field more than that", Config{MaxFields: 5}, many(9), []string{"b"}, "fields", 5},
		{"a header larger than a message may be", Config{MaxMessage: 250}, many(4), nil, "message", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan mail.Message, 1)
			_, addr, n := serve(t, tt.cfg, sayOn(got, mail.Reply{Answer: mail.AnswerAccept}))
			c := dial(t, addr, everything)
			connect(t, c)
			transact(t, c, "1", tt.fields, tt.body...)
			m := <-got
			size := int64(100*len(tt.fields) + 2 + len(strings.Join(tt.body, "")))
			if m.Size != size || m.Oversize != (tt.limit != "") || len(m.Fields) != tt.kept || n.count(NoteLimit) != btoi(tt.limit != "") {
				t.Errorf("Size %d, Oversize %t, %d fields, %d notes; want %d, %q, %d", m.Size, m.Oversize, len(m.Fields), n.count(NoteLimit), size, tt.limit, tt.kept)
			}
			if m.Oversize != (len(m.Raw) == 0) || m.Oversize != (m.SHA256 == "") {
				t.Errorf("Oversize %t with %d bytes, digest %q", m.Oversize, len(m.Raw), m.SHA256)
			}
			for _, f := range m.Fields {
				if f.Name != field[0] || f.Value != field[1] {
					t.Errorf("field %q: %q", f.Name, f.Value)
				}
			}
			if m.Oversize && n.fields[0]["limit"] != tt.limit {
				t.Errorf("noted %v, want limit %s", n.fields[0], tt.limit)
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestTooManyRecipientsMakeTheMailWait(t *testing.T) {
	_, addr, n := serve(t, Config{}, accept)
	c := dial(t, addr, everything)
	connect(t, c)
	_, err := c.Mail("a@b.example", nil)
	must(t, err)
	for range maxRcpts {
		_, err := c.Rcpt("x@example.jp", nil)
		must(t, err)
	}
	if _, act := data(t, c, nil, "x"); act.Code != milter.ActAccept {
		t.Fatalf("%d recipients: %+v, want accept", maxRcpts, act)
	}
	begin(t, c, "2")
	for range maxRcpts {
		_, err := c.Rcpt("x@example.jp", nil)
		must(t, err)
	}
	if _, act := data(t, c, nil, "x"); act.SMTPCode != 451 || n.count(NoteFailed) != 1 {
		t.Errorf("%d recipients: %+v, %d notes; want 451, 1", maxRcpts+1, act, n.count(NoteFailed))
	}
}

func TestSpoolIsAnUnlinkedFile(t *testing.T) {
	dir := t.TempDir()
	got := make(chan mail.Message, 1)
	_, addr, _ := serve(t, Config{SpoolDir: dir}, sayOn(got, mail.Reply{Answer: mail.AnswerAccept}))
	c := dial(t, addr, everything)
	connect(t, c)
	begin(t, c, "1")
	chunk := strings.Repeat("0123456789abcde\n", milter.MaxBodyChunk/16)
	for range 300 {
		a, err := c.BodyChunk([]byte(chunk))
		goesOn(t, a, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the spool directory has %v, %v; want no names", left, err)
	}
	_, act, err := c.End()
	must(t, err)
	m := <-got
	want := "\r\n" + strings.Repeat(chunk, 300)
	if act.Code != milter.ActAccept || string(m.Raw) != want || m.SHA256 != hexOf(want) || m.Oversize {
		t.Errorf("answer %+v to %d bytes, digest %s; want accept of %d", act, len(m.Raw), m.SHA256, len(want))
	}
}

func TestSpoolFailureMakesTheMailWait(t *testing.T) {
	_, addr, n := serve(t, Config{SpoolDir: filepath.Join(t.TempDir(), "missing"), SpoolOver: 10}, accept)
	c := dial(t, addr, everything)
	connect(t, c)
	if _, act := transact(t, c, "1", nil, "longer than ten bytes", "and more"); act.SMTPCode != 451 || n.count(NoteFailed) != 1 {
		t.Errorf("answer %+v, %d notes; want 451, 1", act, n.count(NoteFailed))
	}
	if _, act := transact(t, c, "2", nil, "short"); act.Code != milter.ActAccept {
		t.Errorf("a small message: %+v, want accept", act)
	}
}

func TestMemoryIsShared(t *testing.T) {
	s, addr, _ := serve(t, Config{MaxMemory: 100 << 10}, accept)
	var held []*milter.ClientSession
	for range 10 {
		c := dial(t, addr, everything)
		connect(t, c)
		begin(t, c, "1")
		for range 15 {
			a, err := c.BodyChunk([]byte(strings.Repeat("x", 60000)))
			goesOn(t, a, err)
		}
		held = append(held, c)
	}
	// Silent steps: make sure that all has been taken in.
	for _, c := range held {
		_, act, err := c.End()
		if err != nil || act.Code != milter.ActAccept {
			t.Errorf("End() = %+v, %v; want accept", act, err)
		}
		if n := s.memory.Load(); n > 300<<10 {
			t.Errorf("%d bytes in memory, want about %d", n, 100<<10)
		}
	}
}

// raw opens a connection for packets that the library's client cannot send.
func raw(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func packet(code byte, data string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(1+len(data)))) + string(code) + data
}

func offer(version, actions, steps uint32) string {
	b := binary.BigEndian.AppendUint32(nil, version)
	b = binary.BigEndian.AppendUint32(b, actions)
	return packet('O', string(binary.BigEndian.AppendUint32(b, steps)))
}

func TestNegotiation(t *testing.T) {
	tests := []struct {
		name                            string
		version, actions, steps         uint32
		wantVer, wantActions, wantSteps uint32
		wantSymbols                     bool
	}{
		{"Postfix 3.7", 6, 0x1ff, 0x1fffff, 6, uint32(actionsWanted), uint32(stepsWanted), true},
		{"an old MTA offers little", 2, 0x3f, 0x7f, 2, uint32(actionsWanted) & 0x3f, 0, false},
		{"nothing offered, nothing taken", 6, 0, 0, 6, 0, 0, false},
		{"an MTA from the future", 99, 0xffffffff, 0xffffffff, 6, uint32(actionsWanted), uint32(stepsWanted), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, addr, _ := serve(t, Config{}, accept)
			conn := raw(t, addr)
			io.WriteString(conn, offer(tt.version, tt.actions, tt.steps))
			var length uint32
			must(t, binary.Read(conn, binary.BigEndian, &length))
			reply := make([]byte, length)
			_, err := io.ReadFull(conn, reply)
			must(t, err)
			v, a, s := binary.BigEndian.Uint32(reply[1:]), binary.BigEndian.Uint32(reply[5:]), binary.BigEndian.Uint32(reply[9:])
			if reply[0] != 'O' || v != tt.wantVer || a != tt.wantActions || s != tt.wantSteps || (length > 13) != tt.wantSymbols {
				t.Errorf("reply %q %d %x %x of %d bytes, want %d %x %x", reply[0], v, a, s, length, tt.wantVer, tt.wantActions, tt.wantSteps)
			}
		})
	}
}

func TestRogueIsCutOff(t *testing.T) {
	good := offer(6, 0x1ff, 0x1fffff)
	tests := []struct{ name, bytes, note string }{
		{"a packet of length zero", "\x00\x00\x00\x00", NoteProtocol},
		{"a packet of four gigabytes", "\xff\xff\xff\xffO", NoteProtocol},
		{"a command before the negotiation", packet('M', "<>\x00"), NoteProtocol},
		{"macros before the negotiation", packet('D', "Ci\x00x\x00"), NoteProtocol},
		{"a second negotiation", good + good, NoteProtocol},
		{"a negotiation too short", packet('O', "\x00\x00\x00\x06"), NoteProtocol},
		{"a version that never was", offer(1, 0, 0), NoteProtocol},
		{"a command that never was", good + packet('z', ""), NoteProtocol},
		{"a connect without an end", good + packet('C', "host"), NoteProtocol},
		{"a connect without a port", good + packet('C', "host\x004\x00"), NoteProtocol},
		{"a greeting of a megabyte", good + packet('H', strings.Repeat("x", 1<<19)), NoteProtocol},
		{"a sender of a megabyte", good + packet('M', strings.Repeat("x", 1<<19)), NoteProtocol},
		{"a recipient of a megabyte", good + packet('R', strings.Repeat("x", 1<<19)), NoteProtocol},
		{"too many macros", good + packet('D', "C"+manyMacros()), NoteProtocol},
		{"macros of a megabyte", good + packet('D', "Ck\x00"+strings.Repeat("v", 1<<19)), NoteProtocol},
		{"an empty macro packet", good + packet('D', ""), NoteProtocol},
		{"silence from the start", "", NoteTimeout},
		{"half a length", "\x00\x00", NoteTimeout},
		{"half a packet", good + "\x00\x00\x10\x00Lx", NoteTimeout},
		{"silence after the negotiation", good, NoteTimeout},
		{"silence after CONNECT", good + packet('C', "h\x004\x12\x67192.0.2.1\x00"), NoteTimeout},
		{"silence amid the body", good + packet('C', "h\x00U\x00") + packet('M', "<>\x00") + packet('R', "<a>\x00") + packet('B', "x"), NoteTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{}
			if tt.note == NoteTimeout {
				cfg = Config{ReadTimeout: 50 * time.Millisecond, IdleTimeout: 80 * time.Millisecond}
			}
			s, addr, n := serve(t, cfg, accept)
			conn := raw(t, addr)
			io.WriteString(conn, tt.bytes)
			replies, _ := io.ReadAll(conn) // a reset is as good as an end
			if strings.Contains(string(replies), "\x00\x00\x00\x01a") {
				t.Errorf("replies %q hold an accept", replies)
			}
			n.await(t, tt.note)
			await(t, "the connection to be forgotten", func() bool { return s.Active() == 0 })
		})
	}
}

func manyMacros() string {
	var b strings.Builder
	for i := range 2 * maxMacros {
		b.WriteString(strings.Repeat("n", i) + "\x00v\x00")
	}
	return b.String()
}

func TestSlowPacketIsCutOff(t *testing.T) {
	s, addr, n := serve(t, Config{ReadTimeout: 100 * time.Millisecond}, accept)
	conn := raw(t, addr)
	io.WriteString(conn, offer(6, 0x1ff, 0x1fffff)+"\x00\x00\xea\x60L")
	// Every byte comes well within the deadline; the packet does not.
	for s.Active() > 0 || n.count(NoteTimeout) == 0 {
		if _, err := conn.Write([]byte("x")); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	n.await(t, NoteTimeout)
}

func TestPatienceWhilePostfixReceivesTheData(t *testing.T) {
	_, addr, _ := serve(t, Config{ReadTimeout: 10 * time.Second, IdleTimeout: time.Second}, accept)
	c := dial(t, addr, everything)
	connect(t, c)
	begin(t, c, "1")
	time.Sleep(2 * time.Second) // a slow client; the default DataTimeout is an hour
	if _, act := data(t, c, nil, "x"); act.Code != milter.ActAccept {
		t.Errorf("after a long DATA: %+v, want accept", act)
	}
}

func TestPeerThatReadsNothing(t *testing.T) {
	// Over a UNIX socket: what TCP does when neither side can take anything is
	// the kernel's affair.
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	must(t, err)
	s := New(Config{WriteTimeout: 50 * time.Millisecond}, accept)
	run(t, s, l)
	conn, err := net.Dial("unix", l.Addr().String())
	must(t, err)
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(time.Minute))
	// Every DATA wants a reply that is never read. Some hundred kilobytes of
	// them fit into the kernel's buffers; then the server cannot write, and
	// gives up.
	flood := strings.Repeat(packet('T', ""), 1<<16)
	_, err = io.WriteString(conn, offer(6, 0, 0))
	for err == nil {
		_, err = io.WriteString(conn, flood)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a minute of flood: %v", err)
	}
	await(t, "the connection to be given up", func() bool { return s.Active() == 0 })
}

// nagle dials as programs do that leave the kernel its habits.
type nagle struct{}

func (nagle) Dial(network, addr string) (net.Conn, error) {
	conn, err := net.Dial(network, addr)
	if err == nil {
		err = conn.(*net.TCPConn).SetNoDelay(false)
	}
	return conn, err
}

func TestNoWaitForAcknowledgements(t *testing.T) {
	_, addr, _ := serve(t, Config{}, accept)
	c, err := milter.NewClientWithOptions("tcp", addr, milter.ClientOptions{Dialer: nagle{}, ActionMask: 0x1ff, ProtocolMask: everything}).Session()
	must(t, err)
	defer c.Close()
	connect(t, c)
	fastest := time.Hour
	for range 20 {
		begun := time.Now()
		transact(t, c, "1", [][2]string{{"A", " b"}, {"C", " d"}}, "x")
		fastest = min(fastest, time.Since(begun))
	}
	// The kernel holds an acknowledgement back for 40 ms.
	if fastest > 30*time.Millisecond {
		t.Errorf("the fastest of 20 messages took %s", fastest)
	}
}

func TestNewClientOnTheSameConnection(t *testing.T) {
	got := make(chan mail.Message, 2)
	_, addr, _ := serve(t, Config{}, sayOn(got, mail.Reply{}))
	conn := raw(t, addr)
	one := func(host string) string {
		return packet('C', host+"\x004\x00\x19192.0.2.1\x00") + packet('M', "<>\x00") + packet('R', "<r@x>\x00") + packet('E', "last piece")
	}
	io.WriteString(conn, offer(6, 0x1ff, 0x1fffff)+packet('D', "Cj\x00one\x00")+one("first")+packet('K', "")+one("second"))
	for _, want := range []string{"first", "second"} {
		m := <-got
		if m.Client.Host != want || string(m.Raw) != "\r\nlast piece" || (m.Macros["j"] == "one") != (want == "first") {
			t.Errorf("%s: Client %+v, Raw %q, macros %v", want, m.Client, m.Raw, m.Macros)
		}
	}
}
