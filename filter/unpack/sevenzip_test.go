package unpack

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

// szSpec is a 7z archive to be written: one folder of one coder.
type szSpec struct {
	method, props string
	packed        []byte // nil: data as it stands
	files         []szMade
	count         int64 // of files, instead of the true one
	encode        bool  // the header too stands in a folder
	change        func(b []byte)
}

type szMade struct{ name, data string }

func szNumber(b []byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, 0xff), uint64(n))
}

// szFolderOf writes the part of a header that tells of one folder.
func szFolderOf(method, props string, at, packed, size int64) []byte {
	b := szNumber([]byte{szPacked}, at)
	b = append(szNumber(append(b, 1, szSize), packed), szEnd)
	b = append(b, szUnpacked, szFolder, 1, 0, 1)
	b = append(append(b, byte(len(method))|0x20), method...)
	b = append(append(b, byte(len(props))), props...)
	return append(szNumber(append(b, szUnpackSize), size), szEnd)
}

func szOf(s szSpec) []byte {
	all := ""
	for _, f := range s.files {
		all += f.data
	}
	body := s.packed
	if body == nil {
		body = []byte(all)
	}
	h := append([]byte{szHeader, szStreams}, szFolderOf(s.method, s.props, 0, int64(len(body)), int64(len(all)))...)
	h = append(h, szSubStreams, szCount, byte(len(s.files)), szSize)
	for _, f := range s.files[:max(len(s.files)-1, 0)] {
		h = szNumber(h, int64(len(f.data)))
	}
	h = append(h, szDigests, 1)
	for _, f := range s.files {
		h = binary.LittleEndian.AppendUint32(h, sum([]byte(f.data)))
	}
	h = append(h, szEnd, szEnd, szFiles)
	h = szNumber(h, max(s.count, int64(len(s.files))))
	names := []byte{0}
	for _, f := range s.files {
		for _, u := range append(utf16.Encode([]rune(f.name)), 0) {
			names = binary.LittleEndian.AppendUint16(names, u)
		}
	}
	h = append(szNumber(append(h, szNames), int64(len(names))), names...)
	h = append(h, szEnd, szEnd)
	if s.encode {
		outer := szFolderOf(szCopy, "", int64(len(body)), int64(len(h)), int64(len(h)))
		body, h = append(body, h...), append(append([]byte{szPackedHeader}, outer...), szEnd)
	}
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(body)))
	start = binary.LittleEndian.AppendUint64(start, uint64(len(h)))
	start = binary.LittleEndian.AppendUint32(start, sum(h))
	out := append([]byte(szMagic), 0, 4)
	out = append(binary.LittleEndian.AppendUint32(out, sum(start)), start...)
	out = append(append(out, body...), h...)
	if s.change != nil {
		s.change(out)
	}
	return out
}

func szLZMAOf(t testing.TB, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := lzma.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[lzma.HeaderLen:]
}

const szLZMAProps = "\x5d\x00\x00\x80\x00"

func TestSevenZipHonest(t *testing.T) {
	text := strings.Repeat(letter, 40)
	lzma2 := func(s string) []byte { // one chunk as it stands
		b := binary.BigEndian.AppendUint16([]byte{1}, uint16(len(s)-1))
		return append(append(b, s...), 0)
	}
	zstdOf := func(s string) []byte {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return w.EncodeAll([]byte(s), nil)
	}
	two := []szMade{{"a.txt", "aa"}, {"資料/議事録.txt", "bbb"}}
	all := []string{"a.txt=aa", "資料/議事録.txt=bbb"}
	runOpen(t, "7z", []openCase{
		{"stored", szOf(szSpec{method: szCopy, files: two}), all, nil},
		{"with its header in a folder", szOf(szSpec{method: szCopy, files: two, encode: true}), all, nil},
		{"LZMA", szOf(szSpec{method: "\x03\x01\x01", props: szLZMAProps, packed: szLZMAOf(t, "aabbb"), files: two}), all, nil},
		{"LZMA2", szOf(szSpec{method: "\x21", props: "\x10", packed: lzma2("aabbb"), files: two}), all, nil},
		{"deflate", szOf(szSpec{method: "\x04\x01\x08", packed: deflated("aabbb"), files: two}), all, nil},
		{"zstd", szOf(szSpec{method: "\x04\xf7\x11\x01", packed: zstdOf("aabbb"), files: two}), all, nil},
		{"nothing in it", slices.Concat([]byte(szMagic), []byte{0, 4}, binary.LittleEndian.AppendUint32(nil, sum(make([]byte, 20))), make([]byte, 20)), nil, nil},
		{"much text", szOf(szSpec{method: szCopy, files: []szMade{{"a", text}}}), []string{"a=2600"}, nil},
	})
}

func TestSevenZipHostile(t *testing.T) {
	two := []szMade{{"a.txt", "aa"}, {"b.exe", "bbb"}}
	plain := szOf(szSpec{method: szCopy, files: two})
	locked := szSpec{method: szAES, files: two}
	hidden := szOf(szSpec{method: szCopy, files: two, encode: true})
	at := bytes.LastIndex(hidden, []byte{1, 0x21, 0, 0})
	hidden = slices.Concat(hidden[:at], []byte("\x01\x24"+szAES+"\x00"), hidden[at+4:])
	binary.LittleEndian.PutUint64(hidden[20:], binary.LittleEndian.Uint64(hidden[20:])+3)
	runOpen(t, "7z", []openCase{
		{"encrypted, names to be seen", szOf(locked), []string{"a.txt=*", "b.exe=*"}, []string{"encrypted aes"}},
		{"encrypted with its names", hidden, nil, []string{"checksum header", "checksum start header", "encrypted aes"}},
		{"PPMd over bytes that are none", szOf(szSpec{method: "\x03\x04\x01", props: "\x06\x00\x00\x00\x01", files: two}), []string{"a.txt=?", "b.exe=?"}, []string{"broken data"}},
		{"a method of the future", szOf(szSpec{method: "\x03\x7f\x01", files: two}), []string{"a.txt=?", "b.exe=?"}, []string{"method-unsupported 037f01"}},
		{"a dictionary of 2 GiB", szOf(szSpec{method: "\x21", props: "\x26", packed: []byte{0}, files: []szMade{{"a", strings.Repeat("x", 65<<20)}}}),
			[]string{"a=?"}, []string{"method-unsupported 21"}},
		{"a checksum is wrong", szOf(szSpec{method: szCopy, files: two, change: func(b []byte) { b[szHead] = 'x' }}),
			[]string{"a.txt=xa", "b.exe=bbb"}, []string{"checksum"}},
		{"the data end early", szOf(szSpec{method: szCopy, packed: []byte("aab"), files: two}), []string{"a.txt=aa", "b.exe=b?"}, []string{"broken data"}},
		{"no LZMA", szOf(szSpec{method: "\x03\x01\x01", props: szLZMAProps, packed: []byte("aabbb"), files: two}), []string{"a.txt=?", "b.exe=?"}, []string{"broken data"}},
		{"a name twice", szOf(szSpec{method: szCopy, files: []szMade{{"a.txt", "1"}, {"A.TXT", "2"}}}), []string{"a.txt=1", "A.TXT=2"}, []string{"duplicate-name"}},
		{"a program before it", append([]byte("MZ stub"), plain...), []string{"a.txt=aa", "b.exe=bbb"}, []string{"prefix pe"}},
		{"data behind it", append(slices.Clone(plain), "MZ evil"...), []string{"a.txt=aa", "b.exe=bbb", "[trailing]=MZ evil"}, []string{"trailing pe"}},
		{"one volume of several", plain[:len(plain)-20], nil, []string{"broken 7z header"}},
		{"no archive", []byte("hello"), nil, []string{"broken 7z header"}},
	})
}

// Counts and sizes that no archive of this length can have cost nothing.
func TestSevenZipLies(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		what budget.What
	}{
		{"four thousand million files", szOf(szSpec{method: szCopy, files: []szMade{{"a", "a"}}, count: 1 << 32}), budget.Members},
		{"one folder swells", szOf(szSpec{method: "\x04\x01\x08", packed: deflated(strings.Repeat("\x00", 7<<20)),
			files: []szMade{{"a", strings.Repeat("\x00", 7<<20)}}}), budget.Member},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bud := budget.New(budget.Small)
			Walk(&entity.Entity{Path: "2", Body: tt.in}, []string{"7z"}, bud, func(*entity.Entity) {})
			if !slices.ContainsFunc(bud.Reached(), func(r budget.Reached) bool { return r.What == tt.what }) {
				t.Errorf("reached %v, want %v", bud.Reached(), tt.what)
			}
		})
	}
}

// The filters undo what 7-Zip's packers do: targets count from the file's
// start, and what is no call stays.
func TestSevenZipFilters(t *testing.T) {
	tests := []struct {
		name, method, in, want, props string
	}{
		{"a call of x86", "\x04", "\x90\xe8\x06\x01\x00\x00\x90\x90", "\x90\xe8\x00\x01\x00\x00\x90\x90", ""},
		{"no call of x86", "\x04", "\x90\xe8\x06\x01\x00\x7f\x90\x90", "\x90\xe8\x06\x01\x00\x7f\x90\x90", ""},
		{"a call of ARM", "\x07", "\x00\x00\x00\x00\x10\x00\x00\xeb", "\x00\x00\x00\x00\x0d\x00\x00\xeb", ""},
		{"a call of PowerPC", "\x05", "\x00\x00\x00\x00\x48\x00\x01\x05", "\x00\x00\x00\x00\x48\x00\x01\x01", ""},
		{"a call of Thumb", "\x08", "\x00\xf0\x10\xf8", "\x00\xf0\x0e\xf8", ""},
		{"a call of SPARC", "\x09", "\x00\x00\x00\x00\x40\x00\x00\x10", "\x00\x00\x00\x00\x40\x00\x00\x0f", ""},
		{"delta of two bytes", "\x03", "\x01\x02\x01\x01\x01\x01", "\x01\x02\x02\x03\x03\x04", "\x01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := []byte(tt.in)
			if szFilters[tt.method](b, []byte(tt.props)); string(b) != tt.want {
				t.Errorf("got %x, want %x", b, tt.want)
			}
		})
	}
}

func FuzzSevenZip(f *testing.F) {
	two := []szMade{{"a.txt", "aa"}, {"b.exe", "bbb"}}
	f.Add(szOf(szSpec{method: szCopy, files: two, encode: true}))
	f.Add(szOf(szSpec{method: "\x03\x01\x01", props: szLZMAProps, packed: szLZMAOf(f, "aabbb"), files: two}))
	f.Add(szOf(szSpec{method: "\x04", files: two}))
	f.Add(szOf(szSpec{method: szBCJ2, files: two}))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "7z", b) })
}
