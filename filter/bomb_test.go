package filter

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"sekisho/filter/specimen"
)

// bombCost is twice what one bomb may cost on a machine of its own (2 s of
// CPU): CPU time too grows when neighbours empty the caches.
const bombCost = 4 * time.Second

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

// zeros is a raw deflate stream of n MiB of zeros, without the time that it
// takes to pack them: one MiB, flushed, again and again.
func zeros(n int) []byte {
	return written(func(w io.Writer) {
		one := written(func(w io.Writer) {
			f, _ := flate.NewWriter(w, 6)
			_, _ = f.Write(make([]byte, 1<<20))
			_ = f.Flush()
		})
		_, _ = w.Write(bytes.Repeat(one, n))
		_, _ = w.Write([]byte{1, 0, 0, 0xff, 0xff})
	})
}

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

func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// No bomb is clean or dear, and what only packs well is no bomb.
func TestBombs(t *testing.T) {
	tests := []struct {
		name, file string
		in         []byte
		delivered  string // the disposition, "" for none that delivers
	}{
		{"65,535 members", "many.zip", crowded(65535), ""},
		{"ten million members declared", "boast.zip", boastful(), "tag"},
		{"a zip that holds itself", "r.zip", zipQuine(t), ""},
		{"a gzip that holds itself", "r.gz", gzipQuine(t), ""},
		{"400 entries over one member", "shared.zip", shared(400), ""},
		{"storeys of zips", "42.zip", matryoshka(), ""},
		{"300 MiB of zeros in gzip", "zeros.gz", gzipped(make([]byte, 300<<20)), ""},
		{"an honest log in gzip", "portal.log.gz", gzipped(heartbeat(300000)), "accept"},
		{"an honest table of zeros in zip", "sensor.zip", zipped(map[string][]byte{"sensor.csv": bytes.Repeat([]byte("0,0,0,0,0\r\n"), 4<<20)}), "accept"},
		{"an honest zip of 2,000 pages", "pages.zip", crowded(2000), "accept"},
	}
	j := defaultJudge(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := specimen.Mail(specimen.MailSpec{From: specimen.Mailbox{Addr: "suzuki@partner.example"},
				To: specimen.Mailbox{Addr: "hr@kansho.example.jp"}, Subject: "files", Date: "Sun, 22 Nov 2026 10:00:00 +0900",
				MessageID: "bomb@partner.example", Text: "Please find the file attached.\r\n",
				Attachments: []specimen.Attachment{{Name: tt.file, Naming: specimen.NameRaw, Data: tt.in}}})
			before := spent(t)
			got := judgeRaw(t, j, raw)
			cost := spent(t) - before
			d := got.Verdict.Disposition
			if want := tt.delivered; d.Delivers() != (want != "") || want != "" && d.String() != want {
				t.Errorf("%s by %s (findings %s), want %q", d, got.Verdict.Rule(), kindsOf(got), want)
			}
			if t.Logf("%s by %s, %v of CPU", d, got.Verdict.Rule(), cost.Round(time.Millisecond)); cost > bombCost {
				t.Errorf("%v of CPU, want %v at most", cost, bombCost)
			}
		})
	}
}
