package filter

import (
	"context"
	"fmt"
	"testing"

	"sekisho/filter/finding"
	"sekisho/filter/inspect"
	"sekisho/filter/report"
	"sekisho/filter/verdict"
)

func TestReportsForgetTheLongestUnused(t *testing.T) {
	r := NewReports(16)
	for i := range 16 {
		r.put(fmt.Sprint(i), &report.Report{})
	}
	r.get("0")
	r.put("16", &report.Report{})
	if r.get("0") == nil || r.get("16") == nil || r.get("1") != nil {
		t.Error("the wrong one was forgotten")
	}
	if r.have != 16 || len(r.by) != 16 || r.order.Len() != 16 {
		t.Errorf("weight %d, %d keys, %d entries; want 16 each", r.have, len(r.by), r.order.Len())
	}
}

func TestReportsRefuseWhatIsNotRepeatable(t *testing.T) {
	r := NewReports(1000)
	for _, tt := range []struct {
		name string
		rep  *report.Report
		want bool
	}{
		{"facts", &report.Report{Findings: []finding.Finding{finding.New(finding.LimitReached, "", "limit", "depth")}}, true},
		{"our failure", &report.Report{Findings: []finding.Finding{finding.New(finding.InspectFailed, "")}}, false},
		{"the clock", &report.Report{Findings: []finding.Finding{finding.New(finding.LimitReached, "", "limit", "time")}}, false},
		{"a flood", &report.Report{Entities: make([]report.Entity, 500)}, false},
	} {
		r.put(tt.name, tt.rep)
		if got := r.get(tt.name) != nil; got != tt.want {
			t.Errorf("%s: remembered = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The second message of the same bytes is not inspected again, but it is
// judged: rules that look at the client see the new one.
func TestARepeatedMessageIsJudgedAnew(t *testing.T) {
	j := defaultJudge(t)
	inner, inspected := j.Inspect, 0
	j.Inspect = func(ctx context.Context, in inspect.Input) *report.Report {
		inspected++
		return inner(ctx, in)
	}
	j.Reports = NewReports(1000)
	m := message(attack(t))
	first, second := j.Message(t.Context(), m), j.Message(t.Context(), m)
	if inspected != 1 {
		t.Errorf("inspected %d times, want once", inspected)
	}
	if first.Verdict.Disposition != verdict.Quarantine || second.Verdict.Disposition != verdict.Quarantine {
		t.Errorf("verdicts %v and %v, want quarantine twice", first.Verdict.Disposition, second.Verdict.Disposition)
	}
}
