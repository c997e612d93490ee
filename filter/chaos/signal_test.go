package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// F1: the daemon is killed again and again under load. Nothing accepted is
// lost, nothing leaks, and the quarantine holds each message once.
func TestF01KilledUnderLoad(t *testing.T) {
	s := newStand(t)
	s.start()
	l := load{messages: deep(300, 30), senders: 6, retry: true, limit: time.Duration(deep(2, 15)) * time.Minute}
	s.storm(l, 250*time.Millisecond, deep(12, 20), func() {
		s.daemon.kill()
		s.start()
	})
	if out, err := s.sekisho("quarantine", "verify", "--store", s.store()); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// F4: a restart as an upgrade makes it. Messages under way get their answer,
// so each mail goes in once.
func TestF04TerminatedUnderLoad(t *testing.T) {
	s := newStand(t)
	s.start()
	l := load{messages: deep(200, 20), senders: 4, retry: true}
	restarts := deep(5, 20)
	s.storm(l, 400*time.Millisecond, restarts, func() {
		s.daemon.signal(syscall.SIGTERM)
		<-s.daemon.done
		if s.daemon.err != nil {
			t.Errorf("the daemon ended with %v, want status 0", s.daemon.err)
		}
		s.start()
	})
	if stopped := strings.Count(s.log(), `"event":"service.stopped"`); stopped != restarts {
		t.Errorf("service.stopped is logged %d times, want %d", stopped, restarts)
	}
}

// F5: good and bad rules come in turn by SIGHUP. No message is refused or
// dropped, and a bad set never takes over.
func TestF05ReloadsUnderLoad(t *testing.T) {
	s := newStand(t)
	rules := filepath.Join(s.dir, "rules")
	check(t, os.Mkdir(rules, 0o700))
	s.config = []string{"rules.dirs: [" + rules + "]"}
	s.start()
	good, bad := 0, 0
	l := load{messages: deep(200, 20), senders: 4}
	s.storm(l, 60*time.Millisecond, deep(12, 20), func() {
		text, event, count := localRule, "reload.done", &good
		if (good+bad)%2 == 1 {
			text, event, count = strings.Replace(localRule, "header.subject", "header.subjekt", 1), "reload.refused", &bad
		}
		check(t, os.WriteFile(filepath.Join(rules, "local.yaml"), []byte(text), 0o600))
		s.daemon.signal(syscall.SIGHUP)
		*count++
		want := *count
		if !within(10*time.Second, func() bool { return strings.Count(s.log(), `"event":"`+event+`"`) >= want }) {
			t.Errorf("%s was not logged for the %d. time", event, want)
		}
	})
}

const localRule = `- id: local-test
  why: A test.
  why_ja: 試験。
  severity: low
  then: reject
  when: header.subject == "refuse me"
  tests:
    - {name: that subject, facts: {header: {subject: refuse me}}, want: reject}
    - {name: another, facts: {header: {subject: hello}}, want: none}
`

// F6: the daemon hangs as a stopped process does, shorter than Postfix waits.
// Mail is late, never lost, never passed.
func TestF06StoppedUnderLoad(t *testing.T) {
	s := newStand(t)
	s.start()
	l := load{messages: deep(120, 25), senders: 4, retry: true}
	s.storm(l, 150*time.Millisecond, deep(5, 20), func() {
		s.daemon.signal(syscall.SIGSTOP)
		<-time.After(700 * time.Millisecond) // the fault itself: it lasts as long
		s.daemon.signal(syscall.SIGCONT)
	})
}

// F6: it hangs longer than Postfix waits. Postfix answers 451 by itself and
// the senders come again.
func TestF06StoppedBeyondPostfixsPatience(t *testing.T) {
	s := newStand(t, "milter_command_timeout = 2s", "milter_content_timeout = 2s", "milter_connect_timeout = 2s")
	s.start()
	s.storm(load{messages: deep(60, 25), senders: 4, retry: true}, 200*time.Millisecond, deep(3, 10), func() {
		s.daemon.signal(syscall.SIGSTOP)
		<-time.After(3 * time.Second) // the fault itself
		s.daemon.signal(syscall.SIGCONT)
	})
}

// storm sends l and makes the fault every gap, times times: the mail goes on
// for as long. It accounts for l.
func (s *stand) storm(l load, gap time.Duration, times int, fault func()) {
	s.t.Helper()
	enough := make(chan struct{})
	l.enough = enough
	sent := make(chan *ledger, 1)
	go func() { sent <- s.send(l) }()
	made := 0
	for range times {
		select {
		case led := <-sent: // the senders gave up
			sent <- led
		case <-time.After(gap):
			fault()
			made++
			continue
		}
		break
	}
	close(enough)
	led := <-sent
	s.t.Logf("the fault was made %d times", made)
	if made < times {
		s.t.Errorf("the fault was made %d times, want %d: the senders gave up before", made, times)
	}
	if !l.retry && led.deferred+led.broken > 0 {
		s.t.Errorf("%d answers 4xx and %d broken sessions, want none", led.deferred, led.broken)
	}
	l.messages = led.last
	s.account(led, l)
}
