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

// old4 writes a header of RAR 4.
func old4(kind byte, flags uint16, body ...byte) []byte {
	b := []byte{0, 0, kind, byte(flags), byte(flags >> 8), byte(len(body) + rar4FullHead), byte((len(body) + rar4FullHead) >> 8)}
	return summed4(append(b, body...))
}

// stored4 writes a stored member of RAR 4, name and content.
func stored4(kind byte, flags uint16, name, data string) []byte {
	return slices.Concat(old4(kind, flags|rar4HasData, fields4(name, data, '0')...), []byte(data))
}

func fields4(name, data string, method byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(data)))
	b = le.AppendUint32(b, uint32(len(data)))
	b = le.AppendUint32(append(b, 2), sum([]byte(data)))
	b = append(b, 0, 0, 0, 0, 29, method)
	b = le.AppendUint16(b, uint16(len(name)))
	return append(append(b, 0x20, 0, 0, 0), name...)
}

func rar4Of(blocks ...[]byte) []byte {
	return slices.Concat([]byte(rarMagic4), old4(rar4Main, 0, make([]byte, 6)...), slices.Concat(blocks...), old4(rar4End, 0))
}

// member5 writes a block of RAR 5 with content. flags are those of the block.
func member5(kind, flags byte, name, data string, extra ...byte) []byte {
	b := []byte{kind, flags | rar5HasData}
	if len(extra) > 0 {
		b[1] |= rar5HasExtra
		b = binary.AppendUvarint(b, uint64(len(extra)))
	}
	b = binary.AppendUvarint(b, uint64(len(data)))
	b = append(b, rar5Sum)
	b = binary.AppendUvarint(b, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(append(b, 0x20), sum([]byte(data)))
	b = append(binary.AppendUvarint(append(b, 0, 1), uint64(len(name))), name...)
	return slices.Concat(rarBlock(append(b, extra...)), []byte(data))
}

func rar5Of(mainFlags byte, blocks ...[]byte) []byte {
	return slices.Concat([]byte(rarMagic5), rarBlock([]byte{rar5Main, 0, mainFlags}), slices.Concat(blocks...), rarBlock([]byte{rar5End, 0, 0}))
}

// pieces5 writes a member over two volumes.
func pieces5(name, data string) (one, two []byte) {
	first, second := data[:len(data)/2], data[len(data)/2:]
	whole := binary.LittleEndian.AppendUint32(nil, sum([]byte(data)))
	piece := func(flag byte, part string) []byte {
		b := []byte{rar5File, flag | rar5HasData, byte(len(part)), rar5Sum, byte(len(data)), 0x20}
		b = append(append(b, whole...), 0, 1, byte(len(name)))
		return slices.Concat(rarBlock(append(b, name...)), []byte(part))
	}
	return rar5Of(rar5MainVolume, piece(rar5After, first)), rar5Of(rar5MainVolume, piece(rar5Before, second))
}

func TestRARHeaders(t *testing.T) {
	quick := func(name string) []byte {
		file := member5(rar5File, 0, "a.txt", "hello")
		shown := member5(rar5File, 0, name, "hello")
		head := shown[:len(shown)-len("hello")]
		record := append([]byte{0, byte(len(file))}, binary.AppendUvarint(nil, uint64(len(head)))...)
		record = append(record, head...)
		record = append(binary.AppendUvarint([]byte{0, 0, 0, 0}, uint64(len(record))), record...)
		return rar5Of(0, file, member5(rar5Service, 0, "QO", string(record)))
	}
	one, two := pieces5("minutes.txt", "minutes of the meeting")
	broken := rar4Of(stored4(rar4File, 0, "a.txt", "a"), stored4(rar4File, 0, "b.txt", "b"), stored4(rar4File, 0, "c.txt", "c"))
	broken[bytes.Index(broken, []byte("b.txt"))] = 'x'
	stream := append([]byte{byte(1 + len(":..\\evil.exe")), rar5ExtraStream}, ":..\\evil.exe"...)
	hard := []byte{10, rar5ExtraLink, 4, 0, 5, 'a', '.', 't', 'x', 't'}
	hard[0] = byte(len(hard) - 1)
	tests := []struct {
		name    string
		in      []byte
		members []string
		kinds   []string
	}{
		{"RAR 4", rar4Of(stored4(rar4File, 0, "docs\\a.txt", "hello")), []string{"docs/a.txt=hello"}, nil},
		{"RAR 4 of Japanese Windows", rar4Of(stored4(rar4File, 0, "\x8b\x63\x8e\x96\x98\x5e.txt", "x")), []string{"議事録.txt=x"}, nil},
		{"a name in both forms", rar4Of(stored4(rar4File, rar4Unicode, "?.txt\x00\x00\xb0\x70\x8b\x02", "x")), []string{"議.txt|?.txt=x"}, nil},
		{"a name whose forms part company", rar4Of(stored4(rar4File, rar4Unicode, "a.txt\x00\x00\x00ab.e\x00xe", "x")), []string{"ab.exe|a.txt=x"}, []string{"conflict"}},
		{"a coded name that makes none", rar4Of(stored4(rar4File, rar4Unicode, "a.txt\x00\x00", "x")), []string{"a.txt=x"}, []string{"broken"}},
		{"a damaged header does not hide what follows", broken, []string{"a.txt=a", "c.txt=c"}, []string{"broken"}},
		{"an old service record is passed over", rar4Of(old4(rar4OldService, 0, make([]byte, 15)...), stored4(rar4File, 0, "a", "x")), []string{"a=x"}, nil},
		{"a comment is a member", rar4Of(stored4(rar4Service, 0, "CMT", "PK evil")), []string{"CMT=PK evil"}, nil},
		{"recovery data is none", rar4Of(stored4(rar4File, 0, "a", "x"), stored4(rar4Service, 0, "RR", "xxxx")), []string{"a=x"}, nil},
		{"sizes that disagree", rar4Of(slices.Concat(old4(rar4File, rar4HasData, append([]byte{9}, fields4("a", "hello", '0')[1:]...)...), []byte("hello!!!!"))),
			[]string{"a=hello!!!!"}, []string{"checksum", "conflict"}},
		{"a method of the future", rar4Of(slices.Concat(old4(rar4File, rar4HasData, fields4("a", "hello", '9')...), []byte("hello"))), []string{"a=?"}, []string{"method-unsupported"}},
		{"RAR 5", rar5Of(0, member5(rar5File, 0, "資料.txt", "hello")), []string{"資料.txt=hello"}, nil},
		{"NUL ends a name for some", rar5Of(0, member5(rar5File, 0, "a.exe\x00.txt", "x")), []string{"a.exe\x00.txt|a.exe=x"}, []string{"conflict"}},
		{"a stream is a member by its own name", rar5Of(0, member5(rar5File, 0, "a.txt", "x"), member5(rar5Service, 0, "STM", "MZ", stream...)),
			[]string{"a.txt=x", "..\\evil.exe|STM=MZ"}, nil},
		{"a hard link has the content of what it names", rar5Of(0, member5(rar5File, 0, "a.txt", "x"), member5(rar5File, 0, "b.exe", "", hard...)), []string{"a.txt=x", "b.exe=x"}, nil},
		{"quick open repeats the headers", quick("a.txt"), []string{"a.txt=hello"}, nil},
		{"quick open shows another name", quick("b.exe"), []string{"a.txt=hello", "b.exe=?"}, []string{"conflict", "hidden-member", "volume"}},
		{"a stub holds the signature", slices.Concat([]byte("MZ "+rarMagic+" stub"), rar5Of(0, member5(rar5File, 0, "a", "x"))), []string{"a=x"}, []string{"prefix"}},
		{"a second archive behind", slices.Concat(rar5Of(0, member5(rar5File, 0, "a", "x")), []byte("Rar! or what")), []string{"a=x", "=Rar! or what"}, []string{"trailing"}},
		{"the first volume alone", one, []string{"minutes.txt=?"}, []string{"volume"}},
		{"both volumes", slices.Concat(one, make([]byte, 7), two), []string{"minutes.txt=minutes of the meeting"}, nil},
		{"volumes in the wrong order", slices.Concat(two, one), []string{"minutes.txt=?", "minutes.txt=?"}, []string{"duplicate-name", "volume"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			members, kinds := allNames(tt.in, "rar")
			if !slices.Equal(members, tt.members) || !slices.Equal(kinds, tt.kinds) {
				t.Errorf("members %q with %q, want %q with %q", members, kinds, tt.members, tt.kinds)
			}
		})
	}
}

// allNames is what came out, as "name|other name=content".
func allNames(b []byte, typ string) (members, kinds []string) {
	_, found := Walk(&entity.Entity{Path: "2", Depth: 1, Body: b}, []string{typ}, budget.New(budget.Default), func(m *entity.Entity) {
		var names []string
		for _, n := range m.Names {
			names = append(names, n.Text)
		}
		s := strings.Join(names, "|") + "=" + string(m.Body)
		if m.Unread {
			s += "?"
		}
		members = append(members, s)
	})
	for _, f := range found {
		kinds = append(kinds, strings.TrimPrefix(string(f.Kind), "container."))
	}
	slices.Sort(kinds)
	return members, slices.Compact(kinds)
}
