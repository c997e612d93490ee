package unpack

import (
	"bytes"
	"slices"
	"testing"

	"sekisho/filter/finding"
)

var inWIM = []string{"big.bin", "readme.txt", longName, "sub/form.exe"}

// wimTable is where the table of resources of an image that is not packed
// stands.
func wimTable(b []byte) int { return int(u64(b[56:])) }

// forgotten takes the first entry off the folder of an image that is stored:
// what it named stands in no list.
func forgotten(b []byte) []byte {
	out := bytes.Clone(b)
	at := bytes.Index(out, wide("readme.txt")) - wimFolder
	copy(out[at+64:at+84], make([]byte, 20))
	return out
}

func TestWIM(t *testing.T) {
	stored := readSpecimen(t, "wim/none.wim.gz")
	lzx := readSpecimen(t, "wim/lzx.wim")
	unread := []string{" unread", " unread", " 37 bytes", " unread"}
	one := finding.ContainerMethod
	runHeld(t, []heldCase{
		{"documents, stored", "wim", stored, inWIM, nil},
		{"packed by LZX", "wim", lzx, inWIM, nil},
		{"by LZX in wide chunks", "wim", readSpecimen(t, "wim/wide.wim"), inWIM, nil},
		{"by XPRESS", "wim", readSpecimen(t, "wim/xpress.wim"), inWIM, nil},
		{"by LZMS", "wim", readSpecimen(t, "wim/lzms.wim"), unread, []finding.Kind{one, one, one, one}},
		{"as one stream", "wim", readSpecimen(t, "wim/solid.wim"), []string{" unread"}, []finding.Kind{one, one}},
		{"a file that no folder names", "wim", forgotten(stored), []string{"big.bin", "readme.txt 0 bytes", longName, "sub/form.exe", " 760 bytes"}, []finding.Kind{finding.ContainerHidden}},
		{"one of several", "wim", over(stored, 42, "\x02"), inWIM, []finding.Kind{finding.ContainerVolume}},
		{"a chunk of four gigabytes", "wim", over(lzx, 20, "\x00\x00\x00\x80"), []string{" unread", " unread", " 37 bytes", " unread"}, []finding.Kind{one, one, one, one}},
		{"cut before the table", "wim", stored[:wimTable(stored)], nil, []finding.Kind{finding.ContainerBroken}},
		{"cut in the header", "wim", stored[:99], nil, []finding.Kind{finding.ContainerBroken}},
	})
}

func FuzzWIM(f *testing.F) {
	for _, name := range []string{"lzx", "xpress", "lzms"} {
		f.Add(readSpecimen(f, "wim/"+name+".wim"))
	}
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "wim", b) })
}

// alzOf makes an archive of one member.
func alzOf(name string, flags, method byte, data, plain string) []byte {
	size := func(s string) []byte { return le32(len(s)) }
	key := make([]byte, 12*int(flags&alzGarbled)) // what a password is checked by
	return slices.Concat([]byte("ALZ\x01\x0a\x00\x00\x00"+alzMember), le16(len(name)), []byte{0x20, 0, 0, 0, 0, flags | 0x40, 0, method, 0},
		le32(int(sum([]byte(plain)))), size(data), size(plain), []byte(name), key, []byte(data), []byte("CLZ\x01"))
}

func TestALZ(t *testing.T) {
	cp949 := "\xb0\xa8.txt"
	packed := string(deflated(letter))
	runItems(t, "alz", []itemCase{
		{"a stored document", alzOf("a.txt", 0, 0, letter, letter), []string{"a.txt: " + letter}, nil},
		{"deflated, in a folder", alzOf(`dir\a.txt`, 0, 2, packed, letter), []string{"dir/a.txt: " + letter}, nil},
		{"a name in Korean", alzOf(cp949, 0, 0, "x", "x"), []string{"감.txt|姶.txt: x"}, nil},
		{"behind a password", alzOf("a.exe", alzGarbled, 0, "x", "x"), []string{"a.exe: "}, []finding.Kind{finding.ContainerEncrypted}},
		{"a method that nobody knows", alzOf("a.exe", 0, 9, "x", "x"), []string{"a.exe: "}, []finding.Kind{finding.ContainerMethod}},
		{"the wrong checksum", alzOf("a.exe", 0, 0, "x", "y"), []string{"a.exe: x"}, []finding.Kind{finding.ContainerChecksum}},
		{"shorter than it says", alzOf("a.exe", 0, 0, "x", "xy"), []string{"a.exe: x"}, []finding.Kind{finding.ContainerBroken}},
		{"cut", alzOf("a.exe", 0, 0, "x", "x")[:20], nil, []finding.Kind{finding.ContainerBroken}},
	})
}

func FuzzALZ(f *testing.F) {
	f.Add(alzOf("a.txt", 0, 2, string(deflated(letter)), letter))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "alz", b) })
}
