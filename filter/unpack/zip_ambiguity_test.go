package unpack

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

// zip64Extra is the extra field of long values.
func zip64Extra(values ...uint64) string {
	x := binary.LittleEndian.AppendUint16(nil, extraZip64)
	x = binary.LittleEndian.AppendUint16(x, uint16(8*len(values)))
	for _, v := range values {
		x = binary.LittleEndian.AppendUint64(x, v)
	}
	return string(x)
}

// zip64End is a zip64 end record; locator is what leads to one.
func zip64End(n, size, offset int) []byte {
	e := append([]byte(sigEnd64), make([]byte, 52)...)
	le := binary.LittleEndian
	le.PutUint64(e[4:], 44)
	le.PutUint64(e[24:], uint64(n))
	le.PutUint64(e[32:], uint64(n))
	le.PutUint64(e[40:], uint64(size))
	le.PutUint64(e[48:], uint64(offset))
	return e
}

func locator(at int) []byte {
	b := append([]byte(sigLocator64), 0, 0, 0, 0)
	return append(binary.LittleEndian.AppendUint64(b, uint64(at)), 1, 0, 0, 0)
}

// cutEnd parts a zip file into members, directory and end record.
func cutEnd(b []byte) (members, dir, end []byte) {
	end = b[len(b)-endSize:]
	at := int(u32(end[16:]))
	return b[:at], b[at : len(b)-endSize], end
}

// TestZipWays goes through the classes of "My ZIP isn't your ZIP" (USENIX
// Security 2025): whatever a reader of zip files shows must be seen, and that
// readers differ must be stated.
func TestZipWays(t *testing.T) {
	const evil = "MZ evil"
	good, bad := made{name: "good.txt", data: "good"}, made{name: "evil.exe", data: evil}
	hidden := zipOf(bad)
	inner, innerDir, _ := cutEnd(hidden)
	wrapped := zipOf(made{name: "good.txt", data: "good", packed: append(make([]byte, 12), hidden...), flags: flagEncrypted})
	goods, goodDir, _ := cutEnd(zipOf(good))
	moved := slices.Clone(innerDir)
	binary.LittleEndian.PutUint32(moved[42:], uint32(len(goods)))
	both := slices.Concat(goods, inner)
	at := len(both)
	long64 := slices.Concat(both, goodDir, moved,
		zip64End(1, len(moved), at+len(goodDir)), locator(at+len(goodDir)+len(moved)), zipEndOf(1, len(goodDir), at))
	two64 := slices.Concat(both, goodDir, moved, zip64End(1, len(moved), at+len(goodDir)), zip64End(1, len(goodDir), at),
		locator(at+len(goodDir)+len(moved)), zipEndOf(0xffff, -1, -1))
	tests := []struct {
		name string
		in   []byte
		kind string // that must be among the findings
		seen string // that must be among names or bodies
	}{
		{"A1: one header says stored, the other deflated", zipOf(made{name: "a", data: evil, packed: deflated(evil), local: put16(8, 8)}), "conflict method", evil},
		{"A2: the local size is longer, with a checksum of its own", zipOf(made{name: "a", data: "good, " + evil,
			central: func(h []byte) { put32(16, sum([]byte("good")))(h); put32(20, 4)(h); put32(24, 4)(h) }}), "conflict size", "good, " + evil},
		{"A2: the local size is shorter and a member follows", zipOf(made{name: "a", data: "good" + string(inner),
			local: func(h []byte) { put32(18, 4)(h); put32(22, 4)(h) }}), "hidden-member", evil},
		{"A3: names differ", zipOf(made{name: "good.txt", data: evil, local: rename("evil.exe")}), "conflict name", "evil.exe"},
		{"A4: a Unicode path in one header", zipOf(made{name: "good.txt", data: evil, extra: unicodePath("good.txt", "evil.exe")}), "conflict name", "evil.exe"},
		{"A4: two Unicode paths, the first taken", zipOf(made{name: "good.txt", data: evil, extra: unicodePath("good.txt", "evil.exe") + unicodePath("good.txt", "good.txt")}),
			"conflict name", "evil.exe"},
		{"A4: two Unicode paths, the last taken", zipOf(made{name: "good.txt", data: evil, extra: unicodePath("good.txt", "good.txt") + unicodePath("good.txt", "evil.exe")}),
			"conflict name", "evil.exe"},
		{"A5: one header says encrypted", zipOf(made{name: "a", data: evil, central: put16(8, 1)}), "conflict encryption", evil},
		{"A5: what is said to be encrypted holds records", wrapped, "hidden-member", evil},
		{"B1: one name twice", zipOf(good, made{name: "good.txt", data: evil}), "duplicate-name", evil},
		{"B2: a file with the name of a folder", zipOf(made{name: "good.txt/", data: evil}), "", evil},
		{"B3: one path in two forms", zipOf(made{name: "d/good.txt", data: "good"}, made{name: "d//x/../good.txt", data: evil}), "duplicate-name", evil},
		{"B3: separators of Windows", zipOf(made{name: "d/good.txt", data: "good"}, made{name: "d\\good.txt", data: evil}), "duplicate-name", evil},
		{"B4: one name in two cases", zipOf(good, made{name: "GOOD.TXT", data: evil}), "duplicate-name", evil},
		{"C1: a reader of streams meets one more", zipOf(made{name: "evil.exe", data: evil, noCentral: true}, good), "hidden-member", evil},
		{"C2: two end records", slices.Concat(hidden, zipOf(good)), "conflict end record", evil},
		{"C2: an end record in the comment", func() []byte {
			b := zipOf(good)
			binary.LittleEndian.PutUint16(b[len(b)-2:], uint16(len(hidden)))
			return append(b, hidden...)
		}(), "conflict end record", evil},
		{"C3: the count is short", func() []byte {
			b := zipOf(good, bad)
			binary.LittleEndian.PutUint16(b[len(b)-endSize+10:], 1)
			return b
		}(), "conflict count", evil},
		{"C3: the count of this disk is short", func() []byte {
			b := zipOf(good, bad)
			binary.LittleEndian.PutUint16(b[len(b)-endSize+8:], 1)
			return b
		}(), "conflict count", evil},
		{"C4: the offset leads to another directory than the size", slices.Concat(both, goodDir, moved, zipEndOf(1, len(moved), at)), "conflict directory", evil},
		{"C5: the zip64 record leads to another directory", long64, "conflict zip64", evil},
		{"C5: two zip64 records", two64, "conflict zip64", evil},
		{"C5: long values that nothing asks for", zipOf(made{name: "a", data: evil, extra: zip64Extra(4, 4)}), "conflict zip64", evil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			members, kinds := opened(tt.in, "zip", budget.Default)
			if tt.kind != "" && !slices.Contains(kinds, tt.kind) {
				t.Errorf("kinds = %q, want %q among them", kinds, tt.kind)
			}
			if !strings.Contains(strings.Join(append(members, conflictNames(tt.in)...), "\n"), tt.seen) {
				t.Errorf("members = %q, want %q among them", members, tt.seen)
			}
		})
	}
}

// conflictNames returns all candidate names of all members.
func conflictNames(b []byte) (names []string) {
	walkEach("zip", b, func(name string) { names = append(names, name) })
	return names
}

// TestZipOneWay is what honest writers do that looks like the above.
func TestZipOneWay(t *testing.T) {
	runOpen(t, "zip", []openCase{
		{"long values beside plain ones that say the same", zipOf(made{name: "a", data: "x", extra: zip64Extra(1, 1)}), []string{"a=x"}, nil},
		{"a field of long values left empty", zipOf(made{name: "a", data: "x", extra: zip64Extra(0, 0)}), []string{"a=x"}, nil},
		{"Info-ZIP: more than 65,535 are counted in zip64 only", slices.Concat(zipOf(made{name: "a", data: "x"})[:32+46+1],
			zip64End(1, 47, 32), locator(32+47), zipEndOf(0xffff, -1, -1)), []string{"a=x"}, nil},
		{"a zip in a zip", zipOf(made{name: "in.zip", data: string(zipOf(made{name: "b", data: "b"}))}),
			[]string{"in.zip=101"}, nil},
	})
}

func walkEach(typ string, b []byte, see func(name string)) {
	Walk(&entity.Entity{Path: "2", Depth: 1, Body: b}, []string{typ}, budget.New(budget.Default), func(m *entity.Entity) {
		for _, n := range m.Names {
			see(n.Text)
		}
	})
}
