package unpack

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/mholt/archives"
	"github.com/sorairolake/lzip-go"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

func gzipped(t testing.TB, name, s string) []byte {
	t.Helper()
	return written(t, s, func(w io.Writer) (io.WriteCloser, error) {
		z := gzip.NewWriter(w)
		z.Name = name
		return z, nil
	})
}

// gzipNamed puts a raw name into a gzip header that has none.
func gzipNamed(t testing.TB, raw, s string) []byte {
	b := gzipped(t, "", s)
	b[3] |= 1 << 3
	return slices.Concat(b[:10], []byte(raw), []byte{0}, b[10:])
}

func TestGzip(t *testing.T) {
	one, two := gzipped(t, "a.txt", "one"), gzipped(t, "", "two")
	bad, long := slices.Clone(one), slices.Clone(one)
	bad[len(bad)-8]++
	long[len(long)-4]++
	whole := strings.Repeat(letter, 20)
	borrowed := gzipped(t, "", whole)
	borrowed = slices.Concat(borrowed[:10], deflatedAfter(whole, whole), borrowed[len(borrowed)-8:])
	head := "\x1f\x8b\x08\x16\x00\x00\x00\x00\x00\x03\x02\x00ab" + "note\x00" + "\x12\x34"
	rich := slices.Concat([]byte(head), deflated("three"), binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, sum([]byte("three"))), 5))
	runOpen(t, "gzip", []openCase{
		{"an extra field, a comment, a sum of the header", rich, []string{"file.gzip=three"}, nil},
		{"a header that ends early", rich[:15], []string{"file.gzip=?"}, []string{"broken data"}},
		{"a wrong size", long, []string{"a.txt=one?"}, []string{"checksum"}},
		{"a stream that looks back at the one before", slices.Concat(gzipped(t, "", whole), borrowed), []string{"file.gzip=1300?", "[stream-2]="}, []string{"broken data"}},
		{"with a name", one, []string{"a.txt=one"}, nil},
		{"with none", two, []string{"file.gzip=two"}, nil},
		{"CP932 name", gzipNamed(t, cp932, "x"), []string{"議事録.txt=x"}, nil},
		{"two streams are one file", slices.Concat(one, two), []string{"a.txt=onetwo", "[stream-2]=two"}, nil},
		{"tape padding", slices.Concat(one, make([]byte, 100)), []string{"a.txt=one"}, []string{"trailing padding"}},
		{"a program behind", slices.Concat(one, []byte("MZ evil")), []string{"a.txt=one", "[trailing]=MZ evil"}, []string{"trailing pe"}},
		{"checksum", bad, []string{"a.txt=one?"}, []string{"checksum"}},
		{"cut in the data", one[:len(one)-9], []string{"a.txt=one?"}, []string{"broken data"}},
		{"cut in the header", one[:5], []string{"file.gzip=?"}, []string{"broken data"}},
		{"nothing", nil, []string{"file.gzip=?"}, []string{"broken data"}},
	})
}

func TestStreamNames(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a.txt.gz", "a.txt"},
		{"capitals", "A.TXT.GZ", "A.TXT"},
		{"tgz", "a.tgz", "a.tar"},
		{"in a folder", "b/a.tar.gz", "a.tar"},
		{"suffix only", ".gz", ".gz"},
		{"no suffix", "a.exe", "a.exe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &entity.Entity{Names: []entity.Name{{Text: tt.in}}}
			if got := streamNames(e, ".gz", ".tgz")[0].Text; got != tt.want {
				t.Errorf("streamNames(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func asLzip(w io.Writer) (io.WriteCloser, error) { return lzip.NewWriter(w), nil }

func TestStreams(t *testing.T) {
	formats := []struct {
		typ  string
		open func(io.Writer) (io.WriteCloser, error)
	}{
		{"bzip2", archives.Bz2{}.OpenWriter}, {"xz", asXz}, {"zstd", asZstd}, {"lzip", asLzip}, {"lz4", archives.Lz4{}.OpenWriter},
	}
	for _, f := range formats {
		whole := written(t, letter, f.open)
		cut := whole[:len(whole)/2]
		t.Run(f.typ, func(t *testing.T) {
			if members, kinds := opened(whole, f.typ, budget.Default); !slices.Equal(members, []string{strings.TrimSuffix(strings.TrimSuffix("file."+f.typ, ".xz"), ".lz4") + "=65"}) || kinds != nil {
				t.Errorf("whole: %q %q", members, kinds)
			}
			if members, kinds := opened(cut, f.typ, budget.Default); len(members) != 1 || !slices.Equal(kinds, []string{"broken data"}) {
				t.Errorf("cut: %q %q", members, kinds)
			}
			if _, kinds := opened([]byte("hello, this is text"), f.typ, budget.Default); len(kinds) == 0 {
				t.Error("text: nothing found")
			}
		})
	}
}

func TestLzipJoined(t *testing.T) {
	one := written(t, "one", asLzip)
	bad := slices.Clone(one)
	bad[len(bad)-20]++
	greedy := slices.Clone(one)
	greedy[5] = 29
	runOpen(t, "lzip", []openCase{
		{"two members are one file", slices.Concat(one, one), []string{"file.lzip=oneone"}, nil},
		{"checksum", bad, []string{"file.lzip=one?"}, []string{"broken data"}},
		{"dictionary of 512 MB", greedy, []string{"file.lzip=?"}, []string{"method-unsupported"}},
	})
}

// lzwOf writes s as compress does at its first width, one code a byte.
func lzwOf(s string) []byte {
	var w bitWriter
	for _, c := range []byte(s) {
		w.put(uint32(c), lzwMinBits)
	}
	return append([]byte{0x1f, 0x9d, lzwBlock | lzwMaxBits}, w.out...)
}

func TestCompress(t *testing.T) {
	runOpen(t, "compress", []openCase{
		{"plain", lzwOf("hello"), []string{"file.compress=hello"}, nil},
		{"the code being defined", append([]byte{0x1f, 0x9d, 0x90}, func() []byte {
			var w bitWriter
			w.put('a', 9)
			w.put(257, 9)
			return w.out
		}()...), []string{"file.compress=aaa"}, nil},
		{"a code from nowhere", lzwOf("a")[:3:3], []string{"file.compress="}, nil},
		{"too wide", []byte{0x1f, 0x9d, 0x9f, 0, 0}, []string{"file.compress=?"}, []string{"broken data"}},
		{"no code yet", append([]byte{0x1f, 0x9d, 0x90}, 0xff, 0xff), []string{"file.compress=?"}, []string{"broken data"}},
	})
}

// tarOf writes a tar file.
func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		body := h.Uname // carries the content, to keep tables short
		h.Uname = ""
		h.Mode, h.Size = 0o644, int64(len(body))
		err := w.WriteHeader(&h)
		if err == nil {
			_, err = io.WriteString(w, body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTar(t *testing.T) {
	long := strings.Repeat("n", 150) + ".txt"
	two := tarOf(t, tar.Header{Name: "a", Uname: "1"}, tar.Header{Name: "b", Uname: "2"})
	joined := slices.Concat(tarOf(t, tar.Header{Name: "a", Uname: "1"}), tarOf(t, tar.Header{Name: "b.exe", Uname: "2"}))
	hurt := slices.Clone(two)
	hurt[1024+100] ^= 0xff
	odd := slices.Clone(two)
	copy(odd[136:148], "zzzzzzzzzzz\x00") // the time is no number
	resum(odd[:512])
	sized := tarOf(t, tar.Header{Name: "d/", Typeflag: tar.TypeDir})
	copy(sized[124:136], "00000000007\x00")
	resum(sized[:512])
	runOpen(t, "tar", []openCase{
		{"plain", two, []string{"a=1", "b=2"}, nil},
		{"empty", make([]byte, 1024), nil, nil},
		{"folder and link", tarOf(t, tar.Header{Name: "d/", Typeflag: tar.TypeDir}, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "x"}),
			[]string{"d/=/", "l=@"}, nil},
		{"hard link has what it links to", tarOf(t, tar.Header{Name: "a", Uname: "1"}, tar.Header{Name: "b.exe", Typeflag: tar.TypeLink, Linkname: "a"}),
			[]string{"a=1", "b.exe=1@"}, nil},
		{"long name", tarOf(t, tar.Header{Name: long, Uname: "1", Format: tar.FormatPAX}), []string{long + "=1"}, nil},
		{"CP932 name", tarOf(t, tar.Header{Name: cp932, Uname: "1", Format: tar.FormatGNU}), []string{"議事録.txt=1"}, nil},
		{"joined", joined, []string{"a=1", "b.exe=2"}, []string{"trailing tar"}},
		{"a header is hurt", hurt, []string{"a=1"}, []string{"broken tar header"}},
		{"an odd time hides nothing", odd, []string{"a=1", "b=2"}, []string{"broken tar header"}},
		{"a folder that declares content", sized, []string{"d/=/"}, []string{"conflict size"}},
		{"cut in a member", two[:512], []string{"a=?"}, []string{"broken data", "broken tar header"}},
		{"data behind the end", append(slices.Clone(two), "MZ evil"...), []string{"a=1", "b=2", "[trailing]=MZ evil"}, []string{"trailing pe"}},
		{"no tar", []byte("hello"), nil, []string{"broken tar header"}},
	})
}

// resum writes the checksum of a tar header anew.
func resum(h []byte) {
	copy(h[148:156], "        ")
	total := 0
	for _, c := range h {
		total += int(c)
	}
	copy(h[148:156], []byte{
		'0' + byte(total>>15&7), '0' + byte(total>>12&7), '0' + byte(total>>9&7),
		'0' + byte(total>>6&7), '0' + byte(total>>3&7), '0' + byte(total&7), 0, ' ',
	})
}

func TestTarSparseBomb(t *testing.T) {
	h := tar.Header{Name: "s", Uname: "x", Format: tar.FormatPAX, PAXRecords: map[string]string{
		"SCHILY.dummy": "1",
	}}
	b := tarOf(t, h)
	// archive/tar will not write a sparse file: the record is put in by hand.
	record := "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n30 GNU.sparse.realsize=99999999999\n"
	record = strings.Replace(record, "30 GNU.sparse.realsize", "35 GNU.sparse.realsize", 1)
	copy(b[512:1024], record+strings.Repeat("\x00", 512-len(record)))
	copy(b[124:136], "00000000"+octal(len(record))+"\x00")
	resum(b[:512])
	bud := budget.New(budget.Small)
	_, found := Walk(&entity.Entity{Path: "2", Body: b}, []string{"tar"}, bud, func(*entity.Entity) {})
	if len(found)+len(bud.Reached()) == 0 {
		t.Error("neither finding nor limit")
	}
}

func octal(n int) string {
	return string([]byte{'0' + byte(n>>6&7), '0' + byte(n>>3&7), '0' + byte(n&7)})
}

func TestAr(t *testing.T) {
	member := func(name, data string) string {
		s := name + strings.Repeat(" ", 48-len(name)) + octal(0)[:0]
		s += padded(len(data)) + "`\n" + data
		if len(data)%2 == 1 {
			s += "\n"
		}
		return s
	}
	runOpen(t, "ar", []openCase{
		{"plain", []byte(arMagic + member("a.txt", "1") + member("b.txt/", "22")), []string{"a.txt=1", "b.txt=22"}, nil},
		{"GNU long names", []byte(arMagic + member("//", "long-name.exe/\n") + member("/0", "1")), []string{"long-name.exe=1"}, nil},
		{"BSD long names", []byte(arMagic + member("#1/8", "evil.exe1")), []string{"evil.exe=1"}, nil},
		{"name from nowhere", []byte(arMagic + member("/99", "1")), []string{"/99=1"}, []string{"broken name"}},
		{"cut", []byte(arMagic + member("a", "12345678"))[:70], []string{"a=12?"}, []string{"broken data"}},
		{"junk", []byte(arMagic + member("a", "12") + "junk"), []string{"a=12", "[trailing]=junk"}, []string{"broken ar header", "trailing data"}},
		{"no ar", []byte("hello"), nil, []string{"broken ar header"}},
	})
}

// padded writes n as the size field of ar.
func padded(n int) string {
	s := strings.TrimLeft(string([]byte{'0' + byte(n/10%10), '0' + byte(n%10)}), "0")
	return s + strings.Repeat(" ", 10-len(s))
}

func TestCpio(t *testing.T) {
	newc := func(name, data string) string {
		hex := func(n int) string {
			return "000000" + string("0123456789abcdef"[n>>4&15]) + string("0123456789abcdef"[n&15])
		}
		zero := hex(0)
		s := "070701" + zero + "000081a4" + zero + zero + zero + zero + hex(len(data)) + zero + zero + zero + zero + hex(len(name)+1) + zero + name + "\x00"
		s += strings.Repeat("\x00", roundUp(len(s), 4)-len(s)) + data
		return s + strings.Repeat("\x00", roundUp(len(s), 4)-len(s))
	}
	end := newc("TRAILER!!!", "")
	summed := func(sum string) []byte {
		return []byte(strings.Replace(strings.Replace(newc("a.txt", "hello"), "070701", "070702", 1), "00000000a.txt", sum+"a.txt", 1) + end)
	}
	runOpen(t, "cpio", []openCase{
		{"newc", []byte(newc("a.txt", "hello") + newc("b", "2") + end), []string{"a.txt=hello", "b=2"}, nil},
		{"no end", []byte(newc("a.txt", "hello")), []string{"a.txt=hello"}, []string{"broken cpio header"}},
		{"data behind the end", []byte(end + "MZ evil"), []string{"[trailing]=MZ evil"}, []string{"trailing pe"}},
		{"a hurt header hides nothing", []byte(newc("a", "1") + "junk" + newc("b", "2") + end), []string{"a=1", "b=2"}, []string{"broken cpio header"}},
		{"cut", []byte(newc("a.txt", "hello"))[:118], []string{"a.txt=he?"}, []string{"broken data"}},
		{"no cpio", []byte("hello"), nil, []string{"broken cpio header"}},
		{"its sum is right", summed("00000214"), []string{"a.txt=hello"}, nil},
		{"its sum is wrong", summed("00000215"), []string{"a.txt=hello"}, []string{"checksum"}},
		{"NUL ends a name for some", []byte(newc("a.exe\x00.txt", "x") + end), []string{"a.exe\x00.txt=x"}, []string{"conflict name"}},
	})
}

func TestUnopened(t *testing.T) {
	for _, f := range Formats {
		if f.Opens() {
			continue
		}
		ok, found := Walk(&entity.Entity{Path: "2"}, []string{f.Name}, budget.New(budget.Small), func(*entity.Entity) {
			t.Error("a member")
		})
		if ok || len(found) != 1 || found[0].Kind != finding.ContainerUnopened || found[0].Evidence["type"] != f.Name {
			t.Errorf("Walk(%q) = %v, %v", f.Name, ok, found)
		}
	}
	if ok, found := Walk(&entity.Entity{Path: "2"}, []string{"pdf", "text"}, budget.New(budget.Small), nil); ok || found != nil {
		t.Errorf("Walk(pdf) = %v, %v", ok, found)
	}
}

// TestWalkSeveral: a polyglot is opened as all that it is.
func TestWalkSeveral(t *testing.T) {
	z, g := zipOf(made{name: "a", data: "1"}), gzipped(t, "a", "2")
	var got []string
	ok, _ := Walk(&entity.Entity{Path: "2", Body: slices.Concat(g, z)}, []string{"gzip", "zip"}, budget.New(budget.Default), func(e *entity.Entity) {
		got = append(got, e.Path+"="+string(e.Body[:1]))
	})
	if want := []string{"2/a=1", "2/a#2=2", "2/unnamed=P"}; !ok || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWalkDepth(t *testing.T) {
	bud := budget.New(budget.Small)
	e := &entity.Entity{Path: "2", Depth: budget.Small.Depth + 1, Body: zipOf(made{name: "a"})}
	if ok, _ := Walk(e, []string{"zip"}, bud, func(*entity.Entity) { t.Error("a member") }); ok || len(bud.Reached()) != 1 {
		t.Errorf("opened %v, reached %v", ok, bud.Reached())
	}
}
