package unpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// made is a zip member to be written. local and central may change the bytes
// of their header before it is written.
type made struct {
	name           string
	data           string
	method         uint16
	packed         []byte // instead of data packed by method
	flags          uint16
	extra          string
	late           bool // sizes in a data descriptor
	local, central func(h []byte)
	noCentral      bool
}

// deflated packs s.
func deflated(s string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 6)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.Bytes()
}

func (m made) bytes() []byte {
	switch {
	case m.packed != nil:
		return m.packed
	case m.method == methodDeflate:
		return deflated(m.data)
	}
	return []byte(m.data)
}

// header writes what local and central headers have in common.
func (m made) header(sig string, blank bool) []byte {
	h := []byte(sig)
	le := binary.LittleEndian
	if sig == sigCentral {
		h = le.AppendUint16(h, 20)
	}
	h = le.AppendUint16(h, 20)
	h = le.AppendUint16(h, m.flags)
	h = le.AppendUint16(h, m.method)
	h = le.AppendUint32(h, 0x5a000000)
	if blank {
		h = append(h, make([]byte, 12)...)
	} else {
		h = le.AppendUint32(h, crc32.ChecksumIEEE([]byte(m.data)))
		h = le.AppendUint32(h, uint32(len(m.bytes())))
		h = le.AppendUint32(h, uint32(len(m.data)))
	}
	h = le.AppendUint16(h, uint16(len(m.name)))
	return le.AppendUint16(h, uint16(len(m.extra)))
}

func (m made) descriptor() []byte {
	d := binary.LittleEndian.AppendUint32([]byte(sigDescriptor), crc32.ChecksumIEEE([]byte(m.data)))
	d = binary.LittleEndian.AppendUint32(d, uint32(len(m.bytes())))
	return binary.LittleEndian.AppendUint32(d, uint32(len(m.data)))
}

// zipOf writes a zip file.
func zipOf(members ...made) []byte {
	var out, dir []byte
	n := 0
	for _, m := range members {
		if m.late {
			m.flags |= flagDescriptor
		}
		at := len(out)
		l := append(m.header(sigLocal, m.late), m.name+m.extra...)
		if m.local != nil {
			m.local(l)
		}
		out = append(append(out, l...), m.bytes()...)
		if m.late {
			out = append(out, m.descriptor()...)
		}
		if m.noCentral {
			continue
		}
		c := append(m.header(sigCentral, false), make([]byte, 14)...)
		binary.LittleEndian.PutUint32(c[42:], uint32(at))
		c = append(c, m.name+m.extra...)
		if m.central != nil {
			m.central(c)
		}
		dir = append(dir, c...)
		n++
	}
	return append(append(out, dir...), zipEndOf(n, len(dir), len(out))...)
}

func zipEndOf(n, size, offset int) []byte {
	e := append([]byte(sigEnd), 0, 0, 0, 0)
	e = binary.LittleEndian.AppendUint16(e, uint16(n))
	e = binary.LittleEndian.AppendUint16(e, uint16(n))
	e = binary.LittleEndian.AppendUint32(e, uint32(size))
	e = binary.LittleEndian.AppendUint32(e, uint32(offset))
	return append(e, 0, 0)
}

// put changes a field of a header.
func put16(at int, v uint16) func([]byte) {
	return func(h []byte) { binary.LittleEndian.PutUint16(h[at:], v) }
}

func put32(at int, v uint32) func([]byte) {
	return func(h []byte) { binary.LittleEndian.PutUint32(h[at:], v) }
}

// rename overwrites the name in a local header; the new one has its length.
func rename(name string) func([]byte) {
	return func(h []byte) { copy(h[localSize:], name) }
}

// unicodePath is the extra field 0x7075 for a header name.
func unicodePath(header, name string) string {
	x := binary.LittleEndian.AppendUint16(nil, extraUnicode)
	x = binary.LittleEndian.AppendUint16(x, uint16(5+len(name)))
	x = binary.LittleEndian.AppendUint32(append(x, 1), crc32.ChecksumIEEE([]byte(header)))
	return string(x) + name
}

// opened is what one test sees of a walk: members as "name=body", with
// "[reading]" before and a mark for what is missing, and kinds with what they
// differ in.
func opened(b []byte, typ string, l budget.Limits) (members, kinds []string) {
	e := &entity.Entity{Path: "2", Depth: 1, Body: b, Names: []entity.Name{{Text: "file." + typ}}}
	_, found := Walk(e, []string{typ}, budget.New(l), func(m *entity.Entity) {
		s := m.Name() + "=" + string(m.Body)
		if len(m.Body) > 60 {
			s = fmt.Sprintf("%s=%d", m.Name(), len(m.Body))
		}
		for mark, on := range map[string]bool{"?": m.Unread, "*": m.Encrypted, "/": m.Dir, "@": m.Link} {
			if on {
				s += mark
			}
		}
		if m.Reading != "" {
			s = "[" + m.Reading + "]" + s
		}
		members = append(members, s)
	})
	for _, f := range finding.Sort(found) {
		s := strings.TrimPrefix(string(f.Kind), "container.")
		for _, key := range []string{"in", "kind", "record", "method", "type"} {
			if v := f.Evidence[key]; v != "" {
				s += " " + v
				break
			}
		}
		kinds = append(kinds, s)
	}
	slices.Sort(kinds)
	return members, slices.Compact(kinds)
}

// openCase is one container and what is to be seen of it.
type openCase struct {
	name    string
	in      []byte
	members []string
	kinds   []string
}

func runOpen(t *testing.T, typ string, tests []openCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			members, kinds := opened(tt.in, typ, budget.Default)
			if !slices.Equal(members, tt.members) {
				t.Errorf("members = %q, want %q", members, tt.members)
			}
			if !slices.Equal(kinds, tt.kinds) {
				t.Errorf("kinds = %q, want %q", kinds, tt.kinds)
			}
		})
	}
}

const (
	letter = "Dear colleague, please find the minutes of the meeting attached. "
	cp932  = "\x8b\x63\x8e\x96\x98\x5e.txt" // 議事録.txt
)

func TestZipHonest(t *testing.T) {
	text := strings.Repeat(letter, 40)
	whole := fmt.Sprintf("=%d", len(text))
	utf8Name := "議事録.docx"
	spaced := zipOf(made{name: "a.txt", data: "a"})
	runOpen(t, "zip", []openCase{
		{"empty", zipOf(), nil, nil},
		{"stored and deflated", zipOf(made{name: "a.txt", data: "a"}, made{name: "b.txt", data: text, method: 8}),
			[]string{"a.txt=a", "b.txt" + whole}, nil},
		{"a folder", zipOf(made{name: "docs/"}, made{name: "docs/a.txt", data: "a"}),
			[]string{"docs/=/", "docs/a.txt=a"}, nil},
		{"Windows Explorer in Japan: CP932, no flag", zipOf(made{name: cp932, data: "a"}), []string{"議事録.txt=a"}, nil},
		{"7-Zip: UTF-8 with its flag", zipOf(made{name: utf8Name, data: "a", flags: flagUTF8}), []string{utf8Name + "=a"}, nil},
		{"WinZip: CP932 with the same name as Unicode path", zipOf(made{name: cp932, data: "a", extra: unicodePath(cp932, "議事録.txt")}),
			[]string{"議事録.txt=a"}, nil},
		{"Info-ZIP: a Unicode path spells what ASCII could not", zipOf(made{name: "___.txt", data: "a", extra: unicodePath("___.txt", "議事録.txt")}),
			[]string{"___.txt=a"}, nil},
		{"macOS: data descriptors and __MACOSX", zipOf(made{name: "a.txt", data: text, method: 8, late: true},
			made{name: "__MACOSX/._a.txt", data: "\x00\x05\x16\x07", method: 8, late: true}),
			[]string{"a.txt" + whole, "__MACOSX/._a.txt=\x00\x05\x16\x07"}, nil},
		{"Java: an empty field marks the jar", zipOf(made{name: "META-INF/", extra: "\xfe\xca\x00\x00"},
			made{name: "META-INF/MANIFEST.MF", data: text, method: 8, late: true}),
			[]string{"META-INF/=/", "META-INF/MANIFEST.MF" + whole}, nil},
		{"zipalign pads the extra field with zeros", zipOf(made{name: "a.txt", data: "a", extra: "\x00\x00\x00"}), []string{"a.txt=a"}, nil},
		{"a zip in a zip is a member, not a second directory", zipOf(made{name: "in.zip", data: string(spaced)}, made{name: "b", data: "b"}),
			[]string{fmt.Sprintf("in.zip=%d", len(spaced)), "b=b"}, nil},
		{"a spanned archive that fitted one volume", append([]byte("PK00"), zipOf(made{name: "a.txt", data: "a"})...),
			[]string{"a.txt=a"}, nil},
		{"names that differ in more than case", zipOf(made{name: "a.txt", data: "1"}, made{name: "b/a.txt", data: "2"}),
			[]string{"a.txt=1", "b/a.txt=2"}, nil},
	})
}

func TestZipNames(t *testing.T) {
	runOpen(t, "zip", []openCase{
		{"local name differs", zipOf(made{name: "good.txt", data: "x", local: rename("evil.exe")}),
			[]string{"good.txt=x"}, []string{"conflict name"}},
		{"Unicode path has another extension", zipOf(made{name: "good.txt", data: "x", extra: unicodePath("good.txt", "悪.exe")}),
			[]string{"good.txt=x"}, []string{"conflict name"}},
		{"Unicode path was made for another name", zipOf(made{name: "good.txt", data: "x", extra: unicodePath("other.txt", "悪.txt")}),
			[]string{"good.txt=x"}, []string{"conflict name"}},
		{"NUL ends the name for some", zipOf(made{name: "a.exe\x00.txt", data: "x"}),
			[]string{"a.exe\x00.txt=x"}, []string{"conflict name"}},
		{"same name twice", zipOf(made{name: "a.txt", data: "1"}, made{name: "A.TXT", data: "2"}),
			[]string{"a.txt=1", "A.TXT=2"}, []string{"duplicate-name"}},
		{"same name in another form", zipOf(made{name: "b/a.txt", data: "1"}, made{name: "b/./a.txt", data: "2"}),
			[]string{"b/a.txt=1", "b/./a.txt=2"}, []string{"duplicate-name"}},
		{"a folder's name with content is a file", zipOf(made{name: "evil.exe/", data: "MZ"}), []string{"evil.exe/=MZ"}, nil},
	})
}

// candidates keep every name, so that the next room can judge each.
func TestZipNameCandidates(t *testing.T) {
	b := zipOf(made{name: "good.txt", data: "x", extra: unicodePath("good.txt", "悪.exe"), local: rename("evil.com")})
	var got []string
	Walk(&entity.Entity{Path: "2", Body: b}, []string{"zip"}, budget.New(budget.Default), func(m *entity.Entity) {
		for _, n := range m.Names {
			got = append(got, n.Source+":"+n.Text)
		}
	})
	want := []string{"central:good.txt", "local:evil.com", "unicode-path:悪.exe"}
	if !slices.Equal(got, want) {
		t.Errorf("names = %q, want %q", got, want)
	}
}

func TestZipDirectories(t *testing.T) {
	one, two := zipOf(made{name: "good.txt", data: "1"}), zipOf(made{name: "evil.exe", data: "2"})
	good, evil := made{name: "good.txt", data: "1"}, made{name: "evil.exe", data: "2", noCentral: true}
	short := zipOf(good, made{name: "evil.exe", data: "2"})
	binary.LittleEndian.PutUint16(short[len(short)-12:], 1)
	comment := append(slices.Clone(one), two...)
	binary.LittleEndian.PutUint16(comment[len(one)-2:], uint16(len(two)))
	overrun := slices.Clone(one)
	binary.LittleEndian.PutUint16(overrun[len(overrun)-2:], 9)
	runOpen(t, "zip", []openCase{
		{"only a local header tells of it", zipOf(evil, good), []string{"good.txt=1", "evil.exe=2"}, []string{"hidden-member"}},
		{"two zips joined", append(slices.Clone(one), two...), []string{"evil.exe=2", "good.txt=1"},
			[]string{"conflict directory", "conflict directory size", "conflict end record", "hidden-member"}},
		{"a zip in the comment of a zip", comment, []string{"evil.exe=2", "good.txt=1"},
			[]string{"conflict directory", "conflict directory size", "conflict end record", "hidden-member"}},
		{"the count is short", short, []string{"good.txt=1", "evil.exe=2"}, []string{"conflict count"}},
		{"the directory is cut off", one[:len(one)-30], []string{"good.txt=1"}, []string{"broken end", "broken header"}},
		{"the comment is cut off", overrun, []string{"good.txt=1"}, []string{"broken comment"}},
		{"an offset points nowhere", zipOf(made{name: "a.txt", data: "1", central: put32(42, 1<<30)}),
			[]string{"a.txt=1"}, []string{"conflict offset"}},
		{"a program stands before", append([]byte("MZ stub"), one...), []string{"good.txt=1"}, []string{"prefix pe"}},
		{"text stands before", append([]byte("hello"), one...), []string{"good.txt=1"}, []string{"prefix data"}},
		{"data stands behind", append(slices.Clone(one), "MZ evil"...), []string{"good.txt=1", "[trailing]=MZ evil"}, []string{"trailing pe"}},
		{"padding stands behind", append(slices.Clone(one), 0, 0, '\r', '\n'), []string{"good.txt=1"}, []string{"trailing padding"}},
		{"no zip at all", []byte("hello"), nil, []string{"broken end"}},
		{"nothing", nil, nil, []string{"broken end"}},
	})
}

func TestZipContent(t *testing.T) {
	text := strings.Repeat(letter, 40)
	whole := fmt.Sprintf("=%d", len(text))
	streamed := zipOf(made{name: "a", data: text, method: 8, late: true}, made{name: "b", data: "b", late: true})
	cut := zipOf(made{name: "a.txt", data: text})
	runOpen(t, "zip", []openCase{
		{"checksum is wrong", zipOf(made{name: "a", data: "x", local: put32(14, 7), central: put32(16, 7)}),
			[]string{"a=x"}, []string{"checksum"}},
		{"checksums differ", zipOf(made{name: "a", data: "x", local: put32(14, 7)}), []string{"a=x"}, []string{"conflict checksum"}},
		{"sizes lie, the data does not", zipOf(made{name: "a", data: text, method: 8, local: put32(22, 5), central: put32(24, 5)}),
			[]string{"a" + whole}, []string{"conflict size"}},
		{"sizes differ", zipOf(made{name: "a", data: text, method: 8, local: put32(22, 5)}),
			[]string{"a" + whole}, []string{"conflict size"}},
		{"zombie: deflated, labelled as stored", zipOf(made{name: "a", data: text, packed: deflated(text)}),
			[]string{"a" + "=" + fmt.Sprint(len(deflated(text))), "[deflate-as-stored]a" + whole},
			[]string{"checksum", "conflict size"}},
		{"methods differ", zipOf(made{name: "a", data: "xyz", local: put16(8, 8)}),
			[]string{"a=xyz"}, []string{"conflict method"}},
		{"method is not known", zipOf(made{name: "a", data: text, packed: []byte("\xff\xff\xff"), method: 97}),
			[]string{"a=?"}, []string{"method-unsupported wavpack"}},
		{"data is cut", cut[:100], []string{"a.txt=65?"}, []string{"broken data", "broken end"}},
		{"a Unicode comment made for another comment", zipOf(made{name: "a", data: "x", extra: "uc\x07\x00\x01\x01\x02\x03\x04hi"}),
			[]string{"a=x"}, []string{"conflict comment"}},
		{"a Unicode comment of its comment", zipOf(made{name: "a", data: "x", extra: "uc\x05\x00\x01\x00\x00\x00\x00"}), []string{"a=x"}, nil},
		{"an extra field overruns", zipOf(made{name: "a", data: "x", extra: "\x01\x99\xff\xff"}),
			[]string{"a=x"}, []string{"conflict extra"}},
		{"a descriptor says otherwise", zipOf(made{name: "a", data: text, method: 8, flags: flagDescriptor, local: func(h []byte) {
			copy(h[14:], make([]byte, 12))
		}}), []string{"a" + whole}, []string{"conflict descriptor"}},
		{"a size beyond the file: some read to the next record", zipOf(made{name: "a", data: "x", local: put32(18, 9999), central: put32(20, 9999)}),
			[]string{"a=70?", "[until-next-record]a=x"}, []string{"broken data"}},
		{"streamed, with no directory", streamed[:bytes.Index(streamed, []byte(sigCentral))],
			[]string{"a" + whole, "b=b"}, []string{"broken end"}},
	})
}

func TestZipLocked(t *testing.T) {
	secret := "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\xff\x00"
	locked := made{name: "invoice.exe", data: "hello", packed: []byte(secret), flags: flagEncrypted}
	aes := locked
	aes.method = methodAES
	strong := locked
	strong.flags |= flagStrong
	runOpen(t, "zip", []openCase{
		{"ZipCrypto keeps its name", zipOf(locked), []string{"invoice.exe=*"}, []string{"encrypted zipcrypto"}},
		{"AES", zipOf(aes), []string{"invoice.exe=*"}, []string{"encrypted aes"}},
		{"strong encryption", zipOf(strong), []string{"invoice.exe=*"}, []string{"encrypted strong"}},
		{"only the local header claims it", zipOf(made{name: "a", data: "plain", local: put16(6, 1)}),
			[]string{"a=plain"}, []string{"conflict encryption"}},
		{"both claim it and the data is plain", zipOf(made{name: "a", data: "plain", flags: flagEncrypted}),
			[]string{"a=plain"}, []string{"conflict encryption"}},
	})
}

// overlapping writes a zip in the way of Fifield (2019): each local header is
// quoted by the member before, all end in the same data.
func overlapping(n int) []byte {
	kernel := deflated(strings.Repeat("\x00", 60000))
	var body, dir []byte
	quote := func(left int) []byte {
		q := binary.LittleEndian.AppendUint16([]byte{0}, uint16(left))
		return binary.LittleEndian.AppendUint16(q, ^uint16(left))
	}
	for i := range n {
		at := len(body)
		m := made{name: fmt.Sprintf("%05d", i), method: methodDeflate}
		l := append(m.header(sigLocal, true), m.name...)
		body = append(body, l...)
		if i < n-1 {
			body = append(body, quote(localSize+5)...)
		}
		c := append(m.header(sigCentral, true), make([]byte, 14)...)
		binary.LittleEndian.PutUint32(c[42:], uint32(at))
		dir = append(append(dir, c...), m.name...)
	}
	body = append(body, kernel...)
	return append(append(body, dir...), zipEndOf(n, len(dir), len(body))...)
}

func TestZipBombs(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		what budget.What
	}{
		{"overlapping members", overlapping(2000), budget.Bytes},
		{"one member swells", zipOf(made{name: "a", data: strings.Repeat("\x00", 3<<20), method: 8}), budget.Ratio},
		{"one member is too long", zipOf(made{name: "a", data: strings.Repeat("0123456789abcdef", 3<<20/16)}), budget.Member},
		{"too many members", zipOf(slices.Repeat([]made{{name: "a"}}, 300)...), budget.Members},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bud := budget.New(budget.Small)
			n := 0
			Walk(&entity.Entity{Path: "2", Body: tt.in}, []string{"zip"}, bud, func(*entity.Entity) { n++ })
			if !slices.ContainsFunc(bud.Reached(), func(r budget.Reached) bool { return r.What == tt.what }) {
				t.Errorf("reached %v, want %v", bud.Reached(), tt.what)
			}
			if n == 0 || n > budget.Small.Members {
				t.Errorf("%d members yielded", n)
			}
		})
	}
}

func TestZipOverlap(t *testing.T) {
	_, kinds := opened(overlapping(5), "zip", budget.Default)
	if !slices.Contains(kinds, "overlap") {
		t.Errorf("kinds = %q, want overlap", kinds)
	}
}

func TestZipPathsApart(t *testing.T) {
	var got []string
	b := zipOf(made{name: "a/b", data: "1"}, made{name: "a/b", data: "2"}, made{name: "a\\b#2", data: "3"})
	Walk(&entity.Entity{Path: "2", Depth: 3, Body: b}, []string{"zip"}, budget.New(budget.Default), func(m *entity.Entity) {
		got = append(got, fmt.Sprint(m.Path, " ", m.Depth))
	})
	want := []string{`2/a\b 4`, `2/a\b#2 4`, `2/a\b#2#2 4`}
	if !slices.Equal(got, want) {
		t.Errorf("paths = %q, want %q", got, want)
	}
}
