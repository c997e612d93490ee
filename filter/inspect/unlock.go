package inspect

import (
	"slices"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/key"
	"sekisho/filter/password"
	"sekisho/filter/report"
)

// maxHeard bounds the texts of one walk that are kept in case an archive asks
// for a password.
const maxHeard = 4 << 20

// maxWalks is how often a message is walked: once as it is, once with the
// passwords of its texts, once with those of a text that stood behind them.
const maxWalks = 3

// heard are the texts of one walk: what a reader of the message could know when
// a program asks for a password.
type heard struct {
	texts []said
	size  int
}

type said struct {
	text, source string
	raw          []byte // in place of text: not converted yet
	html         bool
}

func (h *heard) add(s said) {
	if h.size += len(s.text) + len(s.raw); h.size <= maxHeard {
		h.texts = append(h.texts, s)
	}
}

// words returns what may be passwords, and whether any text speaks of one.
func (h *heard) words() (keys []key.Key, labelled bool) {
	for _, s := range h.texts {
		shown := s.text
		switch {
		case s.html:
			shown = password.HTML(shown)
		case s.raw != nil:
			shown = text(s.raw, "")
		}
		found, speaks := password.Find(shown)
		labelled = labelled || speaks
		for _, f := range found {
			keys = append(keys, key.Key{Text: f.Text, Source: s.source, Weak: f.Weak})
		}
	}
	return keys, labelled
}

// unlocked walks in once, and where something is locked, again with every
// password that the operator, the caller and the message itself offer.
func unlocked(in Input, bud *budget.Budget) *report.Report {
	start := bud.Mark()
	ring := key.NewRing(in.Keys...)
	rep, texts := walkOnce(in, bud, nil)
	for n := 1; n < maxWalks && isLocked(rep) && len(bud.Reached()) == 0; n++ {
		had := ring.Len()
		words, _ := texts.words()
		for _, k := range words {
			ring.Add(k)
		}
		ring.Add(key.Key{Source: key.Empty, Weak: true})
		if ring.Len() == had && n > 1 {
			break
		}
		bud.Rewind(start)
		rep, texts = walkOnce(in, bud, ring)
	}
	if in.Offer {
		rep.Passwords = offered(texts)
	}
	return rep
}

// offered are the passwords that a message tells, for an archive that came in
// another. A message that does not speak of one offers none.
func offered(texts *heard) (out []string) {
	words, labelled := texts.words()
	if !labelled {
		return nil
	}
	for _, k := range words {
		if !slices.Contains(out, k.Text) && len(out) < report.MaxPasswords {
			out = append(out, k.Text)
		}
	}
	return out
}

// isLocked says that something waits for a password.
func isLocked(rep *report.Report) bool {
	return slices.ContainsFunc(rep.Findings, func(f finding.Finding) bool { return f.Kind == finding.ContainerEncrypted })
}
