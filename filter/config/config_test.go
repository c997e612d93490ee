package config

import (
	"os"
	"path/filepath"
	"slices"
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
		{"a socket of no kind", "listen: [foo]\n", `f.yaml:1: listen: "foo" is no milter socket`, "inet:127.0.0.1:8896"},
		{"a socket without a port", "listen: [inet:127.0.0.1]\n", `f.yaml:1: listen: "127.0.0.1" is not HOST:PORT`, "for example"},
		{"a socket for the world", "listen: [inet:0.0.0.0:8896]\n", "f.yaml:1: listen: \"inet:0.0.0.0:8896\" is not a loopback address", "listen_remote"},
		{"a name server by name", "auth: {dns: [localhost]}\n", `f.yaml:1: auth.dns: "localhost" is not ADDRESS:PORT`, "127.0.0.1:53"},
		{"a release server without a port", "release.smtp: localhost\n", `f.yaml:1: release.smtp: "localhost" is not HOST:PORT`, "10026"},
		{"a prefix that begins another field", "tag.subject_prefix: \"a\\nBcc: b\"\n", "f.yaml:1: tag.subject_prefix: ", "one line"},
		{"a contact that ends the reply", "reject.contact: \"a\\r\\n250 b\"\n", "f.yaml:1: reject.contact: ", "one line"},
		{"an id of two words", "auth.id: mx; spf=pass\n", "f.yaml:1: auth.id: ", "host name"},
		{"an address for a domain", "own_domains: [a@example.jp]\n", `f.yaml:1: own_domains: "a@example.jp" is not a domain`, "example.jp"},
		{"no folder", "quarantine.dir: \"\"\n", `f.yaml:1: quarantine.dir: "" is no folder`, "folder"},
		{"unknown log format", "log.format: xml\n", `f.yaml:1: log.format: "xml" is neither json nor text`, "json or text"},
		{"a tab", "log:\n\tformat: text\n", "f.yaml:2: found character", "never tabs"},
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

// The forms that honest files use are none of those mistakes.
func TestHonestForms(t *testing.T) {
	for _, in := range []string{
		"listen: [inet:127.0.0.1:8896, \"inet:[::1]:8896\", inet:localhost:8896, inet:8896@localhost, unix:/run/sekisho/milter.sock]\n",
		"listen: [inet:192.0.2.1:8896]\nlisten_remote: true\n",
		"auth: {dns: [127.0.0.1:53, \"[::1]:53\"], id: mx.example.jp}\n",
		"tag.subject_prefix: \"[注意] \"\nreject.contact: 情報システム部 +81-3-0000-0000\n",
		"own_domains: [example.jp, 日本語.example]\nrelease.smtp: localhost:10026\n",
	} {
		if _, err := parse("f.yaml", []byte(in)); err != nil {
			t.Errorf("parse(%q) = %v, want no mistake", in, err)
		}
	}
}

// A flag's mistake is told under the flag's name.
func TestCheckAfterSet(t *testing.T) {
	c := Default()
	if err := c.Check(); err != nil {
		t.Fatalf("the defaults: %v", err)
	}
	if err := c.Set("log.format", "--log-format", "xml"); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), "--log-format: log.format: ") {
		t.Errorf("Check() = %v, want the flag's name", err)
	}
}

func TestUnchangedByReload(t *testing.T) {
	old := Default()
	tests := []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"rules and judging", "own_domains: [example.jp]\nauth.enabled: false\ntimeout.inspect: 10s\n", nil},
		{"the same value, written down", "log.format: json\n", nil},
		{"a socket and a limit", "limit: {message: 1MiB}\nlisten: [inet:127.0.0.1:1]\n", []string{"listen", "limit.message"}},
		{"the store", "quarantine: {dir: /q, when_unhealthy: defer}\n", []string{"quarantine.dir"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parse("f.yaml", []byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := old.Unchanged(c); !slices.Equal(got, tt.want) {
				t.Errorf("Unchanged = %q, want %q", got, tt.want)
			}
		})
	}
	for _, b := range bound {
		if find(b) == nil && !isBlock(strings.TrimSuffix(b, ".")) {
			t.Errorf("%q is no key and no block", b)
		}
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
