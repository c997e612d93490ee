package load

import (
	"bytes"
	"errors"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-milter"
)

// seen is a milter that keeps what it was told.
type seen struct {
	milter.NoOpMilter
	all   *[]string
	mu    *sync.Mutex
	field []string
	body  bytes.Buffer
	end   milter.Response
}

func (s *seen) Header(name, value string, _ *milter.Modifier) (milter.Response, error) {
	s.field = append(s.field, name+":"+value)
	return milter.RespContinue, nil
}

func (s *seen) Headers(textproto.MIMEHeader, *milter.Modifier) (milter.Response, error) {
	return milter.RespContinue, nil
}

func (s *seen) BodyChunk(b []byte, _ *milter.Modifier) (milter.Response, error) {
	s.body.Write(b)
	return milter.RespContinue, nil
}

func (s *seen) Body(m *milter.Modifier) (milter.Response, error) {
	s.mu.Lock()
	*s.all = append(*s.all, m.Macros["i"]+"\n"+strings.Join(s.field, "\r\n")+"\r\n\r\n"+s.body.String())
	s.mu.Unlock()
	return s.end, nil
}

// milterOf serves a library milter that answers end.
func milterOf(t *testing.T, end milter.Response, protocol milter.OptProtocol) (address string, all *[]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	all = new([]string)
	mu := new(sync.Mutex)
	server := &milter.Server{NewMilter: func() milter.Milter { return &seen{all: all, mu: mu, end: end} }, Protocol: protocol}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return "unix:" + path, all
}

func TestRunPlaysWholeMails(t *testing.T) {
	mails := texts(3)
	for _, tt := range []struct {
		name     string
		protocol milter.OptProtocol
	}{
		{"values without the blank", 0},
		{"values with the blank", milter.OptHeaderLeadingSpace},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address, all := milterOf(t, milter.RespAccept, tt.protocol)
			r, err := Run(Plan{Address: address, Jobs: Prepare(mails), Count: 7, Conns: 2, PerConn: 2, Timeout: 10 * time.Second, Roots: []int{os.Getpid()}})
			if err != nil {
				t.Fatal(err)
			}
			if r.Messages != 7 || r.Answers["accept"] != 7 || len(*all) != 7 || r.PeakRSS < 1<<20 || r.Wait(1) <= 0 {
				t.Errorf("Run = %+v and the milter saw %d, want 7 accepted, memory and waits", r, len(*all))
			}
			for _, m := range mails {
				want := "\r\n" + strings.ReplaceAll(string(m.Raw), "\r\n\t", "\n\t")
				want = strings.ReplaceAll(want, "\r\n ", "\n ")
				if tt.protocol == 0 {
					want = withoutBlanks(want)
				}
				if !slices.ContainsFunc(*all, func(got string) bool { return strings.HasSuffix(got, want) }) {
					t.Errorf("no message came as it was sent:\n%q\nfirst seen:\n%q", want, (*all)[0])
				}
			}
		})
	}
}

// withoutBlanks takes the blank behind the colon from each field.
func withoutBlanks(raw string) string {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	for i, l := range lines {
		lines[i] = strings.Replace(l, ": ", ":", 1)
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func TestRunCountsAnswers(t *testing.T) {
	for want, end := range map[string]milter.Response{
		"accept": milter.RespContinue, "reject": milter.RespReject, "defer": milter.RespTempFail, "discard": milter.RespDiscard,
	} {
		address, _ := milterOf(t, end, 0)
		r, err := Run(Plan{Address: address, Jobs: Prepare(texts(1)), Count: 2, Conns: 1, PerConn: 10, Timeout: 10 * time.Second})
		if err != nil || r.Answers[want] != 2 {
			t.Errorf("Run against %v = %v, %v; want 2 %s", end, r.Answers, err, want)
		}
	}
}

func TestRunSaysWhatFails(t *testing.T) {
	jobs := Prepare(texts(1))
	if _, err := Run(Plan{Address: "unix:" + filepath.Join(t.TempDir(), "none"), Jobs: jobs, Count: 5, Conns: 2, PerConn: 1, Timeout: time.Second}); err == nil {
		t.Error("Run without a milter: no error")
	}
	if _, err := Run(Plan{Address: "smoke:signals", Jobs: jobs, Count: 1, Conns: 1, PerConn: 1}); err == nil {
		t.Error("Run at an address of no known kind: no error")
	}
	if _, err := Run(Plan{Address: "unix:/", Jobs: jobs, Count: 1, Conns: 1, PerConn: 1, Roots: []int{1 << 30}}); !errors.Is(err, errGone) {
		t.Errorf("Run with a process that is none = %v, want %v", err, errGone)
	}
}

// TestSetsAreTheSame makes two mails of each kind of chance twice.
func TestSetsAreTheSame(t *testing.T) {
	for name, make := range map[string]func() []Mail{"texts": func() []Mail { return texts(20) }, "office": func() []Mail { return office(1) }} {
		a, b := make(), make()
		size := 0
		for i := range a {
			size += len(a[i].Raw)
			if !bytes.Equal(a[i].Raw, b[i].Raw) {
				t.Errorf("%s: mail %d differs from run to run", name, i)
			}
		}
		t.Logf("%s: %d mails, mean %d bytes", name, len(a), size/len(a))
	}
}

func TestSpread(t *testing.T) {
	if lo, hi := spread(0, 100, 1000, 100000), spread(99, 100, 1000, 100000); lo < 1000 || lo > 1100 || hi > 100000 || hi < 90000 {
		t.Errorf("spread from 1000 to 100000 begins at %d and ends at %d", lo, hi)
	}
}

// TestFloorCountsContent: the same bytes cost more in a zip than as text.
func TestFloorCountsContent(t *testing.T) {
	c := newChance(9)
	zip, err := Floor([]Mail{{"zip", c.threeDeep(1 << 20)}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := Floor([]Mail{{"text", c.text(1000)}})
	if err != nil || zip <= text {
		t.Errorf("Floor of zips = %v, of a text %v, %v; want more for the zips", zip, text, err)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, raw := range map[string]string{"b-2.eml": "X: 1\n\nb\n", "a-1.eml": "X: 1\r\n\r\na\r\n", "note.txt": "no mail"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Folder(dir)
	if err != nil || len(got) != 2 || got[0].Kind != "a" || string(got[1].Raw) != "X: 1\r\n\r\nb\r\n" {
		t.Errorf("Folder = %q, %v; want a then b with CRLF", got, err)
	}
	if _, err := Folder(t.TempDir()); err == nil {
		t.Error("Folder without mail: no error")
	}
}
