package unpack

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/mholt/archives"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

// bitWriter writes bits from the least significant end.
type bitWriter struct {
	out []byte
	n   uint
}

func (w *bitWriter) put(v uint32, n uint) {
	for i := range n {
		if w.n%8 == 0 {
			w.out = append(w.out, 0)
		}
		w.out[len(w.out)-1] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

// code writes a Huffman code: its first bit first.
func (w *bitWriter) code(v uint32, n uint) {
	for i := int(n) - 1; i >= 0; i-- {
		w.put(v>>i&1, 1)
	}
}

// inflate64Sample is "a" and the longest match that Deflate64 can write:
// length code 285 with sixteen bits, in a fixed block.
func inflate64Sample() (packed []byte, plain string) {
	var w bitWriter
	w.put(1, 1)
	w.put(1, 2)
	w.code(0x30+'a', 8)
	w.code(0xc0+285-280, 8)
	w.put(65535, 16)
	w.code(0, 5)
	w.code(0, 7)
	return w.out, strings.Repeat("a", 1+3+65535)
}

// shrunk writes s as single codes with a growth and a clearing between.
func shrunk(s string) []byte {
	var w bitWriter
	width := uint(9)
	for i, c := range []byte(s) {
		if i == len(s)/2 {
			w.put(shrinkControl, width)
			w.put(1, width)
			width++
			w.put(shrinkControl, width)
			w.put(2, width)
		}
		w.put(uint32(c), width)
	}
	return w.out
}

// imploded writes "ab" and a match that repeats it, with two flat trees.
func imploded() (packed []byte, plain string) {
	w := bitWriter{}
	for range 2 {
		for _, b := range []byte{3, 0xf5, 0xf5, 0xf5, 0xf5} {
			w.put(uint32(b), 8)
		}
	}
	for _, c := range []byte("ab") {
		w.put(1, 1)
		w.put(uint32(c), 8)
	}
	w.put(0, 1)
	w.put(1, 6)              // low bits of the distance less one
	w.code(^uint32(0)&63, 6) // distance symbol 0, bits turned over
	w.code(^uint32(4)&63, 6) // length symbol 4: six bytes
	return w.out, "abababab"
}

func written(t testing.TB, s string, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err == nil {
		_, err = io.WriteString(w, s)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asLZMA(w io.Writer) (io.WriteCloser, error) {
	return lzma.WriterConfig{EOSMarker: true, DictCap: 1 << 16}.NewWriter(w)
}
func asXz(w io.Writer) (io.WriteCloser, error)   { return xz.NewWriter(w) }
func asZstd(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }

// zipLZMA puts the header of APPNOTE 5.8.8 before raw LZMA.
func zipLZMA(alone []byte) []byte {
	return slices.Concat([]byte{9, 20, 5, 0}, alone[:5], alone[lzma.HeaderLen:])
}

func TestZipMethods(t *testing.T) {
	text := strings.Repeat(letter, 200)
	imp, implodedText := imploded()
	far, farText := inflate64Sample()
	tests := []struct {
		name  string
		m     made
		plain string
	}{
		{"deflate", made{method: 8, packed: deflated(text)}, text},
		{"deflate64 reads plain deflate of short matches", made{method: 9, packed: deflated(letter)}, letter},
		{"deflate64 with its longest match", made{method: 9, packed: far}, farText},
		{"deflate64, stored block", made{method: 9, packed: []byte("\x01\x03\x00\xfc\xffabc")}, "abc"},
		{"shrink", made{method: 1, packed: shrunk(letter)}, letter},
		{"implode", made{method: 6, packed: imp}, implodedText},
		{"bzip2", made{method: 12, packed: written(t, text, archives.Bz2{}.OpenWriter)}, text},
		{"lzma", made{method: 14, flags: flagEOS, packed: zipLZMA(written(t, text, asLZMA))}, text},
		{"zstd", made{method: 93, packed: written(t, text, asZstd)}, text},
		{"xz", made{method: 95, packed: written(t, text, asXz)}, text},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.m.name, tt.m.data = "a", tt.plain
			var got []byte
			found := unlockZip(&entity.Entity{Path: "2", Body: zipOf(tt.m)}, nil, budget.New(budget.Default), func(e *entity.Entity) {
				got = slices.Clone(e.Body)
			})
			if string(got) != tt.plain || len(found) > 0 {
				t.Errorf("got %d bytes and %v, want %d", len(got), found, len(tt.plain))
			}
		})
	}
}

// TestDamagedMethods: whatever a decoder meets, a finding says so.
func TestDamagedMethods(t *testing.T) {
	for method := range zipMethods {
		for _, packed := range []string{"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", strings.Repeat("\x00", 40)} {
			m := made{name: "a", data: letter, method: method, packed: []byte(packed)}
			if _, kinds := unpacked("zip", zipOf(m), budget.Small); len(kinds) == 0 {
				t.Errorf("method %d with %q: nothing found", method, packed)
			}
		}
	}
}

// TestGreedyDictionaries: what asks for more memory than we lend is named and
// not opened.
func TestGreedyDictionaries(t *testing.T) {
	greedy := written(t, letter, asLZMA)
	copy(greedy[1:], "\x00\x00\x00\xf0")
	block := written(t, letter, asXz)
	at := bytes.Index(block[12:], []byte{0x21, 1}) + 12
	block[at+2] = 40
	tests := []struct {
		name string
		m    made
	}{
		{"lzma of 4 GB", made{name: "a", data: letter, method: 14, flags: flagEOS, packed: zipLZMA(greedy)}},
		{"xz of 4 GB", made{name: "a", data: letter, method: 95, packed: block}},
		{"xz with no stream", made{name: "a", data: letter, method: 95, packed: []byte("\xfd7zXZ\x00")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			members, kinds := opened(zipOf(tt.m), "zip", budget.Default)
			want := "method-unsupported " + methodName(tt.m.method)
			if !slices.Contains(kinds, want) || !slices.Equal(members, []string{"a=?"}) {
				t.Errorf("members %q, kinds %q, want %q", members, kinds, want)
			}
		})
	}
}

func TestZstdNeeds(t *testing.T) {
	tests := []struct {
		name, in string
		want     int64
	}{
		{"one kilobyte", "\x28\xb5\x2f\xfd\x00\x00", 1 << 10},
		{"with a fraction", "\x28\xb5\x2f\xfd\x00\x0c", 3 << 10},
		{"more than we lend", "\x28\xb5\x2f\xfd\x00\xff", zstdWindow},
		{"single segment of seven bytes", "\x28\xb5\x2f\xfd\x20\x07", 7},
		{"single segment of 300 bytes, with a dictionary's number", "\x28\xb5\x2f\xfd\x61\x09\x2c\x00", 300},
		{"single segment without end", "\x28\xb5\x2f\xfd\xe0\xff", zstdWindow},
		{"a frame to skip", "\x50\x2a\x4d\x18\x00\x00", 0},
		{"cut", "\x28\xb5", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := zstdNeeds([]byte(tt.in)); got != tt.want {
				t.Errorf("zstdNeeds(%x) = %d, want %d", tt.in, got, tt.want)
			}
		})
	}
}

// TestManyDictionaries: twenty thousand members may not each ask for 64 MB.
func TestManyDictionaries(t *testing.T) {
	alone := written(t, "", asLZMA)
	copy(alone[1:], "\x00\x00\x00\x04")
	m := made{name: "a", method: 14, flags: flagEOS, packed: zipLZMA(alone)}
	bud := budget.New(budget.Default)
	n := 0
	Walk(&entity.Entity{Path: "2", Body: zipOf(slices.Repeat([]made{m}, 300)...)}, []string{"zip"}, bud, func(e *entity.Entity) {
		if !e.Unread {
			n++
		}
	})
	if n == 0 || n > 200 {
		t.Errorf("%d members opened, reached %v", n, fmt.Sprint(bud.Reached()))
	}
}

// Strong methods may swell further than deflate, as they do with honest logs,
// but not without end.
func TestStrongMethodsMaySwellFurther(t *testing.T) {
	noise := make([]byte, 3<<10)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	log := string(noise) + strings.Repeat(letter, 1400<<10/len(letter))
	small := string(noise[:300]) + strings.Repeat(letter, 1800<<10/len(letter))
	tests := []struct {
		name, typ string
		in        []byte
		reached   bool
	}{
		{"xz 450 times", "xz", written(t, log, asXz), false},
		{"xz 3000 times", "xz", written(t, small, asXz), true},
		{"xz in zip 450 times", "zip", zipOf(made{name: "a.log", data: log, method: 95, packed: written(t, log, asXz)}), false},
		{"gzip 300 times", "gzip", gzipped(t, "a.log", small), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bud := budget.New(budget.Small)
			Walk(&entity.Entity{Path: "2", Body: tt.in}, []string{tt.typ}, bud, func(*entity.Entity) {})
			if got := len(bud.Reached()) > 0; got != tt.reached {
				t.Errorf("%d bytes: reached %v, want %v", len(tt.in), bud.Reached(), tt.reached)
			}
		})
	}
}
