package rule

import (
	"testing"
)

// TestNeed: a need that is not met means that the condition does not hold, so
// each is tried against facts that lack one thing and facts that have it.
func TestNeed(t *testing.T) {
	bare := &Facts{}
	full := &Facts{Inside: true, Incomplete: true, Auth: Auth{Checked: true}, Entities: make([]Entity, 1), Links: make([]Link, 1),
		Findings: []Finding{{Kind: "name.padded"}}}
	full.join()
	tests := []struct {
		name, condition string
		bare, full      bool // met by
	}{
		{"a kind that is there", `any(findings, .kind == "name.padded")`, false, true},
		{"a kind that is not", `any(findings, .kind == "name.reordered" && .path == "")`, false, false},
		{"one of two kinds", `any(findings, .kind in ["name.reordered", "name.padded"])`, false, true},
		{"any finding", `any(findings, .path != "")`, false, true},
		{"a kind asked for behind what may break", `any(findings, .exts[9] == "exe" && .kind == "name.reordered")`, false, true},
		{"not of a kind", `any(findings, .kind != "name.reordered")`, false, true},
		{"kind of one or path", `any(findings, .kind == "name.reordered" || .path == "")`, false, true},
		{"no finding at all", `none(findings, .kind == "name.padded")`, true, true},
		{"not any", `not any(findings, .kind == "name.padded")`, true, true},
		{"entities", `any(entities, .unread)`, false, true},
		{"links", `any(links, .host == "a.example")`, false, true},
		{"a short list", `any(header.from, .domain == "a.example")`, true, true},
		{"a flag", `incomplete`, false, true},
		{"a flag before a list", `auth.checked && any(entities, .unread)`, false, true},
		{"not a flag before a kind", `!inside && any(findings, .kind == "name.padded")`, false, false},
		{"flags before a kind", `!inside && incomplete && any(findings, .kind == "name.padded")`, false, false},
		{"a list behind what may break", `header.from[0].domain == "" && any(findings, .kind == "name.reordered")`, true, true},
		{"one list or another", `any(entities, .unread) || any(links, .host == "")`, false, true},
		{"a list or anything", `any(entities, .unread) || size > 0`, true, true},
		{"nothing that is cheap", `size > 0`, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := compile(t, "when: |\n    "+tt.condition)
			n := set.rules[0].when.need
			if n.met(bare) != tt.bare || n.met(full) != tt.full {
				t.Errorf("%s: met by bare facts %t, by full ones %t; want %t, %t", tt.condition, n.met(bare), n.met(full), tt.bare, tt.full)
			}
			set.rules[0].when.need = nil // all that fires without it must have met it
			for _, f := range []*Facts{bare, full} {
				if fires := len(set.Judge(f).Reasons) > 0; fires && !n.met(f) {
					t.Errorf("%s fires without what it needs", tt.condition)
				}
			}
		})
	}
}
