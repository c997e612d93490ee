package inspect_test

import (
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/inspect"
	"sekisho/filter/load"
)

// BenchmarkMail reads single mails; the rate is that of the mail as it came.
func BenchmarkMail(b *testing.B) {
	for _, m := range load.Samples() {
		b.Run(m.Kind, func(b *testing.B) {
			b.SetBytes(int64(len(m.Raw)))
			b.ReportAllocs()
			for b.Loop() {
				if r := inspect.Mail(m.Raw, budget.New(budget.Default)); r.Incomplete {
					b.Fatalf("incomplete: %v", r.Findings)
				}
			}
		})
	}
}
