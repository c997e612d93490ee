package sqlite

import (
	"bytes"
	"strings"
	"testing"

	"sekisho/filter/finding"
	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/storetest"
)

func sample(tb testing.TB) []byte {
	tb.Helper()
	it := storetest.Item(1)
	it.ID, it.SHA256, it.State = "20261122-9k3v0mzq5t", strings.Repeat("a", 64), quarantine.Held
	rec, err := encode(it)
	if err != nil {
		tb.Fatal(err)
	}
	return rec
}

func TestDecode(t *testing.T) {
	good := sample(t)
	tests := []struct {
		name string
		in   []byte
		ok   bool
	}{
		{"as it was written", good, true},
		{"a field of tomorrow", bytes.Replace(good, []byte(`"rule"`), []byte(`"new":1,"rule"`), 1), true},
		{"empty", nil, false},
		{"cut", good[:len(good)/2], false},
		{"of another mail", bytes.Replace(good, []byte("9k3v0mzq5t"), []byte("9k3v0mzq5v"), 1), false},
		{"a newer schema", bytes.Replace(good, []byte(`"schema":1`), []byte(`"schema":2`), 1), false},
		{"no such state", bytes.Replace(good, []byte(`"held"`), []byte(`"free"`), 1), false},
		{"less than nothing", bytes.Replace(good, []byte(`"size":0`), []byte(`"size":-1`), 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if it, err := decode("20261122-9k3v0mzq5t", tt.in); (err == nil) != tt.ok {
				t.Errorf("decode = %+v, %v, want ok %v", it, err, tt.ok)
			}
		})
	}
}

// FuzzDecode: what is accepted speaks of this mail, in a state we know, and
// is written back to the same item.
func FuzzDecode(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte(`{"schema":1,"id":"20261122-9k3v0mzq5t","reasons":[{"disposition":"reject"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		const id = "20261122-9k3v0mzq5t"
		it, err := decode(id, b)
		if err != nil {
			return
		}
		if _, ok := quarantine.ParseState(string(it.State)); !ok || it.ID != id || it.Size < 0 {
			t.Fatalf("decode accepted %+v", it)
		}
		rec, err := encode(it)
		if err != nil {
			return // a time that JSON cannot hold
		}
		again, err := decode(id, rec)
		if err != nil || again.RetryKey() != it.RetryKey() || again.State != it.State {
			t.Errorf("decode(encode(%+v)) = %+v, %v", it, again, err)
		}
	})
}

func TestFindingsAreBounded(t *testing.T) {
	it := storetest.Item(1)
	it.ID, it.SHA256, it.State = "20261122-9k3v0mzq5t", strings.Repeat("a", 64), quarantine.Held
	it.Findings = nil
	for range 20_000 {
		it.Findings = append(it.Findings, finding.New(finding.NameLong, "1", "name", strings.Repeat("\x01", 1000)))
	}
	rec, err := encodeBounded(it)
	if err != nil || len(rec) > maxRecord {
		t.Fatalf("encodeBounded = %d bytes, %v, want at most %d", len(rec), err, maxRecord)
	}
	got, err := decode(it.ID, rec)
	if err != nil {
		t.Fatal(err)
	}
	last := got.Findings[len(got.Findings)-1]
	if len(got.Findings) != keptFindings+1 || last.Kind != finding.LimitReached || last.Evidence["findings-cut"] != "19000" {
		t.Errorf("%d findings, the last %v, want the cut stated", len(got.Findings), last)
	}
}
