package unpack

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/pierrec/lz4/v4"

	"sekisho/filter/budget"
)

// armWords is what the specimens hold: words among which calls and loads of
// addresses are frequent.
func armWords() string {
	x, out := uint32(7), []byte{}
	for range 400 {
		x = (x*1103515245 + 12345) & 0x7fffffff
		w := x
		switch x % 4 {
		case 0:
			w = 0x94000000 | x>>5
		case 1:
			w = 0x90000000 | x>>7&0x3ffff<<5 | x&31
		}
		out = binary.LittleEndian.AppendUint32(out, w)
	}
	return string(out)
}

func TestSevenZipFiltersOfARealPacker(t *testing.T) {
	for _, file := range []string{"7zip-arm64.7z", "7zip-swap2.7z", "7zip-swap4.7z"} {
		t.Run(file, func(t *testing.T) {
			bodies, kinds := unpacked("7z", madeBy(t, "7z/"+file), budget.Default)
			if bodies["prog.bin"] != armWords() || len(kinds) > 0 {
				t.Errorf("%d bytes, with %q", len(bodies["prog.bin"]), kinds)
			}
		})
	}
}

func brotlied(t testing.TB, s string) []byte {
	var b bytes.Buffer
	w := brotli.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// framed is one piece as builds of 7-Zip with brotli write it.
func framed(piece []byte) []byte {
	h := append([]byte(szFrame), 8, 0, 0, 0)
	h = binary.LittleEndian.AppendUint32(h, uint32(len(piece)))
	return slices.Concat(h, []byte("BR\x01\x00"), piece)
}

func TestSevenZipMethodsOfOthers(t *testing.T) {
	text := strings.Repeat(letter, 20)
	files := []szMade{{"a.txt", text}}
	var packed bytes.Buffer
	w := lz4.NewWriter(&packed)
	_, _ = w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	half := len(text) / 2
	bomb := strings.Repeat("\x00", 3<<20)
	pieces := slices.Concat(framed(brotlied(t, text[:half])), framed(brotlied(t, text[half:])))
	const brotliID, lz4ID = "\x04\xf7\x11\x02", "\x04\xf7\x11\x04"
	tests := []struct {
		name   string
		spec   szSpec
		limits budget.Limits
		whole  bool
		kinds  []string
	}{
		{"brotli", szSpec{method: brotliID, packed: brotlied(t, text), files: files}, budget.Default, true, nil},
		{"brotli in pieces", szSpec{method: brotliID, packed: pieces, files: files}, budget.Default, true, nil},
		{"a piece without its head", szSpec{method: brotliID, packed: append(pieces[:len(pieces):len(pieces)], "junk"...), files: []szMade{{"a.txt", text + "!"}}}, budget.Default, false, []string{"broken"}},
		{"empty pieces for ever", szSpec{method: brotliID, packed: bytes.Repeat(framed(nil), 1000), files: files}, budget.Default, false, []string{"broken"}},
		{"a bomb of brotli", szSpec{method: brotliID, packed: brotlied(t, bomb), files: []szMade{{"a.txt", bomb}}}, budget.Small, false, []string{"limit bytes"}},
		{"lz4", szSpec{method: lz4ID, packed: packed.Bytes(), files: files}, budget.Default, true, nil},
		{"no lz4", szSpec{method: lz4ID, packed: []byte("junk"), files: files}, budget.Default, false, []string{"broken"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bodies, kinds := unpacked("7z", szOf(tt.spec), tt.limits)
			if got := bodies["a.txt"] == text; got != tt.whole || !slices.Equal(kinds, tt.kinds) {
				t.Errorf("whole %v with %q, want %v with %q", got, kinds, tt.whole, tt.kinds)
			}
		})
	}
}
