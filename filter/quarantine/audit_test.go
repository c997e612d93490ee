package quarantine

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// chain is an audit log as a store writes it.
func chain(details ...string) []Entry {
	var log []Entry
	prev := ""
	for i, d := range details {
		e := Entry{Seq: int64(i) + 1, At: time.UnixMicro(int64(i)).UTC(), Actor: "hanako", Action: ActRelease,
			Outcome: OutDone, ID: "20261122-9k3v0mzq5t", Reason: "r", Detail: d, Prev: prev}
		e.Hash = e.Sum()
		log, prev = append(log, e), e.Hash
	}
	return log
}

func TestCheckChain(t *testing.T) {
	tests := []struct {
		name   string
		change func([]Entry) []Entry
		ok     bool
	}{
		{"as it was written", func(l []Entry) []Entry { return l }, true},
		{"empty", func([]Entry) []Entry { return nil }, true},
		{"an actor was changed", func(l []Entry) []Entry { l[1].Actor = "taro"; return l }, false},
		{"text moved between fields", func(l []Entry) []Entry { l[1].Reason, l[1].Detail = "rb", ""; return l }, false},
		{"an entry was taken out", func(l []Entry) []Entry { return slices.Delete(l, 1, 2) }, false},
		{"the first was taken out", func(l []Entry) []Entry { return l[1:] }, false},
		{"two were swapped", func(l []Entry) []Entry { l[0], l[1] = l[1], l[0]; return l }, false},
		{"one was changed and hashed anew", func(l []Entry) []Entry {
			l[1].Outcome = OutFailed
			l[1].Hash = l[1].Sum()
			return l
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := CheckChain(tt.change(chain("a", "b", "c"))); (err == nil) != tt.ok {
				t.Errorf("CheckChain = %v, want ok %v", err, tt.ok)
			}
		})
	}
}

func TestEntryStringIsOneSafeLine(t *testing.T) {
	e := Entry{Actor: "a\nb", Reason: "\u202ex", Detail: "\x1b[2J"}
	if s := e.String(); strings.ContainsAny(s, "\n\u202e\x1b") {
		t.Errorf("String() = %q, want hidden characters shown", s)
	}
}
