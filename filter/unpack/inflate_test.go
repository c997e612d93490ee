package unpack

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	klauspost "github.com/klauspost/compress/flate"

	"sekisho/filter/budget"
)

// packedAt deflates b at a level.
func packedAt(tb testing.TB, b []byte, level int) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// inflateAll draws all of src in steps of room bytes at most.
func inflateAll(src []byte, room, most int) (out []byte, used int, err error) {
	var f inflater
	f.reset(src)
	for err == nil && len(out) < most {
		out = append(out, make([]byte, room)...)[:len(out)]
		var n int
		n, err = f.Fill(out, room)
		out = out[:len(out)+n]
	}
	return out, f.used(), err
}

func TestInflate(t *testing.T) {
	noise := make([]byte, 100<<10)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise) // never fails
	text := []byte(office(300 << 10))
	for _, tt := range []struct {
		name string
		data []byte
	}{
		{"nothing", nil},
		{"one byte", []byte("a")},
		{"noise, stored", noise},
		{"zeros: matches of distance one", make([]byte, 1<<20)},
		{"short periods", []byte(strings.Repeat("ab", 700) + strings.Repeat("abcd", 700) + strings.Repeat("abc", 5000) + strings.Repeat("abcdefghi", 5000) + strings.Repeat("0123456789abcdef!", 5000))},
		{"text", text},
		{"text, noise, text: matches far back", append(append(append([]byte{}, text[:20000]...), noise[:12000]...), text[:20000]...)},
	} {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			packed := packedAt(t, tt.data, level)
			src := append(bytes.Clone(packed), "behind the stream"...)
			for _, room := range []int{1, 7, 300, 4096, 64 << 10} {
				if room == 1 && len(tt.data) > 400<<10 {
					continue
				}
				out, used, err := inflateAll(src, room, len(tt.data)+room)
				if err != io.EOF || used != len(packed) || !bytes.Equal(out, tt.data) {
					t.Errorf("%s, level %d, room %d: %d bytes of %d, used %d of %d, %v", tt.name, level, room, len(out), len(tt.data), used, len(packed), err)
				}
			}
		}
	}
}

// TestInflateCut cuts a stream at every place: what was there before comes
// out, and the end is never taken for a clean one.
func TestInflateCut(t *testing.T) {
	data := []byte(office(2000))
	for _, packed := range [][]byte{packedAt(t, data, 9), packedAt(t, data, 0)} {
		for cut := range len(packed) - 1 {
			out, _, err := inflateAll(packed[:cut], 512, len(data)+512)
			if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(data, out) {
				t.Fatalf("cut at %d of %d: %d bytes, %v; want a prefix and %v", cut, len(packed), len(out), err, io.ErrUnexpectedEOF)
			}
		}
	}
}

func TestInflateRefuses(t *testing.T) {
	for name, src := range map[string]string{
		"a block of type 3":                   "\x07",
		"a stored block whose lengths differ": "\x01\x05\x00\x00\x00hello",
		"a distance before the start":         "\x4b\x04\x12\x00\x00",
		"the fixed code without a symbol":     "\x1b\x03\x00\xc6\xff",
		"codes that begin with a repetition":  "\x05\xc0\x81\x00\x00\x00\x00\x00\x10\xff\x6b",
		"too many literals":                   "\xfd\xe0\x81\x00\x00\x00\x00\x00\x10\xff\x6b\x04",
	} {
		if out, _, err := inflateAll([]byte(src+strings.Repeat("\x00", 20)), 512, 1<<16); err == nil || err == io.EOF {
			t.Errorf("%s: %q, %v; want an error", name, out, err)
		}
	}
}

// FuzzInflate promises: the same bytes as the library gives, and the same end.
func FuzzInflate(f *testing.F) {
	f.Add(packedAt(f, []byte(office(5000)), 9))
	f.Add(packedAt(f, []byte(office(500)), 0))
	f.Add([]byte("\x4b\x04\x12\x00\x00"))
	f.Fuzz(func(t *testing.T, src []byte) {
		const most = 1 << 20
		in := bytes.NewReader(src)
		want, wantErr := io.ReadAll(io.LimitReader(klauspost.NewReader(in), most))
		got, used, err := inflateAll(src, 4096, most)
		if len(want) >= most {
			if !bytes.Equal(got[:min(len(got), most)], want) {
				t.Fatal("other bytes than the library's")
			}
			return
		}
		if (wantErr == nil) != (err == io.EOF) {
			t.Fatalf("%v after %d bytes, the library: %v after %d", err, len(got), wantErr, len(want))
		}
		if wantErr == nil && (!bytes.Equal(got, want) || used != len(src)-in.Len()) {
			t.Fatalf("%d bytes, used %d; the library: %d, used %d", len(got), used, len(want), len(src)-in.Len())
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	noise := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise) // never fails
	for _, tt := range []struct {
		name string
		data []byte
	}{{"text", []byte(office(1 << 20))}, {"noise", noise}, {"zeros", make([]byte, 16<<20)}} {
		packed := packedAt(b, tt.data, 6)
		if tt.name == "noise" {
			packed = packedAt(b, tt.data, flate.HuffmanOnly)
		}
		b.Run(tt.name+"/ours", func(b *testing.B) {
			b.SetBytes(int64(len(tt.data)))
			var f inflater
			bud := budget.New(budget.Limits{Bytes: 1 << 60, Member: 1 << 40, Ratio: 1 << 40})
			for b.Loop() {
				f.reset(packed)
				out, err := bud.Draw("a", &f, int64(len(packed)), int64(len(tt.data)))
				if err != nil {
					b.Fatal(err)
				}
				bud.Free(out)
			}
		})
		b.Run(tt.name+"/library", func(b *testing.B) {
			b.SetBytes(int64(len(tt.data)))
			in := bytes.NewReader(packed)
			r := klauspost.NewReader(in)
			bud := budget.New(budget.Limits{Bytes: 1 << 60, Member: 1 << 40, Ratio: 1 << 40})
			for b.Loop() {
				in.Reset(packed)
				if err := r.(klauspost.Resetter).Reset(in, nil); err != nil {
					b.Fatal(err)
				}
				out, err := bud.ReadSized("a", r, int64(len(packed)), int64(len(tt.data)))
				if err != nil {
					b.Fatal(err)
				}
				bud.Free(out)
			}
		})
	}
}
