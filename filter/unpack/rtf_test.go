package unpack

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
)

// objectOf is an object of OLE 1 with its three names, of which the last two
// are empty.
func objectOf(class string, data []byte) string {
	b := slices.Concat(le32(0x501), le32(2), le32(len(class)+1), []byte(class+"\x00"), le32(0), le32(0), le32(len(data)), data)
	return hex.EncodeToString(b)
}

func rtfOf(digits string) []byte {
	return []byte(`{\rtf1\ansi {\object\objemb{\*\objclass Package}{\*\objdata ` + digits + "}}議事録}")
}

func TestRTF(t *testing.T) {
	pack := packageOf("form.exe", `C:\form.exe`, stub)
	digits := objectOf("Package", pack)
	raw, _ := hex.DecodeString(digits)
	want := []string{"form.exe: " + stub}
	half := len(digits) / 4 * 2
	compound := compoundOf([2]string{oleNative, "x"})
	runItems(t, "rtf", []itemCase{
		{"a letter", []byte(`{\rtf1\ansi 議事録をお送りします。\par objdata 4d5a}`), nil, nil},
		{"a picture", []byte(`{\rtf1{\pict\pngblip 89504e470d0a1a0a}}`), nil, nil},
		{"an equation", rtfOf(objectOf("Equation.3", []byte("x+y"))), nil, nil},
		{"a packaged program", rtfOf(digits), want, nil},
		{"in capitals, over lines", rtfOf(strings.ToUpper(digits[:half]) + "\r\n\t" + digits[half:]), want, nil},
		{"a group for other readers between", rtfOf(digits[:half] + `{\*\fake 4d5a90}` + digits[half:]), want, nil},
		{"a group of no meaning round the half", rtfOf(digits[:half] + "{" + digits[half:] + "}"), want, nil},
		{"words between", rtfOf(digits[:half] + `\par\b0 ` + digits[half:]), want, nil},
		{"characters in digits between", rtfOf(digits[:half] + `\'4d\'5a` + digits[half:]), want, nil},
		{"as raw bytes", rtfOf(fmt.Sprintf(`\bin%d %s`, len(raw), raw)), want, nil},
		{"a head that makes no sense", rtfOf("ffffffff" + hex.EncodeToString([]byte("\x01\x02\x03\xff\xff\xff"+leastPE()))), []string{": " + leastPE()}, nil},
		{"a compound file", rtfOf(objectOf("Word.Document.8", compound)), []string{": " + string(compound)}, nil},
		{"two objects", slices.Concat(rtfOf(digits), rtfOf(digits)), []string{want[0], want[0]}, nil},
		{"the second begins within the first", rtfOf(`4d5a\objdata ` + digits), []string{": MZ", want[0]}, nil},
		{"cut", rtfOf(digits)[:len(rtfOf(digits))-40], []string{"form.exe: " + stub[:len(stub)-14]}, nil},
		{"only the word", []byte(`{\rtf\objdata`), nil, nil},
	})
	if _, kinds := held("rtf", []byte(`{\rtf1`+strings.Repeat(rtfData, maxRTFObjects+1)), budget.Default); !slices.Equal(kinds, []finding.Kind{"limit members"}) {
		t.Errorf("more objects than are read: %v", kinds)
	}
}

func FuzzRTF(f *testing.F) {
	f.Add(rtfOf(objectOf("Package", packageOf("a.exe", "a", stub))))
	f.Add(rtfOf(`4d{\*\x 5a}\bin2 MZ\'41\objdata 41`))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "rtf", b) })
}
