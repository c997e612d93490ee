package filter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mholt/archives"

	"sekisho/filter/budget"
	"sekisho/filter/inspect"
	"sekisho/filter/report"
	"sekisho/filter/specimen"
)

// What holds a bomb on any machine is the work counted for it (bomb.MiB). Beside
// it bombShare is what it may cost in times of what it costs to fill and hash
// memory of yardstick bytes (60 to 90 ms on a machine of its own, where the
// dearest bomb takes 25 times as long): wide, since neighbours that empty the
// caches slow the one more than the other.
const (
	bombShare = 120
	yardstick = 64 << 20
)

// measured is what the yardstick costs here and now.
func measured(t *testing.T) time.Duration {
	t.Helper()
	before := spent(t)
	b := make([]byte, yardstick)
	for i := range b {
		b[i] = byte(i)
	}
	if sum := sha256.Sum256(b); sum[0] == 0 && sum[1] == 0 && sum[2] == 0 && sum[3] == 0 {
		t.Fatal("the yardstick hashes to zeros")
	}
	return max(spent(t)-before, 10*time.Millisecond) // the clock of CPU time ticks
}

func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What is to become of a bomb.
const (
	bombKept = "kept" // not delivered
	bombTold = "told" // at least tagged
	bombRead = "read" // kept where anything was not read; all was, so it may pass
	bombNone = "pass" // accepted
)

// bomb is one case. MiB is the most that may be decoded for it.
type bomb struct {
	name, file string
	make       func() []byte
	want       string
	MiB        int64
}

func bombs(t *testing.T) []bomb {
	zip := func(name string, data []byte) []byte { return zipped(map[string][]byte{name: data}) }
	return []bomb{
		{"storeys of zips", "42.zip", func() []byte { return matryoshka() }, bombKept, 800},
		{"Fifield's overlap, 5.5 GB", "quoted.zip", func() []byte { return quoted(250, zeros(22), 22<<20) }, bombKept, 600},
		{"400 entries over one member", "shared.zip", func() []byte { return shared(400) }, bombKept, 20},
		{"a zip that holds itself", "r.zip", func() []byte { return zipQuine(t) }, bombKept, 1},
		{"a gzip that holds itself", "r.gz", func() []byte { return gzipQuine(t) }, bombKept, 1},
		{"zeros in deflate, 1032 to 1", "zeros.zip", func() []byte { return zip("a", make([]byte, 80<<20)) }, bombKept, 80},
		{"zeros in gzip", "zeros.gz", func() []byte { return gzipZeros(300) }, bombKept, 80},
		{"a gigabyte of zeros in bzip2", "zeros.bz2", func() []byte { return streams(t, 256, 4<<20, archives.Bz2{}.OpenWriter) }, bombKept, 80},
		{"a gigabyte of zeros in xz", "zeros.xz", func() []byte { return streams(t, 256, 4<<20, archives.Xz{}.OpenWriter) }, bombKept, 200},
		{"a gigabyte of zeros in zstd", "zeros.zst", func() []byte { return streams(t, 64, 16<<20, asZstd) }, bombKept, 140},
		{"a gigabyte of zeros in lz4", "zeros.lz4", func() []byte { return streams(t, 64, 16<<20, archives.Lz4{}.OpenWriter) }, bombKept, 260},
		{"gigabytes of zeros in lzip", "zeros.lz", func() []byte { return streams(t, 400, 4<<20, asLzip) }, bombKept, 360},
		{"zeros in lzma", "zeros.lzma", func() []byte { return streams(t, 1, 66<<20, asLZMA) }, bombKept, 80},
		{"zeros in LZH", "zeros.lzh", func() []byte { return specimen.LZH(specimen.Member{Name: "a", Data: make([]byte, 66<<20)}) }, bombKept, 80},
		{"a zip of 65,535 members", "many.zip", func() []byte { return crowded(65535) }, bombKept, 4},
		{"a zip that declares ten million", "boast.zip", func() []byte { return boastful() }, bombTold, 1},
		{"a directory of a million entries, packed", "entries.zip.gz", func() []byte { return directory(1000000) }, bombKept, 80},
		{"a million empty files in tar.gz", "empty.tar.gz", func() []byte { return emptyFiles(1000000) }, bombKept, 300},
		{"a thousand zips in each other", "deep.zip", func() []byte { return nestedZips(1000) }, bombKept, 4},
		{"an xz dictionary of 4 GiB", "a.xz", func() []byte { return greedyXz(t) }, bombKept, 8},
		{"a zstd window of 512 MiB", "a.zst", func() []byte { return greedyZstd() }, bombKept, 8},
		{"an lzma dictionary of 2 GiB", "a.lzma", func() []byte { return greedyLZMA() }, bombKept, 8},
		{"zeros under a password", "locked.zip", func() []byte {
			return specimen.EncryptedZip("k2x-91", specimen.Member{Name: "a.bin", Data: make([]byte, 8<<20)})
		}, bombTold, 20},
		{"entities that expand in a document", "laughs.docx", func() []byte { return laughs() }, bombRead, 4},
		{"a million shared strings", "table.xlsx", func() []byte { return sharedStrings(1000000) }, bombRead, 80},
		{"a compound file whose sectors loop", "loop.doc", func() []byte { return loopingOLE() }, bombRead, 4},
		{"a PDF whose objects loop", "loop.pdf", func() []byte { return loopingPDF() }, bombRead, 4},
		{"a picture of a thousand million pixels", "wide.png", func() []byte { return widePNG() }, bombRead, 4},
		{"a drawing of as many", "wide.svg", func() []byte {
			return []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"><rect width="9" height="9"/></svg>`)
		}, bombRead, 4},

		{"an honest log in gzip", "portal.log.gz", func() []byte { return gzipped(heartbeat(300000)) }, bombNone, 40},
		{"an honest log in xz", "portal.log.xz", func() []byte { return packed(t, heartbeat(300000), archives.Xz{}.OpenWriter) }, bombNone, 40},
		{"an honest table of zeros in zip", "sensor.zip", func() []byte { return zip("sensor.csv", bytes.Repeat([]byte("0,0,0,0,0\r\n"), 4<<20)) }, bombNone, 100},
		{"an honest zip of 2,000 pages", "pages.zip", func() []byte { return crowded(2000) }, bombNone, 4},
	}
}

// No bomb is clean or dear, and what only packs well is no bomb.
func TestBombs(t *testing.T) {
	for _, b := range bombs(t) {
		t.Run(b.name, func(t *testing.T) {
			judgeBomb(t, b, attachment(b.file, b.make()))
		})
	}
}

// The same for what costs the reader of a message itself.
func TestFloods(t *testing.T) {
	const head = "From: suzuki@partner.example\r\nTo: hr@kansho.example.jp\r\nSubject: files\r\nMIME-Version: 1.0\r\n"
	repeat := strings.Repeat
	tests := []bomb{
		{name: "a million lines of one byte in base64", make: func() []byte {
			return []byte(head + "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + repeat("Q\r\n", 1000000))
		}, want: bombRead, MiB: 16},
		{name: "a hundred thousand encoded words", make: func() []byte {
			return []byte(head + "X-Note: " + repeat("=?utf-8?Q?a?=\r\n ", 100000) + "x\r\n\r\nhello")
		}, want: bombRead, MiB: 16},
		{name: "a hundred thousand continuations", make: func() []byte {
			return []byte(head + "Content-Type: application/octet-stream" + numbered(100000) + "\r\n\r\nhello")
		}, want: bombRead, MiB: 16},
		{name: "ten thousand files in uuencode", make: func() []byte {
			return []byte(head + "\r\n" + repeat("begin 644 a.txt\r\n#86)C\r\n`\r\nend\r\n", 10000))
		}, want: bombRead, MiB: 16},
		{name: "HTML tags nested 300,000 deep", make: func() []byte { return []byte(head + "Content-Type: text/html\r\n\r\n" + repeat("<div>\r\n", 300000)) }, want: bombRead, MiB: 16},
		{name: "a thousand messages in each other", make: func() []byte { return []byte(head + repeat("Content-Type: message/rfc822\r\n\r\n", 1000) + "hello") }, want: bombKept, MiB: 16},
		{name: "a thousand multiparts in each other", make: func() []byte { return []byte(head + multiparts(1000) + "hello") }, want: bombKept, MiB: 16},
	}
	for _, b := range tests {
		t.Run(b.name, func(t *testing.T) { judgeBomb(t, b, b.make()) })
	}
}

func attachment(name string, data []byte) []byte {
	return specimen.Mail(specimen.MailSpec{From: specimen.Mailbox{Addr: "suzuki@partner.example"},
		To: specimen.Mailbox{Addr: "hr@kansho.example.jp"}, Subject: "files", Date: "Sun, 22 Nov 2026 10:00:00 +0900",
		MessageID: "bomb@partner.example", Text: "Please find the file attached.\r\n",
		Attachments: []specimen.Attachment{{Name: name, Naming: specimen.NameRaw, Data: data}}})
}

func judgeBomb(t *testing.T, b bomb, raw []byte) {
	t.Helper()
	j, bud := defaultJudge(t), budget.New(budget.Default)
	bud.Confine()
	j.Inspect = func(_ context.Context, in inspect.Input) *report.Report { return inspect.Run(in, bud) }
	unit, before := measured(t), spent(t)
	got := judgeRaw(t, j, raw)
	cost := spent(t) - before
	d, v := got.Verdict.Disposition, fmt.Sprintf("%s by %s (findings %s)", got.Verdict.Disposition, got.Verdict.Rule(), kindsOf(got))
	switch {
	case b.want == bombKept && d.Delivers(), b.want == bombTold && d.String() == "accept", b.want == bombNone && d.String() != "accept",
		b.want == bombRead && got.Report.Incomplete && d.Delivers():
		t.Errorf("%s, want it %s", v, b.want)
	}
	most := b.MiB<<20 + int64(len(raw))
	if bud.Bytes() > most || bud.Members() > budget.Default.Members+1 {
		t.Errorf("%d bytes and %d members, want at most %d and %d", bud.Bytes(), bud.Members(), most, budget.Default.Members+1)
	}
	t.Logf("%s: %d MiB decoded, %v of CPU, %.1f yardsticks", v, bud.Bytes()>>20, cost.Round(time.Millisecond), float64(cost)/float64(unit))
	if cost > bombShare*unit {
		t.Errorf("%v of CPU, want at most %d times %v", cost, bombShare, unit)
	}
}
