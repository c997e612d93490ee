package finding_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sekisho/filter/finding"
	"sekisho/filter/testfile"
)

func TestDocHoldsEveryKind(t *testing.T) {
	var b strings.Builder
	b.WriteString("| kind | what it says | 意味 |\n| --- | --- | --- |\n")
	for _, k := range finding.Kinds {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Kind, k.En, k.Ja)
	}
	testfile.Doc(t, "docs/findings.md", "the catalogue of kinds", b.String())
}

func TestDocHoldsEveryAmbiguity(t *testing.T) {
	var b strings.Builder
	b.WriteString("| family | kind | what differs | who reads it how |\n| --- | --- | --- | --- |\n")
	for _, a := range finding.Ambiguities {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", a.Family, a.Kind, a.What, a.Programs)
	}
	testfile.Doc(t, "docs/findings.md", "the catalogue of ambiguities", b.String())
}

// Every mime.* kind speaks of some family, and every family of such a kind.
func TestAmbiguitiesAreClosed(t *testing.T) {
	seen := map[string]bool{}
	of := map[finding.Kind]bool{}
	for _, a := range finding.Ambiguities {
		if seen[a.Family] || a.What == "" || a.Programs == "" {
			t.Errorf("family %q is repeated or says nothing", a.Family)
		}
		seen[a.Family], of[a.Kind] = true, true
	}
	for _, k := range finding.Kinds {
		if ours := strings.HasPrefix(string(k.Kind), "mime.") || k.Kind == finding.TextEncodedFile; ours != of[k.Kind] {
			t.Errorf("kind %q: in the list of ambiguities %v, want %v", k.Kind, of[k.Kind], ours)
		}
	}
}

func TestKindsAreWellFormed(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+\.[a-z-]+$`)
	seen := map[finding.Kind]bool{}
	for _, k := range finding.Kinds {
		if !form.MatchString(string(k.Kind)) || seen[k.Kind] || k.En == "" || k.Ja == "" {
			t.Errorf("kind %q is malformed, repeated or without a sentence", k.Kind)
		}
		seen[k.Kind] = true
	}
}

func TestNewCutsLongEvidenceInTheMiddle(t *testing.T) {
	f := finding.New(finding.NameLong, "1", "name", strings.Repeat("あ", 2000)+".exe")
	got := f.Evidence["name"]
	if len(got) > 1100 || !strings.HasSuffix(got, ".exe") || !strings.HasPrefix(got, "あ") || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("evidence of %d bytes, starts %q, ends %q", len(got), got[:6], got[len(got)-8:])
	}
}

func TestSortIsStableAndDropsRepeats(t *testing.T) {
	a := finding.New(finding.NamePadded, "2", "name", "x", "ext", "exe")
	b := finding.New(finding.NamePadded, "1", "ext", "exe", "name", "x")
	got := finding.Sort([]finding.Finding{a, b, a, b})
	if len(got) != 2 || got[0].Path != "1" || got[1].Path != "2" {
		t.Errorf("Sort = %v", got)
	}
}
