package unpack

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mholt/archives"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// answer is all that a walk says, in a form that compares.
func answer(typ string, b []byte) (said []string, found []finding.Finding, bud *budget.Budget) {
	bud = budget.New(budget.Small)
	bud.Confine()
	paths := map[string]bool{}
	_, found = Walk(&entity.Entity{Path: "2", Body: b}, []string{typ}, bud, func(e *entity.Entity) {
		if paths[e.Path] {
			said = append(said, "twice")
		}
		paths[e.Path] = true
		said = append(said, fmt.Sprintf("%s %v %v %d %x", e.Path, e.Reading, e.Names, e.Size, sha256.Sum256(e.Body)))
	})
	return said, found, bud
}

// promise holds for every container: within the budget, each path once, the
// same bytes give the same answer.
func promise(t *testing.T, typ string, b []byte) {
	said, found, bud := answer(typ, b)
	// The last read may run over by one chunk before it is noticed.
	if over := bud.Bytes() - budget.Small.Bytes; over > budget.Small.Bytes {
		t.Fatalf("spent %d bytes of %d", bud.Bytes(), budget.Small.Bytes)
	}
	if bud.Members() > budget.Small.Members+2 {
		t.Fatalf("counted %d members of %d", bud.Members(), budget.Small.Members)
	}
	if slices.Contains(said, "twice") {
		t.Fatalf("a path twice: %q", said)
	}
	more, again, _ := answer(typ, b)
	if !slices.Equal(said, more) || !reflect.DeepEqual(found, again) {
		t.Fatal("same bytes, two answers")
	}
}

func FuzzZip(f *testing.F) {
	text := strings.Repeat(letter, 5)
	f.Add(zipOf(made{name: "a.txt", data: text, method: 8}, made{name: "b/", extra: unicodePath("b/", "c")}))
	f.Add(zipOf(made{name: "a.txt", data: text, method: 8, late: true}, made{name: "b", data: "x", noCentral: true}))
	f.Add(slices.Concat(zipOf(made{name: "a", data: "x"}), zipOf(made{name: "b", data: "y", flags: 1})))
	f.Add(overlapping(4))
	far, plain := inflate64Sample()
	f.Add(zipOf(made{name: "a", data: plain, method: 9, packed: far}))
	imp, plain := imploded()
	f.Add(zipOf(made{name: "a", data: plain, method: 6, packed: imp}))
	f.Add(zipOf(made{name: "a", data: letter, method: 1, packed: shrunk(letter)}))
	f.Add(zipOf(made{name: "a", data: letter, method: 14, flags: 2, packed: zipLZMA(written(f, letter, asLZMA))}))
	f.Add(zipOf(made{name: "a", data: letter, method: 95, packed: written(f, letter, asXz)}))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "zip", b) })
}

func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, tar.Header{Name: "a", Uname: "1"}, tar.Header{Name: strings.Repeat("b", 120), Uname: "2", Format: tar.FormatPAX}))
	f.Add(tarOf(f, tar.Header{Name: "a", Uname: "1"}, tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"}))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "tar", b) })
}

func FuzzGzip(f *testing.F) {
	f.Add(gzipped(f, "a.txt", letter))
	f.Add(slices.Concat(gzipped(f, "", "1"), gzipped(f, "b", "2"), []byte("junk")))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "gzip", b) })
}

// FuzzStreams takes the format from the first byte.
func FuzzStreams(f *testing.F) {
	types := []string{"bzip2", "xz", "zstd", "lz4", "lzip", "compress", "ar", "cpio"}
	seed := func(i byte, b []byte) { f.Add(append([]byte{i}, b...)) }
	seed(0, written(f, letter, archives.Bz2{}.OpenWriter))
	seed(1, written(f, letter, asXz))
	seed(2, written(f, letter, asZstd))
	seed(3, written(f, letter, archives.Lz4{}.OpenWriter))
	seed(4, written(f, letter, asLzip))
	seed(5, lzwOf(letter))
	seed(6, []byte(arMagic+"a                                               2         `\nxx"))
	seed(7, []byte("\xc7\x71"+strings.Repeat("\x00", 18)+"\x02\x00\x00\x00\x01\x00a\x00x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			promise(t, types[int(b[0])%len(types)], b[1:])
		}
	})
}
