package unpack

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

// rarBlock writes a block of RAR 5: its checksum, its size, its fields.
func rarBlock(fields []byte) []byte {
	b := append(binary.AppendUvarint(nil, uint64(len(fields))), fields...)
	return append(binary.LittleEndian.AppendUint32(nil, sum(b)), b...)
}

// rarOf writes an archive of stored files. dict is the field of the first
// one's dictionary, locked marks its content as encrypted.
func rarOf(dict uint64, locked bool, files ...szMade) []byte {
	const head, file, end, hasData, hasExtra = 1, 2, 5, 2, 1
	out := append([]byte(rarMagic+"\x01\x00"), rarBlock([]byte{head, 0, 0})...)
	for _, f := range files {
		extra := []byte{}
		flags := byte(hasData)
		if locked {
			record := append([]byte{1, 0, 0, 15}, make([]byte, 32)...)
			extra = append(binary.AppendUvarint(nil, uint64(len(record))), record...)
			flags |= hasExtra
		}
		b := []byte{file, flags}
		if locked {
			b = binary.AppendUvarint(b, uint64(len(extra)))
		}
		b = binary.AppendUvarint(b, uint64(len(f.data)))
		b = append(b, 4) // a checksum follows
		size := uint64(len(f.data))
		method := uint64(0)
		if dict > 0 {
			size, method = 1<<40, 3
		}
		b = binary.AppendUvarint(b, size)
		b = append(b, 0x20)
		b = binary.LittleEndian.AppendUint32(b, sum([]byte(f.data)))
		b = binary.AppendUvarint(b, method<<7|dict<<10)
		b = append(b, 1)
		b = append(binary.AppendUvarint(b, uint64(len(f.name))), f.name...)
		out = append(append(out, rarBlock(append(b, extra...))...), f.data...)
	}
	return append(out, rarBlock([]byte{end, 0, 0})...)
}

func walkRAR(b []byte, confined bool) (members, kinds []string) {
	bud := budget.New(budget.Default)
	if confined {
		bud.Confine()
	}
	_, found := Walk(&entity.Entity{Path: "2", Depth: 1, Body: b}, []string{"rar"}, bud, func(m *entity.Entity) {
		s := m.Name() + "=" + string(m.Body)
		if m.Unread {
			s += "?"
		}
		if m.Encrypted {
			s += "*"
		}
		members = append(members, s)
	})
	for _, f := range found {
		kinds = append(kinds, strings.TrimPrefix(string(f.Kind), "container."))
	}
	slices.Sort(kinds)
	return members, slices.Compact(kinds)
}

func TestRAR(t *testing.T) {
	files := []szMade{{"a.txt", "hello"}, {"資料/議事録.txt", "minutes"}}
	all := []string{"a.txt=hello", "資料/議事録.txt=minutes"}
	plain := rarOf(0, false, files...)
	tests := []struct {
		name     string
		in       []byte
		confined bool
		members  []string
		kinds    []string
	}{
		{"stored", plain, true, all, nil},
		{"stored needs no decoder to trust", plain, false, all, nil},
		{"a checksum is wrong", bytes.Replace(plain, []byte("hello"), []byte("hallo"), 1), true, []string{"a.txt=hallo", all[1]}, []string{"checksum"}},
		{"names beside encrypted content", rarOf(0, true, files...), true, []string{"a.txt=*", "資料/議事録.txt=*"}, []string{"encrypted"}},
		{"a dictionary of 4 GiB", rarOf(15, false, files...), true, []string{"a.txt=?", "資料/議事録.txt=?"}, []string{"method-unsupported"}},
		{"where nothing confines us", rarOf(1, false, files...), false, []string{"a.txt=?", "資料/議事録.txt=?"}, []string{"unopened"}},
		{"a program before it", append([]byte("MZ stub"), plain...), true, all, []string{"prefix"}},
		{"cut", plain[:len(plain)-20], true, all[:1], []string{"broken"}},
		{"no archive", []byte("hello"), true, nil, []string{"broken"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			members, kinds := walkRAR(tt.in, tt.confined)
			if !slices.Equal(members, tt.members) || !slices.Equal(kinds, tt.kinds) {
				t.Errorf("members %q with %q, want %q with %q", members, kinds, tt.members, tt.kinds)
			}
		})
	}
}

func FuzzRAR(f *testing.F) {
	files := []szMade{{"a.txt", "hello"}, {"b", "minutes"}}
	f.Add(rarOf(0, false, files...))
	f.Add(rarOf(0, true, files...))
	f.Add(rar4Of(stored4(rar4File, rar4Unicode, "?.txt\x00\x00\xb0\x70\x8b\x02", "x"), stored4(rar4Service, 0, "CMT", "x")))
	one, two := pieces5("a", "content")
	f.Add(append(one, two...))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "rar", b) })
}
