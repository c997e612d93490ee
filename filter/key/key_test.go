package key

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func texts(r *Ring) string {
	var out []string
	for _, k := range r.Keys() {
		out = append(out, k.Text)
	}
	return strings.Join(out, " ")
}

func TestRing(t *testing.T) {
	r := NewRing(Key{Text: "weak", Weak: true}, Key{Text: "a", Source: Body}, Key{Text: "a", Source: List}, Key{Text: "b", Source: List}, Key{Text: "frail", Weak: true})
	if got := texts(r); got != "a b weak frail" {
		t.Errorf("keys = %q, want the strong first, each once", got)
	}
	r.Worked(Key{Text: "frail"})
	if got := texts(r); got != "frail a b weak" {
		t.Errorf("after frail worked: %q", got)
	}
	if r.Worked(Key{Text: "unknown"}); r.Len() != 4 {
		t.Errorf("an unknown key changed the ring to %q", texts(r))
	}
}

func TestRingBounds(t *testing.T) {
	r := NewRing()
	for i := range 2 * Most {
		r.Add(Key{Text: fmt.Sprint(i)})
	}
	if r.Len() != Most {
		t.Errorf("a ring of %d keys, want %d", r.Len(), Most)
	}
	if NewRing().Add(Key{Text: strings.Repeat("x", Longest+1)}) {
		t.Error("a key longer than any password was taken")
	}
	if r.Add(Key{Text: "0"}) {
		t.Error("a known key was taken again")
	}
}

func TestNoRing(t *testing.T) {
	var r *Ring
	if r.Len() != 0 || !slices.Equal(r.Keys(), nil) {
		t.Error("no ring holds keys")
	}
}
