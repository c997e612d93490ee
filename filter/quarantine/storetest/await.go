package storetest

import (
	"slices"
	"testing"
	"time"

	"sekisho/filter/finding"
	"sekisho/filter/quarantine"
	"sekisho/filter/verdict"
)

// awaits: only what was kept to wait is listed, until it is settled or leaves
// the state held; a new verdict takes the place of the old.
func awaits(t *testing.T, st quarantine.Store) {
	keep(t, st, 1)
	until := time.Date(2015, 5, 9, 10, 0, 0, 0, time.UTC)
	var ids []quarantine.ID
	for n := 2; n < 5; n++ {
		it := Item(n)
		it.Awaits = until
		kept, err := st.Keep(t.Context(), it, Mail(n))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, kept.ID)
	}
	waiting := func(want ...quarantine.ID) {
		t.Helper()
		items, err := st.Awaiting(t.Context())
		var got []quarantine.ID
		for _, it := range items {
			got = append(got, it.ID)
			if !it.Awaits.Equal(until) {
				t.Errorf("%s awaits its password until %v, want %v", it.ID, it.Awaits, until)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Awaiting = %q, %v, want %q", got, err, want)
		}
	}
	waiting(ids...)
	settle := func(id quarantine.ID, how quarantine.Settlement) {
		t.Helper()
		how.Who = quarantine.Actor{Name: "sekisho", Reason: "password of 4bXy9999"}
		if err := st.Settle(t.Context(), id, how); err != nil {
			t.Errorf("Settle(%s): %v", id, err)
		}
	}
	settle(ids[0], quarantine.Settlement{Outcome: quarantine.OutFailed, Detail: "none of 2 passwords fits"})
	waiting(ids...)
	judged := quarantine.Item{Disposition: "quarantine", Rule: "executable-program-name",
		Reasons:  []verdict.Reason{{Rule: "executable-program-name", Disposition: verdict.Quarantine}},
		Findings: []finding.Finding{finding.New(finding.ContainerDecrypted, "2/a.zip/a.exe", "source", "mail")}}
	settle(ids[0], quarantine.Settlement{Outcome: quarantine.OutOpened, Done: true, Judged: &judged})
	waiting(ids[1:]...)
	got, err := st.Get(t.Context(), ids[0])
	if err != nil || got.Rule != judged.Rule || got.Findings[0].Kind != finding.ContainerDecrypted || got.State != quarantine.Held || !got.Awaits.IsZero() || got.Subject != Item(2).Subject {
		t.Errorf("after the new verdict Get = %+v, %v", got, err)
	}
	listed, err := st.List(t.Context(), quarantine.Filter{Rule: judged.Rule})
	if err != nil || len(listed) != 1 {
		t.Errorf("List by the new rule = %d mails, %v", len(listed), err)
	}
	release(t, st, ids[1])
	waiting(ids[2])
	if err := st.Settle(t.Context(), ids[2], quarantine.Settlement{Done: true}); err == nil {
		t.Error("Settle by nobody = nil")
	}
	settle(ids[2], quarantine.Settlement{Outcome: quarantine.OutExpired, Done: true})
	waiting()
	log, err := st.Audit(t.Context(), ids[0])
	if err != nil || len(log) != 2 || log[1].Action != quarantine.ActPassword || log[1].Outcome != quarantine.OutOpened {
		t.Errorf("Audit = %+v, %v", log, err)
	}
}
