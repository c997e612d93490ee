package report

import (
	"encoding/hex"
	"errors"
	"fmt"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
)

// The bounds of one Report. Inspection keeps to them; whoever reads a Report
// from outside may rely on them.
const (
	// MaxLinks: a newsletter has some hundred.
	MaxLinks = 1000
	// MaxFindings: what comes later is the same again or a flood, and the
	// flood itself is stated.
	MaxFindings = 5000
	// MaxAddresses bounds each address list.
	MaxAddresses = 100
	// MaxPasswords: a letter names a few.
	MaxPasswords = 64
)

// What a stranger may put into one Report beyond the counts above: roomy
// enough for what the readers make of the worst honest input, so that only a
// broken or captured worker is refused.
const (
	maxText     = 1 << 20 // a name or path of continued parameters may be long
	maxWord     = 256     // a type, an extension, a kind
	maxList     = 4096    // names, extensions or types of one entity
	maxEvidence = 4 << 10
	maxPairs    = 32 // evidence of one finding
	maxDepth    = 1000
)

// Expect is what the reader of a Report knows beforehand.
type Expect struct {
	Kind string
	Size int64
	// SHA256 is the digest of the input, "" where it is not known.
	SHA256 string
	Limits budget.Limits
}

// check says in what r is not a Report of the input that was handed over, nil
// when it is one.
func (r *Report) check(want Expect) error {
	switch {
	case r.Schema != Schema:
		return fmt.Errorf("report: schema %d, want %d", r.Schema, Schema)
	case r.Kind != want.Kind:
		return fmt.Errorf("report: of a %.20q, want %q", r.Kind, want.Kind)
	case r.Size != want.Size:
		return fmt.Errorf("report: of %d bytes, want %d", r.Size, want.Size)
	case !isDigest(r.SHA256) || want.SHA256 != "" && r.SHA256 != want.SHA256:
		return errors.New("report: digest is not the input's")
	}
	for _, check := range []func(Expect) error{r.checkHeader, r.checkEntities, r.checkLinks, r.checkFindings, r.checkPasswords, r.checkComplete} {
		if err := check(want); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) checkHeader(Expect) error {
	h := r.Header
	if h.FromFields < 0 || h.FromFields > 1<<20 {
		return fmt.Errorf("report: header: %d From fields", h.FromFields)
	}
	if longest(h.Subject, h.MessageID, h.Date) > maxText {
		return errors.New("report: header: text too long")
	}
	for _, list := range [][]Address{h.From, h.ReplyTo, h.Sender, h.To, h.FromOther} {
		if len(list) > MaxAddresses {
			return fmt.Errorf("report: header: %d addresses in one list", len(list))
		}
		for _, a := range list {
			if longest(a.Name, a.Addr, a.Domain) > maxText {
				return errors.New("report: header: address too long")
			}
		}
	}
	return checkRaw(h.Raw)
}

// checkRaw holds undecoded bytes to the bound of any text.
func checkRaw(raw map[string]string) error {
	for k, v := range raw {
		if longest(k, v) > maxText {
			return errors.New("report: undecoded bytes too long")
		}
	}
	return nil
}

func (r *Report) checkEntities(want Expect) error {
	// The input itself is an entity that the budget does not count.
	if n := len(r.Entities); n == 0 || n > want.Limits.Members+1 {
		return fmt.Errorf("report: %d entities, limit %d", n, want.Limits.Members)
	}
	for i := range r.Entities {
		if err := r.Entities[i].check(); err != nil {
			return fmt.Errorf("report: entity %d: %w", i, err)
		}
	}
	return nil
}

func (e *Entity) check() error {
	switch {
	case e.Depth < 0 || e.Depth > maxDepth:
		return fmt.Errorf("depth %d", e.Depth)
	case e.Size < 0:
		return fmt.Errorf("size %d", e.Size)
	case e.SHA256 != "" && !isDigest(e.SHA256):
		return errors.New("not a digest")
	case longest(e.Path, e.Name, e.MediaType) > maxText:
		return errors.New("text too long")
	case longest(e.Disposition, e.Reading) > maxWord:
		return errors.New("word too long")
	case max(len(e.Names), len(e.Exts), len(e.Types)) > maxList:
		return errors.New("list too long")
	case longest(e.Names...) > maxText || longest(e.Exts...) > maxText || longest(e.Types...) > maxWord:
		return errors.New("listed text too long")
	}
	return checkRaw(e.Raw)
}

func (r *Report) checkLinks(Expect) error {
	if len(r.Links) > MaxLinks {
		return fmt.Errorf("report: %d links", len(r.Links))
	}
	for _, l := range r.Links {
		if longest(l.Path, l.URL, l.Shown, l.Scheme, l.Host, l.Site, l.Ext) > maxText {
			return errors.New("report: link too long")
		}
	}
	return nil
}

// mostFindings of a Report: each entity may lack content for a reason of its
// own, and each limit is stated once; those come on top.
func mostFindings(entities int) int { return MaxFindings + entities + maxPairs }

func (r *Report) checkFindings(Expect) error {
	if len(r.Findings) > mostFindings(len(r.Entities)) {
		return fmt.Errorf("report: %d findings", len(r.Findings))
	}
	for _, f := range r.Findings {
		if !finding.Known(f.Kind) {
			return fmt.Errorf("report: unknown finding %.40q", string(f.Kind))
		}
		if len(f.Path) > maxText || len(f.Evidence) > maxPairs {
			return fmt.Errorf("report: finding %s: too long", f.Kind)
		}
		for k, v := range f.Evidence {
			if len(k) > maxWord || len(v) > maxEvidence {
				return fmt.Errorf("report: finding %s: evidence too long", f.Kind)
			}
		}
	}
	return nil
}

func (r *Report) checkPasswords(Expect) error {
	if len(r.Passwords) > MaxPasswords || longest(r.Passwords...) > maxWord {
		return fmt.Errorf("report: %d passwords, or one too long", len(r.Passwords))
	}
	return nil
}

// checkComplete holds the Report to its own words: what it calls unread cannot
// be complete.
func (r *Report) checkComplete(Expect) error {
	if r.Incomplete {
		return nil
	}
	for _, e := range r.Entities {
		if e.Encrypted || e.Unread {
			return fmt.Errorf("report: complete, but %.80q is unread", e.Path)
		}
	}
	for _, f := range r.Findings {
		if f.Kind == finding.LimitReached || f.Kind == finding.InspectFailed {
			return fmt.Errorf("report: complete in spite of %s", f.Kind)
		}
	}
	return nil
}

func longest(texts ...string) int {
	n := 0
	for _, s := range texts {
		n = max(n, len(s))
	}
	return n
}

// isDigest says whether s is a SHA-256 in lower case hex.
func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'F' {
			return false
		}
	}
	_, err := hex.DecodeString(s)
	return err == nil
}
