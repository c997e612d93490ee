package link

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sekisho/filter/charset"
	"sekisho/filter/finding"
	"sekisho/filter/testfile"
)

// TestCorpus reads the evasion corpus, if SEKISHO_CORPUS names its folder: in
// mail that must pass no link is to be found, each link trick must be.
func TestCorpus(t *testing.T) {
	dir := testfile.Corpus(t, "evasion")
	type record struct{ File, Technique, Variant, Class string }
	tricks, caught := 0, 0
	for _, c := range testfile.Manifest[record](t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, c.File))
		if err != nil {
			t.Fatal(err)
		}
		fs := mailFindings(b)
		if c.Class == "must_pass" && len(fs) > 0 {
			t.Errorf("%s %s %s: %v, want nothing", c.File, c.Technique, c.Variant, fs)
		}
		if strings.HasPrefix(c.Technique, "W-LINK") {
			tricks++
			if len(fs) > 0 {
				caught++
			} else {
				t.Errorf("%s %s %s: no finding", c.File, c.Technique, c.Variant)
			}
		}
	}
	t.Logf("%d of %d link tricks found", caught, tricks)
}

func mailFindings(b []byte) []finding.Finding {
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	return partFindings(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

func partFindings(contentType, encoding string, r io.Reader) []finding.Finding {
	media, params, _ := mime.ParseMediaType(contentType)
	switch {
	case strings.HasPrefix(media, "multipart/"):
		var out []finding.Finding
		mr := multipart.NewReader(r, params["boundary"])
		for params["boundary"] != "" {
			p, err := mr.NextRawPart()
			if err != nil {
				break
			}
			out = append(out, partFindings(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)...)
		}
		return out
	case media == "text/html":
		_, fs := HTML("1", decoded(encoding, params["charset"], r))
		return fs
	case media == "text/plain" || media == "":
		_, fs := Text("1", decoded(encoding, params["charset"], r))
		return fs
	}
	return nil
}

func decoded(encoding, label string, r io.Reader) string {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	b, _ := io.ReadAll(r)
	s, _ := charset.Decode(b, label)
	return s
}
