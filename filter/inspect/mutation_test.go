package inspect

import (
	"bytes"
	"slices"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/filetype"
	"sekisho/filter/report"
	"sekisho/filter/specimen"
)

// mutants is how many broken mails are tried.
const mutants = 5000

// TestWhatOthersExtractIsSeen breaks the structure of a mail that carries a
// program and asks other readers for it. Whatever one of them takes for the
// program, whole or damaged, must stand in our Report.
func TestWhatOthersExtractIsSeen(t *testing.T) {
	readers := tolerant(t)
	program := specimen.PE()
	whole, failed := map[string]int{}, 0
	for seed := range uint64(mutants) {
		raw := specimen.Mutant(seed)
		var rep *report.Report
		for _, r := range readers {
			for _, got := range r.read(raw) {
				if !slices.Contains(filetype.Identify(got.Body), "pe") {
					continue
				}
				if rep == nil {
					rep = Mail(raw, budget.New(budget.Default))
				}
				if bytes.Equal(got.Body, program) {
					whole[r.name]++
				}
				if failed < 10 && !seen(rep, got.Body, program) {
					failed++
					t.Errorf("mutant %d: %s gets %d bytes that begin as the program; the Report has no such entity:\n%s\n%q", seed, r.name, len(got.Body), entities(rep), bodyLine.ReplaceAll(raw, nil))
				}
			}
		}
	}
	t.Logf("the whole program was extracted from %d mutants: %v", mutants, whole)
	for _, r := range readers {
		if whole[r.name] == 0 {
			t.Errorf("%s extracts nothing: the test shows nothing for it", r.name)
		}
	}
}

// seen says that the Report has an entity with these bytes or, where the readers
// disagree on what follows the program or damaged it, one that is a program.
func seen(rep *report.Report, got, program []byte) bool {
	sum, whole := digest(got), bytes.Equal(got, program)
	return slices.ContainsFunc(rep.Entities, func(e report.Entity) bool {
		return e.SHA256 == sum || slices.Contains(e.Types, "pe") && (!whole || e.Size >= int64(len(program)))
	})
}

func entities(rep *report.Report) (out []string) {
	for _, e := range rep.Entities {
		out = append(out, e.Path+" ["+e.Reading+"] "+e.MediaType+" "+e.Name)
	}
	return out
}
