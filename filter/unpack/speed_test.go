package unpack

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/specimen"
)

// The benchmarks of this file run another program or library over the same
// bytes in turns with ours, and state how many times as fast ours is by the
// processor time of both: that says something on a busy machine too.

func used(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// against runs ours and theirs in turns over size bytes of content. theirs
// returns the processor time it took, where that is not this process's.
func against(b *testing.B, size int, ours func(), theirs func() time.Duration) {
	b.Helper()
	b.SetBytes(int64(size))
	var mine, other time.Duration
	for b.Loop() {
		start := used(b)
		ours()
		middle := used(b)
		mine += middle - start
		if took := theirs(); took > 0 {
			other += took
		} else {
			other += used(b) - middle
		}
	}
	b.ReportMetric(float64(size)*float64(b.N)/1e6/mine.Seconds(), "our-MB/s")
	b.ReportMetric(float64(size)*float64(b.N)/1e6/other.Seconds(), "their-MB/s")
	b.ReportMetric(other.Seconds()/mine.Seconds(), "times")
}

func walked(typ string, body []byte) {
	bud := budget.New(budget.Default)
	defer bud.Close()
	Walk(&entity.Entity{Path: "2", Body: body}, []string{typ}, bud, func(*entity.Entity) {})
}

// BenchmarkLZHAgainstLhasa tests an archive with lhasa, which decodes and checks
// it as we do and writes nothing.
func BenchmarkLZHAgainstLhasa(b *testing.B) {
	lha, err := exec.LookPath("lha")
	if err != nil {
		b.Skip("lhasa is not installed")
	}
	const members, each = 8, 4 << 20
	var in []specimen.Member
	for i := range members {
		in = append(in, specimen.Member{Name: fmt.Sprint(i, ".xml"), Data: []byte(office(each))})
	}
	body := specimen.LZH(in...)
	file := filepath.Join(b.TempDir(), "a.lzh")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		b.Fatal(err)
	}
	against(b, members*each, func() { walked("lzh", body) }, func() time.Duration {
		cmd := exec.Command(lha, "-t", file)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("lha -t: %v: %s", err, out)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	})
}

// BenchmarkZipAgainstKlauspost inflates the members with klauspost's reader,
// without their sums and with a reader that is used again.
func BenchmarkZipAgainstKlauspost(b *testing.B) {
	const members, each = 8, 1 << 20
	var in []made
	var streams [][]byte
	for i := range members {
		text := office(each + i)
		in = append(in, made{name: fmt.Sprint(i, ".xml"), data: text, method: 8})
		streams = append(streams, deflated(text))
	}
	body := zipOf(in...)
	z := flate.NewReader(nil)
	room := make([]byte, 64<<10)
	against(b, members*each, func() { walked("zip", body) }, func() time.Duration {
		for _, s := range streams {
			if err := z.(flate.Resetter).Reset(bytes.NewReader(s), nil); err != nil {
				b.Fatal(err)
			}
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{z}, room); err != nil {
				b.Fatal(err)
			}
		}
		return 0
	})
}
