package rules

import (
	"slices"
	"testing"

	"sekisho/filter/rule"
)

func load(t *testing.T) *rule.Set {
	t.Helper()
	set, err := rule.Load(FS)
	if err != nil {
		t.Fatalf("the default rules do not load:\n%v", err)
	}
	return set
}

func TestEveryRulePassesItsOwnTests(t *testing.T) {
	results := load(t).Test(nil)
	if len(results) < 100 {
		t.Fatalf("%d tests in the default rules: some are lost", len(results))
	}
	for _, r := range results {
		if !r.OK() {
			t.Errorf("%s:%d: %s, %q: got %s, want %s (%v)", r.File, r.Line, r.Rule, r.Name, r.Got, r.Want, r.Err)
		}
	}
}

func TestEveryListValueHasItsReason(t *testing.T) {
	for _, l := range load(t).Lists() {
		if len(l.Entries) == 0 || l.Why == "" {
			t.Errorf("list %s is empty or unexplained", l.Name)
		}
		for _, e := range l.Entries {
			if e.Reason == "" || e.Family == "" {
				t.Errorf("list %s: %q has no family or no reason", l.Name, e.Value)
			}
		}
	}
}

func values(t *testing.T, set *rule.Set, name string) []string {
	t.Helper()
	for _, l := range set.Lists() {
		if l.Name == name {
			var out []string
			for _, e := range l.Entries {
				out = append(out, e.Value)
			}
			return out
		}
	}
	t.Fatalf("there is no list %q", name)
	return nil
}

func TestListsThatShouldBeApartAre(t *testing.T) {
	set := load(t)
	apart := []string{"dangerous", "risky", "active_html", "archive", "document"}
	for i, a := range apart {
		for _, b := range apart[i+1:] {
			for _, v := range values(t, set, a) {
				if slices.Contains(values(t, set, b), v) {
					t.Errorf("%q is both %s and %s", v, a, b)
				}
			}
		}
	}
}
