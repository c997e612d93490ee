package unpack

import (
	"cmp"
	"slices"
	"sort"
)

// span is a range of bytes, end not included.
type span struct{ start, end int }

// spans is a set of bytes that have been explained.
type spans struct {
	sorted []span // apart from each other, in order
	fresh  []span
}

func (s *spans) add(start, end int) {
	if end > start {
		s.fresh = append(s.fresh, span{start, end})
	}
}

// settle makes what was added since count. It costs as much as all that is
// known, so it is called once before many questions.
func (s *spans) settle() {
	if len(s.fresh) == 0 {
		return
	}
	all := append(s.sorted, s.fresh...)
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	out := all[:1]
	for _, sp := range all[1:] {
		if last := &out[len(out)-1]; sp.start <= last.end {
			last.end = max(last.end, sp.end)
		} else {
			out = append(out, sp)
		}
	}
	s.sorted, s.fresh = out, nil
}

// holds says that the byte at stands in the set as it was last settled.
func (s *spans) holds(at int) bool {
	i := sort.Search(len(s.sorted), func(i int) bool { return s.sorted[i].end > at })
	return i < len(s.sorted) && s.sorted[i].start <= at
}
