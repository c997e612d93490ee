package unpack

import (
	"bytes"
	"slices"
	"testing"

	"sekisho/filter/finding"
)

var inARJ = []string{"readme.txt", "big.bin", "sub/form.exe", longName}

// arjEntry is where the nth header of an archive stands.
func arjEntry(b []byte, nth int) int {
	at := 0
	for ; nth > 0; nth-- {
		at += 2 + bytes.Index(b[at+2:], []byte(arjMark))
	}
	return at
}

// resummed puts the right checksum behind a header that was changed.
func resummed(b []byte, at int) []byte {
	n := int(u16(b[at+2:]))
	return over(b, at+4+n, string(le32(int(sum(b[at+4:at+4+n])))))
}

func TestARJ(t *testing.T) {
	stored, most, fastest := readSpecimen(t, "arj/stored.arj"), readSpecimen(t, "arj/most.arj"), readSpecimen(t, "arj/fastest.arj")
	big := arjEntry(most, 2)
	form := arjEntry(most, 3)
	unread := []string{"readme.txt", "big.bin unread", "sub/form.exe", longName}
	runHeld(t, []heldCase{
		{"documents, stored", "arj", stored, inARJ, nil},
		{"packed as tightly as can be", "arj", most, inARJ, nil},
		{"packed in haste", "arj", fastest, inARJ, nil},
		{"zeros behind the end", "arj", append(bytes.Clone(most), make([]byte, 99)...), inARJ, nil},
		{"behind a program", "arj", slices.Concat([]byte(stub), []byte(arjMark+"\x30\x00"), most), inARJ, []finding.Kind{finding.ContainerPrefix}},
		{"a garbled member", "arj", readSpecimen(t, "arj/garbled.arj"), []string{"readme.txt encrypted"}, []finding.Kind{finding.ContainerEncrypted}},
		{"an unknown method", "arj", resummed(over(most, big+9, "\x07"), big), unread, []finding.Kind{finding.ContainerMethod}},
		{"a header whose checksum is wrong", "arj", over(most, form+8+4, "\x55"), inARJ, []finding.Kind{finding.ContainerChecksum}},
		{"content whose checksum is wrong", "arj", resummed(over(most, form+24, "\x00\x00\x00\x00"), form), inARJ, []finding.Kind{finding.ContainerChecksum}},
		{"a size of four gigabytes", "arj", resummed(over(most, big+20, "\xff\xff\xff\xff"), big), unread, []finding.Kind{finding.ContainerBroken}},
		{"goes on in another file", "arj", resummed(over(most, form+8, "\x04"), form), inARJ, []finding.Kind{finding.ContainerVolume}},
		{"cut", "arj", most[:form+40], []string{"readme.txt", "big.bin"}, []finding.Kind{finding.ContainerBroken}},
		{"a program behind the end", "arj", slices.Concat(most, []byte(stub)), append(slices.Clone(inARJ), " 37 bytes"), []finding.Kind{finding.ContainerTrailing}},
		{"nothing", "arj", []byte(arjMark), nil, []finding.Kind{finding.ContainerBroken}},
	})
}

func FuzzARJ(f *testing.F) {
	for _, name := range []string{"stored", "most", "fastest", "garbled"} {
		f.Add(readSpecimen(f, "arj/"+name+".arj"))
	}
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "arj", b) })
}
