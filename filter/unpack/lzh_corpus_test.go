package unpack

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/testfile"
)

// corpusLZH is one record of the corpus's manifest.
type corpusLZH struct {
	File     string `json:"file"`
	Expected struct {
		Verdict string `json:"verdict"`
		Suite   string `json:"suite_says"`
		Members []struct {
			Name      string `json:"name"`
			Extracted string `json:"name_extracted"`
			Type      string `json:"type"`
			Method    string `json:"method"`
			SHA256    string `json:"sha256"`
			Stripped  string `json:"sha256_macbinary_stripped"`
			Legacy    string `json:"name_legacy"`
		} `json:"members"`
	} `json:"expected"`
}

// TestLZHCorpus reads the archives of many archivers, where SEKISHO_CORPUS
// names the folder that holds them; they are no part of this repository.
func TestLZHCorpus(t *testing.T) {
	dir := testfile.Corpus(t, "lzh")
	for _, rec := range testfile.Manifest[corpusLZH](t, dir) {
		t.Run(strings.TrimPrefix(rec.File, "files/"), func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(dir, rec.File))
			if err != nil {
				t.Fatal(err)
			}
			compareLZH(t, rec, body)
		})
	}
}

func compareLZH(t *testing.T, rec corpusLZH, body []byte) {
	t.Helper()
	var got []entity.Entity
	bud := budget.New(budget.Default)
	findings := openLZH(&entity.Entity{Path: "in", Body: body}, bud, func(e *entity.Entity) {
		sum := sha256.Sum256(e.Body)
		e.ContentID = hex.EncodeToString(sum[:]) // a field that archives do not use carries the digest
		e.Body = nil
		got = append(got, *e)
	})
	if rec.Expected.Verdict != "ok" && len(findings) == 0 && len(bud.Reached()) == 0 {
		t.Errorf("verdict %s, but nothing was found", rec.Expected.Verdict)
	}
	if rec.Expected.Verdict == "ok" && rec.Expected.Suite == "" && len(findings) > 0 {
		t.Logf("findings: %v", findings)
	}
	plain := slices.DeleteFunc(slices.Clone(got), func(e entity.Entity) bool { return e.Reading != "" })
	if len(plain) != len(rec.Expected.Members) {
		t.Fatalf("%d members, want %d: %+v", len(plain), len(rec.Expected.Members), plain)
	}
	for i, want := range rec.Expected.Members {
		e := plain[i]
		if !slices.ContainsFunc(e.Names, func(n entity.Name) bool { return sameName(n.Text, want.Name) || sameName(n.Text, want.Extracted) }) && want.Name != "" {
			t.Errorf("member %d is named %+q, want %q", i, e.Names, want.Name)
		}
		if kind := memberType(e); kind != want.Type {
			t.Errorf("member %d %q is a %s, want %s", i, want.Name, kind, want.Type)
		}
		if want.SHA256 != "" && e.ContentID != want.SHA256 {
			t.Errorf("member %d %q, method %s, has digest %.8s, want %.8s: %v", i, want.Name, want.Method, e.ContentID, want.SHA256, findings)
		}
		if want.Stripped != "" && !slices.ContainsFunc(got, func(e entity.Entity) bool { return e.ContentID == want.Stripped }) {
			t.Errorf("member %d %q: no data fork with digest %.8s", i, want.Name, want.Stripped)
		}
	}
}

func sameName(got, want string) bool {
	return strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/")
}

func memberType(e entity.Entity) string {
	switch {
	case e.Dir:
		return "dir"
	case e.Link:
		return "symlink"
	}
	return "file"
}
