package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sekisho/filter/postfixrig"
	"sekisho/filter/sandbox"
	"sekisho/filter/sandbox/inside"
	"sekisho/filter/specimen"
	"sekisho/filter/testfile"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sekisho": main, sandbox.ProgramName: inside.Main})
}

// TestScripts runs the stories in testdata/scripts with the true program, and
// where they ask for it with a private Postfix.
func TestScripts(t *testing.T) {
	p := scriptParams(testfile.Root(t))
	p.Dir = filepath.Join(testfile.Root(t), "testdata/scripts")
	testscript.Run(t, p)
}

// scriptParams is the stage of every script, with the words we taught it.
// $PROJECT is the project's top folder, for files that are tried as they stand.
func scriptParams(project string) testscript.Params {
	return testscript.Params{
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", e.Getenv("PATH")+":/usr/sbin:/usr/bin:/sbin:/bin")
			e.Setenv("PROJECT", project)
			e.Values[rigKey{}] = &rig{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"usage":    cmdUsage,
			"specimen": cmdSpecimen,
			"postfix":  cmdPostfix,
			"send":     cmdSend,
			"wait-log": cmdWaitLog,
			"jq":       cmdJQ,
			"setjq":    cmdSetJQ,
			"arrived":  cmdArrived,
			"freeport": cmdFreePort, "fetch": cmdFetch,
		},
	}
}

type rigKey struct{}

// rig is what a story has running beside the program.
type rig struct {
	postfix *postfixrig.Postfix
	sink    *postfixrig.Sink
}

func rigOf(ts *testscript.TestScript) *rig { return ts.Value(rigKey{}).(*rig) }

// cmdUsage expects wrong usage, which is status 2 with a hint: usage ARGS...
func cmdUsage(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: usage ARGS...")
	}
	// ts.Exec tells no status, so the shell is asked to judge it.
	err := ts.Exec("sh", append([]string{"-c", `sekisho "$@"; [ $? = 2 ]`, "sh"}, args...)...)
	if err != nil {
		ts.Fatalf("sekisho %q: not status 2", args)
	}
}

// cmdSpecimen writes a demo mail: specimen NAME FILE.
func cmdSpecimen(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: specimen NAME FILE")
	}
	for _, c := range append(specimen.Attacks(), specimen.Honest()...) {
		if c.Name == args[0] {
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), c.Raw, 0o600))
			return
		}
	}
	ts.Fatalf("no specimen is called %q", args[0])
}

// cmdPostfix starts a private Postfix in front of the milter: postfix ADDRESS.
// It sets $SMTP, the smtpd before the milter, and $REINJECT, the one without.
func cmdPostfix(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: postfix MILTER")
	}
	if err := postfixrig.Available(); err != nil {
		if os.Getenv("CI") != "" {
			ts.Fatalf("%v", err)
		}
		ts.Fatalf("%v (make setup installs it)", err)
	}
	r := rigOf(ts)
	var err error
	r.sink, err = postfixrig.NewSink()
	ts.Check(err)
	ts.Defer(func() { ts.Check(r.sink.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r.postfix, err = postfixrig.Start(ctx, postfixrig.Options{Milters: args, SinkAddr: r.sink.Addr()})
	ts.Check(err)
	ts.Defer(func() { ts.Check(r.postfix.Stop()) })
	ts.Setenv("SMTP", r.postfix.SMTP())
	ts.Setenv("REINJECT", r.postfix.Reinject())
}

// cmdSend sends a mail as an outside client and expects a reply that begins
// with the given words: send FILE TO REPLY.
func cmdSend(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: send FILE TO REPLY")
	}
	c, err := postfixrig.Dial(rigOf(ts).postfix.SMTP())
	ts.Check(err)
	defer c.Close()
	for _, say := range []func() (string, error){
		func() (string, error) { return c.Hello("localhost") },
		func() (string, error) { return c.XClient("ADDR=203.0.113.9", "NAME=mail.sender.example") },
		func() (string, error) { return c.Hello("mail.sender.example") },
	} {
		_, err := say()
		ts.Check(err)
	}
	reply, err := c.Send("sender@partner.example", []string{args[1]}, []byte(ts.ReadFile(args[0])))
	ts.Check(err)
	if !strings.HasPrefix(reply, args[2]) {
		ts.Fatalf("send: got %q, want %q", reply, args[2])
	}
	ts.Check(c.Quit())
}

// cmdWaitLog waits until a log file holds a match: wait-log FILE REGEXP.
func cmdWaitLog(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: wait-log FILE REGEXP")
	}
	re := regexp.MustCompile(args[1])
	deadline := time.Now().Add(20 * time.Second)
	for {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && re.Match(b) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("wait-log: %s has no match for %s:\n%s", args[0], args[1], b)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// cmdArrived waits for a delivered mail that ends with the bytes of a file:
// arrived FILE TO; with ! nothing may have arrived for TO.
func cmdArrived(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] arrived FILE TO")
	}
	want := ts.ReadFile(args[0])
	match := func(d postfixrig.Delivered) bool {
		return len(d.To) > 0 && strings.Contains(d.To[0], args[1]) && strings.HasSuffix(string(d.Data), want)
	}
	sink := rigOf(ts).sink
	if neg {
		if sink.Count(match) > 0 {
			ts.Fatalf("arrived: it did")
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := sink.Wait(ctx, match)
	ts.Check(err)
}

// cmdFetch writes what an HTTP server answers into a file: fetch URL FILE.
func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: fetch URL FILE")
	}
	answer, err := http.Get(args[0])
	ts.Check(err)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("fetch: %s", answer.Status)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

// cmdFreePort sets a variable to a free loopback port: freeport NAME.
func cmdFreePort(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: freeport NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// cmdJQ compares a value in standard output's JSON: jq FILE PATH WANT. FILE is
// "stdout" or a file; of several lines the first counts.
func cmdJQ(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: [!] jq FILE PATH WANT")
	}
	got, err := lookup(ts.ReadFile(args[0]), args[1])
	ts.Check(err)
	if (got == args[2]) == neg {
		ts.Fatalf("jq %s: got %q, want %q", args[1], got, args[2])
	}
}

// cmdSetJQ sets a variable to a value: setjq NAME FILE PATH.
func cmdSetJQ(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: setjq NAME FILE PATH")
	}
	got, err := lookup(ts.ReadFile(args[1]), args[2])
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(got))
}
