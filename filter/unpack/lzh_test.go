package unpack

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/specimen"
	"sekisho/filter/testfile"
)

// openedLZH is what openLZH gives, members copied.
func openedLZH(b []byte, limits budget.Limits) ([]entity.Entity, []finding.Finding, *budget.Budget) {
	var got []entity.Entity
	bud := budget.New(limits)
	findings := openLZH(&entity.Entity{Path: "2/a.lzh", Depth: 1, Body: b}, bud, func(e *entity.Entity) {
		c := *e
		c.Body = bytes.Clone(e.Body)
		got = append(got, c)
	})
	return got, findings, bud
}

// lzhKinds are the kinds of findings, in the order they were made.
func lzhKinds(fs []finding.Finding) (kinds []finding.Kind) {
	for _, f := range fs {
		kinds = append(kinds, f.Kind)
	}
	return kinds
}

// level0 is a header of level 0 with its sum, and content.
func level0(method, name string, packed, size int, content []byte) []byte {
	body := append([]byte(method), binary.LittleEndian.AppendUint32(nil, uint32(packed))...)
	body = binary.LittleEndian.AppendUint32(body, uint32(size))
	body = append(body, 0, 0, 0, 0, 0x20, 0, byte(len(name)))
	body = append(body, name...)
	body = binary.LittleEndian.AppendUint16(body, crc16(0, content[:min(size, len(content))]))
	return append([]byte{byte(len(body)), sum8(body)}, body...)
}

// stored0 is a stored member of level 0.
func stored0(name, content string) []byte {
	return append(level0("-lh0-", name, len(content), len(content), []byte(content)), content...)
}

// extension is one extended header: its kind and data.
type extension struct {
	kind byte
	data string
}

// stored1 is a stored member of level 1: base is the name in the header proper.
func stored1(base, content string, extended ...extension) []byte {
	var chain []byte
	for _, x := range extended {
		chain = binary.LittleEndian.AppendUint16(chain, uint16(len(x.data)+3))
		chain = append(chain, x.kind)
		chain = append(chain, x.data...)
	}
	chain = append(chain, 0, 0)
	body := append([]byte("-lh0-"), binary.LittleEndian.AppendUint32(nil, uint32(len(content)+len(chain)-2))...)
	body = binary.LittleEndian.AppendUint32(body, uint32(len(content)))
	body = append(body, 0, 0, 0, 0, 0x20, 1, byte(len(base)))
	body = append(body, base...)
	body = binary.LittleEndian.AppendUint16(body, crc16(0, []byte(content)))
	body = append(body, 'M')
	body = append(body, chain[:2]...)
	return slices.Concat([]byte{byte(len(body)), sum8(body)}, body, chain[2:], []byte(content))
}

func archive(members ...[]byte) []byte { return append(slices.Concat(members...), 0) }

// changed is b with the byte at i changed.
func changed(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x55
	return b
}

func utf16le(s string) string {
	var out []byte
	for _, r := range s {
		out = binary.LittleEndian.AppendUint16(out, uint16(r))
	}
	return string(out)
}

func sizes64(packed, size int) extension {
	return extension{0x42, string(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(packed)), uint64(size)))}
}

func TestLZHFindings(t *testing.T) {
	memo := stored0("memo.txt", "hello")
	packed := specimen.LZH(specimen.Member{Name: "議事録.txt", Data: []byte(strings.Repeat("議事録の本文。", 200)), Level: 1})
	inner := stored0("form.exe", "MZ")
	many := append(level0("-lh0-", "big.bin", 1<<30, 1<<30, nil), inner...)
	tests := []struct {
		name  string
		in    []byte
		names []string
		want  []finding.Kind
	}{
		{"honest", archive(memo), []string{"memo.txt"}, nil},
		{"honest Japanese", packed, []string{"議事録.txt"}, nil},
		{"levels mixed, as after an update by another archiver", archive(memo, stored1("b.txt", "b"), packed), []string{"memo.txt", "b.txt", "議事録.txt"}, nil},
		{"no end mark", memo, []string{"memo.txt"}, nil},
		{"filled up with zeros", append(archive(memo), make([]byte, 200)...), []string{"memo.txt"}, nil},
		{"filled up by CP/M", append(memo, bytes.Repeat([]byte{0x1a}, 90)...), []string{"memo.txt"}, nil},

		{"no archive", []byte("no archive at all, and -lh5- is only spoken of"), nil, []finding.Kind{finding.ContainerBroken}},
		{"wrong sum of the header", archive(changed(memo, 15)), []string{"memo.txt"}, []finding.Kind{finding.ContainerBroken}},
		{"wrong content", archive(changed(memo, len(memo)-1)), []string{"memo.txt"}, []finding.Kind{finding.ContainerChecksum}},
		{"content cut", memo[:len(memo)-2], []string{"memo.txt"}, []finding.Kind{finding.ContainerBroken}},
		{"packed content cut", packed[:len(packed)-30], []string{"議事録.txt"}, []finding.Kind{finding.ContainerBroken}},
		{"header cut", append(bytes.Clone(memo), inner[:30]...), []string{"memo.txt"}, []finding.Kind{finding.ContainerBroken}},
		{"header cut within its first bytes", append(bytes.Clone(memo), inner[:4]...), []string{"memo.txt"}, []finding.Kind{finding.ContainerBroken}},
		{"packed content damaged", archive(changed(packed[:len(packed)-1], 60)), []string{"議事録.txt"}, []finding.Kind{finding.ContainerBroken}},

		{"self-extractor", append(specimen.PE(), packed...), []string{"議事録.txt"}, []finding.Kind{finding.ContainerPrefix}},
		{"picture before it", append([]byte("\x89PNG\r\n\x1a\n-lh- is no method"), archive(inner)...), []string{"form.exe"}, []finding.Kind{finding.ContainerPrefix}},
		{"text after it", append(archive(memo), "more to read"...), []string{"memo.txt", ""}, []finding.Kind{finding.ContainerTrailing}},
		{"another archive after it", append(archive(memo), archive(inner)...), []string{"memo.txt", "form.exe"}, []finding.Kind{finding.ContainerHidden}},
		{"junk between members", archive(memo, []byte("junk junk junk"), inner), []string{"memo.txt", "form.exe"}, []finding.Kind{finding.ContainerHidden}},
		{"a member said to hold the next", archive(many), []string{"big.bin", "form.exe"}, []finding.Kind{finding.ContainerBroken, finding.ContainerHidden}},

		{"a faulty header said to hold the next", append([]byte("MZ stub"), archive(changed(level0("-lh0-", "x", len(inner), len(inner), inner), 15), inner)...), []string{"x", "form.exe"},
			[]finding.Kind{finding.ContainerPrefix, finding.ContainerBroken, finding.ContainerHidden}},

		{"unknown method", archive(append(level0("-lh9-", "a.exe", 3, 9, nil), "abc"...)), []string{"a.exe"}, []finding.Kind{finding.ContainerMethod}},
		{"directory with content", archive(append(level0("-lhd-", "a.exe", 2, 2, []byte("MZ")), "MZ"...)), []string{"a.exe"}, []finding.Kind{finding.ContainerConflict}},
		{"stored bytes beyond the size", archive(append(level0("-lh0-", "a.exe", 5, 2, []byte("hello")), "hello"...)), []string{"a.exe", "a.exe"}, []finding.Kind{finding.ContainerConflict}},
		{"one of several disks", archive(stored1("a.txt", "a", extension{0x39, "\x01"})), []string{"a.txt"}, []finding.Kind{finding.ContainerVolume}},
		{"one name twice", archive(memo, memo), []string{"memo.txt", "memo.txt"}, []finding.Kind{finding.ContainerDuplicate}},
		{"extended header beyond the file", archive(stored1("a.txt", "a", extension{0x01, "b.txt"}))[:33], []string{"a.txt"}, []finding.Kind{finding.ContainerBroken, finding.ContainerChecksum}},

		{"names differ", archive(stored1("memo.txt", "MZ", extension{0x01, "form.exe"})), []string{"form.exe"}, []finding.Kind{finding.ContainerConflict}},
		{"DOS name beside the long one", archive(stored1("ANNUAL~1.DOC", "a", extension{0x01, "Annual report.doc"})), []string{"Annual report.doc"}, nil},
		{"UTF-16 name differs", archive(stored1("", "MZ", extension{0x01, "memo.txt"}, extension{0x44, utf16le("form.exe")})), []string{"form.exe"}, []finding.Kind{finding.ContainerConflict}},
		{"UTF-16 name of what the charset lacks", archive(stored1("", "a", extension{0x01, "_n__.txt"}, extension{0x44, utf16le("Ünïö.txt")})), []string{"Ünïö.txt"}, nil},
		{"64-bit sizes", archive(stored1("a.txt", "abc", sizes64(3+19, 3))), []string{"a.txt"}, nil},
		{"64-bit sizes of another file", archive(stored1("a.txt", "abc", sizes64(3+19, 2))), []string{"a.txt", "a.txt"},
			[]finding.Kind{finding.ContainerConflict, finding.ContainerChecksum, finding.ContainerConflict}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, findings, _ := openedLZH(tt.in, budget.Default)
			var names []string
			for _, e := range got {
				names = append(names, e.Name())
			}
			if !slices.Equal(names, tt.names) {
				t.Errorf("members are %q, want %q", names, tt.names)
			}
			if kinds := lzhKinds(findings); !slices.Equal(kinds, tt.want) {
				t.Errorf("findings are %v, want %v", findings, tt.want)
			}
		})
	}
}

func TestLZHNames(t *testing.T) {
	cp932 := func(s string) string {
		return string(specimen.LZH(specimen.Member{Name: s})[22 : 22+len(mustRaw(s))])
	}
	tests := []struct {
		name string
		in   []byte
		want []string
	}{
		{"backslash as second byte stays", stored0(cp932("表予.exe"), ""), []string{"表予.exe"}},
		{"backslash as separator", stored0(`sub\a.txt`, ""), []string{"sub/a.txt"}},
		{"separator 0xff", stored0("sub\xff"+cp932("表")+"\xffa.txt", ""), []string{"sub/表/a.txt"}},
		{"directory apart", stored1("a.txt", "", extension{0x02, "sub\xffdir\xff"}), []string{"sub/dir/a.txt"}},
		{"directory without end", stored1("a.txt", "", extension{0x02, "sub"}), []string{"sub/a.txt"}},
		{"directory in UTF-16", stored1("", "", extension{0x44, utf16le("表.txt")}, extension{0x45, utf16le("資料\uffff")}), []string{"資料/表.txt"}},
		{"both names", stored1("A.TXT", "", extension{0x01, "b.exe"}), []string{"b.exe", "A.TXT"}},
		{"code page of the header", stored1("", "", extension{0x46, "\xe9\xfd\x00\x00"}, extension{0x01, "請求書.pdf"}), []string{"請求書.pdf"}},
		{"capitals of DOS", stored0("MEMO.TXT", ""), []string{"MEMO.TXT", "memo.txt"}},
		{"NUL ends the name for some", stored0("form.exe\x00.txt", ""), []string{"form.exe\x00.txt", "form.exe"}},
		{"RLO in UTF-16", stored1("", "", extension{0x44, utf16le("a\u202efdp.exe")}), []string{"a\u202efdp.exe"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, _ := openedLZH(archive(tt.in), budget.Default)
			if len(got) != 1 {
				t.Fatalf("%d members", len(got))
			}
			var names []string
			for _, n := range got[0].Names {
				names = append(names, n.Text)
			}
			if !slices.Equal(names, tt.want) {
				t.Errorf("names are %+q, want %+q", names, tt.want)
			}
		})
	}
}

// mustRaw is s with two bytes for each character beyond ASCII, the length of
// its CP932 form.
func mustRaw(s string) []byte {
	var out []byte
	for _, r := range s {
		out = append(out, make([]byte, 1+min(1, int(r)>>7))...)
	}
	return out
}

func TestLZHKeepsRawName(t *testing.T) {
	got, _, _ := openedLZH(specimen.LZH(specimen.Member{Name: "医療費通知のお知らせ.exe", Data: specimen.PE(), Level: 2}), budget.Default)
	n := got[0].Names[0]
	if n.Text != "医療費通知のお知らせ.exe" || n.Charset != "cp932" || n.Source != "extended" || !bytes.HasPrefix(n.Raw, []byte{0x88, 0xe3}) {
		t.Errorf("name is %+q", n)
	}
	if got[0].Path != "2/a.lzh/医療費通知のお知らせ.exe" || got[0].Depth != 2 {
		t.Errorf("path is %q, depth %d", got[0].Path, got[0].Depth)
	}
}

func TestLZHGivesContentBack(t *testing.T) {
	text := []byte(strings.Repeat("年金機構への標的型メール。The quick brown fox.\r\n", 5000))
	zeros := make([]byte, 300000)
	skewed := make([]byte, 0, 1<<17)
	for b, n := byte(0), 1; n < 1<<16; b, n = b+1, n*2 {
		skewed = append(skewed, bytes.Repeat([]byte{b}, n)...)
	}
	for name, data := range map[string][]byte{"empty": {}, "byte": {7}, "text": text, "zeros": zeros, "skewed": skewed, "program": specimen.PE()} {
		for level := range 3 {
			got, findings, _ := openedLZH(specimen.LZH(specimen.Member{Name: "a", Data: data, Level: level}), budget.Default)
			if len(got) != 1 || len(findings) != 0 || !bytes.Equal(got[0].Body, data) || got[0].Size != int64(len(data)) {
				t.Errorf("%s, level %d: %d members, findings %v", name, level, len(got), findings)
			}
		}
	}
}

// TestLZHSpecimens reads archives of the archivers whose methods our own
// encoder does not write: each member carries a CRC, so that no finding means
// that every byte is right.
func TestLZHSpecimens(t *testing.T) {
	tests := []struct {
		file  string
		names []string
		sizes []int64
	}{
		{"lha-lh1-64k.lzh", []string{"65536.BIN"}, []int64{65536}},
		{"unlha32-lh2.lzh", []string{"LICENSE.MIT"}, []int64{2853}},
		{"unlha32-lh3.lzh", []string{"LICENSE.MIT"}, []int64{2853}},
		{"explzh-lh7-level1.lzh", []string{"gpl-2"}, []int64{18092}},
		{"larc-lz5-history.lzs", []string{"initial.bin"}, []int64{4234}},
		{"pmarc-pm2-comment.pma", []string{"HELLO.TXT"}, []int64{128}},
		{"maclha-macbinary.lzh", []string{"subdir/subdir2/hello.txt", "subdir/subdir2/hello.txt"}, []int64{256, 11}},
		{"lha-os2-level3.lzh", []string{"subdir/", "subdir/subdir2/", "subdir/subdir2/HELLO.TXT"}, []int64{0, 0, 14}},
		{"lha-osk-level2.lzh", []string{"subdir/", "subdir/subdir2/", "subdir/subdir2/hello.txt"}, []int64{0, 0, 12}},
		{"lha-unix-symlink.lzh", []string{"symlink"}, []int64{0}},
		{"unlha32-utf16-names.lzh", []string{"ÜÖÄüöä/äöüÄÖÜ.txt", "ÜÖÄüöä/", "ÜÖÄüöä/テスト.txt", "テスト/äöüÄÖÜ.txt", "テスト/", "äöüÄÖÜ.txt"}, []int64{12, 0, 25, 12, 0, 12}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			got, findings, _ := openedLZH(lzhSpecimen(t, tt.file), budget.Default)
			var names []string
			var sizes []int64
			for _, e := range got {
				names, sizes = append(names, e.Name()), append(sizes, e.Size)
				if e.Unread || !e.Dir && !e.Link && int64(len(e.Body)) != e.Size {
					t.Errorf("%s: %d bytes of %d, unread %v", e.Path, len(e.Body), e.Size, e.Unread)
				}
			}
			if !slices.Equal(names, tt.names) || !slices.Equal(sizes, tt.sizes) || len(findings) > 0 {
				t.Errorf("members %q of sizes %v, findings %v; want %q, %v, none", names, sizes, findings, tt.names, tt.sizes)
			}
		})
	}
}

func lzhSpecimen(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testfile.Root(t), "testdata/containers/lzh", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// -lh6- and -lhx- differ from -lh7- only in how far a copy may reach, which a
// short file does not use.
func TestLZHMethodsLikeLH7(t *testing.T) {
	for _, method := range []string{"-lh6-", "-lhx-"} {
		b := bytes.Replace(lzhSpecimen(t, "explzh-lh7-level1.lzh"), []byte("-lh7-"), []byte(method), 1)
		b[1] += method[3] - '7'
		got, findings, _ := openedLZH(b, budget.Default)
		if len(got) != 1 || len(got[0].Body) != 18092 || len(findings) > 0 {
			t.Errorf("%s: %d members, findings %v", method, len(got), findings)
		}
	}
}

// bits packs a row of '0' and '1', blanks left out, into bytes.
func bits(row string) []byte {
	row = strings.ReplaceAll(row, " ", "")
	out := make([]byte, (len(row)+7)/8)
	for i, c := range row {
		out[i/8] |= byte(c-'0') << (7 - i%8)
	}
	return out
}

func TestLZHByHand(t *testing.T) {
	tests := []struct {
		name, method string
		packed       []byte
		want         string
	}{
		{"-lzs- copies what it wrote", "-lzs-", bits("1 01100001 1 01100010 1 01100011 0 11111101111 0001"), "abcabc"},
		{"-lzs- begins with blanks", "-lzs-", bits("0 00000000000 0010"), "    "},
		{"-lz5- copies what it wrote", "-lz5-", []byte{0x07, 'a', 'b', 'c', 0xee, 0xf0}, "abcabc"},
		{"-lz4- stores", "-lz4-", []byte("plain"), "plain"},
		{"-pm0- stores", "-pm0-", []byte("plain"), "plain"},
		{"-pm1- block and copy", "-pm1-", bits("11111 1 00 0001 0 000000"), "!!!"},
		{"-pm1- ends with zeros left off", "-pm1-", bits("11111 1 00 0001 0"), "!!!"},
		{"-lh5- one symbol for all", "-lh5-", bits("0000000000000011 00000 00000 000000000 001111010 0000 0000"), "zzz"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := archive(level0(tt.method, "a", len(tt.packed), len(tt.want), []byte(tt.want)), tt.packed)
			got, findings, _ := openedLZH(b, budget.Default)
			if len(got) != 1 || string(got[0].Body) != tt.want || len(findings) > 0 {
				t.Errorf("members %+v, findings %v, want %q", got, findings, tt.want)
			}
		})
	}
}

func TestLZHSizeTooSmall(t *testing.T) {
	text := []byte(strings.Repeat("MZ program text ", 400))
	b := specimen.LZH(specimen.Member{Name: "a.exe", Data: text})
	binary.LittleEndian.PutUint32(b[11:], 10)
	b[1] = sum8(b[2 : 2+int(b[0])])
	got, findings, _ := openedLZH(b, budget.Default)
	if len(got) != 2 || got[1].Reading != "beyond-size" || !bytes.HasPrefix(got[1].Body, text) || got[0].Size != 10 {
		t.Fatalf("%d members: %+v", len(got), got)
	}
	if kinds := lzhKinds(findings); !slices.Equal(kinds, []finding.Kind{finding.ContainerChecksum}) {
		t.Errorf("findings are %v", findings)
	}
}

func TestLZHSizeTooLarge(t *testing.T) {
	b := specimen.LZH(specimen.Member{Name: "a.txt", Data: []byte("a short text")})
	binary.LittleEndian.PutUint32(b[11:], 0xfffffff0)
	b[1] = sum8(b[2 : 2+int(b[0])])
	got, findings, bud := openedLZH(b, budget.Small)
	if len(got) != 1 || !got[0].Unread || len(findings)+len(bud.Reached()) == 0 {
		t.Errorf("members %+v, findings %v, reached %v", got, findings, bud.Reached())
	}
	if n := len(got[0].Body); n > 1<<20 {
		t.Errorf("%d bytes came out of %d", n, len(b))
	}
}

func TestLZHBudget(t *testing.T) {
	bomb := specimen.LZH(specimen.Member{Name: "zero.bin", Data: make([]byte, 4<<20)})
	var crowd [][]byte
	for range budget.Small.Members + 5 {
		crowd = append(crowd, stored0("a", ""))
	}
	tests := []struct {
		name string
		in   []byte
		want budget.What
	}{
		{"one member swells", bomb, budget.Ratio},
		{"one large stored member", archive(stored0("a", strings.Repeat("a", 3<<20))), budget.Member},
		{"many members", archive(crowd...), budget.Members},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, bud := openedLZH(tt.in, budget.Small)
			if r := bud.Reached(); len(r) == 0 || r[0].What != tt.want {
				t.Errorf("reached %v, want %s", r, tt.want)
			}
			if tt.want != budget.Members && (len(got) != 1 || !got[0].Unread) {
				t.Errorf("members %d, want one that is unread", len(got))
			}
		})
	}
}

func TestLZHLinksAndDirectories(t *testing.T) {
	got, findings, _ := openedLZH(archive(level0("-lhd-", "sub\\", 0, 0, nil), stored0("sub\\a.txt", "a")), budget.Default)
	if len(got) != 2 || !got[0].Dir || got[0].Name() != "sub/" || got[1].Dir || len(findings) > 0 {
		t.Errorf("members %+v, findings %v", got, findings)
	}
	got, _, _ = openedLZH(lzhSpecimen(t, "lha-unix-symlink.lzh"), budget.Default)
	if len(got) != 1 || !got[0].Link || got[0].Dir {
		t.Errorf("members %+v", got)
	}
}

func TestCRC16(t *testing.T) {
	if got := crc16(0, []byte("123456789")); got != 0xbb3d {
		t.Errorf("crc16 of the usual digits is %04x, want bb3d", got)
	}
	if whole, parts := crc16(0, []byte("a longer row of bytes")), crc16(crc16(0, []byte("a lon")), []byte("ger row of bytes")); whole != parts {
		t.Errorf("crc16 in parts is %04x, in one %04x", parts, whole)
	}
}

// TestLZHLinear feeds files in which every place could begin a header.
func TestLZHLinear(t *testing.T) {
	for name, unit := range map[string]string{
		"dashes": "-----", "methods": "-lh5-", "faulty headers": string(changed(level0("-lh5-", "", 1<<30, 0, nil), 1)),
		"level 2": "\xff\xff-lh5-\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00 \x02\x00\x00M\x05\x00\x00\x00\x00",
	} {
		_, _, bud := openedLZH([]byte("x"+strings.Repeat(unit, 1<<20/len(unit))), budget.Small)
		if got := bud.Bytes(); got > 2*budget.Small.Bytes {
			t.Errorf("%s: %d bytes of work", name, got)
		}
	}
}

func FuzzLZH(f *testing.F) {
	dir := filepath.Join(testfile.Root(f), "testdata/containers/lzh")
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		f.Add(lzhSpecimen(f, e.Name()))
	}
	f.Add(specimen.LZH(specimen.Member{Name: "表.exe", Data: specimen.PE(), Level: 2}, specimen.Member{Name: "b", Data: []byte("b")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, findings, bud := openedLZH(b, budget.Small)
		if spent := bud.Bytes(); spent > budget.Small.Bytes+lzhMost3 && len(bud.Reached()) == 0 {
			t.Fatalf("spent %d bytes of %d, and no limit was reached", spent, budget.Small.Bytes)
		}
		paths := map[string]bool{}
		for _, e := range got {
			if paths[e.Path] || !strings.HasPrefix(e.Path, "2/a.lzh/") || e.Depth != 2 || int64(len(e.Body)) > budget.Small.Member+32<<10 {
				t.Fatalf("member %+v", e)
			}
			if e.Unread && len(findings)+len(bud.Reached()) == 0 {
				t.Fatalf("%q is unread and nothing says why", e.Path)
			}
			paths[e.Path] = true
		}
		if len(got) == 0 && len(findings)+len(bud.Reached()) == 0 {
			t.Fatal("nothing came out and nothing says why")
		}
		again, findingsAgain, _ := openedLZH(b, budget.Small)
		if !reflect.DeepEqual(got, again) || !reflect.DeepEqual(findings, findingsAgain) {
			t.Fatal("same bytes, two answers")
		}
	})
}

// prose is text with the redundancy of a report: words from a list, chosen by
// a fixed rule.
func prose(size int) []byte {
	words := strings.Fields("the pension service reports that mail with an archive was opened by a member of its staff and that data of citizens had left 年金 情報 流出 調査 委員会 報告 端末 通信 遮断 添付 ファイル 開封")
	var out []byte
	state := uint32(1)
	for len(out) < size {
		state = state*1664525 + 1013904223
		out = append(out, words[int(state>>16)%len(words)]...)
		out = append(out, " \n"[state>>31])
		if state>>24&0xf == 0 {
			out = binary.LittleEndian.AppendUint32(out, state)
		}
	}
	return out[:size]
}

func benchmarkLZH(b *testing.B, packed []byte) {
	bud := budget.Default
	var size int64
	openLZH(&entity.Entity{Body: packed}, budget.New(bud), func(e *entity.Entity) { size += e.Size })
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		openLZH(&entity.Entity{Body: packed}, budget.New(bud), func(*entity.Entity) {})
	}
}

func BenchmarkLZHProse(b *testing.B) {
	benchmarkLZH(b, specimen.LZH(specimen.Member{Name: "report.txt", Data: prose(2 << 20)}))
}

func BenchmarkLZHLH1(b *testing.B) { benchmarkLZH(b, lzhSpecimen(b, "lha-lh1-64k.lzh")) }

func BenchmarkLZHLicence(b *testing.B) { benchmarkLZH(b, lzhSpecimen(b, "explzh-lh7-level1.lzh")) }
