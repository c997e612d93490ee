package session

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

func TestShutdownDrains(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s, addr, _ := serve(t, Config{}, func(context.Context, *mail.Message) mail.Reply {
		close(entered)
		<-release
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	idle := dial(t, addr, everything)
	connect(t, idle)
	busy := dial(t, addr, everything)
	connect(t, busy)
	begin(t, busy, "1")
	answered := make(chan *milter.Action, 1)
	go func() {
		_, act, err := busy.End()
		if err != nil {
			t.Error(err)
		}
		answered <- act
	}()
	<-entered
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	await(t, "the idle connection to be closed", func() bool { return s.Active() == 1 })
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("a new connection was taken up while draining")
	}
	close(release)
	if act := <-answered; act == nil || act.Code != milter.ActAccept {
		t.Errorf("in-flight message answered %+v, want accept", act)
	}
	if err := <-down; err != nil || s.Active() != 0 {
		t.Errorf("Shutdown() = %v with %d connections", err, s.Active())
	}
}

func TestShutdownEndsHard(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	entered, cancelled := make(chan struct{}), make(chan struct{})
	s := New(Config{SpoolDir: t.TempDir()}, func(ctx context.Context, _ *mail.Message) mail.Reply {
		close(entered)
		<-ctx.Done()
		close(cancelled)
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	go s.Serve(l)
	c := dial(t, l.Addr().String(), everything)
	connect(t, c)
	begin(t, c, "1")
	ended := make(chan error, 1)
	go func() {
		_, act, err := c.End()
		if err == nil && act.Code == milter.ActAccept {
			t.Error("an unanswered message was accepted")
		}
		ended <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown() = %v, want the deadline", err)
	}
	<-cancelled
	<-ended
	await(t, "all connections to be closed", func() bool { return s.Active() == 0 })
	if err := s.Serve(l); err != nil {
		t.Errorf("Serve after Shutdown = %v, want nil at once", err)
	}
}

func TestConnectionCap(t *testing.T) {
	s, addr, n := serve(t, Config{MaxConns: 2}, accept)
	first, second := dial(t, addr, everything), dial(t, addr, everything)
	connect(t, first)
	connect(t, second)
	third := make(chan *milter.ClientSession)
	go func() { third <- dial(t, addr, everything) }()
	n.await(t, NoteFull)
	if s.Active() != 2 {
		t.Errorf("Active() = %d, want 2", s.Active())
	}
	must(t, first.Close())
	c := <-third
	connect(t, c)
	if _, act := transact(t, c, "1", nil, "x"); act.Code != milter.ActAccept {
		t.Errorf("the third connection: %+v, want accept", act)
	}
}

func TestManySessionsAtOnce(t *testing.T) {
	_, addr, _ := serve(t, Config{SpoolOver: 1000, MaxMemory: 1 << 16}, func(_ context.Context, m *mail.Message) mail.Reply {
		if hexOf(string(m.Raw)) != m.SHA256 || !strings.HasPrefix(string(m.Raw), "Subject: "+m.QueueID+"\r\n\r\n") {
			t.Errorf("message %q is not itself: %.80q", m.QueueID, m.Raw)
		}
		return mail.Reply{Answer: mail.AnswerAccept}
	})
	var all sync.WaitGroup
	for i := range 20 {
		c := dial(t, addr, everything)
		connect(t, c)
		all.Go(func() {
			for j := range 10 {
				id := strings.Repeat(string(rune('A'+i)), j+1)
				if _, act := transact(t, c, id, [][2]string{{"Subject", " " + id}}, strings.Repeat(id, 300)); act.Code != milter.ActAccept {
					t.Errorf("message %s: %+v", id, act)
				}
			}
		})
	}
	all.Wait()
}
