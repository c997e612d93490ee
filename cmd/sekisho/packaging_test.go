package main

import (
	"os"
	"path/filepath"
	"testing"

	"sekisho/filter/testfile"
)

// The Postfix lines of the documents are those in packaging/postfix, which the
// script doctor-postfix tries on doctor.
func TestDocPostfix(t *testing.T) {
	for _, doc := range []struct{ file, from string }{
		{"docs/postfix.md", "main.cf"}, {"docs/postfix.md", "master.cf"},
		{"docs/postfix.ja.md", "main.cf"}, {"docs/postfix.ja.md", "master.cf"},
		{"docs/quarantine.md", "master.cf"},
	} {
		from := "packaging/postfix/" + doc.from
		b, err := os.ReadFile(filepath.Join(testfile.Root(t), from))
		if err != nil {
			t.Fatal(err)
		}
		testfile.Doc(t, doc.file, from, "```\n"+string(b)+"```\n")
	}
}
