package unpack

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

// What a container declares is looked at before a decoder is asked: none of
// these gets the memory that it says it needs, and each is told of.
func TestDeclaredMemory(t *testing.T) {
	const mostMemory = 288 << 20 // the largest model of PPMd, which is charged, and some
	files := []szMade{{"a.txt", strings.Repeat("x", 300)}}
	ppmd := binary.LittleEndian.AppendUint16(nil, 5|255<<4) // APPNOTE 5.10: order 6, 256 MiB
	tests := []struct {
		name, typ string
		in        []byte
	}{
		{"RAR with a dictionary of 4 GiB", "rar", rarOf(15, false, files...)},
		{"RAR with a dictionary of 64 GiB", "rar", rarOf(19, false, files...)},
		{"RAR cut in its data", "rar", rarOf(0, false, files...)[:200]},
		{"RAR cut in a header", "rar", rarOf(0, false, files...)[:30]},
		{"7z with a PPMd model of 2 GiB", "7z", szOf(szSpec{method: "\x03\x04\x01", props: "\x06\x00\x00\x00\x80", files: files})},
		{"7z with an LZMA dictionary of 4 GiB", "7z", szOf(szSpec{method: "\x03\x01\x01", props: "\x5d\xff\xff\xff\xff", packed: []byte{0, 1, 2, 3, 4, 5}, files: files})},
		{"7z of four thousand million files", "7z", szOf(szSpec{method: szCopy, files: files, count: 1 << 32})},
		{"zip with a PPMd model of 256 MiB", "zip", zipOf(made{name: "a", data: files[0].data, method: 98, packed: append(ppmd, 0, 1, 2, 3, 4, 5, 6, 7)})},
		{"zip with garbage for xz", "zip", zipOf(made{name: "a", data: files[0].data, method: 95, packed: []byte("\xfd7zXZ\x00garbage that is no xz at all")})},
		{"lzip with a dictionary of 512 MiB", "lzip", []byte("LZIP\x01\x1d" + strings.Repeat("\x00\x01", 40))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bud := budget.New(budget.Default)
			bud.Confine()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, found := Walk(&entity.Entity{Path: "2", Depth: 1, Body: tt.in}, []string{tt.typ}, bud, func(*entity.Entity) {})
			runtime.ReadMemStats(&after)
			if len(found)+len(bud.Reached()) == 0 {
				t.Error("nothing found, no limit reached")
			}
			if made := after.TotalAlloc - before.TotalAlloc; made > mostMemory {
				t.Errorf("%d MiB were made, want at most %d", made>>20, mostMemory>>20)
			}
		})
	}
}
