package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/inspect"
	"sekisho/filter/report"
	"sekisho/filter/sandbox/frame"
)

// echo is the least Report of an input: the round trip without inspection.
func echo(job frame.Job) *report.Report {
	return &report.Report{Schema: report.Schema, Kind: job.Kind, Size: job.Size,
		SHA256:   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		Entities: []report.Entity{{Size: job.Size}}, Findings: []finding.Finding{}}
}

func benchmarkRound(b *testing.B, size int) {
	p := newTestPool(b, Options{Workers: 1, MaxMessage: 16 << 20, Recycle: 1 << 30})
	in := inspect.Input{Kind: report.KindMail, Raw: append([]byte("X-Do: echo\n"), bytes.Repeat([]byte("x"), size)...)}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if got := p.Inspect(b.Context(), in, small); cause(got) != "" {
			b.Fatal(cause(got))
		}
	}
}

// The way to the worker and back, without inspection.
func BenchmarkRoundTrip5KB(b *testing.B)  { benchmarkRound(b, 5<<10) }
func BenchmarkRoundTrip10MB(b *testing.B) { benchmarkRound(b, 10<<20) }

// BenchmarkMail and BenchmarkMailInProcess are one small mail with its
// inspection, in a worker and without.
func BenchmarkMail(b *testing.B) {
	p := newTestPool(b, Options{Workers: 1, Recycle: 1 << 30})
	in := mailInput(honestMail)
	b.ReportAllocs()
	before := processorTime(b, p) + ownTime(b)
	for b.Loop() {
		p.Inspect(b.Context(), in, small)
	}
	b.ReportMetric(float64((processorTime(b, p)+ownTime(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
}

func ownTime(t testing.TB) time.Duration { return timeOf(t, os.Getpid()) }

// processorTime is what the workers have computed so far.
func processorTime(t testing.TB, p *Pool) time.Duration { return timeOf(t, pidsOf(p)...) }

func timeOf(t testing.TB, pids ...int) time.Duration {
	t.Helper()
	var sum time.Duration
	for _, pid := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			var ns int64
			text, err := os.ReadFile(task)
			if err != nil {
				continue // a thread that has just ended
			}
			if _, err := fmt.Sscan(string(text), &ns); err != nil {
				t.Fatal(err)
			}
			sum += time.Duration(ns)
		}
	}
	return sum
}

func BenchmarkMailInProcess(b *testing.B) {
	in := mailInput(honestMail)
	b.ReportAllocs()
	for b.Loop() {
		inspect.Run(in, budget.New(small.Limits))
	}
}

// BenchmarkStart is a worker from nothing to the proof of its lock.
func BenchmarkStart(b *testing.B) {
	p := newTestPool(b, Options{Workers: 1})
	var lock int64
	for b.Loop() {
		w, err := p.prog.start(16 << 20)
		if err != nil {
			b.Fatal(err)
		}
		lock += w.hello.LockMicros
		w.end()
	}
	b.ReportMetric(float64(lock)/float64(b.N), "µs/lock")
}
