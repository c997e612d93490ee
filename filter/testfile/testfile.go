// Package testfile finds and reads what tests need: specimens below testdata,
// and documents that a test keeps true. For tests only.
package testfile

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Root returns the project's top folder.
func Root(t testing.TB) string {
	t.Helper()
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("testfile: no caller information")
	}
	dir := filepath.Dir(here)
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("testfile: go.mod not found above " + here)
	return ""
}

// updating says that documents are to be rewritten instead of compared:
// `make docs` sets it.
func updating() bool { return os.Getenv("SEKISHO_UPDATE") != "" }

// Doc compares the part of a document between "<!-- made by NAME -->" and
// "<!-- end of NAME -->" with want, or rewrites it under `make docs`.
func Doc(t *testing.T, file, name, want string) {
	t.Helper()
	path := filepath.Join(Root(t), file)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	open, end := "<!-- made by "+name+" -->\n", "<!-- end of "+name+" -->"
	head, rest, ok := strings.Cut(string(raw), open)
	have, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s lacks the marks %q and %q", file, strings.TrimSpace(open), end)
	}
	if have == want {
		return
	}
	if !updating() {
		t.Fatalf("%s, part %s, is not what the code says: run make docs and read the diff", file, name)
	}
	if err := os.WriteFile(path, []byte(head+open+want+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// File compares a whole document with want, or rewrites it under `make docs`.
func File(t *testing.T, file, want string) {
	t.Helper()
	path := filepath.Join(Root(t), file)
	if updating() {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Fatalf("%s is not what the code says: run make docs and read the diff", file)
	}
}
