package postfixrig

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// need skips where there is no Postfix, but fails where there must be one.
func need(t *testing.T) {
	t.Helper()
	if err := Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// rig starts a sink and a Postfix for the test.
func rig(t *testing.T, o Options) (*Postfix, *Sink) {
	t.Helper()
	need(t)
	sink, err := NewSink()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	o.SinkAddr = sink.Addr()
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p, sink
}

func dial(t *testing.T, addr string) *Client {
	t.Helper()
	c, err := Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// says fails unless the reply begins as wanted.
func says(t *testing.T, what, reply string, err error, want string) {
	t.Helper()
	if err != nil || !strings.HasPrefix(reply, want) {
		t.Fatalf("%s: %q, %v; want %s\n", what, reply, err, want)
	}
}

func TestDelivery(t *testing.T) {
	// The milter port is closed: nothing may pass there, all may beside it.
	closed, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	p, sink := rig(t, Options{Milters: []string{"inet:" + closed[0]}, TLS: true})
	mail := []byte("Subject: dots\r\n\r\n.one\r\n..two\r\nlast")

	c := dial(t, p.SMTP())
	reply, err := c.Send("a@client.example", []string{"b@rig.test"}, mail)
	says(t, "Send without the milter running", reply, err, "451")

	c = dial(t, p.Reinject())
	reply, err = c.Hello("client.example")
	says(t, "Hello", reply, err, "250")
	reply, err = c.StartTLS()
	says(t, "StartTLS", reply, err, "220")
	reply, err = c.XClient("ADDR=192.0.2.7", "NAME=out.client.example", "LOGIN=taro")
	says(t, "XClient", reply, err, "220")
	reply, err = c.Hello("client.example")
	says(t, "Hello", reply, err, "250")
	reply, err = c.Send("a@client.example", []string{"b@rig.test", "c@rig.test"}, mail)
	says(t, "Send", reply, err, "250")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := sink.Wait(ctx, func(d Delivered) bool { return d.From == "a@client.example" })
	if err != nil {
		t.Fatal(err, p.Log())
	}
	if len(got.To) != 2 || !bytes.HasSuffix(got.Data, []byte("\r\n\r\n.one\r\n..two\r\nlast\r\n")) {
		t.Errorf("Wait() = %q to %v, want %q to two", got.Data, got.To, mail)
	}
	if !strings.Contains(string(got.Data), "192.0.2.7") {
		t.Errorf("Received knows nothing of XCLIENT's address: %q", got.Data)
	}
	if n := sink.Count(func(Delivered) bool { return true }); n != 1 {
		t.Errorf("Count() = %d, want 1", n)
	}
	if err := c.Quit(); err != nil {
		t.Error("Quit:", err)
	}
}

func TestQueueShowsHeldMail(t *testing.T) {
	p, sink := rig(t, Options{Extra: []string{"smtpd_sender_restrictions = inline:{{held@client.example = HOLD}}"}})
	c := dial(t, p.SMTP())
	reply, err := c.Send("held@client.example", []string{"b@rig.test"}, []byte("Subject: x\r\n\r\nx\r\n"))
	says(t, "Send", reply, err, "250")
	queue, err := p.Queue()
	if err != nil || len(queue) != 1 || queue[0].Name != "hold" || queue[0].Sender != "held@client.example" {
		t.Errorf("Queue() = %+v, %v; want one on hold", queue, err)
	}
	if n := len(sink.Messages()); n != 0 {
		t.Errorf("Messages() has %d, want none", n)
	}
}

// A later setting wins, and no program of Postfix has to warn of it: such
// warnings can stop the whole instance.
func TestLaterSettingWins(t *testing.T) {
	p, _ := rig(t, Options{Extra: []string{"smtpd_banner = first", "smtpd_banner = $myhostname ESMTP second", "milter_command_timeout = 2s",
		"milter_content_timeout = 2s", "milter_connect_timeout = 2s", "queue_run_delay = 3s", "maximal_backoff_time = 5s"}})
	out, err := p.run(t.Context(), "postconf", "-h", "smtpd_banner")
	if err != nil || string(out) != "$myhostname ESMTP second\n" {
		t.Errorf("smtpd_banner = %q, %v, want the second", out, err)
	}
	if log := p.Log(); strings.Contains(log, "overriding") {
		t.Errorf("Postfix warns:\n%s", log)
	}
}

func TestMessageSizeLimit(t *testing.T) {
	p, _ := rig(t, Options{MessageSizeLimit: 20000})
	c := dial(t, p.SMTP())
	reply, err := c.Send("a@client.example", []string{"b@rig.test"}, bytes.Repeat([]byte("0123456789\r\n"), 3000))
	says(t, "Send", reply, err, "552")
}

func TestStopLeavesNothing(t *testing.T) {
	p, _ := rig(t, Options{})
	dir, master := p.Dir(), p.master
	c := dial(t, p.SMTP()) // an open session must not keep it alive
	if _, err := c.Hello("client.example"); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-master, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("kill(-%d, 0) = %v, want no such process", master, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Stat(%s) = %v, want it gone", dir, err)
	}
	if _, err := Dial(p.SMTP()); err == nil {
		t.Error("Dial after Stop: no error")
	}
}

func TestStartExplains(t *testing.T) {
	need(t)
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, want string
		opts       Options
	}{
		{"a directory that Postfix's user cannot reach", "closed to Postfix's user", Options{Dir: filepath.Join(closed, "rig")}},
		{"a sink address without a port", "missing port", Options{SinkAddr: "127.0.0.1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Start(t.Context(), tt.opts)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Start(%+v) = %v, %v; want %q", tt.opts, p, err, tt.want)
			}
		})
	}
}

func TestSinkWaitEnds(t *testing.T) {
	sink, err := NewSink()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := sink.Wait(ctx, func(Delivered) bool { return true }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait() = %v, want the deadline", err)
	}
	if err := sink.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

func TestSinkCountsDuplicates(t *testing.T) {
	sink, err := NewSink()
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	c := dial(t, sink.Addr())
	if _, err := c.Hello("me.example"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two", "one", "three", "one"} {
		reply, err := c.Send("a@b.example", []string{"c@d.example"}, []byte(id))
		says(t, "Send", reply, err, "250")
	}
	if n := sink.Duplicates(func(d Delivered) string { return string(d.Data) }); n != 2 {
		t.Errorf("Duplicates() = %d, want 2", n)
	}
}
