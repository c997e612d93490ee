package budget

// Try accounts for n bytes of work on one password; false says that there is
// no room for it. That is no limit reached: what nobody could open is stated
// as encrypted, and an honest archive must not be held for the many words of
// the mail that it came with.
func (b *Budget) Try(n int64) bool {
	if b.stopped.Load() || n < 0 || n > b.limits.Tries-b.tries {
		return false
	}
	b.tries += n
	return true
}

// Tries returns the work on passwords so far.
func (b *Budget) Tries() int64 { return b.tries }

// Mark is the account at one moment.
type Mark struct {
	bytes            int64
	members, reached int
}

// Mark remembers the account before something is tried.
func (b *Budget) Mark() Mark { return Mark{b.bytes, b.members, len(b.reached)} }

// Undo takes back what was spent and reached since m: it was decoded with a
// wrong password and is no part of the message. The work counts as a try. That
// time ran out stays true.
func (b *Budget) Undo(m Mark) {
	b.tries += max(b.bytes-m.bytes, 0)
	b.Rewind(m)
}

// Rewind is Undo without a charge: the same message is read once more.
func (b *Budget) Rewind(m Mark) {
	b.bytes, b.members = m.bytes, m.members
	kept := b.reached[:m.reached]
	for _, r := range b.reached[m.reached:] {
		if r.What == Time {
			kept = append(kept, r)
		}
	}
	b.reached = kept
}
