package filter

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
	"github.com/mholt/archives"
	"github.com/sorairolake/lzip-go"
	"github.com/ulikunitz/xz/lzma"

	"sekisho/filter/specimen"
)

// written gives what write puts into a buffer; a buffer takes everything.
func written(write func(w io.Writer)) []byte {
	var b bytes.Buffer
	write(&b)
	return b.Bytes()
}

func zipped(files map[string][]byte) []byte {
	return written(func(w io.Writer) {
		z := zip.NewWriter(w)
		for name, data := range files {
			f, _ := z.Create(name)
			_, _ = f.Write(data)
		}
		_ = z.Close()
	})
}

// swelling is a raw deflate stream of n times block, without the time that it
// takes to pack them: one block, flushed, again and again.
func swelling(n int, block []byte) []byte {
	return written(func(w io.Writer) {
		one := written(func(w io.Writer) {
			f, _ := flate.NewWriter(w, 6)
			_, _ = f.Write(block)
			_ = f.Flush()
		})
		_, _ = w.Write(bytes.Repeat(one, n))
		_, _ = w.Write([]byte{1, 0, 0, 0xff, 0xff})
	})
}

// zeros is a raw deflate stream of n MiB of zeros.
func zeros(n int) []byte { return swelling(n, make([]byte, 1<<20)) }

// inGzip puts a gzip header before a raw deflate stream; the sum behind it is
// none, since no bomb is read to its end.
func inGzip(deflated []byte) []byte {
	return bytes.Join([][]byte{[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), deflated, make([]byte, 8)}, nil)
}

func gzipZeros(n int) []byte { return inGzip(zeros(n)) }

// matryoshka is made as 42.zip is: five storeys of zips, 16 on each, with
// 300 MiB at the bottom of each.
func matryoshka() []byte {
	inner, name := zeros(300), "0.bin"
	for storey := range 6 {
		inner = written(func(w io.Writer) {
			z := zip.NewWriter(w)
			for i := range 1 + 15*min(storey, 1) {
				h := &zip.FileHeader{Name: fmt.Sprint(i, name), Method: zip.Deflate}
				h.UncompressedSize64, h.CompressedSize64 = uint64(len(inner)), uint64(len(inner))
				if storey > 0 {
					f, _ := z.Create(h.Name)
					_, _ = f.Write(inner)
					continue
				}
				f, _ := z.CreateRaw(h)
				_, _ = f.Write(inner)
			}
			_ = z.Close()
		})
		name = ".zip"
	}
	return inner
}

// crowded has n members without content.
func crowded(n int) []byte {
	return written(func(w io.Writer) {
		z := zip.NewWriter(w)
		for i := range n {
			_, _ = z.Create(fmt.Sprintf("%05d.txt", i))
		}
		_ = z.Close()
	})
}

// boastful has one member, and a zip64 end record that declares ten million.
func boastful() []byte {
	b := zipped(map[string][]byte{"a.txt": []byte("a")})
	end := bytes.LastIndex(b, []byte("PK\x05\x06"))
	le := binary.LittleEndian
	size, offset := uint64(le.Uint32(b[end+12:])), uint64(le.Uint32(b[end+16:]))
	long := le.AppendUint64([]byte("PK\x06\x06"), 44)
	long = append(long, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, v := range []uint64{1e7, 1e7, size, offset} {
		long = le.AppendUint64(long, v)
	}
	long = append(long, "PK\x06\x07\x00\x00\x00\x00"...)
	long = append(le.AppendUint64(long, uint64(end)), 1, 0, 0, 0)
	tail := bytes.Clone(b[end:])
	copy(tail[8:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	return bytes.Join([][]byte{b[:end], long, tail}, nil)
}

// shared is a zip of which n directory entries name one member of 6 MiB.
func shared(n int) []byte {
	b := zipped(map[string][]byte{"00000.bin": bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)})
	start, end := bytes.Index(b, []byte("PK\x01\x02")), bytes.LastIndex(b, []byte("PK\x05\x06"))
	entry, tail := b[start:end], bytes.Clone(b[end:])
	le := binary.LittleEndian
	le.PutUint16(tail[8:], uint16(n))
	le.PutUint16(tail[10:], uint16(n))
	le.PutUint32(tail[12:], uint32(n*len(entry)))
	return bytes.Join([][]byte{b[:start], bytes.Repeat(entry, n), tail}, nil)
}

// heartbeat is an honest log of n lines, one a second.
func heartbeat(n int) []byte {
	var b strings.Builder
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for range n {
		b.WriteString(at.Format(time.DateTime) + " portal monitor[312]: health check of the portal: 200 OK\n")
		at = at.Add(time.Second)
	}
	return []byte(b.String())
}

func gzipped(data []byte) []byte {
	return written(func(w io.Writer) {
		z := gzip.NewWriter(w)
		_, _ = z.Write(data)
		_ = z.Close()
	})
}

// packer opens a writer that packs.
type packer func(io.Writer) (io.WriteCloser, error)

// streams is n times the same stream, of size zeros each, behind each other:
// what most programs unpack as one file of n times the size.
func streams(t *testing.T, n, size int, open packer) []byte {
	t.Helper()
	one := written(func(w io.Writer) {
		z, err := open(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	})
	return bytes.Repeat(one, n)
}

func asLzip(w io.Writer) (io.WriteCloser, error) { return lzip.NewWriter(w), nil }

func asLZMA(w io.Writer) (io.WriteCloser, error) { return lzma.NewWriter(w) }

func asZstd(w io.Writer) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithWindowSize(8<<20))
}

// quoted overlaps as Fifield's bomb does (2019): each member's data is a stored
// block that holds the next member's header, then that one's data, so that all
// share one kernel of zeros. The sums are not those of the data: the overlap is
// seen before.
func quoted(n int, kernel []byte, swollen int) []byte {
	le := binary.LittleEndian
	header := func(i, packed, size int) []byte {
		h := append([]byte("PK\x03\x04\x14\x00\x00\x00\x08\x00"), make([]byte, 8)...)
		h = le.AppendUint32(le.AppendUint32(h, uint32(packed)), uint32(size))
		return append(append(h, 6, 0, 0, 0), fmt.Sprintf("%06d", i)...)
	}
	var files, dir []byte
	packed, size := len(kernel), swollen
	heads := make([][]byte, n)
	for i := n - 1; i >= 0; i-- {
		heads[i] = header(i, packed, size)
		packed, size = packed+5+len(heads[i]), size+len(heads[i])
	}
	for i := range n {
		if i > 0 {
			files = append(files, 0, byte(len(heads[i])), 0, ^byte(len(heads[i])), 0xff)
		}
		at := len(files)
		files = append(files, heads[i]...)
		c := append([]byte("PK\x01\x02\x14\x00"), heads[i][4:30]...)
		c = append(c[:32], make([]byte, 14)...)
		le.PutUint32(c[42:], uint32(at))
		dir = append(append(dir, c...), heads[i][30:]...)
	}
	files = append(files, kernel...)
	end := append([]byte("PK\x05\x06"), make([]byte, 18)...)
	le.PutUint16(end[8:], uint16(n))
	le.PutUint16(end[10:], uint16(n))
	le.PutUint32(end[12:], uint32(len(dir)))
	le.PutUint32(end[16:], uint32(len(files)))
	return bytes.Join([][]byte{files, dir, end}, nil)
}

// nestedZips is n zips, each in the next.
func nestedZips(n int) []byte {
	b := []byte("hello")
	for range n {
		b = specimen.Zip(specimen.Member{Name: "a.zip", Data: b, Method: "store"})
	}
	return b
}

// emptyFiles is a tar of n files without content, packed.
func emptyFiles(n int) []byte {
	one := written(func(w io.Writer) { _ = tar.NewWriter(w).WriteHeader(&tar.Header{Name: "a.txt", Mode: 0o600}) })
	const block = 2000
	return inGzip(swelling(n/block, bytes.Repeat(one, block)))
}

// directory is a zip of n entries for one empty member, packed.
func directory(n int) []byte {
	b := zipped(map[string][]byte{"a.txt": nil})
	start, end := bytes.Index(b, []byte("PK\x01\x02")), bytes.LastIndex(b, []byte("PK\x05\x06"))
	tail := bytes.Clone(b[end:])
	binary.LittleEndian.PutUint32(tail[12:], uint32(n*(end-start)))
	return gzipped(bytes.Join([][]byte{b[:start], bytes.Repeat(b[start:end], n), tail}, nil))
}

// packed packs data.
func packed(t *testing.T, data []byte, open packer) []byte {
	t.Helper()
	return written(func(w io.Writer) {
		z, err := open(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// greedyXz asks for the largest dictionary (xz file format 5.3.1), with a right
// checksum over its header.
func greedyXz(t *testing.T) []byte {
	b := packed(t, []byte("hello"), archives.Xz{}.OpenWriter)
	size := (int(b[12]) + 1) * 4
	at := bytes.Index(b[12:12+size], []byte{0x21, 1}) + 12
	b[at+2] = 40
	binary.LittleEndian.PutUint32(b[12+size-4:], crc32.ChecksumIEEE(b[12:12+size-4]))
	return b
}

// greedyZstd asks for a window of 2^29 bytes and holds one block of a byte
// repeated (RFC 8878 §3.1.1).
func greedyZstd() []byte { return []byte("\x28\xb5\x2f\xfd\x00\x98\x03\x10\x00a") }

// greedyLZMA asks for a dictionary of 2 GiB, and has no known size.
func greedyLZMA() []byte {
	return append([]byte("\x5d\x00\x00\x00\x80\xff\xff\xff\xff\xff\xff\xff\xff\x00"), bytes.Repeat([]byte("\x3a\x91\x5c\x07"), 200)...)
}

// ooxml is a document of the given parts.
func ooxml(parts map[string][]byte) []byte {
	parts["[Content_Types].xml"] = []byte(`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`)
	return zipped(parts)
}

// laughs is a document whose entities each stand for ten of the one before.
func laughs() []byte {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?><!DOCTYPE w [<!ENTITY e0 \"ha\">")
	for i := range 12 {
		fmt.Fprintf(&b, "<!ENTITY e%d \"%s\">", i+1, strings.Repeat(fmt.Sprintf("&e%d;", i), 10))
	}
	b.WriteString("]><w:document xmlns:w=\"w\"><w:t>&e12;</w:t></w:document>")
	return ooxml(map[string][]byte{"word/document.xml": []byte(b.String())})
}

func sharedStrings(n int) []byte {
	return ooxml(map[string][]byte{"xl/workbook.xml": []byte("<workbook/>"),
		"xl/sharedStrings.xml": []byte("<sst>" + strings.Repeat("<si><t>支給額</t></si>", n) + "</sst>")})
}

// loopingOLE is a compound file (MS-CFB §2.2) whose sectors of the directory
// and of the table of sectors follow each other for ever.
func loopingOLE() []byte {
	b := make([]byte, 512*4)
	copy(b, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	le := binary.LittleEndian
	for at, v := range map[int]uint16{24: 0x3e, 26: 3, 28: 0xfffe, 30: 9, 32: 6} {
		le.PutUint16(b[at:], v)
	}
	for at, v := range map[int]uint32{44: 1, 48: 1, 56: 4096, 60: 2, 64: 1, 68: 0xfffffffe, 76: 0} {
		le.PutUint32(b[at:], v)
	}
	for i, next := range []uint32{0, 2, 1} { // the table: 1 leads to 2, 2 to 1
		le.PutUint32(b[512+4*i:], next)
	}
	name := utf16.Encode([]rune("Root Entry\x00"))
	for i, u := range name {
		le.PutUint16(b[1024+2*i:], u)
	}
	le.PutUint16(b[1024+64:], uint16(2*len(name)))
	b[1024+66], b[1024+67] = 5, 1
	for _, at := range []int{68, 72} { // siblings: itself
		le.PutUint32(b[1024+at:], 0)
	}
	le.PutUint32(b[1024+76:], 0)
	le.PutUint32(b[1024+116:], 1)
	le.PutUint64(b[1024+120:], 1<<40)
	return b
}

// loopingPDF has pages and streams that name themselves.
func loopingPDF() []byte {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R/Names 3 0 R>>\nendobj\n" +
		"2 0 obj\n<</Type/Pages/Parent 2 0 R/Kids[2 0 R 2 0 R]/Count 2>>\nendobj\n" +
		"3 0 obj\n<</EmbeddedFiles 3 0 R/Kids[3 0 R]>>\nendobj\n" +
		"4 0 obj\n<</Length 4 0 R/Filter/FlateDecode/Type/ObjStm/Extends 4 0 R/N 1/First 9>>\nstream\nx\nendstream\nendobj\n")
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 1\n0000000000 65535 f \ntrailer\n<</Root 1 0 R/Size 5/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", at, at)
	return []byte(b.String())
}

// widePNG declares 32,768 pixels each way and holds none.
func widePNG() []byte {
	chunk := func(kind, data string) []byte {
		body := kind + data
		b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		return binary.BigEndian.AppendUint32(append(b, body...), crc32.ChecksumIEEE([]byte(body)))
	}
	return bytes.Join([][]byte{[]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", "\x00\x00\x80\x00\x00\x00\x80\x00\x08\x02\x00\x00\x00"),
		chunk("IDAT", "x\x9c\x03\x00\x00\x00\x00\x01"), chunk("IEND", "")}, nil)
}

// numbered are n continuations of one name (RFC 2231 §3).
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ";\r\n name*%d=a", i)
	}
	return b.String()
}

func multiparts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return b.String()
}
