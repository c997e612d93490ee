package filter

import (
	"container/list"
	"slices"
	"sync"

	"sekisho/filter/finding"
	"sekisho/filter/report"
)

// Reports remembers the Reports of messages seen before: the same bytes give
// the same Report, and a burst or a retry brings the same bytes again. Only
// facts are remembered: rules, sender authentication and everything that
// depends on the time or the client are asked anew for each message.
type Reports struct {
	mu    sync.Mutex
	most  int // weight of all that is remembered
	have  int
	order *list.List // of *remembered, the latest first
	by    map[string]*list.Element
}

type remembered struct {
	key    string
	rep    *report.Report
	weight int
}

// NewReports returns a memory for Reports of at most the given weight, an
// entity, a finding or a link weighing one each.
func NewReports(weight int) *Reports {
	return &Reports{most: weight, order: list.New(), by: map[string]*list.Element{}}
}

// get returns what is remembered of the message with this digest.
func (r *Reports) get(key string) *report.Report {
	if r == nil || key == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.by[key]
	if e == nil {
		return nil
	}
	r.order.MoveToFront(e)
	return e.Value.(*remembered).rep
}

// put remembers a Report, and forgets the ones longest unused for it. What a
// failure or the clock had a part in is not remembered.
func (r *Reports) put(key string, rep *report.Report) {
	if r == nil || key == "" || !repeatable(rep) {
		return
	}
	weight := 1 + len(rep.Entities) + len(rep.Findings) + len(rep.Links)
	if weight > r.most/8 {
		return // one flood must not push out all others
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by[key] != nil {
		return
	}
	r.by[key] = r.order.PushFront(&remembered{key, rep, weight})
	for r.have += weight; r.have > r.most; {
		last := r.order.Remove(r.order.Back()).(*remembered)
		delete(r.by, last.key)
		r.have -= last.weight
	}
}

// repeatable says that the same bytes would give this Report again.
func repeatable(rep *report.Report) bool {
	return !slices.ContainsFunc(rep.Findings, func(f finding.Finding) bool {
		return f.Kind == finding.InspectFailed || f.Kind == finding.LimitReached && f.Evidence["limit"] == "time"
	})
}
