package quarantine

import (
	"errors"
	"strconv"

	"sekisho/filter/escape"
)

// What a caller may decide by; compare with errors.Is.
var (
	ErrBadID       = errors.New("not a quarantine id")
	ErrNotFound    = errors.New("no such mail is kept")
	ErrGone        = errors.New("the mail was deleted")
	ErrAlready     = errors.New("already done")
	ErrReleasing   = errors.New("already being released")
	ErrUnclear     = errors.New("an earlier release may have sent it")
	ErrReason      = errors.New("a name and a reason are required")
	ErrNoRcpt      = errors.New("no recipients are known")
	ErrAddress     = errors.New("the envelope holds an address that SMTP cannot carry")
	ErrNotSent     = errors.New("not sent")
	ErrDamaged     = errors.New("checksum differs")
	ErrBusy        = errors.New("the store is locked by another program")
	ErrInUse       = errors.New("another sekisho serve uses this store")
	ErrNewerSchema = errors.New("the store was written by a newer sekisho")
	ErrUnsafe      = errors.New("unsafe owner, mode or type")
	ErrUnhealthy   = errors.New("the store cannot write")
	ErrFull        = errors.New("free space is below the reserve")
	ErrClosed      = errors.New("the store is closed")
)

// Error says what was being done to what, and where it helps, what to do now.
type Error struct {
	Doing string // "reading 20261122-9k3v0mzq5t"
	Err   error
	Hint  string
}

func (e *Error) Error() string { return "quarantine: " + e.Doing + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// quoted shows untrusted text in an error: one line, nothing invisible.
func quoted(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.Quote(escape.Text(s))
}
