package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sekisho/filter/postfixrig"
)

// judged is the last line message.judged of an envelope sender, nil if none.
func (s *stand) judged(from string) map[string]any {
	var found map[string]any
	for line := range strings.Lines(s.log()) {
		var m map[string]any
		if strings.Contains(line, `"message.judged"`) && json.Unmarshal([]byte(line), &m) == nil && m["mail_from"] == from {
			found = m
		}
	}
	return found
}

// F31: random orders of what SMTP allows within one session: messages that
// pass, are kept, are refused; RSET, a new EHLO, STARTTLS, a message that is
// given up half way. Each message is judged with the client of the session and
// the name last said, the last as the first.
func TestF31EveryMessageOfASessionKnowsItsClient(t *testing.T) {
	s := newStand(t)
	s.config = []string{"rules.dirs: []"}
	s.start()
	chance := rand.New(rand.NewPCG(31, 31))
	sessions, messages := deep(20, 25), 0
	for n := 1; n <= sessions; n++ {
		messages += s.playSession(t, chance, n)
		if t.Failed() {
			t.Fatalf("failed in session %d", n)
		}
	}
	t.Logf("%d sessions, %d messages", sessions, messages)
	if messages < 2*sessions {
		t.Errorf("only %d messages in %d sessions", messages, sessions)
	}
}

// player is one session in progress.
type player struct {
	t      *testing.T
	c      *postfixrig.Client
	client string
	helo   string
	secure bool
}

func (p *player) say(reply string, err error) {
	p.t.Helper()
	if err != nil || reply == "" || reply[0] == '5' {
		p.t.Fatalf("client %s: %q, %v", p.client, reply, err)
	}
}

// hello greets under a new name.
func (p *player) hello(name string) {
	p.helo = name
	p.say(p.c.Hello(name))
}

// playSession plays one session and returns how many messages were judged.
func (s *stand) playSession(t *testing.T, chance *rand.Rand, n int) int {
	t.Helper()
	c, err := postfixrig.Dial(s.postfix.SMTP())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &player{t: t, c: c, client: fmt.Sprintf("203.0.113.%d", 1+n%250)}
	p.hello("localhost")
	p.say(c.XClient("ADDR="+p.client, "NAME=mail.partner.example"))
	p.hello("first.partner.example")
	messages := 0
	for step := range 4 + chance.IntN(6) {
		from := fmt.Sprintf("s%d-%d.%s@partner.example", n, step, s.name)
		switch what := chance.IntN(8); what {
		case 0:
			p.say(c.Reset())
		case 1:
			p.hello(fmt.Sprintf("again%d.partner.example", step))
		case 2:
			if !p.secure {
				p.secure = true
				p.say(c.StartTLS())
				p.hello("secure.partner.example")
			}
		case 3: // given up between RCPT and DATA
			p.say(c.Cmd("MAIL FROM:<" + from + ">"))
			p.say(c.Cmd("RCPT TO:<hr@kansho.example.jp>"))
			p.say(c.Reset())
		default:
			p.say(c.Send(from, []string{"hr@kansho.example.jp"}, s.numbered(what)))
			s.knowsClient(p, from, blocked(what))
			messages++
		}
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	return messages
}

// knowsClient holds the record of a message against the session.
func (s *stand) knowsClient(p *player, from string, danger bool) {
	p.t.Helper()
	var line map[string]any
	if !within(5*time.Second, func() bool { line = s.judged(from); return line != nil }) {
		p.t.Fatalf("%s was not judged", from)
	}
	if line["client_ip"] != p.client || line["helo"] != p.helo {
		p.t.Errorf("%s: judged with client %v and helo %v, want %s and %s", from, line["client_ip"], line["helo"], p.client, p.helo)
	}
	if kept := line["disposition"] == "quarantine"; kept != danger {
		p.t.Errorf("%s: disposition %v, dangerous: %v", from, line["disposition"], danger)
	}
}
