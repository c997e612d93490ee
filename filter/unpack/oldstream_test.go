package unpack

import (
	"slices"
	"strings"
	"testing"

	"sekisho/filter/finding"
)

// szddOf packs s as COMPRESS.EXE would: literals, then what repeats them.
func szddOf(letter byte, s string, again int) []byte {
	out := slices.Concat([]byte("SZDD\x88\xf0\x27\x33A"), []byte{letter}, le32(len(s)+again))
	for at := 0; at < len(s); at += 8 {
		out = append(append(out, 0xff), s[at:min(at+8, len(s))]...)
		if at+8 > len(s) {
			out[len(out)-len(s)+at-1] = byte(1<<(len(s)-at) - 1) // the rest of the flags are copies
		}
	}
	from := szddStart
	return append(out, byte(from), byte(from>>4&0xf0)|byte(again-lzhMinRun))
}

func TestOldStreams(t *testing.T) {
	readme, big := packedFiles["readme.txt"], packedFiles["big.bin"]
	lzo := readSpecimen(t, "stream/readme.txt.lzo")
	size := strings.Index(string(lzo), "readme.txt") + len("readme.txt") + 4
	szdd := szddOf('e', "MZ a program", 4)
	lzma := readSpecimen(t, "stream/readme.txt.lzma")
	tests := []struct {
		typ   string
		named string
		itemCase
	}{
		{"lzop", "a.lzo", itemCase{"a document by lzop", lzo, []string{"readme.txt|a: " + readme}, nil}},
		{"lzop", "", itemCase{"a large one", readSpecimen(t, "stream/big.bin.lzo"), []string{"big.bin: " + big}, nil}},
		{"lzop", "", itemCase{"packed tightly", readSpecimen(t, "stream/best.bin.lzo"), []string{"big.bin: " + big}, nil}},
		{"lzop", "", itemCase{"a block of four gigabytes", over(lzo, size, "\xff\xff\xff\xff"), []string{"readme.txt: "}, []finding.Kind{finding.ContainerBroken}}},
		{"lzop", "", itemCase{"the checksum is wrong", over(lzo, size+8, "\x00\x00\x00\x00"), []string{"readme.txt: " + readme}, []finding.Kind{finding.ContainerBroken}}},
		{"lzop", "", itemCase{"an unknown method", over(lzo, 15, "\x09"), []string{"readme.txt: "}, []finding.Kind{finding.ContainerMethod}}},
		{"lzop", "", itemCase{"cut in the header", lzo[:20], []string{": "}, []finding.Kind{finding.ContainerBroken}}},
		{"szdd", "form.ex_", itemCase{"a program of COMPRESS.EXE", szdd, []string{"form.exe: MZ a programMZ a"}, nil}},
		{"szdd", "form.ex_", itemCase{"an unknown method", over(szdd, 8, "B"), []string{"form.exe: "}, []finding.Kind{finding.ContainerMethod}}},
		{"szdd", "readme", itemCase{"cut", szdd[:20], []string{"readme: MZ a "}, []finding.Kind{finding.ContainerBroken}}},
		{"szdd", "", itemCase{"cut in the header", szdd[:9], nil, []finding.Kind{finding.ContainerBroken}}},
		{"lzma", "議事録.txt.lzma", itemCase{"a document by LZMA Utils", lzma, []string{"議事録.txt: " + readme}, nil}},
		{"lzma", "", itemCase{"a dictionary of four gigabytes", over(lzma, 1, "\xff\xff\xff\xff"), []string{": "}, []finding.Kind{finding.ContainerMethod}}},
		{"lzma", "", itemCase{"cut", lzma[:12], []string{": "}, []finding.Kind{finding.ContainerBroken}}},
	}
	for _, tt := range tests {
		t.Run(tt.typ+", "+tt.name, func(t *testing.T) {
			got, kinds := items(tt.typ, tt.in, tt.named)
			if !slices.Equal(got, tt.want) || !slices.Equal(kinds, tt.kinds) {
				t.Errorf("Walk(%s) = %.80q %v, want %.80q %v", tt.typ, got, kinds, tt.want, tt.kinds)
			}
		})
	}
}

// FuzzOldStreams takes the format from the first byte.
func FuzzOldStreams(f *testing.F) {
	types := []string{"lzop", "szdd", "lzma"}
	f.Add(append([]byte{0}, readSpecimen(f, "stream/readme.txt.lzo")...))
	f.Add(append([]byte{1}, szddOf('e', "MZ a program", 4)...))
	f.Add(append([]byte{2}, readSpecimen(f, "stream/readme.txt.lzma")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			promise(t, types[int(b[0])%len(types)], b[1:])
		}
	})
}
