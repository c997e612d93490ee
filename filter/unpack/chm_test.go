package unpack

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/finding"
)

// manualPage is what the specimen's pages hold.
func manualPage(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<html><head><title>p%d</title></head><body>\n", n)
	for k := range 1500 {
		fmt.Fprintf(&b, "<p>Page %d, line %d of the manual.</p>\n", n, k*k)
	}
	return b.String() + "\n</body></html>\n"
}

func TestCHM(t *testing.T) {
	manual := readSpecimen(t, "chm/manual.chm")
	all := []string{"#IDXHDR 4096 bytes", "#ITBITS 0 bytes", "#STRINGS 1 bytes", "#SYSTEM 4210 bytes", "$OBJINST 2751 bytes", "_#_README_#_ 136 bytes",
		"form.exe", "p1.htm", "p2.htm", "p3.htm", "readme.txt"}
	stored := []string{"#IDXHDR unread", "#ITBITS 0 bytes", "#STRINGS unread", "#SYSTEM 4210 bytes", "$OBJINST unread", "_#_README_#_ 136 bytes",
		"form.exe unread", "p1.htm unread", "p2.htm unread", "p3.htm unread", "readme.txt unread"}
	repeated := func(k finding.Kind) []finding.Kind { return []finding.Kind{k, k, k, k, k, k, k, k} }
	control := bytes.Index(manual, []byte("LZXC"))
	runHeld(t, []heldCase{
		{"a manual", "chm", manual, all, nil},
		{"a window that is too large", "chm", over(manual, control+12, "\x00\x10\x00\x00"), stored, repeated(finding.ContainerMethod)},
		{"no word on how it is packed", "chm", over(manual, control, "none"), stored, repeated(finding.ContainerBroken)},
		{"cut in the stream", "chm", manual[:len(manual)-9000], slices.Replace(slices.Replace(slices.Clone(stored), 4, 5, "$OBJINST 2751 bytes"), 7, 8, "p1.htm"), repeated(finding.ContainerBroken)[:6]},
		{"cut in the header", "chm", manual[:60], nil, []finding.Kind{finding.ContainerBroken}},
		{"no directory", "chm", over(manual, 0x48, "\xff\xff\xff\xff\xff\xff\xff\xff"), nil, []finding.Kind{finding.ContainerBroken}},
	})
}

func FuzzCHM(f *testing.F) {
	f.Add(readSpecimen(f, "chm/manual.chm"))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "chm", b) })
}
