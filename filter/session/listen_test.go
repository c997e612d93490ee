package session

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenInet(t *testing.T) {
	tests := []struct {
		name, address string
		remote        bool
		want          string // of the error; empty for none
	}{
		{"as Postfix writes it", "inet:127.0.0.1:0", false, ""},
		{"as Sendmail writes it", "inet:0@127.0.0.1", false, ""},
		{"IPv6 loopback", "inet:[::1]:0", false, ""},
		{"all of 127 is loopback", "inet:127.8.8.8:0", false, ""},
		{"every interface", "inet:0.0.0.0:0", false, "not a loopback address"},
		{"no host is every interface", "inet::0", false, "not a loopback address"},
		{"every interface as Sendmail writes it", "inet:0@0.0.0.0", false, "not a loopback address"},
		{"every interface, as the operator wishes", "inet:0.0.0.0:0", true, ""},
		{"no port", "inet:127.0.0.1", false, "missing port"},
		{"no kind", "127.0.0.1:9000", false, "want unix:/path"},
		{"nothing", "", false, "want unix:/path"},
		{"no path", "unix:", false, "want unix:/path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Listen(tt.address, tt.remote, 0o660)
			if l != nil {
				defer l.Close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Listen(%q, %t) = %v, want %q", tt.address, tt.remote, err, tt.want)
			}
		})
	}
}

func TestListenInetTwice(t *testing.T) {
	l, err := Listen("inet:127.0.0.1:0", false, 0)
	must(t, err)
	defer l.Close()
	if _, err := Listen("inet:"+l.Addr().String(), false, 0); err == nil || !strings.Contains(err.Error(), "another program listens") {
		t.Errorf("second Listen = %v", err)
	}
}

func TestListenUNIX(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter")
	l, err := Listen("unix:"+path, false, 0o620)
	must(t, err)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o620 {
		t.Errorf("Stat(socket) = %v, %v; want mode 0620", info.Mode(), err)
	}
	if _, err := Listen("unix:"+path, false, 0o620); err == nil || !strings.Contains(err.Error(), "another server is using it") {
		t.Errorf("second Listen = %v", err)
	}
	conn, err := net.Dial("unix", path)
	must(t, err)
	conn.Close()
	must(t, l.Close())
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close = %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
	l, err = Listen("unix:"+path, false, 0o620)
	must(t, err)
	must(t, l.Close())
}

func TestListenUNIXOverWhatIsThere(t *testing.T) {
	tests := []struct {
		name string
		put  func(t *testing.T, path string)
		want string
	}{
		{"a stale socket is replaced", func(t *testing.T, path string) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			must(t, err)
			l.SetUnlinkOnClose(false)
			must(t, l.Close())
		}, ""},
		{"a leftover of a start that was cut short", func(t *testing.T, path string) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path + ".new", Net: "unix"})
			must(t, err)
			l.SetUnlinkOnClose(false)
			must(t, l.Close())
		}, ""},
		{"a socket that answers is left alone", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			must(t, err)
			t.Cleanup(func() { l.Close() })
		}, "another server is using it"},
		{"a file is left alone", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte("mine"), 0o600))
		}, "not a socket"},
		{"a link is left alone", func(t *testing.T, path string) {
			must(t, os.Symlink("/dev/null", path))
		}, "not a socket"},
		{"a link in place of the lock", func(t *testing.T, path string) {
			must(t, os.Symlink(path+".elsewhere", path+".lock"))
		}, "too many levels of symbolic links"},
		{"a file in place of the leftover", func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".new", []byte("mine"), 0o600))
		}, "not a socket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "milter")
			tt.put(t, path)
			l, err := Listen("unix:"+path, false, 0o660)
			if l != nil {
				defer l.Close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Listen() = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestServeOnSeveralListeners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter")
	s, addr, _ := serve(t, Config{}, accept)
	l, err := Listen("unix:"+path, false, 0o660)
	must(t, err)
	run(t, s, l)
	for _, where := range [][2]string{{"tcp", addr}, {"unix", path}} {
		conn, err := net.Dial(where[0], where[1])
		must(t, err)
		defer conn.Close()
	}
	await(t, "both connections", func() bool { return s.Active() == 2 })
}
