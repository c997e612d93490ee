package filter

import (
	"slices"
	"testing"

	"sekisho/filter/specimen"
)

// evenIfDamaged are rules that keep a mail though damage alone can have made it so:
// nobody sees who wrote it, what it is called, or the whole of it.
var evenIfDamaged = []string{"structure-partial", "author-several-fields", "author-ambiguous", "disguise-control-extension"}

// TestBrokenHonestMailIsDelivered breaks honest mails in the ways in which attacks are
// broken: mail that was damaged on its way is no attack.
func TestBrokenHonestMailIsDelivered(t *testing.T) {
	const mails = 3000
	j := defaultJudge(t)
	tagged, failed, kept := map[string]int{}, 0, 0
	for seed := range uint64(mails) {
		raw := specimen.HonestMutant(seed)
		got := judgeRaw(t, j, raw)
		if got.Verdict.Disposition.String() == "tag" {
			tagged[got.Verdict.Rule()]++
		}
		if slices.Contains(evenIfDamaged, got.Verdict.Rule()) {
			if got.Verdict.Rule() != "structure-partial" { // which some mutations ask for
				kept++
			}
			continue
		}
		if failed < 5 && !got.Verdict.Disposition.Delivers() {
			failed++
			t.Errorf("mutant %d: %s by %s (%s)\n%.1000q", seed, got.Verdict.Disposition, got.Verdict.Rule(), kindsOf(got), raw)
		}
	}
	t.Logf("%d mails, %d kept, tagged by rule: %v", mails, kept, tagged)
	if kept*100 > mails {
		t.Errorf("%d of %d damaged mails are kept, at most 1%% may be", kept, mails)
	}
}
