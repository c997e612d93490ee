package verdict

import "testing"

func TestWordsAndOrder(t *testing.T) {
	for d := Accept; d <= Discard; d++ {
		if got, ok := Parse(d.String()); !ok || got != d {
			t.Errorf("Parse(%q) = %v, %v", d, got, ok)
		}
	}
	if _, ok := Parse("invalid"); ok || Disposition(42).String() != "invalid" {
		t.Error("an unknown disposition must not parse")
	}
	// Where rules disagree the stricter wins: a wish to defer must not undo a
	// wish to keep the mail from the reader, nor may a mark.
	for _, pair := range [][2]Disposition{{Accept, Tag}, {Tag, Defer}, {Defer, Hold}, {Hold, Quarantine}, {Quarantine, Reject}} {
		if pair[0] >= pair[1] {
			t.Errorf("%v must be milder than %v", pair[0], pair[1])
		}
	}
	if Accept.Delivers() != true || Tag.Delivers() != true || Defer.Delivers() || Quarantine.Delivers() {
		t.Error("only accept and tag deliver")
	}
}
