package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sekisho/filter/testfile"
)

// TestDocSession plays the session that both README files show, against a real
// Postfix, and compares what was printed with what they say.
func TestDocSession(t *testing.T) {
	var shown strings.Builder
	p := scriptParams(testfile.Root(t))
	p.Files = []string{filepath.Join(testfile.Root(t), "testdata/session.txtar")}
	p.Cmds["session"] = func(ts *testscript.TestScript, _ bool, args []string) { cmdSession(ts, &shown, args) }
	// The script runs beside others; this Run ends when it has ended.
	t.Run("play", func(t *testing.T) { testscript.Run(t, p) })
	if t.Failed() {
		return
	}
	for _, file := range []string{"README.md", "README.ja.md"} {
		testfile.Doc(t, file, "a session", "```\n"+shown.String()+"```\n")
	}
	scan, _, _ := strings.Cut(shown.String(), "$ sekisho quarantine")
	testfile.Doc(t, "docs/scan.md", "a session", "```\n"+scan+"```\n")
}

// cmdSession runs the program and notes command and output as a reader would
// see them: session ARGS... The configuration, which only names ports and
// folders of the test, is left out of what is shown.
func cmdSession(ts *testscript.TestScript, shown *strings.Builder, args []string) {
	shown.WriteString("$ sekisho " + strings.Join(quoted(args), " ") + "\n")
	// Status 3 only says that something was found.
	run := append([]string{"-c", `sekisho "$@" --config sekisho.yaml || [ $? = 3 ]`, "sh"}, args...)
	ts.Check(ts.Exec("sh", run...))
	shown.WriteString(ts.ReadFile("stdout"))
	text := shown.String()
	for _, c := range changing {
		text = c.is.ReplaceAllString(text, c.shown)
	}
	shown.Reset()
	shown.WriteString(text)
}

// changing is what differs from run to run.
var changing = []struct {
	is    *regexp.Regexp
	shown string
}{
	{regexp.MustCompile(`\d{8}-[0-9a-z]{10}`), "20261122-9k3v0mzq5t"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d`), "2026-11-22 10:00"},
	{regexp.MustCompile(`queued as \w+`), "queued as 4bXyZk1Qw8"},
}

func quoted(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; strings.Contains(a, " ") {
			out[i] = `"` + a + `"`
		}
	}
	return out
}
