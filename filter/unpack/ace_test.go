package unpack

import (
	"slices"
	"testing"

	"sekisho/filter/finding"
)

// aceHead wraps a header of ACE with its size and its checksum.
func aceHead(parts ...[]byte) []byte {
	b := slices.Concat(parts...)
	return slices.Concat(le16(int(^sum(b)&0xffff)), le16(len(b)), b)
}

// aceOf makes an archive of one file.
func aceOf(name string, flags int, method byte, data string) []byte {
	main := aceHead([]byte{0}, le16(0), []byte(aceMark), []byte{20, 20, 2, 0}, make([]byte, 16))
	file := aceHead([]byte{aceFile}, le16(aceSized|flags), le32(len(data)), le32(len(data)), le32(0), le32(0x20), le32(int(^sum([]byte(data)))),
		[]byte{method, 3}, le16(0), le16(0), le16(len(name)), []byte(name))
	return slices.Concat(main, file, []byte(data))
}

func TestACE(t *testing.T) {
	stored := aceOf(`資料\議事録.txt`, 0, aceStored, letter)
	sjis := aceOf("\x8b\x63\x8e\x96\x98\x5e.txt", 0, aceStored, "x")
	runItems(t, "ace", []itemCase{
		{"a stored document", stored, []string{"資料/議事録.txt: " + letter}, nil},
		{"a name in CP932", sjis, []string{"議事録.txt: x"}, nil},
		{"a method that is not read", aceOf("form.exe", 0, 2, "x"), []string{"form.exe: "}, []finding.Kind{finding.ContainerMethod}},
		{"behind a password", aceOf("form.exe", aceGarbled, 1, "x"), []string{"form.exe: "}, []finding.Kind{finding.ContainerEncrypted}},
		{"goes on in another file", aceOf("form.exe", 1<<13, aceStored, "x"), []string{"form.exe: x"}, []finding.Kind{finding.ContainerVolume}},
		{"the wrong checksum of a header", over(stored, 0, "\x00"), []string{"資料/議事録.txt: " + letter}, []finding.Kind{finding.ContainerChecksum}},
		{"the wrong checksum of a file", append(stored[:len(stored)-1:len(stored)-1], '?'), []string{"資料/議事録.txt: " + letter[:len(letter)-1] + "?"}, []finding.Kind{finding.ContainerChecksum}},
		{"cut in the data", stored[:len(stored)-9], []string{"資料/議事録.txt: " + letter[:len(letter)-9]}, []finding.Kind{finding.ContainerBroken}},
		{"cut in a header", stored[:60], nil, []finding.Kind{finding.ContainerBroken}},
		{"behind a program", slices.Concat([]byte("MZ stub"), stored), []string{"資料/議事録.txt: " + letter}, []finding.Kind{finding.ContainerPrefix}},
		{"no mark", []byte("nothing"), nil, []finding.Kind{finding.ContainerBroken}},
	})
}

func FuzzACE(f *testing.F) {
	f.Add(aceOf("a.txt", 0, aceStored, letter))
	f.Add(aceOf("a.exe", aceGarbled, 1, "x"))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "ace", b) })
}
