package inspect

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/report"
	"sekisho/filter/testfile"
)

// notFound are the specimens whose program is not drawn out, each with the
// reason.
var notFound = map[string]string{
	"clam.sis":      "packages of Symbian are not known",
	"clam.exe.html": "pages that build a file by script are not read",
}

// TestCorpusFind: one harmless program, wrapped in many kinds of
// containers, is found.
func TestCorpusFind(t *testing.T) {
	type record struct {
		File     string
		Expected struct {
			SHA256 string `json:"contains_sha256"`
		}
	}
	dir := testfile.Corpus(t, "container-find")
	found, missed, all := 0, 0, 0
	for _, r := range testfile.Manifest[record](t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, r.File))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(r.File)
		look := func(e report.Entity) bool { return e.SHA256 == r.Expected.SHA256 }
		seen := slices.ContainsFunc(File(name, b, budget.New(budget.Default)).Entities, look) ||
			slices.ContainsFunc(Mail(b, budget.New(budget.Default)).Entities, look)
		all++
		switch why, known := notFound[name]; {
		case seen:
			found++
		case known:
			t.Logf("%s: %s", name, why)
		default:
			t.Logf("%s: the program in it was not found", name)
			missed++
		}
	}
	t.Logf("found %d of %d", found, all)
	if most := all / 10; missed > most {
		t.Errorf("missed %d of %d without a reason, at most %d", missed, all, most)
	}
}
