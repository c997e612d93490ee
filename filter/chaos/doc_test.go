package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sekisho/filter/testfile"
)

// Every test that docs/tests.md names exists.
func TestDocNamesTestsThatExist(t *testing.T) {
	root := testfile.Root(t)
	page, err := os.ReadFile(filepath.Join(root, "docs/tests.md"))
	if err != nil {
		t.Fatal(err)
	}
	code, err := exec.Command("grep", "-rhoE", "--include=*_test.go", `^func Test[A-Za-z0-9]+`, root).Output()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 50 {
		t.Fatalf("the page names %d tests only", len(named))
	}
	for _, n := range named {
		if !strings.Contains(string(code)+"\n", "func "+n[1]+"\n") {
			t.Errorf("docs/tests.md names %s, which does not exist", n[1])
		}
	}
}
