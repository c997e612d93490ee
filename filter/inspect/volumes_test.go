package inspect

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/report"
)

// attached is one file of a message.
type attached struct{ name, body string }

// mailWith writes a message with files.
func mailWith(files ...attached) []byte {
	var b strings.Builder
	b.WriteString("From: a@example.com\r\nTo: b@example.jp\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n")
	b.WriteString("--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n")
	for _, f := range files {
		fmt.Fprintf(&b, "--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n",
			f.name, base64.StdEncoding.EncodeToString([]byte(f.body)))
	}
	b.WriteString("--b--\r\n")
	return []byte(b.String())
}

func zipped(t *testing.T, name, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err == nil {
		_, err = f.Write([]byte(body))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// inPieces cuts s into n files named by the pattern.
func inPieces(s, pattern string, from, n int) (out []attached) {
	for i := range n {
		out = append(out, attached{fmt.Sprintf(pattern, from+i), s[len(s)*i/n : len(s)*(i+1)/n]})
	}
	return out
}

// joinedPaths are the entities that came of sets that were put together.
func joinedPaths(r *report.Report) (out []string) {
	for _, e := range r.Entities {
		if strings.Contains(e.Path, "+") {
			out = append(out, e.Path)
		}
	}
	return out
}

func TestVolumesOfOneMessage(t *testing.T) {
	archive := zipped(t, "minutes.txt", strings.Repeat("minutes ", 200))
	bad := zipped(t, "invoice.exe", "MZ"+strings.Repeat("harmless ", 200))
	inner := zipped(t, "in.zip.001", archive[:900])
	lastIsZip := inPieces(bad, "a.z%02d", 1, 3)
	lastIsZip[2].name = "a.zip"
	letters := inPieces(bad, "a.zip.a%c", 'a', 2)
	tests := []struct {
		name   string
		files  []attached
		joined []string
		kind   finding.Kind // that must be there, "" for none of a volume's
	}{
		{"a set of three", inPieces(bad, "a.zip.%03d", 1, 3), []string{"2+", "2+/invoice.exe"}, ""},
		{"in any order, counted from none", slices.Concat(inPieces(bad, "a.zip.%03d", 0, 3)[1:], inPieces(bad, "a.zip.%03d", 0, 3)[:1]), []string{"4+", "4+/invoice.exe"}, ""},
		{"Info-ZIP: the last is called zip", lastIsZip, []string{"2+", "2+/invoice.exe"}, ""},
		{"split(1)", letters, []string{"2+", "2+/invoice.exe"}, ""},
		{"documents in a set", inPieces(archive, "議事録.zip.%03d", 1, 2), []string{"2+", "2+/minutes.txt"}, ""},
		{"the middle is missing", slices.Delete(inPieces(bad, "a.zip.%03d", 1, 3), 1, 2), nil, finding.ContainerBroken},
		{"one alone", inPieces(bad, "a.zip.%03d", 1, 3)[:1], nil, finding.ContainerBroken},
		{"two sets side by side", slices.Concat(inPieces(bad, "a.zip.%03d", 1, 2), inPieces(archive, "b.zip.%03d", 1, 2)),
			[]string{"2+", "2+/invoice.exe", "4+", "4+/minutes.txt"}, ""},
		{"a volume within an archive is of another set", []attached{{"out.zip", inner}, {"in.zip.002", archive[900:]}}, nil, finding.ContainerBroken},
		{"reports that are only numbered", []attached{{"report.001", "first"}, {"report.002", "second"}}, []string{"2+"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Mail(mailWith(tt.files...), budget.New(budget.Default))
			if got := joinedPaths(r); !slices.Equal(got, tt.joined) {
				t.Errorf("joined %q, want %q", got, tt.joined)
			}
			var kinds []finding.Kind
			for _, f := range r.Findings {
				if slices.Contains(missing, f.Kind) && !strings.Contains(f.Path, "+") {
					kinds = append(kinds, f.Kind)
				}
			}
			if tt.kind == "" && len(kinds) > 0 || tt.kind != "" && !slices.Contains(kinds, tt.kind) {
				t.Errorf("findings of volumes %v, want %q", kinds, tt.kind)
			}
		})
	}
}

func TestVolumesSpendTheBudget(t *testing.T) {
	r := Mail(mailWith(inPieces(strings.Repeat("x", 3<<20), "a.zip.%03d", 1, 3)...), budget.New(budget.Small))
	if !r.Incomplete {
		t.Error("three volumes of a MiB each were put together within 4 MiB, and nothing said")
	}
}
