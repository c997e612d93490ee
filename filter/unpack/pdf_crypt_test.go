package unpack

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sekisho/filter/testfile"
)

func TestPDFLock(t *testing.T) {
	for file, want := range map[string]string{
		"qpdf-rc4-40.pdf": "pdf-rc4", "qpdf-rc4-128.pdf": "pdf-rc4", "qpdf-aes-128.pdf": "pdf-aes", "qpdf-aes-256.pdf": "pdf-aes",
		// For everyone to read, not to print: no lock.
		"qpdf-open-rc4-40.pdf": "", "qpdf-open-rc4-128.pdf": "", "qpdf-open-aes-128.pdf": "", "qpdf-open-aes-256.pdf": "",
		"plain.pdf": "",
	} {
		t.Run(file, func(t *testing.T) {
			b := madeBy(t, "pdf/"+file)
			if got := PDFLock(b); got != want {
				t.Errorf("PDFLock = %q, want %q", got, want)
			}
			hidden := bytes.Replace(b, []byte("/Encrypt"), []byte("/#45ncr#79pt"), 1)
			if got := PDFLock(hidden); got != want {
				t.Errorf("with the name in another spelling PDFLock = %q, want %q", got, want)
			}
		})
	}
	for name, text := range map[string]string{
		"prose":        "%PDF-1.4\n(a text that says /Encrypt 1 0 R)\n",
		"a longer key": "%PDF-1.4\n/EncryptMetadata false /Encrypt\n",
		"to itself":    "%PDF-1.4\n1 0 obj /Encrypt 1 0 R",
	} {
		if got := PDFLock([]byte(text)); got != "" {
			t.Errorf("%s: PDFLock = %q", name, got)
		}
	}
}

// FuzzPDFLock: the same bytes, the same answer, and one of three.
func FuzzPDFLock(f *testing.F) {
	dir := filepath.Join(testfile.Root(f), "testdata/containers/pdf")
	files, err := os.ReadDir(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range files {
		f.Add(madeBy(f, "pdf/"+e.Name()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := PDFLock(b)
		if got != PDFLock(b) || got != "" && !strings.HasPrefix(got, "pdf-") {
			t.Fatalf("PDFLock = %q", got)
		}
	})
}

// TestCorpusPDFLock: what needs a password is locked, and nothing else is.
func TestCorpusPDFLock(t *testing.T) {
	dir := testfile.Corpus(t, "pdf")
	type record struct {
		File     string
		Expected struct {
			Needs bool `json:"encrypted_needs_password"`
		}
	}
	locked := 0
	for _, r := range testfile.Manifest[record](t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, r.File))
		if err != nil {
			t.Fatal(err)
		}
		got := PDFLock(b)
		if (got != "") != r.Expected.Needs {
			t.Errorf("%s: PDFLock = %q, needs a password: %v", r.File, got, r.Expected.Needs)
		}
		if got != "" {
			locked++
		}
	}
	t.Logf("%d locked", locked)
}
