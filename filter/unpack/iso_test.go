package unpack

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/testfile"
)

var isoSpecimens = []string{"genisoimage-plain", "genisoimage-joliet", "genisoimage-udf"}

// isoSpecimen is an image of the small tree of files that the cases name.
func isoSpecimen(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(testfile.Root(t), "testdata/containers/iso", name+".iso.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var isoMembers = []string{"empty.dat=", "hidden.txt=hidden\n", "link=@", "twin.txt=hidden\n", "資料/議事録2026年11月.txt=minutes\n",
	"a/b/c/d/e/f/g/h/deep.txt=deep\n", "資料/sub/手順.html=page\n"}

func TestISOHonest(t *testing.T) {
	runOpen(t, "iso", []openCase{
		{"names of the standard alone", isoSpecimen(t, "genisoimage-plain"), []string{"EMPTY.DAT=", "HIDDEN.TXT=hidden\n", "TWIN.TXT=hidden\n",
			"______/________.TXT=minutes\n", "______/SUB/______.HTM=page\n"}, nil},
		{"UDF, Joliet and Rock Ridge say the same", isoSpecimen(t, "genisoimage-udf"), isoMembers, nil},
	})
}

// Every view's name is kept, the one that Windows shows first.
func TestISONames(t *testing.T) {
	var got []string
	e := &entity.Entity{Path: "2", Body: isoSpecimen(t, "genisoimage-udf")}
	Walk(e, []string{"iso", "udf"}, budget.New(budget.Default), func(m *entity.Entity) {
		for _, n := range m.Names {
			got = append(got, n.Source+":"+n.Text)
		}
	})
	for _, want := range []string{"udf:資料/sub/手順.html", "primary:______/SUB/______.HTM", "rock-ridge:rr_moved/h/deep.txt"} {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s != want })); n != 1 {
			t.Errorf("%q stands %d times among %q", want, n, got)
		}
	}
}

// recordOf returns where the directory record of a name is, the n-th in b.
func recordOf(t *testing.T, b []byte, name string, n int) int {
	t.Helper()
	at := -1
	for range n {
		i := bytes.Index(b[at+1:], []byte(name))
		if i < 0 {
			t.Fatalf("no record of %q", name)
		}
		at += 1 + i
	}
	return at - isoRecord
}

func TestISOHostile(t *testing.T) {
	plain := isoSpecimen(t, "genisoimage-plain")
	change := func(edit func(b []byte)) []byte {
		b := slices.Clone(plain)
		edit(b)
		return b
	}
	// The tables of paths, in both orders of bytes, stand first.
	sub, file := recordOf(t, plain, "______", 3), recordOf(t, plain, "TWIN.TXT", 1)
	members := []string{"EMPTY.DAT=", "HIDDEN.TXT=hidden\n", "TWIN.TXT=hidden\n"}
	rest := []string{"______/________.TXT=minutes\n", "______/SUB/______.HTM=page\n"}
	raw := func(b []byte) (out []byte) {
		for ; len(b) > 0; b = b[min(isoSector, len(b)):] {
			out = append(out, make([]byte, 16)...)
			out = append(append(out, b[:min(isoSector, len(b))]...), make([]byte, 2352-16-min(isoSector, len(b)))...)
		}
		return out
	}
	runOpen(t, "iso", []openCase{
		{"a file hidden from the view that Windows shows", isoSpecimen(t, "genisoimage-joliet"), isoMembers, []string{"hidden-member"}},
		{"a folder that holds its parent", change(func(b []byte) { copy(b[sub+2:sub+18], b[isoFirst*isoSector+156+2:]) }), members, []string{"conflict folder"}},
		{"a file beyond the image", change(func(b []byte) { binary.LittleEndian.PutUint32(b[file+2:], 1<<30) }),
			slices.Concat(members[:2], []string{"TWIN.TXT=?"}, rest), []string{"broken data"}},
		{"a file longer than the image", change(func(b []byte) { binary.LittleEndian.PutUint32(b[file+10:], 1<<31) }),
			slices.Concat(members[:2], []string{"TWIN.TXT=6144?"}, rest), []string{"broken data"}},
		{"a record that overruns", change(func(b []byte) { b[file+32] = 200 }), slices.Concat(members[:2], rest), []string{"broken folder"}},
		{"an interleaved file", change(func(b []byte) { b[file+26] = 1 }), slices.Concat(members[:2], []string{"TWIN.TXT=hidden\n?"}, rest),
			[]string{"method-unsupported interleaved"}},
		{"raw sectors", raw(plain), slices.Concat(members, rest), nil},
		{"data behind the volume", append(slices.Clone(plain), "MZ evil"...), slices.Concat(members, rest, []string{"[trailing]=MZ evil"}), []string{"trailing pe"}},
		{"no image", []byte("hello"), nil, []string{"broken volume descriptor"}},
	})
}

func FuzzISO(f *testing.F) {
	for _, name := range isoSpecimens {
		f.Add(isoSpecimen(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "iso", b) })
}

func TestUDFText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"eight bits", "\x08caf\xe9", "café"},
		{"sixteen bits", "\x10\x8a\xcb\x4e\x8b", "請事"},
		{"an odd end", "\x10\x8a\xcb\x4e", "請"},
		{"none", "", ""},
	}
	for _, tt := range tests {
		if got := udfText([]byte(tt.in)).Text; got != strings.ToValidUTF8(tt.want, "") {
			t.Errorf("%s: udfText(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}
