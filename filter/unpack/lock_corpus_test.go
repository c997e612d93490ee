package unpack

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
	"sekisho/filter/testfile"
)

type lockedRecord struct {
	File, Kind, Password string
	Volumes              []string
	Expected             struct {
		Verdict   string
		Encrypted bool
		Members   []corpusMember
	}
}

// TestCorpusLocked: what other projects locked is recognised without its
// password, and opened with it where any reference could do so.
func TestCorpusLocked(t *testing.T) {
	formats := map[string]string{"zip": "zip", "sevenzip": "7z", "rar": "rar"}
	for suite, format := range formats {
		t.Run(suite, func(t *testing.T) {
			dir := testfile.Corpus(t, suite)
			seen, recognised, withKey, opened := 0, 0, 0, 0
			for _, rec := range testfile.Manifest[lockedRecord](t, dir) {
				if !rec.Expected.Encrypted && rec.Password == "" || rec.Kind == "volume-continuation" {
					continue
				}
				b, err := os.ReadFile(filepath.Join(dir, rec.File))
				if err != nil {
					t.Fatal(err)
				}
				seen++
				shut, _ := walkLocked(format, b, nil)
				if shut > 0 {
					recognised++
				} else {
					t.Logf("%s: no lock seen", rec.File)
				}
				if rec.Password == "" || shut == 0 || rec.Expected.Verdict != "ok" || len(rec.Volumes) > 0 {
					continue
				}
				withKey++
				ring := key.NewRing(key.Key{Text: "wrong"}, key.Key{Text: rec.Password}, key.Key{Text: "wrong too"})
				left, sums := walkLocked(format, b, ring)
				missing := 0
				for _, m := range rec.Expected.Members {
					if m.SHA256 != "" && !sums[m.SHA256] {
						missing++
					}
				}
				if left == 0 && missing == 0 {
					opened++
				} else {
					t.Logf("%s: %d stay shut, %d of %d contents missing (%s)", rec.File, left, missing, len(rec.Expected.Members), rec.Expected.Verdict)
				}
			}
			if opened < withKey {
				t.Errorf("%d of %d with a known password were opened", opened, withKey)
			}
			t.Logf("%s: %d locked, %d recognised; %d with a known password, %d opened", suite, seen, recognised, withKey, opened)
		})
	}
}

// walkLocked counts the locks that stay shut and gathers the digests of what
// was read.
func walkLocked(format string, b []byte, ring *key.Ring) (shut int, sums map[string]bool) {
	bud := budget.New(budget.Default)
	bud.Confine()
	sums = map[string]bool{}
	_, found := Unlock(&entity.Entity{Path: "2", Body: b}, []string{format}, ring, bud, func(e *entity.Entity) {
		if !e.Encrypted {
			sum := sha256.Sum256(e.Body)
			sums[hex.EncodeToString(sum[:])] = true
		}
	})
	for _, f := range found {
		if f.Kind == finding.ContainerEncrypted {
			shut++
		}
	}
	return shut, sums
}

// TestCorpusLockedOffice: every locked document is recognised; those in a zip
// package are opened, with the password that Office tries by itself or one that
// their projects' tests name.
func TestCorpusLockedOffice(t *testing.T) {
	dir := testfile.Corpus(t, "office")
	seen, recognised, opened := 0, 0, 0
	for _, rec := range testfile.Manifest[lockedRecord](t, dir) {
		if !rec.Expected.Encrypted {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, rec.File))
		if err != nil {
			t.Fatal(err)
		}
		seen++
		shut, sums := walkLocked("ole", b, nil)
		if len(sums) > 0 {
			shut++ // by the password that Office tries itself
		}
		if shut == 0 {
			t.Errorf("%s: no lock seen", rec.File)
			continue
		}
		recognised++
		ring := key.NewRing()
		for _, w := range []string{"password", "tika", "test", "openpassword", "solrcell"} {
			ring.Add(key.Key{Text: w})
		}
		if left, sums := walkLocked("ole", b, ring); left == 0 && len(sums) > 0 {
			opened++
		} else {
			t.Logf("%s stays shut", rec.File)
		}
	}
	t.Logf("%d locked documents, %d recognised, %d opened", seen, recognised, opened)
}
