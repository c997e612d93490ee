// Package finding holds facts that can be stated about a message: what was
// seen, where, and the evidence that lets a person check it.
//
// A finding carries no opinion. How grave it is and what follows is written
// in rules. The closed list of kinds is in kinds.go.
package finding

import (
	"cmp"
	"maps"
	"slices"
	"unicode/utf8"
)

// Kind names a fact, as subject.state: "name.padded". It is never renamed
// once released.
type Kind string

// Finding is one fact.
type Finding struct {
	Kind Kind `json:"kind"`
	// Path is the way to the entity (see entity.Entity.Path), "" for the
	// message as a whole.
	Path string `json:"path"`
	// Evidence proves the fact. Values are untrusted text.
	Evidence map[string]string `json:"evidence,omitempty"`
}

// maxEvidence bounds one evidence value in bytes: enough for any honest file
// name or address, too little to fill a log.
const maxEvidence = 1024

// known are the kinds of the catalogue.
var known = func() map[Kind]bool {
	m := make(map[Kind]bool, len(Kinds))
	for _, k := range Kinds {
		m[k.Kind] = true
	}
	return m
}()

// Known says whether k stands in the catalogue: a Report that comes from
// outside may hold no other.
func Known(k Kind) bool { return known[k] }

// New builds a finding; evidence comes as pairs of key and value. A value
// over 1,024 bytes is cut in its middle, so that start and end both stay.
func New(kind Kind, path string, evidence ...string) Finding {
	f := Finding{Kind: kind, Path: path}
	for i := 0; i+1 < len(evidence); i += 2 {
		if f.Evidence == nil {
			f.Evidence = make(map[string]string, len(evidence)/2)
		}
		f.Evidence[evidence[i]] = shorten(evidence[i+1])
	}
	return f
}

func shorten(s string) string {
	if len(s) <= maxEvidence {
		return s
	}
	head, tail := s[:maxEvidence/2], s[len(s)-maxEvidence/2:]
	for len(head) > 0 && !utf8.RuneStart(s[len(head)]) {
		head = head[:len(head)-1]
	}
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return head + "…" + tail
}

// Compare orders findings by path, kind and evidence, so that equal sets of
// findings print alike.
func Compare(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Kind, b.Kind),
		slices.Compare(flat(a.Evidence), flat(b.Evidence)),
	)
}

func flat(m map[string]string) []string {
	out := make([]string, 0, 2*len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k, m[k])
	}
	return out
}

// Sort orders findings by Compare and drops repeats.
func Sort(fs []Finding) []Finding {
	slices.SortFunc(fs, Compare)
	return slices.CompactFunc(fs, func(a, b Finding) bool { return Compare(a, b) == 0 })
}
