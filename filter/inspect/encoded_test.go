package inspect

import (
	"archive/zip"
	"bytes"
	"slices"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/report"
)

// TestFilesEncodedWithinMembers has text files of an archive that unpackers
// decode once more.
func TestFilesEncodedWithinMembers(t *testing.T) {
	const uu = "begin 644 a.vbs\n,37-G0F]X(#$@(\"`@\n`\nend\n"
	tests := []struct {
		name, member, body string
		want               []string
	}{
		{"uuencoded", "a.uue", uu, []string{"a.uue", "a.vbs"}},
		{"uuencoded under a document's name", "a.txt", uu, []string{"a.txt", "a.vbs"}},
		{"base64 by its name", "a.vbs.b64", "TXNnQm94IDEgICAgTXNnQm94IDEgICAg\n", []string{"a.vbs.b64", "a.vbs"}},
		{"base64 under another name is a text", "a.txt", "TXNnQm94IDEgICAgTXNnQm94IDEgICAg\n", []string{"a.txt"}},
		{"prose", "a.b64", "begin 644 boxes of paper\n", []string{"a.b64"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			w, err := z.Create(tt.member)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write([]byte(tt.body))
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range Run(Input{Kind: report.KindFile, Name: "x.zip", Raw: b.Bytes()}, budget.New(budget.Small)).Entities[1:] {
				got = append(got, e.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("File(%s: %q) gives %q, want %q", tt.member, tt.body, got, tt.want)
			}
		})
	}
}
