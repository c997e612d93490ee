package sqlite

import (
	"slices"
	"testing"
	"time"

	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/storetest"
)

// F18: the wall clock goes back an hour, forward ten years, to 1970, over a
// change to summer time and through a leap second. IDs stay unique and sort by
// the clock they were made with, the listing follows the clock, and no mail
// goes away, neither then nor when the store is opened under a wrong clock.
func TestClockJumps(t *testing.T) {
	tokyo := time.Date(2026, 11, 22, 9, 0, 0, 0, time.FixedZone("JST", 9*3600))
	moments := []time.Time{
		tokyo, tokyo.Add(-time.Hour), tokyo.AddDate(10, 0, 0), time.Unix(0, 0), tokyo,
		time.Date(2026, 10, 25, 2, 59, 59, 0, time.FixedZone("CEST", 7200)),
		time.Date(2026, 10, 25, 2, 0, 0, 0, time.FixedZone("CET", 3600)),
		time.Date(2016, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(2016, 12, 31, 23, 59, 60, 0, time.UTC),
	}
	now := moments[0]
	dir := t.TempDir() + "/q"
	o := Options{Serve: true, Now: func() time.Time { return now }}
	st := open(t, dir, o)
	made := map[quarantine.ID]time.Time{}
	for n := range 4 * len(moments) {
		now = moments[n%len(moments)].Add(time.Duration(n) * time.Millisecond)
		it := storetest.Item(n)
		it.ID, it.Received = "", time.Time{}
		kept, err := st.Keep(t.Context(), it, storetest.Mail(n))
		if err != nil {
			t.Fatalf("Keep at %v: %v", now, err)
		}
		if _, twice := made[kept.ID]; twice {
			t.Errorf("id %s was made twice", kept.ID)
		}
		made[kept.ID] = now
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for _, now = range moments {
		st := open(t, dir, o)
		items, err := st.List(t.Context(), quarantine.Filter{})
		if err != nil || len(items) != len(made) {
			t.Fatalf("List at %v = %d items, %v, want %d", now, len(items), err, len(made))
		}
		if !slices.IsSortedFunc(items, func(a, b quarantine.Item) int { return b.Received.Compare(a.Received) }) {
			t.Errorf("the list at %v is not newest first", now)
		}
		for _, it := range items {
			if it.State != quarantine.Held || it.ID[:8] != quarantine.ID(made[it.ID].UTC().Format("20060102")) {
				t.Errorf("%s: state %s, made at %v", it.ID, it.State, made[it.ID])
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
