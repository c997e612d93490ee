package chaos

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// packet is one milter packet.
func packet(code byte, data string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))
	return append(append(b, code), data...)
}

// talk is a milter session up to the end of a message, as Postfix has it.
func talk() []byte {
	var all []byte
	for _, p := range [][]byte{
		packet('O', "\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"),
		packet('C', "mail.partner.example\x004\x04\xd2192.0.2.1\x00"), packet('H', "mail.partner.example\x00"),
		packet('M', "<a@partner.example>\x00"), packet('R', "<hr@kansho.example.jp>\x00"), packet('T', ""),
		packet('L', "Subject\x00hello\x00"), packet('L', "From\x00a@partner.example\x00"), packet('N', ""),
		packet('B', "hello\r\n"), packet('E', ""),
	} {
		all = append(all, p...)
	}
	return all
}

// F13: sessions with bytes changed, cut, repeated and put in, of which the
// length fields are worst. The daemon stays alive, answers Postfix at once, and
// does not grow.
func TestF13MalformedPackets(t *testing.T) {
	s := newStand(t)
	d := s.start()
	before := d.memory("VmRSS")
	chance := rand.New(rand.NewPCG(13, 13))
	cases := deep(1500, 300)
	for range cases {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			t.Fatalf("the daemon takes no connection: %v", err)
		}
		_, _ = conn.Write(mutate(chance, talk())) // being cut off is an answer
		check(t, conn.Close())
	}
	if reply, err := submit(s.postfix.SMTP(), s.sender(1), s.numbered(1)); err != nil || !strings.HasPrefix(reply, "250") || d.ended() {
		t.Errorf("after %d cases: %q, %v, ended: %v", cases, reply, err, d.ended())
	}
	grown := d.memory("VmHWM") - before
	t.Logf("%d cases, the daemon grew by %d MiB", cases, grown)
	if grown > 64 {
		t.Errorf("the daemon grew by %d MiB, want at most 64", grown)
	}
	if strings.Contains(s.log(), `"stack"`) {
		t.Errorf("our code broke: %s", tail(s.log(), 3000))
	}
}

func mutate(chance *rand.Rand, b []byte) []byte {
	for range 1 + chance.IntN(4) {
		at := chance.IntN(len(b))
		switch chance.IntN(5) {
		case 0:
			b[at] = byte(chance.Uint32())
		case 1:
			b = b[:at+1]
		case 2:
			b = append(b[:at:at], append([]byte{0xff, 0xff, 0xff, 0xff}, b[at:]...)...)
		case 3:
			b = append(b, b[at:]...)
		default:
			b = append(b[:at:at], b[min(len(b), at+4):]...)
			b = append(b, 0)
		}
	}
	return b
}

// F14: connections that say nothing, half a length, or a message without an
// end are held; mail still passes at once, and memory stays bounded.
func TestF14HeldConnections(t *testing.T) {
	said := map[string][]byte{"nothing": nil, "half a length": {0, 0}, "all but the end": talk()[:len(talk())-5]}
	s := newStand(t)
	d := s.start()
	held := deep(500, 12)
	for name, bytes := range said {
		var conns []net.Conn
		for range held {
			conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
			_, err = conn.Write(bytes)
			check(t, err)
		}
		slowest := time.Duration(0)
		for n := range 20 {
			start := time.Now()
			reply, err := submit(s.postfix.SMTP(), s.sender(1+n), s.numbered(1+n))
			slowest = max(slowest, time.Since(start))
			if err != nil || !strings.HasPrefix(reply, "250") {
				t.Errorf("%s: %q, %v", name, reply, err)
			}
		}
		for _, conn := range conns {
			check(t, conn.Close())
		}
		t.Logf("%d connections that say %s: slowest mail %v, %d MiB", held, name, slowest.Round(time.Millisecond), d.memory("VmRSS"))
		if slowest > patience || d.memory("VmHWM") > 150 {
			t.Errorf("%s: slowest mail %v, height %d MiB", name, slowest, d.memory("VmHWM"))
		}
	}
}

// F17: a soak, short here and long in the deep run: memory, open files and
// leftovers stay where they are.
func TestF17Soak(t *testing.T) {
	s := newStand(t)
	d := s.start()
	warm := load{messages: deep(150, 60), senders: 6}
	led := s.send(warm)
	rss, files := d.memory("RssAnon"), openFiles(t, d)
	long := load{after: warm.messages, messages: deep(600, 100), senders: 6}
	s.sendTo(led, long)
	s.account(led, load{messages: long.after + long.messages})
	grown := d.memory("RssAnon") - rss
	t.Logf("%d messages: RSS %d MiB and %+d, open files %d and %+d", long.messages, rss, grown, files, openFiles(t, d)-files)
	if grown > 16 {
		t.Errorf("grew by %d MiB", grown)
	}
	if !within(10*time.Second, func() bool { return openFiles(t, d) <= files+5 }) {
		t.Errorf("%d open files, %d at first", openFiles(t, d), files)
	}
	for _, dir := range []string{filepath.Join(s.store(), "tmp"), filepath.Join(s.dir, "spool")} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%d files are left in %s, %v", len(left), dir, err)
		}
	}
}

func openFiles(t *testing.T, d *daemon) int {
	t.Helper()
	list, err := os.ReadDir("/proc/" + strconv.Itoa(d.cmd.Process.Pid) + "/fd")
	check(t, err)
	return len(list)
}
