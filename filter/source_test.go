package filter

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/escape"
	"sekisho/filter/testfile"
)

// topLevel is all that stands in the project's top folder; bin is built.
var topLevel = []string{".ci", ".git", "LICENSE", "Makefile", "README.ja.md", "README.md", "bin", "cmd", "docs", "filter",
	"go.mod", "go.sum", "packaging", "rules", "testdata"}

func TestTopLevelStaysSmall(t *testing.T) {
	entries, err := os.ReadDir(testfile.Root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s stands in the top folder: find it a room", e.Name())
		}
	}
}

// sources calls use for every text that people write.
func sources(t *testing.T, use func(path, text string)) {
	t.Helper()
	root := testfile.Root(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (rel == ".git" || rel == "bin") {
			return filepath.SkipDir
		}
		if !slices.Contains([]string{".go", ".yaml", ".md", ".txtar", ".sh"}, filepath.Ext(path)) {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		use(rel, string(b))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Invisible characters stand as escapes in source: nobody can review what
// nobody sees.
func TestSourceHoldsNoInvisibleCharacters(t *testing.T) {
	sources(t, func(path, text string) {
		for i, line := range strings.Split(text, "\n") {
			line = strings.NewReplacer("\t", "", "⟨", "", "⟩", "").Replace(line)
			if safe := escape.Text(line); safe != line {
				t.Errorf("%s:%d holds what cannot be seen: %s", path, i+1, safe)
			}
		}
	})
}

// Files stay under 600 lines and functions under 100; a test's table may be
// longer.
func TestSourceStaysReadable(t *testing.T) {
	const longFile, longFunction = 600, 100
	root := testfile.Root(t)
	sources(t, func(path, text string) {
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return
		}
		if n := strings.Count(text, "\n"); n > longFile {
			t.Errorf("%s has %d lines, at most %d", path, n, longFile)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, filepath.Join(root, path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line; n > longFunction {
				t.Errorf("%s: %s has %d lines, at most %d", path, f.Name.Name, n, longFunction)
			}
		}
	})
}
