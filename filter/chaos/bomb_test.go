package chaos

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sekisho/filter/specimen"
)

const zeroBlock = 64 << 20

// packed is one member of a zip, packed once so that it can be written often.
func packed(t *testing.T, raw []byte) (zip.FileHeader, []byte) {
	t.Helper()
	one := specimen.Zip(specimen.Member{Name: "a", Data: raw, Method: "fast"})
	r, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
	if err != nil {
		t.Fatal(err)
	}
	offset, err := r.File[0].DataOffset()
	check(t, err)
	h := r.File[0].FileHeader
	return h, one[offset : offset+int64(h.CompressedSize64)]
}

// zipOf writes n members with the given content.
func zipOf(t *testing.T, n int, head zip.FileHeader, content []byte, name func(int) string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		h := head
		h.Name = name(i)
		f, err := w.CreateRaw(&h)
		check(t, err)
		_, err = f.Write(content)
		check(t, err)
	}
	check(t, w.Close())
	return b.Bytes()
}

func stored(data []byte) (zip.FileHeader, []byte) {
	n := uint64(len(data))
	return zip.FileHeader{CRC32: crc32.ChecksumIEEE(data), CompressedSize64: n, UncompressedSize64: n}, data
}

func digits(suffix string) func(int) string {
	return func(i int) string {
		return string([]byte{byte('a' + i/26/26%26), byte('a' + i/26%26), byte('a' + i%26)}) + suffix
	}
}

// gzipOf is n gzip members of zeros in a row: one stream for each gunzip.
func gzipOf(t *testing.T, n int, before []byte) []byte {
	t.Helper()
	var first, one bytes.Buffer
	for buffer, data := range map[*bytes.Buffer][]byte{&first: before, &one: make([]byte, zeroBlock)} {
		w, err := gzip.NewWriterLevel(buffer, gzip.BestSpeed)
		check(t, err)
		_, err = w.Write(data)
		check(t, err)
		check(t, w.Close())
	}
	return append(first.Bytes(), bytes.Repeat(one.Bytes(), n)...)
}

// layers is a zip in which each of n layers holds width copies of the next.
func layers(t *testing.T, n, width int) []byte {
	head, content := packed(t, make([]byte, zeroBlock))
	b := zipOf(t, 1, head, content, digits(".dll"))
	for range n {
		head, content = packed(t, b)
		b = zipOf(t, width, head, content, digits(".zip"))
	}
	return b
}

// tarOf begins a tar with one file of a gigabyte.
func tarOf(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, tar.NewWriter(&b).WriteHeader(&tar.Header{Name: "a.dll", Size: 1 << 30, Mode: 0o600}))
	return b.Bytes()
}

// What one bomb may cost: two seconds and half a gigabyte, and four times as
// long where other tests share the processors.
const (
	bombCPU    = 8 * time.Second
	bombMemory = 512
)

// F16: small attachments that unpack to gigabytes or to a million names. Each
// is flagged and kept, at a bounded cost.
func TestF16Bombs(t *testing.T) {
	tests := []struct {
		name, file string
		make       func(*testing.T) []byte
	}{
		{"100 members of 64 MiB of zeros", "a.zip", func(t *testing.T) []byte {
			head, content := packed(t, make([]byte, zeroBlock))
			return zipOf(t, 100, head, content, digits(".dll"))
		}},
		{"four layers of 16 zips each", "a.zip", func(t *testing.T) []byte { return layers(t, 3, 16) }},
		{"gigabytes in one gzip", "a.gz", func(t *testing.T) []byte { return gzipOf(t, 32, nil) }},
		{"gigabytes in one tar.gz", "a.tar.gz", func(t *testing.T) []byte { return gzipOf(t, 32, tarOf(t)) }},
		{"60,000 empty members", "a.zip", func(t *testing.T) []byte {
			head, content := stored(nil)
			return zipOf(t, 60000, head, content, digits(".txt"))
		}},
		{"20 gzips of a gigabyte in one zip", "a.zip", func(t *testing.T) []byte {
			head, content := stored(gzipOf(t, 16, nil))
			return zipOf(t, 20, head, content, digits(".gz"))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := attached(tt.file, tt.make(t))
			file := filepath.Join(t.TempDir(), "bomb.eml")
			check(t, os.WriteFile(file, raw, 0o600))
			r := scanned(t, file)
			t.Logf("%d bytes: %s, %v CPU, %d MiB", len(raw), r.disposition, r.cpu.Round(time.Millisecond), r.peak)
			if r.disposition != "quarantine" {
				t.Errorf("disposition %s, want quarantine", r.disposition)
			}
			if r.cpu > bombCPU || r.peak > bombMemory {
				t.Errorf("%v CPU and %d MiB, want at most %v and %d MiB", r.cpu, r.peak, bombCPU, bombMemory)
			}
		})
	}
}
