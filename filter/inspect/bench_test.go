package inspect_test

import (
	"syscall"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/inspect"
	"sekisho/filter/load"
)

// BenchmarkMail reads single mails; the rate is that of the mail as it came.
// The processor time is shown beside the time on the clock, which says little
// on a machine with other work.
func BenchmarkMail(b *testing.B) {
	for _, sample := range load.Samples {
		b.Run(sample.Name, func(b *testing.B) {
			raw := sample.Make()
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			before := used(b)
			for b.Loop() {
				if r := inspect.Mail(raw, budget.New(budget.Default)); r.Incomplete {
					b.Fatalf("incomplete: %v", r.Findings)
				}
			}
			b.ReportMetric(float64(used(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// used is the processor time of this process in nanoseconds.
func used(b *testing.B) int64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return r.Utime.Nano() + r.Stime.Nano()
}
