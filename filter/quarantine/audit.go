package quarantine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"sekisho/filter/escape"
)

// Actions and outcomes of audit entries.
const (
	ActRelease = "release"
	ActDelete  = "delete"
	ActRebuild = "rebuild" // the index was made anew from the files

	OutBegun   = "begun"
	OutDone    = "done"
	OutFailed  = "failed"
	OutUnclear = "unclear"
	OutRefused = "refused"
	OutAlready = "already"
)

// Entry is one line of the audit log. Each holds the hash of the one before:
// whoever changes or removes a line must make all later ones anew.
type Entry struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Action  string    `json:"action"`
	Outcome string    `json:"outcome"`
	ID      ID        `json:"id"`
	Reason  string    `json:"reason"`
	Detail  string    `json:"detail"`
	Prev    string    `json:"prev"`
	Hash    string    `json:"hash"`
}

// String is the entry as one line of safe text.
func (e Entry) String() string {
	s := fmt.Sprintf("%s %s %s by %s", e.At.Local().Format(time.RFC3339), e.Action, e.Outcome, e.Actor)
	if e.Reason != "" {
		s += ", reason: " + e.Reason
	}
	if e.Detail != "" {
		s += ", " + e.Detail
	}
	return escape.Text(s)
}

// Sum is the hash that e must hold.
func (e Entry) Sum() string {
	h := sha256.New()
	for _, s := range []string{
		e.Prev, strconv.FormatInt(e.Seq, 10), strconv.FormatInt(e.At.UnixMicro(), 10),
		e.Actor, e.Action, e.Outcome, string(e.ID), e.Reason, e.Detail,
	} {
		field(h, s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Follows says what is wrong with e as the entry after prev, which is the zero
// Entry before the first.
func (e Entry) Follows(prev Entry) error {
	switch {
	case e.Seq != prev.Seq+1:
		return fmt.Errorf("audit entry %d: expected number %d", e.Seq, prev.Seq+1)
	case e.Prev != prev.Hash:
		return fmt.Errorf("audit entry %d: does not follow the one before", e.Seq)
	case e.Hash != e.Sum():
		return fmt.Errorf("audit entry %d: was changed", e.Seq)
	}
	return nil
}

// CheckChain says where a whole audit log, oldest entry first, was changed.
// What it cannot see is the loss of its newest entries.
func CheckChain(log []Entry) error {
	var prev Entry
	for _, e := range log {
		if err := e.Follows(prev); err != nil {
			return err
		}
		prev = e
	}
	return nil
}
