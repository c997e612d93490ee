package quiet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pair is both ends of a connection over a UNIX socket.
func pair(t testing.TB) (*net.UnixConn, *net.UnixConn) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// desk lends one buffer and knows whether it is out.
type desk struct {
	b    []byte
	lent int
	back int
}

func (d *desk) Lend() []byte { d.lent++; return d.b }
func (d *desk) TakeBack()    { d.back++ }

func TestAllBytesCross(t *testing.T) {
	near, far := pair(t)
	// More than the kernel's buffers hold: the writer has to wait.
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	wrote := make(chan error, 1)
	go func() {
		n, err := New(near).Write(want)
		if err == nil && n != len(want) {
			err = io.ErrShortWrite
		}
		wrote <- errors.Join(err, near.CloseWrite())
	}()
	got, err := io.ReadAll(New(far))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, len(want))
	}
	if err := <-wrote; err != nil {
		t.Errorf("Write: %v", err)
	}
}

func TestLoanLastsOnlyWhileThereIsSomething(t *testing.T) {
	near, far := pair(t)
	c, d := New(far), &desk{b: make([]byte, 16)}
	read := make(chan int, 1)
	go func() {
		n, _ := c.ReadLent(d)
		read <- n
	}()
	if _, err := near.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n := <-read; n != 5 || string(d.b[:n]) != "hello" || d.lent-d.back != 1 {
		t.Errorf("read %q, lent %d, back %d; want hello and one loan still out", d.b[:n], d.lent, d.back)
	}
	*d = desk{b: d.b}
	near.Close()
	if n, err := c.ReadLent(d); n != 0 || err != io.EOF || d.lent != d.back {
		t.Errorf("at the end %d, %v, lent %d, back %d; want 0, EOF and nothing out", n, err, d.lent, d.back)
	}
}

func TestDeadlinesAndEnds(t *testing.T) {
	near, far := pair(t)
	c, d := New(far), &desk{b: make([]byte, 16)}
	far.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := c.ReadLent(d); !errors.Is(err, os.ErrDeadlineExceeded) || d.lent != d.back {
		t.Errorf("silence: %v, lent %d, back %d; want the deadline and nothing out", err, d.lent, d.back)
	}
	if _, err := c.Read(d.b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	near.Close()
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("a write to nobody: no error")
	}
	far.Close()
	if _, err := c.Read(d.b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v, want net.ErrClosed", err)
	}
}

func TestWithoutDescriptor(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		_, _ = New(near).Write([]byte("hello"))
		near.Close()
	}()
	d := &desk{b: make([]byte, 16)}
	if n, err := New(far).ReadLent(d); n != 5 || err != nil || d.lent != 1 || d.back != 0 {
		t.Errorf("ReadLent = %d, %v with %d loans, %d back", n, err, d.lent, d.back)
	}
	if _, err := New(far).ReadLent(d); err != io.EOF || d.lent != 2 || d.back != 1 {
		t.Errorf("at the end %v with %d loans, %d back; want EOF, 2, 1", err, d.lent, d.back)
	}
}

// BenchmarkRound is one small message there and back.
func BenchmarkRound(b *testing.B) {
	near, far := pair(b)
	go func() { _, _ = io.Copy(New(far), New(far)) }()
	c, p := New(near), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, p); err != nil {
			b.Fatal(err)
		}
	}
}
