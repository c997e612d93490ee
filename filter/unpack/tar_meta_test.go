package unpack

import (
	"archive/tar"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// tarBlocks writes a header block by hand, with its data, padded.
func tarBlocks(flag byte, name, data string, change ...func(b []byte)) []byte {
	b := make([]byte, tarBlock)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00", len(data)))
	b[156] = flag
	copy(b[257:], "ustar\x0000")
	for _, c := range change {
		c(b)
	}
	copy(b[148:], "        ")
	total := 0
	for _, c := range b {
		total += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", total))
	return append(b, append([]byte(data), make([]byte, -len(data)&(tarBlock-1))...)...)
}

func tarEnd(parts ...[]byte) []byte {
	return append(slices.Concat(parts...), make([]byte, 2*tarBlock)...)
}

func paxRecord(key, value string) string {
	n := len(key) + len(value) + 3
	for len(fmt.Sprint(n))+len(key)+len(value)+3 != n {
		n++
	}
	return fmt.Sprintf("%d %s=%s\n", n, key, value)
}

func sizeField(text string) func([]byte) {
	return func(b []byte) { copy(b[124:136], text) }
}

func TestTarThatTellsTwoTales(t *testing.T) {
	long := strings.Repeat("d/", 60) + "a.txt"
	hidden := tarBlocks(tar.TypeReg, "evil.exe", "MZ")
	cover := strings.Repeat("x", tarBlock) + string(hidden)
	tests := []struct {
		name    string
		in      []byte
		members []string
		kinds   []string
	}{
		{"an honest long name of GNU", tarEnd(tarBlocks('L', "././@LongLink", long+"\x00"), tarBlocks('0', long[:99], "x")), []string{long + "=x"}, nil},
		{"an honest Unicode name beside a plainer one", tarEnd(tarBlocks('x', "PaxHeaders/a", paxRecord("path", "議事録.txt")), tarBlocks('0', "______.txt", "x")),
			[]string{"議事録.txt|______.txt=x"}, nil},
		{"two long names", tarEnd(tarBlocks('L', "././@LongLink", "a.txt\x00"), tarBlocks('L', "././@LongLink", "b.exe\x00"), tarBlocks('0', "a.txt", "x")),
			[]string{"b.exe|a.txt=x"}, []string{"conflict"}},
		{"a long name and a pax path", tarEnd(tarBlocks('x', "p", paxRecord("path", "a.txt")), tarBlocks('L', "././@LongLink", "b.exe\x00"), tarBlocks('0', "a.txt", "x")),
			[]string{"b.exe|a.txt=x"}, []string{"conflict"}},
		{"a path twice in one record", tarEnd(tarBlocks('x', "p", paxRecord("path", "b.exe")+paxRecord("path", "a.txt")), tarBlocks('0', "a.txt", "x")),
			[]string{"a.txt|b.exe=x"}, []string{"conflict"}},
		{"the header has another extension", tarEnd(tarBlocks('x', "p", paxRecord("path", "a.txt")), tarBlocks('0', "b.exe", "x")),
			[]string{"a.txt|b.exe=x"}, []string{"conflict"}},
		{"a pax size that covers a member", tarEnd(tarBlocks('x', "p", paxRecord("size", fmt.Sprint(len(cover)))), tarBlocks('0', "a.txt", cover, sizeField("00000001000\x00"))),
			[]string{fmt.Sprintf("a.txt=%s", cover), "evil.exe=MZ"}, []string{"conflict"}},
		{"a size that both say", tarEnd(tarBlocks('x', "p", paxRecord("size", "1")), tarBlocks('0', "a.txt", "x")), []string{"a.txt=x"}, nil},
		{"a size below none", tarEnd(tarBlocks('0', "a.txt", "x", sizeField("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")), tarBlocks('0', "b.txt", "y")),
			[]string{"b.txt=y"}, []string{"broken"}},
		{"a size in base 256", tarEnd(tarBlocks('0', "a.txt", "x", sizeField("\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"))), []string{"a.txt=x"}, nil},
		{"a member that began in another volume", tarEnd(tarBlocks(tarContinued, "a.txt", "x")), []string{"a.txt=x?"}, []string{"volume"}},
		{"of 1979, without a mark", tarEnd(tarBlocks(0, "a.txt", "x", func(b []byte) { clear(b[257:]) })), []string{"a.txt=x"}, nil},
		{"a checksum that is wrong hides nothing behind it", func() []byte {
			b := tarEnd(tarBlocks('0', "a.txt", "x"), tarBlocks('0', "b.txt", "y"))
			b[0] = 'z'
			return b
		}(), []string{"b.txt=y"}, []string{"broken"}},
		{"a folder with content", tarEnd(tarBlocks('5', "d/", string(hidden))), []string{"d/=", "evil.exe=MZ"}, []string{"conflict"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			members, kinds := allNames(tt.in, "tar")
			if !slices.Equal(members, tt.members) || !slices.Equal(kinds, tt.kinds) {
				t.Errorf("members %q with %q, want %q with %q", members, kinds, tt.members, tt.kinds)
			}
		})
	}
}

func TestTarMetaEnds(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte{0}, tarBlock), tarBlocks('x', "p", "9 path"), tarBlocks('x', "p", "99999999999999999999 path=x\n"),
		tarBlocks('L', "p", "", sizeField("77777777777\x00"))} {
		if m := tarMetaOf(b); len(m.long)+len(m.pax)+len(m.sizes) > 0 {
			t.Errorf("tarMetaOf(%q) = %v, want nothing", b[:min(len(b), 20)], m)
		}
	}
}
