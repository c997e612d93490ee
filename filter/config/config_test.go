package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEmptyFileProtects(t *testing.T) {
	for _, in := range []string{"", "\n\n", "# only a comment\n  # another\n"} {
		c, err := parse("f.yaml", []byte(in))
		if err != nil {
			t.Fatalf("parse(%q): %v", in, err)
		}
		if c.MessageTimeout != 30*time.Second || c.MaxHeader != 256<<10 || !c.Auth || c.ListenRemote {
			t.Errorf("parse(%q) is not the default: %+v", in, c)
		}
	}
}

func TestValuesAndOrigins(t *testing.T) {
	c, err := parse("f.yaml", []byte("listen: [inet:127.0.0.1:9, unix:/run/x]\nlimit:\n  message: 10MiB\ninternal: [10.0.0.0/8]\nauth.enabled: false\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]string{
		"listen":        {"inet:127.0.0.1:9 unix:/run/x", "f.yaml:1"},
		"limit.message": {"10MiB", "f.yaml:3"},
		"internal":      {"10.0.0.0/8", "f.yaml:4"},
		"auth.enabled":  {"false", "f.yaml:5"},
		"log.format":    {"json", "default"},
	}
	for _, s := range c.Settings() {
		if w, ok := want[s.Key]; ok && (s.Value != w[0] || s.Origin != w[1]) {
			t.Errorf("%s = %q from %q, want %q from %q", s.Key, s.Value, s.Origin, w[0], w[1])
		}
	}
}

// Each mistake is found at its place, with what to do.
func TestMistakes(t *testing.T) {
	tests := []struct{ name, in, want, hint string }{
		{"unknown key", "listne: x\n", `f.yaml:1: unknown key "listne"`, "did you mean listen?"},
		{"unknown key in a block", "limit:\n  massage: 1MiB\n", `f.yaml:2: unknown key "limit.massage"`, "did you mean limit.message?"},
		{"far from any key", "colour: red\n", `unknown key "colour"`, "config show"},
		{"wrong type", "limit:\n  message: [1MiB]\n  header: {a: b}\n", "f.yaml:3: limit.header: expected a size", "for example"},
		{"no unit", "limit: {message: 100}\n", `"100" is not a size with its unit`, "128MiB"},
		{"bad truth", "auth: {enabled: yes please}\n", "neither true nor false", ""},
		{"twice", "auth.enabled: true\nauth:\n  enabled: false\n", "f.yaml:3: auth.enabled is already set in line 1", "keep one"},
		{"deadlines that cross", "timeout: {inspect: 40s}\n", "timeout.inspect: 40s is not below timeout.message (30s)", "deadline"},
		{"bad network", "internal: [10.0.0]\n", `"10.0.0" is not a network`, ""},
		{"not a mapping", "- a\n", "f.yaml:1: the file: expected a block of keys", "key: value"},
		{"broken yaml", "listen: [a\nb: c\n", "f.yaml:", "indent with blanks"},
		{"two documents", "log: {format: json}\n---\nlog: {format: text}\n", "f.yaml:", ""},
		{"an alias", "listen: &a [x]\nown_domains: *a\n", "f.yaml:2: own_domains: expected a list", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse("f.yaml", []byte(tt.in))
			if err == nil {
				t.Fatalf("parse(%q): no error", tt.in)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parse(%q) = %q, want %q", tt.in, err, tt.want)
			}
			if hints := Hints(err); !strings.Contains(strings.Join(hints, "\n"), tt.hint) {
				t.Errorf("hints %q lack %q", hints, tt.hint)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := parse("f.yaml", []byte("listne: x\nlimit: {message: 3}\n"))
	if got := len(Hints(err)); got != 2 {
		t.Errorf("%d mistakes reported, want 2: %v", got, err)
	}
}

func TestFilesThatOthersCanWriteAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sekisho.yaml")
	if err := os.WriteFile(file, []byte("log: {format: text}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(file); err != nil || c.LogFormat != "text" {
		t.Fatalf("Load = %v, %v", c, err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "mode 0666 lets others write it") {
		t.Errorf("Load of a world-writable file = %v", err)
	}
	if _, err := Load(file + ".missing"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("Load of a missing file = %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("listen: [inet:127.0.0.1:9]\nlimit: {message: 1MiB}\n"))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parse("f.yaml", b)
		if err == nil && (c.MessageTimeout <= 0 || c.MaxMessage <= 0) {
			t.Fatalf("parse(%q) gave a configuration without limits", b)
		}
	})
}
