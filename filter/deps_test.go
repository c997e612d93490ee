package filter

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// level is how high a package stands: it may import only from below. See
// docs/architecture.md, "What may import what".
var level = map[string]int{
	"filter/mail": 0, "filter/entity": 0, "filter/finding": 0, "filter/verdict": 0, "filter/budget": 0, "filter/escape": 0,
	"filter/key": 0,
	// packed is a word for what gate and worker say.
	"filter/packed": 0,
	// quiet is a word for sockets: gate and worker both need it.
	"filter/quiet": 0,
	// charset is a word for letters: it knows x/text and nothing of ours, and
	// part, unpack, inspect and action all need it.
	"filter/charset": 1,
	// display is a word for eyes: what is seen of names, addresses and links.
	"filter/display": 1,
	"filter/part":    2, "filter/unpack": 2, "filter/filetype": 2, "filter/filename": 2, "filter/link": 2, "filter/password": 2,
	"filter/report": 3, "filter/inspect": 4,
	"filter/session": 5, "filter/auth": 5, "filter/rule": 5, "filter/action": 5, "filter/quarantine": 5, "filter/record": 5, "filter/config": 5,
	// The worker's side of the sandbox stands on readers alone; the gate's side
	// is a door.
	"filter/sandbox/frame": 1, "filter/sandbox/inside": 5, "cmd/sekisho-worker": 6, "filter/sandbox": 5,
	// Subfolders of a door are part of it and may import it.
	"filter/quarantine/sqlite": 6,
	"rules":                    6,
	"filter":                   7,
	"cmd/sekisho":              8,
	// For tests and the demo only; no program but the demo may import them.
	"filter/testfile": 9, "filter/specimen": 9, "filter/postfixrig": 9, "filter/auth/dnstest": 9, "filter/quarantine/storetest": 9, "filter/chaos": 9,
	"cmd/sekisho-demo": 10,
	// It makes its mail out of specimens.
	"filter/load": 10, "cmd/sekisho-bench": 11,
}

// bans are single imports that would undo a promise, each with its reason. A
// key that ends in / stands for all packages below it.
var bans = []struct {
	from   []string
	banned []string
	why    string
}{
	{[]string{"filter/mail", "filter/entity", "filter/finding", "filter/verdict", "filter/budget", "filter/escape", "filter/key", "filter/packed"},
		[]string{"net", "os", "net/http", "database/sql", "log"}, "words do no I/O (net/netip is a word)"},
	{[]string{"filter/charset", "filter/display", "filter/part", "filter/unpack", "filter/filetype", "filter/filename", "filter/link", "filter/password", "filter/report", "filter/inspect"},
		[]string{"net", "os", "os/exec", "log", "math/rand", "math/rand/v2", "unsafe", "github.com/rs/zerolog", "encoding/gob", "time"},
		"readers are pure functions of hostile bytes: no world, no clock, no chance"},
}

// owners are libraries that only one room may know.
var owners = map[string][]string{
	"github.com/emersion/go-milter":  {"filter/session"},
	"github.com/expr-lang/expr":      {"filter/rule"},
	"modernc.org/sqlite":             {"filter/quarantine/sqlite"},
	"database/sql":                   {"filter/quarantine/sqlite"},
	"github.com/rs/zerolog":          {"filter/record"},
	"github.com/prometheus":          {"filter/record"},
	"github.com/emersion/go-msgauth": {"filter/auth"},
	"blitiri.com.ar/go/spf":          {"filter/auth"},
	"github.com/mholt/archives":      {"filter/unpack"},
	"github.com/nwaples/rardecode":   {"filter/unpack"},
	"github.com/spf13/cobra":         {"cmd/sekisho"},
	// What locks a process up must not be within reach of the gate.
	"github.com/landlock-lsm/go-landlock": {"filter/sandbox/inside"},
	"github.com/elastic/go-seccomp-bpf":   {"filter/sandbox/inside"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func short(p string) string { return strings.TrimPrefix(p, "sekisho/") }

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from := short(p.ImportPath)
		height, known := level[from]
		if !known {
			t.Errorf("%s has no level: add it to the table here and to docs/architecture.md", from)
			continue
		}
		for _, imp := range p.Imports {
			to := short(imp)
			if to == imp {
				continue // not ours
			}
			if level[to] >= height {
				t.Errorf("%s (level %d) imports %s (level %d): imports go downwards only", from, height, to, level[to])
			}
		}
	}
}

func TestBannedImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, ban := range bans {
			if !slices.Contains(ban.from, short(p.ImportPath)) {
				continue
			}
			for _, imp := range p.Imports {
				if slices.Contains(ban.banned, imp) {
					t.Errorf("%s imports %s: %s", short(p.ImportPath), imp, ban.why)
				}
			}
		}
	}
}

func TestLibrariesHaveOneOwner(t *testing.T) {
	for _, p := range packages(t) {
		from := short(p.ImportPath)
		if level[from] >= level["filter/testfile"] {
			continue
		}
		for _, imp := range p.Imports {
			for lib, owner := range owners {
				if (imp == lib || strings.HasPrefix(imp, lib+"/")) && !slices.Contains(owner, from) {
					t.Errorf("%s imports %s: only %v may know it", from, imp, owner)
				}
			}
		}
	}
}

// workerMay are the rooms that the worker's binary links.
var workerMay = []string{"cmd/sekisho-worker", "filter/sandbox/inside", "filter/sandbox/frame", "filter/packed", "filter/quiet", "filter/inspect", "filter/report",
	"filter/part", "filter/unpack", "filter/filetype", "filter/filename", "filter/link", "filter/charset", "filter/display",
	"filter/mail", "filter/entity", "filter/finding", "filter/verdict", "filter/budget", "filter/escape", "filter/key", "filter/password"}

// workerMustNot are libraries that must not be linked, whoever asks for it.
var workerMustNot = []string{"database/sql", "os/exec", "plugin", "modernc.org/sqlite", "github.com/emersion/go-milter",
	"github.com/spf13/cobra", "github.com/rs/zerolog", "github.com/miekg/dns"}

// TestWorkerLinksReadersOnly: what the worker's binary does not hold, nobody
// who captures it can call. net/http cannot be kept out (the public suffix
// list, brotli and afero import it for a type each); the lock leaves it
// without a socket.
func TestWorkerLinksReadersOnly(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/sekisho-worker")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "sekisho/filter/unpack") {
		t.Fatalf("the worker links no unpacker: %d packages listed", len(linked))
	}
	for _, p := range linked {
		if own := short(p); own != p && !slices.Contains(workerMay, own) {
			t.Errorf("the worker links %s", own)
		}
		if slices.Contains(workerMustNot, p) {
			t.Errorf("the worker links %s", p)
		}
	}
}
