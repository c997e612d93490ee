package inspect

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/report"
	"sekisho/filter/testfile"
)

// rarStored writes a RAR 5 archive of one stored member.
func rarStored(name, data string) string {
	block := func(fields []byte) []byte {
		b := append(binary.AppendUvarint(nil, uint64(len(fields))), fields...)
		return append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)), b...)
	}
	const main, file, end, hasData, hasSum = 1, 2, 5, 2, 4
	b := binary.AppendUvarint([]byte{file, hasData}, uint64(len(data)))
	b = binary.AppendUvarint(append(b, hasSum), uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(append(b, 0), crc32.ChecksumIEEE([]byte(data)))
	b = append(append(b, 0, 1, byte(len(name))), name...)
	return string(slices.Concat([]byte("Rar!\x1a\x07\x01\x00"), block([]byte{main, 0, 0}), block(b), []byte(data), block([]byte{end, 0, 0})))
}

func container(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testfile.Root(t), "testdata/containers", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBothFacesAreOpened has files of two formats: a reader of either kind
// finds what it looks for, so both are inspected.
func TestBothFacesAreOpened(t *testing.T) {
	zip := zipped(t, "a.txt", "hello")
	archives := map[string]struct{ body, member string }{
		"zip": {zip, "a.txt"},
		"rar": {rarStored("b.txt", "hello"), "b.txt"},
		"7z":  {container(t, "7z/7zip-swap2.7z"), "prog.bin"},
		"lzh": {container(t, "lzh/explzh-lh7-level1.lzh"), ""},
		"cab": {container(t, "cab/libarchive-mszip.cab"), ""},
	}
	faces := map[string]string{
		"pdf":  "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
		"gif":  "GIF89a\x01\x00\x01\x00\x00\x00\x00;",
		"png":  "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\x00IEND\xaeB`\x82",
		"jpeg": "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9",
		"html": "<!DOCTYPE html><html><body>hello</body></html>\n",
	}
	for face, front := range faces {
		for kind, a := range archives {
			t.Run(face+" and "+kind, func(t *testing.T) {
				seesMember(t, "report."+face, front+a.body, a.member)
			})
		}
	}
	for kind, a := range archives {
		if kind != "zip" {
			t.Run(kind+" and zip", func(t *testing.T) {
				seesMember(t, "a."+kind, a.body+zip, a.member)
				seesMember(t, "a."+kind, a.body+zip, "a.txt")
			})
		}
	}
	t.Run("a picture alone has no members", func(t *testing.T) {
		if r := confined("a.png", faces["png"]); len(r.Entities) != 1 || len(r.Findings) > 0 {
			t.Errorf("entities %v with %v, want the picture alone", r.Entities, r.Findings)
		}
	})
	t.Run("an archive alone is no polyglot", func(t *testing.T) {
		if r := confined("a.zip", zip); len(r.Entities) != 2 || len(r.Findings) > 0 {
			t.Errorf("entities %v with %v, want archive and member", r.Entities, r.Findings)
		}
	})
}

func confined(name, body string) *report.Report {
	bud := budget.New(budget.Default)
	bud.Confine()
	return File(name, []byte(body), bud)
}

// seesMember expects that the named member comes out, or any where the name is
// "", and that something is stated.
func seesMember(t *testing.T, name, body, member string) {
	t.Helper()
	r := confined(name, body)
	seen := slices.ContainsFunc(r.Entities[1:], func(e report.Entity) bool {
		return strings.HasSuffix(e.Name, member) && e.Size > 0 && e.Reading != "trailing"
	})
	if !seen || len(r.Findings) == 0 {
		t.Errorf("%s: entities %v with %v, want member %q and a finding", name, r.Entities, r.Findings, member)
	}
}
