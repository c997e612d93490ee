package unpack

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/testfile"
)

const stub = "MZ: a harmless stand-in for a program"

func le16(n int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(n)) }
func le32(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

func wide(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, le16(int(u))...)
	}
	return out
}

// tnefOf joins attributes to a TNEF stream.
func tnefOf(attributes ...[]byte) []byte {
	return slices.Concat([]byte("\x78\x9f\x3e\x22\x01\x00"), slices.Concat(attributes...))
}

func attribute(level byte, id int, data []byte) []byte {
	return slices.Concat([]byte{level}, le32(id), le32(len(data)), data, []byte{0, 0})
}

// mapiOf joins properties of variable size to a property list.
func mapiOf(props ...property) []byte {
	out := le32(len(props))
	for _, p := range props {
		if p.kind == kindObject {
			p.value = append(make([]byte, tnefObjectHead), p.value...)
		}
		out = slices.Concat(out, le16(int(p.kind)), le16(int(p.id)), le32(1), le32(len(p.value)), p.value, make([]byte, -len(p.value)&3))
	}
	return out
}

// items is what a walk gave, as "name|name: content" and the kinds of
// findings.
func items(typ string, b []byte, names ...string) (got []string, kinds []finding.Kind) {
	e := &entity.Entity{Path: "2", Depth: 1, Body: b}
	for _, n := range names {
		e.AddName(entity.Name{Text: n})
	}
	_, fs := Walk(e, []string{typ}, budget.New(budget.Small), func(m *entity.Entity) {
		var all []string
		for _, n := range m.Names {
			all = append(all, n.Text)
		}
		body := string(m.Body)
		if m.MediaType != "" {
			body = m.MediaType + " " + body
		}
		got = append(got, strings.Join(all, "|")+": "+body)
	})
	for _, f := range fs {
		kinds = append(kinds, f.Kind)
	}
	return got, kinds
}

type itemCase struct {
	name  string
	in    []byte
	want  []string
	kinds []finding.Kind
}

func runItems(t *testing.T, typ string, tests []itemCase, names ...string) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, kinds := items(typ, tt.in, names...)
			if !slices.Equal(got, tt.want) || !slices.Equal(kinds, tt.kinds) {
				t.Errorf("Walk(%s) = %q %v, want %q %v", typ, got, kinds, tt.want, tt.kinds)
			}
		})
	}
}

func TestTNEF(t *testing.T) {
	rendering := attribute(2, 0x9002, make([]byte, 14))
	title := attribute(2, 0x8010, []byte("REPORT~1.PDF\x00"))
	data := attribute(2, 0x800F, []byte(stub))
	long := attribute(2, 0x9005, mapiOf(property{propLongName, kindUnicode, wide("report.exe\x00")}))
	nested := tnefOf(rendering, data)
	cp932 := []byte("\x8e\x91\x97\xbf.doc\x00")
	runItems(t, "tnef", []itemCase{
		{"documents in winmail.dat pass", tnefOf(rendering, attribute(2, 0x8010, []byte("a.doc\x00")), attribute(2, 0x800F, []byte("text"))), []string{"a.doc: text"}, nil},
		{"long and short name differ", tnefOf(rendering, title, data, long), []string{"report.exe|REPORT~1.PDF: " + stub}, nil},
		{"two attachments", tnefOf(rendering, title, data, rendering, title, data), []string{"REPORT~1.PDF: " + stub, "REPORT~1.PDF: " + stub}, nil},
		{"no rendering data before the attachment", tnefOf(title, data), []string{"REPORT~1.PDF: " + stub}, nil},
		{"content as a property", tnefOf(rendering, title, attribute(2, 0x9005, mapiOf(property{propData, kindBinary, []byte(stub)}))), []string{"REPORT~1.PDF: " + stub}, nil},
		{"content in both forms, not the same", tnefOf(rendering, title, data, attribute(2, 0x9005, mapiOf(property{propData, kindBinary, []byte("text")}))), []string{"REPORT~1.PDF: " + stub, "REPORT~1.PDF: text"}, nil},
		{"an attached message", tnefOf(rendering, attribute(2, 0x9005, mapiOf(property{propData, kindObject, nested}))), []string{": " + string(nested)}, nil},
		{"a Japanese name in its code page", tnefOf(attribute(1, 0x9007, slices.Concat(le32(932), le32(0))), rendering, attribute(2, 0x8010, cp932), attribute(2, 0x800F, []byte("x"))), []string{"資料.doc: x"}, nil},
		{"an HTML body", tnefOf(attribute(1, 0x9003, mapiOf(property{propHTML, kindBinary, []byte("<p>")}))), []string{": text/html <p>"}, nil},
		{"cut within the content", tnefOf(rendering, title, data)[:6+9+14+2+9+13+2+9+4], []string{"REPORT~1.PDF: MZ: "}, []finding.Kind{finding.ContainerBroken}},
		{"junk between attributes", append(tnefOf(rendering, data), "junk!"...), []string{": " + stub}, []finding.Kind{finding.ContainerBroken}},
		{"padding at the end is honest", append(tnefOf(rendering, data), make([]byte, 20)...), []string{": " + stub}, nil},
	})
}

func TestMAPIPropertiesOfEveryKind(t *testing.T) {
	named := slices.Concat(le16(3), le16(0x8001), make([]byte, 16), le32(1), le32(6), wide("abc"), make([]byte, 2), le32(7))
	numbered := slices.Concat(le16(0x40), le16(0x8002), make([]byte, 16), le32(0), le32(9), make([]byte, 8))
	several := slices.Concat(le16(kindString|kindMultiple), le16(0x1234), le32(2), le32(1), []byte("a\x00\x00\x00"), le32(1), []byte("b\x00\x00\x00"))
	flag := slices.Concat(le16(0x0B), le16(0x0E1B), le32(1))
	name := mapiOf(property{propLongName, kindString, []byte("a.exe\x00")})[4:]
	list := slices.Concat(le32(5), named, numbered, several, flag, name)
	got, kinds := items("tnef", tnefOf(attribute(2, 0x9005, list), attribute(2, 0x800F, []byte("x"))))
	if !slices.Equal(got, []string{"a.exe: x"}) || kinds != nil {
		t.Errorf("Walk = %q %v, want the name behind properties of every width", got, kinds)
	}
}

func element(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return slices.Concat([]byte{tag, 0x82, byte(len(body) >> 8), byte(len(body))}, body)
}

func endless(tag byte, parts ...[]byte) []byte {
	return slices.Concat([]byte{tag, 0x80}, slices.Concat(parts...), []byte{0, 0})
}

const (
	oidData   = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
	oidSigned = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
)

func oid(s string) []byte { return append([]byte{berOID, byte(len(s))}, s...) }

// signedOf wraps an octet string, or nothing, as signed data.
func signedOf(octets []byte) []byte {
	inner := oid(oidData)
	if octets != nil {
		inner = slices.Concat(inner, element(berContent, octets))
	}
	return element(berSequence, oid(oidSigned), element(berContent, element(berSequence, []byte{2, 1, 1}, element(0x31), element(berSequence, inner), element(0x31))))
}

func TestCMS(t *testing.T) {
	mime := "Content-Type: text/plain\r\n\r\nhello"
	pieces := endless(berChunks, element(berOctets, []byte(mime[:9])), endless(berChunks, element(berOctets, []byte(mime[9:]))))
	chunked := endless(berSequence, oid(oidSigned), endless(berContent, endless(berSequence, []byte{2, 1, 1}, endless(0x31), endless(berSequence, oid(oidData), endless(berContent, pieces)), endless(0x31))))
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write([]byte(mime))
	_ = z.Close()
	algorithm := element(berSequence, oid("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x03\x08"))
	compressed := element(berSequence, oid(cmsCompressed), element(berContent, element(berSequence, []byte{2, 1, 0}, algorithm,
		element(berSequence, oid(oidData), element(berContent, element(berOctets, packed.Bytes()))))))
	tests := []itemCase{
		{"opaque signed", signedOf(element(berOctets, []byte(mime))), []string{"invoice.pdf: message/rfc822 " + mime}, nil},
		{"a bare file, signed as invoices are", signedOf(element(berOctets, []byte("%PDF-1.4"))), []string{"invoice.pdf: %PDF-1.4"}, nil},
		{"a signature that stands apart", signedOf(nil), nil, nil},
		{"in pieces of no stated length", chunked, []string{"invoice.pdf: message/rfc822 " + mime}, nil},
		{"compressed", compressed, []string{"invoice.pdf: message/rfc822 " + mime}, nil},
		{"cut", signedOf(element(berOctets, []byte(mime)))[:70], []string{"invoice.pdf: message/rfc822 Content-Type: tex"}, nil},
		{"only a beginning", signedOf(nil)[:14], nil, []finding.Kind{finding.ContainerBroken}},
	}
	runItems(t, "pkcs7-signed", tests, "invoice.pdf.p7m")
}

func TestICS(t *testing.T) {
	coded := base64.StdEncoding.EncodeToString([]byte(stub))
	event := func(lines ...string) []byte {
		return []byte("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:会議の案内です。よろしくお願いします\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
	}
	folded := "ATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=\"a;b.exe\":" + coded[:20] + "\r\n " + coded[20:30] + "\r\n\t" + coded[30:]
	runItems(t, "ics", []itemCase{
		{"an honest invitation", event("ATTACH:https://files.example/agenda.pdf", "DESCRIPTION:base64 is a code: YWJjZGVmZ2hpamtsbW5vcA=="), nil, nil},
		{"inline, folded, a semicolon in the name", event(folded), []string{"a;b.exe: " + stub}, nil},
		{"a data URL", event("ATTACH:data:application/octet-stream;base64," + coded), []string{": application/octet-stream " + stub}, nil},
		{"a data URL without a type", event("attach;VALUE=URI:DATA:;base64," + coded), []string{": " + stub}, nil},
		{"a photograph on a card", []byte("BEGIN:VCARD\nPHOTO;TYPE=JPEG;BASE64:" + coded + "\nEND:VCARD\n"), []string{": " + stub}, nil},
	})
}

// compoundOf makes a compound file of small streams; a path ends in the
// stream's name, the components before it are storages.
func compoundOf(streams ...[2]string) []byte {
	type node struct {
		name            string
		kind            byte
		child, next, at int
		size            int
	}
	none := -1
	nodes := []node{{"Root Entry", compoundRoot, none, none, 0, 0}}
	var small []byte
	var mini []int
	find := func(parent int, name string, kind byte) int {
		for c := nodes[parent].child; c != none; c = nodes[c].next {
			if nodes[c].name == name {
				return c
			}
		}
		nodes = append(nodes, node{name, kind, none, nodes[parent].child, 0, 0})
		nodes[parent].child = len(nodes) - 1
		return len(nodes) - 1
	}
	for _, s := range streams {
		at, parts := 0, strings.Split(s[0], "/")
		for i, p := range parts {
			kind := byte(compoundStorage)
			if i == len(parts)-1 {
				kind = compoundStream
			}
			at = find(at, p, kind)
		}
		nodes[at].at, nodes[at].size = len(mini), len(s[1])
		for rest := s[1]; rest != ""; {
			n := min(64, len(rest))
			small = append(append(small, rest[:n]...), make([]byte, 64-n)...)
			if rest = rest[n:]; rest != "" {
				mini = append(mini, len(mini)+1)
			} else {
				mini = append(mini, -2)
			}
		}
	}
	dirSectors, smallSectors := (len(nodes)+3)/4, (len(small)+511)/512
	nodes[0].at, nodes[0].size = 2+dirSectors, len(small)
	out := slices.Concat([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 16), le16(0x3e), le16(3), le16(0xFFFE), le16(9), le16(6), make([]byte, 10),
		le32(1), le32(2), le32(0), le32(4096), le32(1), le32(1), le32(-2), le32(0), le32(0), bytes.Repeat(le32(-1), 108))
	fat := [128]int{-3, -2}
	for i := 2; i < len(fat); i++ {
		switch fat[i] = i + 1; {
		case i == 1+dirSectors, i == 1+dirSectors+smallSectors:
			fat[i] = -2
		}
	}
	for _, n := range fat {
		out = append(out, le32(n)...)
	}
	for i := range 128 {
		if i < len(mini) {
			out = append(out, le32(mini[i])...)
		} else {
			out = append(out, le32(-1)...)
		}
	}
	for _, n := range nodes {
		name := wide(n.name + "\x00")
		out = slices.Concat(out, name, make([]byte, 64-len(name)), le16(len(name)), []byte{n.kind, 1}, le32(-1), le32(n.next), le32(n.child), make([]byte, 36), le32(n.at), le32(n.size), le32(0))
	}
	out = append(out, make([]byte, (4-len(nodes)%4)%4*128)...)
	return slices.Concat(out, small, make([]byte, smallSectors*512-len(small)))
}

// shared lets every stream begin at the first sector.
func shared(b []byte) []byte {
	for at := 3 * 512; at+compoundEntrySz <= len(b); at += compoundEntrySz {
		if b[at+66] == compoundStream {
			put32(at+116, 0)(b)
		}
	}
	return b
}

func TestMSG(t *testing.T) {
	const one = "__attach_version1.0_#00000000/"
	plain := [][2]string{{"__substg1.0_1000001F", string(wide("hello"))}, {one + "__substg1.0_3707001F", string(wide("議事録.pdf"))}, {one + "__substg1.0_37010102", "%PDF-1.4"}}
	nested := one + "__substg1.0_3701000D/"
	runItems(t, "msg", []itemCase{
		{"an honest item", compoundOf(plain...), []string{"議事録.pdf: %PDF-1.4", ": text/plain hello"}, nil},
		{"long and short name differ", compoundOf([2]string{one + "__substg1.0_3707001F", string(wide("a.exe"))}, [2]string{one + "__substg1.0_3704001E", "a.pdf"}, [2]string{one + "__substg1.0_37010102", stub}), []string{"a.exe|a.pdf: " + stub}, nil},
		{"in an attached item", compoundOf([2]string{nested + msgProperties, "x"}, [2]string{nested + one + "__substg1.0_3707001F", string(wide("a.exe"))}, [2]string{nested + one + "__substg1.0_37010102", stub}), []string{"a.exe: " + stub}, nil},
		{"an embedded object", compoundOf([2]string{nested + "CONTENTS", stub}), []string{": " + stub}, nil},
		{"two streams in one place", shared(compoundOf(plain...)), []string{": h\x00e\x00l\x00l\x00"}, []finding.Kind{finding.ContainerOverlap, finding.ContainerOverlap}},
		{"cut", compoundOf(plain...)[:1024], nil, []finding.Kind{finding.ContainerBroken}},
	})
}

// TestCorpusItems opens the TNEF and MSG suites; every attachment that two
// other readers agree upon must come out.
func TestCorpusItems(t *testing.T) {
	type record struct {
		File     string
		Expected struct{ Attachments []corpusMember }
	}
	for _, suite := range []string{"tnef", "msg"} {
		dir := testfile.Corpus(t, suite)
		for _, r := range testfile.Manifest[record](t, dir) {
			b, err := os.ReadFile(filepath.Join(dir, r.File))
			if err != nil {
				t.Fatal(err)
			}
			sums := map[string]bool{}
			Walk(&entity.Entity{Path: "1", Body: b}, []string{suite}, budget.New(budget.Default), func(m *entity.Entity) { sums[fmt.Sprintf("%x", sha256.Sum256(m.Body))] = true })
			for _, a := range r.Expected.Attachments {
				if a.SHA256 != "" && !sums[a.SHA256] {
					t.Errorf("%s/%s: attachment %q with SHA-256 %s is missing", suite, r.File, a.Name, a.SHA256)
				}
			}
		}
	}
}

// FuzzItems takes the format from the first byte.
func FuzzItems(f *testing.F) {
	types := []string{"tnef", "msg", "pkcs7-signed", "ics"}
	f.Add([]byte("\x00" + string(tnefOf(attribute(2, 0x9005, mapiOf(property{propLongName, kindUnicode, wide("a.exe")})), attribute(2, 0x800F, []byte("x"))))))
	f.Add([]byte("\x01" + string(compoundOf([2]string{"__attach_version1.0_#0/__substg1.0_37010102", "x"}))))
	f.Add([]byte("\x02" + string(signedOf(endless(berChunks, element(berOctets, []byte("Content-Type: a/b")))))))
	f.Add(fmt.Appendf(nil, "\x03BEGIN:VCALENDAR\nATTACH;ENCODING=BASE64:%s\n", base64.StdEncoding.EncodeToString([]byte(stub))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			promise(t, types[int(b[0])%len(types)], b[1:])
		}
	})
}
