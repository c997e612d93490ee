package unpack

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// readSpecimen reads a file of testdata that another program made; sources.md
// beside it says which.
func readSpecimen(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}

// packedFiles are what nearly all specimens hold.
var packedFiles = map[string]string{
	"readme.txt":       strings.Repeat("Minutes of the meeting are attached.\r\n", 20),
	"議事録 2026年11月.txt": strings.Repeat("本日の議事録をお送りします。\r\n", 10),
	"form.exe":         stub,
	"big.bin":          string(bigFile()),
	"p1.htm":           manualPage(1), "p2.htm": manualPage(2), "p3.htm": manualPage(3),
}

func bigFile() []byte {
	b := make([]byte, 20000)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

// held is what a walk gave: for each member its names, and whether it has the
// content that its first name promises.
func held(typ string, b []byte, l budget.Limits) (got []string, kinds []finding.Kind) {
	bud := budget.New(l)
	_, fs := Walk(&entity.Entity{Path: "2", Depth: 1, Body: b}, []string{typ}, bud, func(m *entity.Entity) {
		var names []string
		for _, n := range m.Names {
			names = append(names, n.Text)
		}
		said := strings.Join(names, "|")
		base := last(strings.ReplaceAll(m.Name(), ":", "/"))
		switch want, known := packedFiles[base]; {
		case m.Dir:
			said += " folder"
		case m.Encrypted:
			said += " encrypted"
		case m.Unread:
			said += " unread"
		case !known || string(m.Body) != want:
			said += fmt.Sprintf(" %d bytes", len(m.Body))
		}
		got = append(got, said)
	})
	for _, f := range fs {
		kinds = append(kinds, f.Kind)
	}
	for _, r := range bud.Reached() {
		kinds = append(kinds, finding.Kind("limit "+string(r.What)))
	}
	return got, kinds
}

type heldCase struct {
	name  string
	typ   string
	in    []byte
	want  []string
	kinds []finding.Kind
}

func runHeld(t *testing.T, tests []heldCase) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, kinds := held(tt.typ, tt.in, budget.Default)
			if !slices.Equal(got, tt.want) || !slices.Equal(kinds, tt.kinds) {
				t.Errorf("Walk(%s) = %q %v, want %q %v", tt.typ, got, kinds, tt.want, tt.kinds)
			}
		})
	}
}

// over returns b with some bytes overwritten.
func over(b []byte, at int, with string) []byte {
	out := bytes.Clone(b)
	copy(out[at:], with)
	return out
}
