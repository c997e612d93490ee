package unpack

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/testfile"
)

// otherFormats are told by their first bytes here: the suites are no test of
// filetype.
var otherFormats = []struct {
	at         int
	mark, name string
}{
	{0, arjMark, "arj"}, {7, "**ACE**", "ace"}, {0, "ALZ\x01", "alz"}, {0, "\x1a", "arc"},
	{0, "\xe4\x52\x5c\x7b", "onenote"}, {0, "\xa1\x2f\xff\x43", "onenote"}, {0, "MSCF", "cab"},
}

func otherFormat(b []byte) string {
	for _, f := range otherFormats {
		if string(within(b, int64(f.at), int64(len(f.mark)))) == f.mark {
			return f.name
		}
	}
	return ""
}

// sumsOf opens one file and returns what came out by its digest.
func sumsOf(typ string, b []byte) (sums map[string]bool, found []finding.Finding) {
	sums = map[string]bool{}
	_, found = Walk(&entity.Entity{Path: "1", Body: b}, []string{typ}, budget.New(budget.Default), func(m *entity.Entity) {
		sums[fmt.Sprintf("%x", sha256.Sum256(m.Body))] = true
	})
	return sums, found
}

// unopenedFormats are named, and not opened.
var unopenedFormats = []string{"arc"}

// TestCorpusOtherFormats: every member of ARJ and ALZ archives and of OneNote
// sections that other readers found comes out; what is not opened is said so.
func TestCorpusOtherFormats(t *testing.T) {
	type record struct {
		File     string
		Expected struct {
			Verdict string
			Members []corpusMember
			Files   []corpusMember `json:"embedded_files"`
		}
	}
	for _, suite := range []string{"arj-ace-arc", "onenote"} {
		dir := testfile.Corpus(t, suite)
		right, all, named := 0, 0, 0
		for _, r := range testfile.Manifest[record](t, dir) {
			b, err := os.ReadFile(filepath.Join(dir, r.File))
			if err != nil {
				t.Fatal(err)
			}
			typ := otherFormat(b)
			sums, found := sumsOf(typ, b)
			members := slices.Concat(r.Expected.Members, r.Expected.Files)
			if slices.Contains(unopenedFormats, typ) {
				named += len(members)
				if len(found) == 0 {
					t.Errorf("%s is not opened, and nothing says so", r.File)
				}
				continue
			}
			for _, m := range members {
				if m.SHA256 == "" || m.Type == "dir" {
					continue
				}
				if all++; sums[m.SHA256] {
					right++
				} else if typ == "ace" && len(found) > 0 {
					t.Logf("%s: %q is named: %v", r.File, m.Name, found[0].Kind)
				} else {
					t.Errorf("%s: %q with SHA-256 %s is missing: %v", r.File, m.Name, m.SHA256, found)
				}
			}
		}
		t.Logf("%s: %d of %d members, %d more in formats that are only named", suite, right, all, named)
	}
}
