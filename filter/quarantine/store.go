package quarantine

import (
	"context"
	"strings"
)

// Store keeps mail. All methods may be called at the same time, from several
// goroutines and, beside one running daemon, from several processes.
type Store interface {
	// Keep stores raw under it.ID, or a new ID where that is empty or used,
	// and returns the item as kept; of a retry, the entry that it repeats.
	// When Keep returns without error, the mail survives a power cut.
	Keep(ctx context.Context, it Item, raw []byte) (Item, error)
	Get(ctx context.Context, id ID) (Item, error)
	// Open returns the mail's bytes, checked against its SHA-256.
	Open(ctx context.Context, id ID) ([]byte, error)
	List(ctx context.Context, f Filter) ([]Item, error)

	// BeginRelease makes the caller the only one who may release id, until
	// FinishRelease or FailRelease, or until its process ends. With again it
	// also takes up a mail that was released, or may have been.
	BeginRelease(ctx context.Context, id ID, who Actor, again bool) (Item, error)
	// Sending is called between the mail's last byte and the final dot: from
	// here on a broken connection leaves open whether it was sent.
	Sending(ctx context.Context, id ID) error
	// FinishRelease records Postfix's 250 to the final dot.
	FinishRelease(ctx context.Context, id ID, reply string) (Item, error)
	// FailRelease records why it was not sent; with maybe it may have been.
	FailRelease(ctx context.Context, id ID, reply string, maybe bool) (Item, error)
	// Delete removes the mail's bytes; the entry stays as the record.
	Delete(ctx context.Context, id ID, who Actor) (Item, error)
	// Releasing says whether a mail of these bytes is being released now.
	Releasing(ctx context.Context, sha256 string) (bool, error)

	// Awaiting returns the held mails that wait for their password (Item.Awaits)
	// and were not settled, oldest first.
	Awaiting(ctx context.Context) ([]Item, error)
	// Settle records what a password, or the end of the wait, did to one.
	Settle(ctx context.Context, id ID, how Settlement) error

	// Audit returns what was done to id, or to all for "", oldest first.
	Audit(ctx context.Context, id ID) ([]Entry, error)
	// Verify reads every kept byte and returns what is wrong, nil when
	// nothing is.
	Verify(ctx context.Context) ([]Problem, error)
	// Healthy returns nil, or why Keep would refuse now.
	Healthy() error
	Close() error
}

// Actor is who acts on kept mail, and why.
type Actor struct {
	Name   string
	Reason string
}

// Check refuses an Actor who does not say who and why.
func (a Actor) Check() error {
	if strings.TrimSpace(a.Name) == "" || strings.TrimSpace(a.Reason) == "" {
		return ErrReason
	}
	return nil
}

// Problem is one thing that Verify found.
type Problem struct {
	ID   ID     `json:"id,omitempty"`
	What string `json:"what"`
}
