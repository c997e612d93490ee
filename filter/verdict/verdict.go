// Package verdict holds what was decided on a message and why.
package verdict

import "fmt"

// Disposition is what is done with a message. A larger value is stricter:
// where several rules speak, the strictest wins.
type Disposition int

// The dispositions, mildest first.
const (
	Accept     Disposition = iota // deliver untouched
	Tag                           // deliver, marked in the header
	Defer                         // 4xx: the sender keeps the mail and tries again
	Hold                          // accept into Postfix's own hold queue
	Quarantine                    // keep in our store, deliver to nobody
	Reject                        // 5xx: the sender is told
	Discard                       // accept and drop without a copy
)

var names = [...]string{"accept", "tag", "defer", "hold", "quarantine", "reject", "discard"}

// String returns the disposition's word, as rules and logs use it.
func (d Disposition) String() string {
	if d < 0 || int(d) >= len(names) {
		return "invalid"
	}
	return names[d]
}

// Parse finds the disposition of a word.
func Parse(word string) (Disposition, bool) {
	for i, n := range names {
		if n == word {
			return Disposition(i), true
		}
	}
	return 0, false
}

// MarshalText writes the disposition's word.
func (d Disposition) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the disposition's word: a kept item and a scan's JSON
// are read back.
func (d *Disposition) UnmarshalText(b []byte) error {
	got, ok := Parse(string(b))
	if !ok {
		return fmt.Errorf("unknown disposition %q", b)
	}
	*d = got
	return nil
}

// Delivers says whether the message reaches its recipients with d.
func (d Disposition) Delivers() bool { return d == Accept || d == Tag }

// Reason is one rule that spoke.
type Reason struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"` // info, low, medium, high, critical
	Why      string `json:"why"`
	WhyJa    string `json:"why_ja,omitempty"`
	// Disposition is what this rule asked for.
	Disposition Disposition `json:"disposition"`
	// Reply is the rule's own SMTP reply text, ASCII, for reject and defer.
	Reply string `json:"reply,omitempty"`
	// Paths are the entities that the rule spoke of.
	Paths []string `json:"paths,omitempty"`
}

// Verdict is the decision on one message.
type Verdict struct {
	Disposition Disposition
	// Reasons are the enforced rules that matched, strictest first, then by
	// rule id.
	Reasons []Reason
	// Observed are matches of rules in mode observe: they count for nothing
	// but are recorded.
	Observed []Reason
	// RuleSet identifies the generation of rules that judged.
	RuleSet string
}

// Rule returns the id of the deciding rule, "" when none spoke.
func (v Verdict) Rule() string {
	if len(v.Reasons) == 0 {
		return ""
	}
	return v.Reasons[0].Rule
}
