package quarantine

import (
	"encoding/binary"
	"io"
	"strings"
	"time"
)

// ID names a kept mail: the day it came, a dash and ten characters of base32,
// 20261122-9k3v0mzq5t. IDs sort by the time of their making, to the
// millisecond. An ID is a file name, so ParseID lets nothing else through.
type ID string

// digits are in the order of their bytes, so that IDs sort; i, l, o and u are
// left out, because an ID is also read out on the telephone.
const digits = "0123456789abcdefghjkmnpqrstvwxyz"

const (
	dayLayout  = "20060102"
	idDigits   = 10
	idLen      = len(dayLayout) + 1 + idDigits
	randomBits = idDigits*5 - 27 // a day has fewer than 2^27 milliseconds
)

// NewID makes an ID for the time now with bits of random. Two IDs of the same
// millisecond can be equal, once in eight million: a store must not overwrite.
func NewID(now time.Time, random io.Reader) (ID, error) {
	var r [8]byte
	if _, err := io.ReadFull(random, r[:]); err != nil {
		return "", &Error{Doing: "making an id", Err: err}
	}
	now = now.UTC()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	n := uint64(now.Sub(day).Milliseconds())<<randomBits | binary.BigEndian.Uint64(r[:])>>(64-randomBits)
	return ID(now.Format(dayLayout) + "-" + base32(n)), nil
}

func base32(n uint64) string {
	var b [idDigits]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[n&31]
		n >>= 5
	}
	return string(b[:])
}

// ParseID reads an ID and refuses, with ErrBadID, all that NewID cannot make.
func ParseID(s string) (ID, error) {
	if !wellFormed(s) {
		return "", &Error{Doing: "reading the id " + quoted(s), Err: ErrBadID,
			Hint: "an id looks like 20261122-9k3v0mzq5t: see sekisho quarantine list"}
	}
	return ID(s), nil
}

func wellFormed(s string) bool {
	if len(s) != idLen || s[len(dayLayout)] != '-' {
		return false
	}
	for i := range idDigits {
		if strings.IndexByte(digits, s[len(dayLayout)+1+i]) < 0 {
			return false
		}
	}
	_, err := time.Parse(dayLayout, s[:len(dayLayout)])
	return err == nil
}
