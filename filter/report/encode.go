package report

import (
	"encoding/json"
	"fmt"

	"sekisho/filter/finding"
)

// Encode returns r as JSON of at most most bytes. A Report that is longer
// loses links, then entities, then findings from its end, and says so as a
// limit that was reached: the rules never take it for a clean one.
func Encode(r *Report, most int) ([]byte, error) {
	for {
		b, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("report: writing: %w", err)
		}
		if len(b) <= most {
			return b, nil
		}
		if !r.shorten() {
			return nil, ErrTooLarge
		}
	}
}

// shorten takes away what is missed least and states that; false when nothing
// is left to take.
func (r *Report) shorten() bool {
	reached := finding.New(finding.LimitReached, "", "limit", "report")
	switch {
	case len(r.Links) > 0:
		r.Links = nil
	case len(r.Entities) > 1:
		r.Entities = r.Entities[:len(r.Entities)/2]
	case len(r.Findings) > 2:
		r.Findings = r.Findings[:len(r.Findings)/2]
	default:
		return false
	}
	r.Findings = finding.Sort(append(r.Findings, reached))
	r.Incomplete = true
	return true
}
