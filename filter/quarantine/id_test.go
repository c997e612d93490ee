package quarantine

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseID(t *testing.T) {
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"what NewID makes", "20261122-9k3v0mzq5t", true},
		{"the first second of 1970", "19700101-0000000000", true},
		{"a leap day", "20240229-zzzzzzzzzz", true},
		{"no such day", "20230229-zzzzzzzzzz", false},
		{"empty", "", false},
		{"upper case is another file name", "20261122-9K3V0MZQ5T", false},
		{"a letter that is left out", "20261122-ik3v0mzq5t", false},
		{"too short", "20261122-9k3v0mzq5", false},
		{"too long", "20261122-9k3v0mzq5tt", false},
		{"up and away", "../../../etc/passwd", false},
		{"as long as an id", "../msg/0261122-9k3v", false},
		{"absolute", "/etc/passwd/aaaaaaa", false},
		{"the file beside it", "20261122-9k3v0mzq5t.json", false},
		{"NUL", "20261122-9k3v0mzq5\x00", false},
		{"full-width digit", "2026112２-9k3v0mz", false},
		{"overlong UTF-8 slash", "20261122-9k3v\xc0\xaf0mz", false},
		{"bidi control", "20261122-9k3v\u202e0mz", false},
		{"blank before", " 20261122-9k3v0mzq5", false},
		{"line end behind", "20261122-9k3v0mzq5\n", false},
		{"device of Windows", "CON", false},
		{"four thousand bytes", strings.Repeat("a", 4096), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := ParseID(tt.in)
			if (err == nil) != tt.ok || tt.ok && string(id) != tt.in {
				t.Fatalf("ParseID(%q) = %q, %v, want ok %v", tt.in, id, err, tt.ok)
			}
			if err != nil && (!errors.Is(err, ErrBadID) || strings.ContainsAny(err.Error(), "\x00\n\u202e") || len(err.Error()) > 300) {
				t.Errorf("ParseID(%q): error %q, want a short safe ErrBadID", tt.in, err)
			}
		})
	}
}

func TestNewIDSorts(t *testing.T) {
	at := time.Date(2026, 11, 22, 23, 59, 59, 998e6, time.FixedZone("JST", 9*3600))
	last := ID("")
	for range 5000 { // over a midnight of UTC and one of Tokyo
		id, err := NewID(at, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseID(string(id)); err != nil || id <= last {
			t.Fatalf("NewID(%v) = %q after %q, %v, want a larger one that parses", at, id, last, err)
		}
		last, at = id, at.Add(11*time.Second+time.Millisecond)
	}
}

func TestNewIDWithoutRandomness(t *testing.T) {
	if id, err := NewID(time.Now(), bytes.NewReader([]byte{1})); err == nil {
		t.Errorf("NewID = %q, want an error", id)
	}
}

// FuzzParseID: what is accepted is a plain file name that NewID could make.
func FuzzParseID(f *testing.F) {
	for _, s := range []string{"20261122-9k3v0mzq5t", "../x", "20261122-9k3v0mzq5/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		if string(id) != s || len(s) != idLen || strings.Trim(s, "-"+digits) != "" {
			t.Errorf("ParseID(%q) = %q, want it refused", s, id)
		}
	})
}
