package auth_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/auth"
	"sekisho/filter/auth/dnstest"
	"sekisho/filter/testfile"

	"go.yaml.in/yaml/v4"
)

// suite is one document of an openspf test file.
type suite struct {
	Description string
	Tests       map[string]spfCase
	ZoneData    map[string][]yaml.Node
}

type spfCase struct {
	Helo, Host, MailFrom string
	Result               words
}

// words is a list that may be written as one word.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = words{n.Value}
		return nil
	}
	for _, c := range n.Content {
		*w = append(*w, c.Value)
	}
	return nil
}

// zone turns a document's DNS data into a table. SPF stands for TXT as well,
// unless TXT is there; TIMEOUT is for the types that have no entry, and we ask
// for TXT alone.
func (s suite) zone() dnstest.Fixed {
	zone := dnstest.Fixed{}
	for owner, nodes := range s.ZoneData {
		owner = strings.ToLower(owner)
		zone[owner] = []string{}
		hasTXT := slices.ContainsFunc(nodes, func(n yaml.Node) bool { return n.Content[0].Value == "TXT" })
		answered := hasTXT && !slices.ContainsFunc(nodes, func(n yaml.Node) bool { return n.Content[1].Value == "NONE" })
		for _, n := range nodes {
			if entry := zoneEntry(n, hasTXT); entry != "" && !(answered && entry == dnstest.Servfail) {
				zone[owner] = append(zone[owner], entry)
			}
		}
	}
	return zone
}

func zoneEntry(n yaml.Node, hasTXT bool) string {
	if n.Content[0].Value == "TIMEOUT" {
		return dnstest.Servfail // the suite's word is TIMEOUT; waiting for it would prove no more
	}
	kind, content := n.Content[0].Value, n.Content[1]
	text := content.Value
	for i, c := range content.Content {
		if i > 0 && kind == "MX" {
			text += " "
		}
		text += c.Value
	}
	switch {
	case kind == "SPF" && hasTXT, text == "NONE":
		return ""
	case kind == "SPF":
		kind = "TXT"
	case kind == "SERVFAIL", kind == "CNAMELOOP":
		return dnstest.Servfail
	}
	return kind + " " + text
}

func readSuites(t *testing.T, file string) []suite {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var suites []suite
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var s suite
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			return suites
		} else if err != nil {
			t.Fatal(err)
		}
		suites = append(suites, s)
	}
}

// runSuites returns a line for each case that differs.
func runSuites(t *testing.T, file string) (cases int, differ map[string]string) {
	differ = map[string]string{}
	for _, s := range readSuites(t, file) {
		checker := auth.New(s.zone(), auth.Options{})
		for name, tt := range s.Tests {
			cases++
			got := checker.Check(t.Context(), auth.Query{ClientIP: netip.MustParseAddr(tt.Host), Helo: tt.Helo, MailFrom: tt.MailFrom}).SPF
			if !slices.Contains(tt.Result, got.Result) {
				differ[name] = fmt.Sprintf("%s: got %s (%s), want %v", s.Description, got.Result, got.Reason, tt.Result)
			}
		}
	}
	return cases, differ
}

// The suite of openspf for RFC 7208 holds in every case. Its explanations are
// not asked for: we fetch none.
func TestSPFSuiteRFC7208(t *testing.T) {
	cases, differ := runSuites(t, "../../testdata/auth/rfc7208-tests.yml")
	for name, line := range differ {
		t.Errorf("%s: %s", name, line)
	}
	t.Logf("%d of %d cases as the suite says", cases-len(differ), cases)
	if cases != 203 {
		t.Errorf("%d cases, want 203", cases)
	}
}

// The other suites are information; the test holds the number of differences.
// pyspf knows a default= modifier that RFC 7208 does not, and blitiri's zones
// have names of one label, which we do not ask for.
func TestSPFSuitesOfOthers(t *testing.T) {
	dir := testfile.Corpus(t, "spf")
	for file, most := range map[string]int{"rfc4408-tests.yml": 0, "pyspf-tests.yml": 2, "blitirispf-tests.yml": 7} {
		cases, differ := runSuites(t, filepath.Join(dir, "files", file))
		t.Logf("%s: %d of %d", file, cases-len(differ), cases)
		if len(differ) > most {
			t.Errorf("%s: %d differ, want at most %d", file, len(differ), most)
		}
		for name, line := range differ {
			t.Logf("%s: %s", name, line)
		}
	}
}
