package part

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/testfile"
)

// specimen is one line of the evasion corpus' manifest.
type specimen struct {
	ID, File, Technique, Variant, Class string
	Leaves                              []struct{ Name, SHA256, Kind string }
	Expected                            struct {
		Attachments []struct {
			Name, Type, SHA256 string
			Size               int
			Variants           []string `json:"name_variants"`
			Normalised         string   `json:"sha256_text_normalised"`
		}
	}
}

// TestEvasionCorpus walks the hostile mails of the families that this package
// answers for and asks for the bytes of the harmful file, or for the whole of
// the archive that holds it.
func TestEvasionCorpus(t *testing.T) {
	folder := testfile.Corpus(t, "evasion")
	for _, s := range testfile.Manifest[specimen](t, folder) {
		if s.Class != "must_block" || !strings.Contains("HCBMEN", s.Technique[:1]) || len(s.Leaves) == 0 || elsewhere(s) {
			continue
		}
		t.Run(s.ID+" "+s.Technique+" "+s.Variant, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(folder, s.File))
			if err != nil {
				t.Fatal(err)
			}
			tree := walkAll(raw)
			for _, l := range s.Leaves {
				if !tree.holds(l.SHA256) {
					t.Errorf("Walk(%s) does not give %q (%s); it gives\n%s", s.File, l.Name, l.Kind, tree)
				}
			}
		})
	}
}

// elsewhere says that the file lies in a container that other rooms open.
func elsewhere(s specimen) bool {
	return slices.Contains([]string{"E-TNEF", "M-PARTIAL", "M-SMIME", "M-ICS"}, s.Technique) || slices.Contains([]string{"eml-in-zip", "msg"}, s.Variant)
}

// TestHonestCorpus asks that ordinary mail gives no finding.
func TestHonestCorpus(t *testing.T) {
	folder := testfile.Corpus(t, "evasion")
	for _, s := range testfile.Manifest[specimen](t, folder) {
		if s.Class != "must_pass" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(folder, s.File))
		if err != nil {
			t.Fatal(err)
		}
		tree := walkAll(raw)
		tree.findings = slices.DeleteFunc(tree.findings, func(f finding.Finding) bool {
			return f.Kind == finding.TextEncodedFile // a fact, harmless in itself
		})
		if len(tree.findings) > 0 {
			t.Errorf("Walk(%s), %s %s, finds %v", s.File, s.Technique, s.Variant, tree.findings)
		}
	}
}

// TestMIMECorpus compares with what at least two other readers find: the names
// and bytes of attachments, of mail that several projects collected.
func TestMIMECorpus(t *testing.T) {
	folder := testfile.Corpus(t, "mime")
	var want, bytesRight, nameRight, mails, known int
	for _, s := range testfile.Manifest[specimen](t, folder) {
		raw, err := os.ReadFile(filepath.Join(folder, s.File))
		if err != nil {
			t.Fatal(err)
		}
		if mails++; LooksLikeMail(raw) {
			known++
		}
		tree := walkAll(raw)
		for _, a := range s.Expected.Attachments {
			want++
			if tree.exactly(a.SHA256, a.Normalised) {
				bytesRight++
			} else {
				t.Logf("%s: no entity has the bytes of %q (%s, %d bytes)", s.File, a.Name, a.Type, a.Size)
			}
			if a.Name == "" || tree.named(append(a.Variants, a.Name)) {
				nameRight++
			} else {
				t.Logf("%s: no entity is named %q", s.File, a.Name)
			}
		}
	}
	t.Logf("%d attachments: bytes of %d, names of %d; %d of %d look like mail", want, bytesRight, nameRight, known, mails)
	if bytesRight*100 < want*97 || nameRight*100 < want*97 {
		t.Errorf("%d of %d attachments have the right bytes, %d the right name", bytesRight, want, nameRight)
	}
}

// exactly says that an entity has the bytes of that digest, or their text.
func (t tree) exactly(digest, normalised string) bool {
	return slices.ContainsFunc(t.entities, func(e entity.Entity) bool {
		text := bytes.TrimRight(bytes.ReplaceAll(e.Body, []byte("\r\n"), []byte("\n")), " \t\r\n\v\f")
		return sum(e.Body) == digest || sum(text) == normalised
	})
}

func (t tree) named(names []string) bool {
	return slices.ContainsFunc(t.entities, func(e entity.Entity) bool {
		return slices.ContainsFunc(e.Names, func(n entity.Name) bool { return slices.Contains(names, n.Text) })
	})
}

// TestLooksLikeMailCorpus asks that no file of the other suites is taken for mail.
func TestLooksLikeMailCorpus(t *testing.T) {
	root := testfile.Corpus(t, "")
	for _, suite := range []string{"lzh", "zip", "office", "pdf", "filetype", "rar", "tnef", "psl-dmarc", "spf", "streams"} {
		err := filepath.WalkDir(filepath.Join(root, suite), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".eml") {
				return err
			}
			b, err := os.ReadFile(path)
			if err == nil && LooksLikeMail(b) {
				t.Errorf("LooksLikeMail(%s) is true", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tree is all that a walk hands over, messages within messages walked.
type tree struct {
	entities []entity.Entity
	findings []finding.Finding
}

func walkAll(raw []byte) tree {
	var t tree
	bud := budget.New(budget.Default)
	t.walk(raw, "", 0, bud)
	return t
}

func (t *tree) walk(raw []byte, base string, depth int, bud *budget.Budget) {
	m := Walk(raw, base, depth, bud, func(e *entity.Entity) {
		one := *e
		one.Body = bytes.Clone(e.Body)
		t.entities = append(t.entities, one)
		if e.MediaType == "message/rfc822" && depth < 20 {
			t.walk(one.Body, e.Path, e.Depth, bud)
		}
	})
	t.findings = append(t.findings, m.Findings...)
}

func (t tree) String() string {
	var b strings.Builder
	for _, e := range t.entities {
		names, _ := json.Marshal(e.Names)
		b.WriteString(e.Path + " [" + e.Reading + "] " + e.MediaType + " " + string(names) + " " + string(e.Body[:min(len(e.Body), 20)]) + "\n")
	}
	for _, f := range t.findings {
		b.WriteString(string(f.Kind) + " " + f.Path + " " + f.Evidence["how"] + "\n")
	}
	return b.String()
}

// holds says that the file with that digest is an entity, or in one's archive.
func (t tree) holds(digest string) bool {
	for _, e := range t.entities {
		if sum(e.Body) == digest || inZip(e.Body, digest) || wholeLZH(e.Body) {
			return true
		}
	}
	return false
}

func sum(b []byte) string {
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])
}

func inZip(b []byte, digest string) bool {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return false
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			continue
		}
		content, err := io.ReadAll(r)
		if err == nil && sum(content) == digest {
			return true
		}
	}
	return false
}

// wholeLZH says that b is an LZH archive that is as long as its header states.
func wholeLZH(b []byte) bool {
	if len(b) < 21 || !bytes.HasPrefix(b[2:], []byte("-lh")) {
		return false
	}
	packed := int(binary.LittleEndian.Uint32(b[7:11]))
	return len(b) > packed+21
}
