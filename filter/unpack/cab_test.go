package unpack

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/testfile"
)

// cabSpec is a cabinet to be written.
type cabSpec struct {
	kind    uint16
	flags   uint16
	reserve []byte // of the header
	files   []cabFile
	data    string // of the one folder
	blocks  func(data string) [][]byte
	change  func(b []byte)
}

// one is a file of a cabinet that holds data from offset on.
func one(name string, offset, size int) cabFile {
	return cabFile{name: []byte(name), offset: int64(offset), size: int64(size)}
}

// frames packs each 32 KiB of data by itself.
func frames(data string, pack func(past, s string) []byte) (out [][]byte) {
	for at := 0; at < len(data); at += cabFrame {
		out = append(out, pack(data[max(at-cabFrame, 0):at], data[at:min(at+cabFrame, len(data))]))
	}
	return out
}

func cabPlain(data string) [][]byte {
	return frames(data, func(_, s string) []byte { return []byte(s) })
}

func cabOf(s cabSpec) []byte {
	if s.blocks == nil {
		s.blocks = cabPlain
	}
	le := binary.LittleEndian
	out := append([]byte("MSCF"), make([]byte, cabHead-4)...)
	out[24], out[25] = 3, 1
	le.PutUint16(out[26:], 1)
	le.PutUint16(out[28:], uint16(len(s.files)))
	le.PutUint16(out[30:], s.flags)
	if s.flags&cabReserve != 0 {
		out = append(le.AppendUint16(out, uint16(len(s.reserve))), 0, 0)
		out = append(out, s.reserve...)
	}
	out = append(out, strings.Repeat("next\x00", int(s.flags&cabPrevious+s.flags&cabNext>>1)*2)...)
	folder := len(out)
	out = append(out, make([]byte, cabFolder)...)
	le.PutUint32(out[16:], uint32(len(out)))
	for _, f := range s.files {
		out = le.AppendUint32(le.AppendUint32(out, uint32(f.size)), uint32(f.offset))
		out = append(le.AppendUint16(out, uint16(f.folder)), 0, 0, 0, 0)
		attr := uint16(0x20)
		if f.utf8 {
			attr |= cabNameUTF8
		}
		out = append(append(le.AppendUint16(out, attr), f.name...), 0)
	}
	le.PutUint32(out[folder:], uint32(len(out)))
	blocks := s.blocks(s.data)
	le.PutUint16(out[folder+4:], uint16(len(blocks)))
	le.PutUint16(out[folder+6:], s.kind)
	for i, b := range blocks {
		sizes := le.AppendUint16(nil, uint16(len(b)))
		sizes = le.AppendUint16(sizes, uint16(min(cabFrame, len(s.data)-i*cabFrame)))
		out = append(le.AppendUint32(out, cabSum(sizes, b)), sizes...)
		out = append(out, b...)
	}
	le.PutUint32(out[8:], uint32(len(out)))
	if s.change != nil {
		s.change(out)
	}
	return out
}

func cabZipped(data string) [][]byte {
	return frames(data, func(past, s string) []byte { return append([]byte("CK"), deflatedAfter(past, s)...) })
}

// cabRawLZX packs in raw blocks of LZX, one a frame.
func cabRawLZX(data string) [][]byte {
	first := true
	return frames(data, func(_, s string) []byte {
		head := uint32(lzxRaw)<<24 | uint32(len(s))
		n := 27
		if first { // no translation of jumps
			n, first = 28, false
		}
		head <<= 32 - n
		b := []byte{byte(head >> 16), byte(head >> 24), byte(head), byte(head >> 8)}
		for range 3 {
			b = append(b, 1, 0, 0, 0)
		}
		return append(append(b, s...), make([]byte, len(s)%2)...)
	})
}

// quantumWriter is the arithmetic code of Quantum, the other way round. It
// writes no symbol that has further bits.
type quantumWriter struct {
	bits      []byte
	low, high uint16
	waiting   int // bits that are the opposite of the next
}

func (w *quantumWriter) bit(v byte) {
	w.bits = append(w.bits, v)
	for ; w.waiting > 0; w.waiting-- {
		w.bits = append(w.bits, 1-v)
	}
}

func (w *quantumWriter) symbol(m *quantumModel, symbol int) {
	s := m.symbols[:m.n+1]
	i := 1 + slices.IndexFunc(s[:m.n], func(q quantumSymbol) bool { return int(q.symbol) == symbol })
	width, total := uint32(w.high-w.low)+1, uint32(s[0].sum)
	w.high = w.low + uint16(uint32(s[i-1].sum)*width/total) - 1
	w.low += uint16(uint32(s[i].sum) * width / total)
	for j := range i {
		s[j].sum += quantumStep
	}
	if s[0].sum > quantumMost {
		m.learn()
	}
	for {
		switch {
		case (w.low^w.high)&0x8000 == 0:
			w.bit(byte(w.low >> 15))
		case w.low&0x4000 != 0 && w.high&0x4000 == 0:
			w.waiting++
			w.low &= 0x3fff
			w.high |= 0x4000
		default:
			return
		}
		w.low <<= 1
		w.high = w.high<<1 | 1
	}
}

func (w *quantumWriter) end() (out []byte) {
	w.waiting++
	w.bit(byte(w.low >> 14 & 1))
	for i, v := range w.bits {
		if i%8 == 0 {
			out = append(out, 0)
		}
		out[i/8] |= v << (7 - i%8)
	}
	w.bits = nil
	return out
}

// cabQuanta packs with Quantum: a byte that was just seen three times begins
// a run of three, all else is literal.
func cabQuanta(data string) [][]byte {
	q := &quantum{}
	q.reset(15)
	return frames(data, func(_, s string) []byte {
		w := &quantumWriter{high: 0xffff}
		for i := 0; i < len(s); i++ {
			if i > 0 && i+3 <= len(s) && s[i-1:i+2] == s[i:i+3] {
				w.symbol(&q.choice, 4)
				w.symbol(&q.near[0], 0)
				i += 2
				continue
			}
			w.symbol(&q.choice, int(s[i]>>6))
			w.symbol(&q.literals[s[i]>>6], int(s[i]))
		}
		return w.end()
	})
}

func TestCABHonest(t *testing.T) {
	long := office(100000)
	whole := fmt.Sprintf("a.xml=%d", len(long))
	runs := strings.Repeat("aaaaaaaab", 9000)
	sjis := one(cp932, 0, 1)
	marked := one("議事録.txt", 0, 1)
	marked.utf8 = true
	signed := make([]byte, 20)
	binary.LittleEndian.PutUint32(signed, 0x00100000)
	signedCAB := cabOf(cabSpec{flags: cabReserve, reserve: signed, files: []cabFile{one("a", 0, 1)}, data: "x", change: func(b []byte) {
		binary.LittleEndian.PutUint32(b[44:], uint32(len(b)))
		binary.LittleEndian.PutUint32(b[48:], 7)
	}})
	runOpen(t, "cab", []openCase{
		{"stored", cabOf(cabSpec{files: []cabFile{one("a.txt", 0, 2), one("b.txt", 2, 3)}, data: "aabbb"}), []string{"a.txt=aa", "b.txt=bbb"}, nil},
		{"an empty file", cabOf(cabSpec{files: []cabFile{one("a.txt", 0, 0)}, data: ""}), []string{"a.txt="}, nil},
		{"MSZIP, whose blocks reach back", cabOf(cabSpec{kind: cabMSZIP, files: []cabFile{one("a.xml", 0, len(long))}, data: long, blocks: cabZipped}),
			[]string{whole}, nil},
		{"LZX in raw blocks", cabOf(cabSpec{kind: cabLZX | 15<<8, files: []cabFile{one("a.xml", 0, len(long)-1)}, data: long[1:], blocks: cabRawLZX}),
			[]string{fmt.Sprintf("a.xml=%d", len(long)-1)}, nil},
		{"Quantum", cabOf(cabSpec{kind: cabQuantum | 15<<8, files: []cabFile{one("a", 0, len(runs))}, data: runs, blocks: cabQuanta}),
			[]string{fmt.Sprintf("a=%d", len(runs))}, nil},
		{"names in CP932", cabOf(cabSpec{files: []cabFile{sjis}, data: "x"}), []string{"議事録.txt=x"}, nil},
		{"names in UTF-8", cabOf(cabSpec{files: []cabFile{marked}, data: "x"}), []string{"議事録.txt=x"}, nil},
		{"folders", cabOf(cabSpec{files: []cabFile{one(`docs\a.txt`, 0, 1)}, data: "x"}), []string{"docs/a.txt=x"}, nil},
		{"a signature behind it", append(signedCAB, "PKCS #7"...), []string{"a=x"}, nil},
	})
}

// What was packed is what comes out, not only as long.
func TestCABContents(t *testing.T) {
	long, runs := office(100000), strings.Repeat("aaaaaaaab\xff\x80", 9000)
	tests := []struct {
		name, data string
		kind       uint16
		blocks     func(string) [][]byte
	}{
		{"MSZIP", long, cabMSZIP, cabZipped},
		{"LZX", long, cabLZX | 16<<8, cabRawLZX},
		{"Quantum literals", long, cabQuantum | 15<<8, cabQuanta},
		{"Quantum runs", runs, cabQuantum | 21<<8, cabQuanta},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := cabOf(cabSpec{kind: tt.kind, files: []cabFile{one("a", 0, len(tt.data))}, data: tt.data, blocks: tt.blocks})
			Walk(&entity.Entity{Path: "2", Body: b}, []string{"cab"}, budget.New(budget.Default), func(m *entity.Entity) {
				if string(m.Body) != tt.data {
					t.Errorf("%d bytes, want %d others", len(m.Body), len(tt.data))
				}
			})
		})
	}
}

// cabSpecimens are cabinets of other makers: member by member the SHA-256.
var cabSpecimens = map[string][]string{
	"strelka-lzx.cab":             {"lorem.txt 7ac19ffb", "hidden/lorem-hidden.txt 7ac19ffb", "hidden/lorem-readonly.txt 7ac19ffb", "hidden/lorem.txt 7ac19ffb"},
	"libarchive-lzx-literals.cab": {"x 96a296d2"},
	"libarchive-mszip.cab":        {"empty e3b0c442", "dir1/file1 d0c504f0", "dir2/file2 60f47caf"},
}

func cabSpecimen(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testfile.Root(t), "testdata/containers/cab", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCABSpecimens(t *testing.T) {
	for name, want := range cabSpecimens {
		t.Run(name, func(t *testing.T) {
			b := cabSpecimen(t, name)
			var got []string
			_, found := Walk(&entity.Entity{Path: "2", Body: b}, []string{"cab"}, budget.New(budget.Default), func(m *entity.Entity) {
				h := sha256.Sum256(m.Body)
				got = append(got, m.Name()+" "+hex.EncodeToString(h[:4]))
			})
			if !slices.Equal(got, want) || len(found) > 0 {
				t.Errorf("got %q with %v, want %q", got, found, want)
			}
		})
	}
}

func TestCABHostile(t *testing.T) {
	plain := cabOf(cabSpec{files: []cabFile{one("a", 0, 1)}, data: "x"})
	toNext := one("a", 0, 5)
	toNext.folder = cabToNext
	nowhere := one("a", 0, 5)
	nowhere.folder = 7
	split := func(b []byte) { binary.LittleEndian.PutUint16(b[len(b)-3:], 0) }
	runOpen(t, "cab", []openCase{
		{"files share bytes", cabOf(cabSpec{files: []cabFile{one("a", 0, 3), one("b", 1, 2)}, data: "xyz"}),
			[]string{"a=xyz", "b=yz"}, []string{"overlap"}},
		{"the same name twice", cabOf(cabSpec{files: []cabFile{one("a.txt", 0, 1), one("A.TXT", 1, 1)}, data: "xy"}),
			[]string{"a.txt=x", "A.TXT=y"}, []string{"duplicate-name"}},
		{"a file beyond the data", cabOf(cabSpec{files: []cabFile{one("a", 0, 1), one("b", 0, 9)}, data: "x"}),
			[]string{"a=x", "b=x?"}, []string{"broken data", "overlap"}},
		{"a file of no folder", cabOf(cabSpec{files: []cabFile{nowhere}, data: "x"}), []string{"a=?"}, []string{"broken data"}},
		{"a file without a name", cabOf(cabSpec{files: []cabFile{one("", 0, 1)}, data: "x"}), []string{"=x"}, []string{"broken name"}},
		{"one cabinet of a set", cabOf(cabSpec{flags: cabNext, files: []cabFile{one("a", 0, 1)}, data: "x"}), []string{"a=x"}, []string{"volume cab"}},
		{"a file goes on in the next", cabOf(cabSpec{flags: cabNext, files: []cabFile{toNext}, data: "x", change: split}), []string{"a=?"}, []string{"checksum", "volume cab"}},
		{"a checksum is wrong", cabOf(cabSpec{files: []cabFile{one("a", 0, 1)}, data: "x", change: func(b []byte) { b[len(b)-1] = 'y' }}),
			[]string{"a=y"}, []string{"checksum"}},
		{"a way of packing that nobody knows", cabOf(cabSpec{kind: 9, files: []cabFile{one("a", 0, 1)}, data: "x"}), []string{"a=?"}, []string{"method-unsupported unknown"}},
		{"a window beyond all", cabOf(cabSpec{kind: cabLZX | 25<<8, files: []cabFile{one("a", 0, 1)}, data: "x"}), []string{"a=?"}, []string{"method-unsupported lzx"}},
		{"MSZIP without its mark", cabOf(cabSpec{kind: cabMSZIP, files: []cabFile{one("a", 0, 1)}, data: "x"}), []string{"a=?"}, []string{"broken data"}},
		{"LZX that ends early", cabOf(cabSpec{kind: cabLZX | 15<<8, files: []cabFile{one("a", 0, 2)}, data: "xy"}), []string{"a=?"}, []string{"broken data"}},
		{"no file", cabOf(cabSpec{data: "x"}), nil, []string{"broken list of files"}},
		{"a program before it", append([]byte("MZ stub "), plain...), []string{"a=x"}, []string{"prefix pe"}},
		{"data behind it", append(slices.Clone(plain), "MZ evil"...), []string{"a=x", "[trailing]=MZ evil"}, []string{"trailing pe"}},
		{"two cabinets", slices.Concat(plain, []byte("----"), cabOf(cabSpec{files: []cabFile{one("b", 0, 1)}, data: "y"})),
			[]string{"a=x", "b=y"}, []string{"conflict gap"}},
		{"cut in its data", plain[:len(plain)-1], []string{"a=?"}, []string{"broken data", "broken size", "checksum"}},
		{"cut in its header", plain[:20], nil, []string{"broken cabinet header"}},
		{"no cabinet", []byte("hello"), nil, []string{"broken cabinet header"}},
	})
}

// Blocks that many folders share, and files that share a folder, cost.
func TestCABBombs(t *testing.T) {
	zeros := strings.Repeat("\x00", 3<<20)
	many := slices.Repeat([]cabFile{one("a", 0, 100000)}, 150)
	tests := []struct {
		name string
		in   []byte
		what budget.What
	}{
		{"one folder swells", cabOf(cabSpec{kind: cabMSZIP, files: []cabFile{one("a", 0, len(zeros))}, data: zeros, blocks: cabZipped}), budget.Ratio},
		{"files share a folder", cabOf(cabSpec{files: many, data: zeros[:100000]}), budget.Bytes},
		{"too many files", cabOf(cabSpec{files: slices.Repeat([]cabFile{one("a", 0, 0)}, 300)}), budget.Members},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bud := budget.New(budget.Small)
			Walk(&entity.Entity{Path: "2", Body: tt.in}, []string{"cab"}, bud, func(*entity.Entity) {})
			if !slices.ContainsFunc(bud.Reached(), func(r budget.Reached) bool { return r.What == tt.what }) {
				t.Errorf("reached %v, want %v", bud.Reached(), tt.what)
			}
		})
	}
}

func FuzzCAB(f *testing.F) {
	for name := range cabSpecimens {
		f.Add(cabSpecimen(f, name))
	}
	text := strings.Repeat(letter, 3)
	files := []cabFile{one("a", 0, 100), one("b", 100, 92)}
	f.Add(cabOf(cabSpec{files: files, data: text}))
	f.Add(cabOf(cabSpec{kind: cabMSZIP, files: files, data: text, blocks: cabZipped}))
	f.Add(cabOf(cabSpec{kind: cabLZX | 15<<8, files: files, data: text, blocks: cabRawLZX}))
	f.Add(cabOf(cabSpec{kind: cabQuantum | 15<<8, files: files, data: text, blocks: cabQuanta}))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "cab", b) })
}

func BenchmarkCABMSZIP(b *testing.B) {
	text := office(1 << 20)
	benchmarkWalk(b, "cab", cabOf(cabSpec{kind: cabMSZIP, files: []cabFile{one("a", 0, len(text))}, data: text, blocks: cabZipped}), len(text))
}

func deflatedAfter(past, s string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, 6, []byte(past))
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.Bytes()
}
