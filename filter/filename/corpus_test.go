package filename

import (
	"bufio"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/charset"
	"sekisho/filter/display"
	"sekisho/filter/entity"
	"sekisho/filter/testfile"
)

// TestCorpus reads the evasion corpus, if SEKISHO_CORPUS names its folder. The
// names are pulled out by the standard library, which reads plain headers
// only: the honest ones must be quiet, of the disguised ones each that it can
// read must end in an extension that is acted on.
func TestCorpus(t *testing.T) {
	dir := testfile.Corpus(t, "evasion")
	type record struct{ File, Technique, Class string }
	for _, c := range testfile.Manifest[record](t, dir) {
		checkMail(t, filepath.Join(dir, c.File), c.Technique, c.Class)
	}
}

func checkMail(t *testing.T, file, technique, class string) {
	names := mailNames(t, file)
	fs := Inspect("1", names)
	if class == "must_pass" && len(fs) > 0 {
		t.Errorf("%s %s: Inspect(%q) = %v, want nothing", file, technique, names, fs)
	}
	if strings.HasPrefix(technique, "N-") && len(names) > 0 {
		acts := slices.ContainsFunc(Extensions(names), func(e string) bool { return acting[e] != "" })
		t.Logf("%s %s acts=%v %v %q", filepath.Base(file), technique, acts, kinds(fs), display.Shown(names[0].Text))
	}
}

func mailNames(t *testing.T, file string) []entity.Name {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	h, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return nil
	}
	names := headerNames(h)
	_, params, _ := mime.ParseMediaType(h.Get("Content-Type"))
	mr := multipart.NewReader(r, params["boundary"])
	for params["boundary"] != "" {
		p, err := mr.NextRawPart()
		if err != nil {
			break
		}
		names = append(names, headerNames(p.Header)...)
	}
	return names
}

func headerNames(h textproto.MIMEHeader) []entity.Name {
	words := mime.WordDecoder{CharsetReader: func(label string, r io.Reader) (io.Reader, error) {
		b, err := io.ReadAll(r)
		s, _ := charset.Decode(b, label)
		return strings.NewReader(s), err
	}}
	var e entity.Entity
	for field, param := range map[string]string{"Content-Disposition": "filename", "Content-Type": "name"} {
		_, params, _ := mime.ParseMediaType(h.Get(field))
		text, err := words.DecodeHeader(params[param])
		if err == nil {
			e.AddName(entity.Name{Text: text, Source: param})
		}
	}
	return e.Names
}
