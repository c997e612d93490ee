package quarantine

// Settlement is what a password, or the end of the wait for one, did to a mail
// that waits (Item.Awaits).
type Settlement struct {
	// Who acts, and on whose account: the mail that told the password.
	Who Actor
	// Outcome and Detail go to the audit log. No password stands there.
	Outcome, Detail string
	// Done ends the wait; else a further password may still come.
	Done bool
	// Judged is the mail with what was found in it once it was open: its
	// verdict takes the place of the former. Nil where nothing new is known.
	Judged *Item
}

// ActPassword is the audit log's action for all that passwords do.
const ActPassword = "password"

// OutExpired says that no password came in time, OutOpened that one did.
const (
	OutExpired = "expired"
	OutOpened  = "opened"
)

// Rejudge takes over the verdict and findings of a new inspection.
func (it *Item) Rejudge(by Item) {
	it.Disposition, it.Rule, it.RuleSet = by.Disposition, by.Rule, by.RuleSet
	it.Reasons, it.Findings = by.Reasons, by.Findings
}
