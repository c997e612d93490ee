package sandbox

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sekisho/filter/inspect"
	"sekisho/filter/report"
	"sekisho/filter/testfile"
)

// alike has every file below dir inspected by a worker and by this process.
// The Reports are the same, and no worker is lost: nothing that the readers
// do, on any input, needs a system call that the lock forbids. bombs inputs may
// need more memory than a worker has.
func alike(t *testing.T, dir string, bombs int) {
	t.Helper()
	var others []string
	p := newTestPool(t, Options{Workers: 1, MaxMessage: 64 << 20, Note: func(event string, f map[string]string) {
		if f["cause"] != causeMemory { // a heap in pieces; the second try has a whole one
			others = append(others, event+" "+f["cause"]+" "+f["detail"])
		}
	}})
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > 64<<20 {
			return err
		}
		files++
		in := inspect.Input{Kind: report.KindFile, Name: path, Raw: raw}
		if filepath.Ext(path) == ".eml" {
			in.Kind = report.KindMail
		}
		got := p.Inspect(t.Context(), in, small)
		if cause(got) == causeMemory {
			bombs--
			t.Logf("%s: needs more memory than a worker has", path)
			return nil
		}
		if want := here(in); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the worker's Report differs (cause %q)", path, cause(got))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 || bombs < 0 || len(others) > 0 {
		t.Errorf("%d files, %d bombs too many, lost %q", files, -bombs, others)
	}
	t.Logf("%d files", files)
}

func TestSpecimensAreAlike(t *testing.T) {
	alike(t, filepath.Join(testfile.Root(t), "testdata"), 0)
}

func TestCorpusIsAlike(t *testing.T) {
	alike(t, testfile.Corpus(t, ""), 5)
}
