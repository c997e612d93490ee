package unpack

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/finding"
)

// packageOf is what Windows' packager makes of a file.
func packageOf(label, path, data string, wideNames ...string) []byte {
	out := slices.Concat(le16(2), []byte(label+"\x00"+path+"\x00"), le16(0), le16(3), le32(len(path)+1), []byte(path+"\x00"), le32(len(data)), []byte(data))
	for _, n := range wideNames {
		out = slices.Concat(out, le32(len(wide(n))/2), wide(n))
	}
	return out
}

// nativeOf is the stream that holds a package.
func nativeOf(pack []byte) string { return string(le32(len(pack))) + string(pack) }

// slideOf is a record of text and one that holds an object.
func slideOf(instance int, object string) string {
	data := object
	if instance == 1 {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write([]byte(object)) // a buffer takes all
		_ = w.Close()
		data = string(le32(len(object))) + z.String()
	}
	return string(slices.Concat(le16(0), le16(0x0fa8), le32(4), []byte("text"), le16(instance<<4), le16(0x1011), le32(len(data)), []byte(data)))
}

func TestOLE(t *testing.T) {
	pack := nativeOf(packageOf("form.pdf", `C:\tmp\form.exe`, stub))
	object := strings.Repeat("a compound file ", 9)
	named := nativeOf(packageOf("a.txt", `C:\a.txt`, stub, `C:\a.txt`, "form.exe", `C:\a.txt`))
	runItems(t, "ole", []itemCase{
		{"an honest document", compoundOf([2]string{"WordDocument", strings.Repeat("議事録", 9)}, [2]string{"1Table", "x"}), nil, nil},
		{"a packaged program", compoundOf([2]string{"ObjectPool/_1/" + oleNative, pack}), []string{"form.pdf|form.exe: " + stub}, nil},
		{"its true name in UTF-16 alone", compoundOf([2]string{oleNative, named}), []string{"a.txt|form.exe: " + stub}, nil},
		{"an object that is no package", compoundOf([2]string{oleNative, "\x04\x00\x00\x00BM.."}), []string{": BM.."}, nil},
		{"a package whose size lies", compoundOf([2]string{oleNative, pack[:len(pack)-20]}), []string{"form.pdf|form.exe: " + stub[:len(stub)-20]}, nil},
		{"an embedded workbook", compoundOf([2]string{"MBD01/Package", "PK\x03\x04"}), []string{": PK\x03\x04"}, nil},
		{"a program in a stream of another name", compoundOf([2]string{"Data", stub}), []string{": " + stub}, nil},
		{"an object on a slide", compoundOf([2]string{pptStream, slideOf(1, object)}), []string{": " + object}, nil},
		{"one that is not packed", compoundOf([2]string{pptStream, slideOf(0, object)}), []string{": " + object}, nil},
		{"one that is cut", compoundOf([2]string{pptStream, slideOf(1, object)[:40]}), []string{": a compound fi"}, []finding.Kind{finding.ContainerBroken}},
		{"an Outlook item is read elsewhere", compoundOf([2]string{msgProperties, "x"}, [2]string{"Data", stub}), nil, nil},
		{"no compound file", []byte("\xd0\xcf\x11\xe0"), nil, []finding.Kind{finding.ContainerBroken}},
	})
	runHeld(t, []heldCase{{"an installer", "ole", readSpecimen(t, "ole/installer.msi.gz"), []string{"Binary.Notice 760 bytes", "files.cab 186 bytes"}, nil}})
}

// sectionOf is what matters of a OneNote section: a property with the name of
// a file, a node that says where its content stands, and the content.
func sectionOf(name, ext, data string) []byte {
	const id = "6f1e8a3c-0b2d-4c5e-8f90-a1b2c3d4e5f6"
	raw, _ := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	slices.Reverse(raw[:4])
	slices.Reverse(raw[4:6])
	slices.Reverse(raw[6:8])
	out := []byte("\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3")
	out = slices.Concat(out, le16(2), []byte("\x14\x1c\x00\x14"), []byte(oneFileName), le32(7), le32(len(wide(name))), wide(name))
	out = slices.Concat(out, wide("<ifndf>{"+id+"}"), le32(len(wide(ext))/2), wide(ext))
	node := slices.Concat(le32(oneRefers|(4+8+4+16)<<10|1<<31), le32(len(out)+32), le32(0), le32(len(data)), raw)
	return slices.Concat(out, node, []byte(oneObject), le32(len(data)), make([]byte, oneHead-20), []byte(data))
}

func TestOneNote(t *testing.T) {
	program := leastPE()
	honest := sectionOf("議事録.pdf", ".pdf", "%PDF-1.7")
	runItems(t, "onenote", []itemCase{
		{"a document is attached", honest, []string{"議事録.pdf: %PDF-1.7"}, nil},
		{"a program is attached", sectionOf("form.exe", ".exe", stub), []string{"form.exe: " + stub}, nil},
		{"extension and name differ", sectionOf("form.exe", ".pdf", stub), []string{"object.pdf|form.exe: " + stub}, nil},
		{"text only", []byte("\xe4\x52\x5c\x7b notes"), nil, nil},
		{"cut", honest[:len(honest)-4], []string{"議事録.pdf: %PDF"}, []finding.Kind{finding.ContainerBroken}},
		{"cut in the head", honest[:len(honest)-12], nil, []finding.Kind{finding.ContainerBroken}},
		{"a program that is stored in another way", append([]byte("\xe4\x52\x5c\x7b...."), program...), []string{": " + program}, nil},
	})
}

// leastPE is the least program that has a table of sections.
func leastPE() string {
	b := make([]byte, 160)
	copy(b, "MZ")
	copy(b[60:], le32(64))
	copy(b[64:], "PE\x00\x00\x4c\x01\x01\x00")
	copy(b[64+24+16:], slices.Concat(le32(20), le32(140)))
	return string(b)
}

func FuzzOLE(f *testing.F) {
	f.Add(compoundOf([2]string{"ObjectPool/_1/" + oleNative, nativeOf(packageOf("a.pdf", `C:\a.exe`, stub, "a", "b"))}))
	f.Add(compoundOf([2]string{"MBD01/Package", "PK\x03\x04"}, [2]string{"\u4840\u3f3f", "x"}))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "ole", b) })
}

func FuzzOneNote(f *testing.F) {
	f.Add(sectionOf("a.exe", ".exe", stub))
	f.Add(append([]byte("\xe4\x52\x5c\x7b"), leastPE()...))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "onenote", b) })
}
