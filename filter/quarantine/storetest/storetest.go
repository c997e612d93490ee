// Package storetest tries any quarantine.Store against the promises of its
// interface. It knows no store and touches no disk.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sekisho/filter/finding"
	"sekisho/filter/quarantine"
	"sekisho/filter/verdict"
)

// who is the reviewer of most cases.
var who = quarantine.Actor{Name: "hanako", Reason: "supplier confirmed by telephone"}

// Run tries the stores that open returns, each empty and closed by Run.
func Run(t *testing.T, open func(t *testing.T) quarantine.Store) {
	cases := []struct {
		name string
		try  func(t *testing.T, st quarantine.Store)
	}{
		{"what is kept is given back", keepAndOpen},
		{"a retry is counted, not kept twice", retries},
		{"retries at the same time are one entry", retriesAtOnce},
		{"a listing is filtered", filters},
		{"a listing is paged without gaps or repeats", pages},
		{"a release runs from held to released", releases},
		{"a release that fails leaves the mail held", failedRelease},
		{"a release that may have worked needs --again", unclearRelease},
		{"only who began a release may end it", endWithoutBegin},
		{"of many reviewers exactly one wins", races},
		{"release and delete at once leave one state", releaseAgainstDelete},
		{"a deleted mail leaves its record", deletes},
		{"every attempt is in the audit log", audits},
		{"a mail waits for its password until it is settled", awaits},
		{"a bad or unknown id is told apart", badIDs},
		{"a closed store says so", closed},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			st := open(t)
			defer st.Close()
			tt.try(t, st)
		})
	}
}

// Item is an item whose every field has something to get wrong.
func Item(n int) quarantine.Item {
	return quarantine.Item{
		Received: time.Date(2015, 5, 8, 10, 0, n, 123456000, time.UTC),
		QueueID:  fmt.Sprintf("4bXy%04d", n), MailFrom: fmt.Sprintf("Sender%d@Example.COM", n),
		Rcpts:      []string{"somu@nenkin.example", "\"odd local\"@nenkin.example"},
		ClientAddr: "192.0.2.7", ClientHost: "[192.0.2.7]", Helo: "mail.example",
		Subject: "医療費通知\u202eのお知らせ", From: "\"年金\" <a@example.jp>", MessageID: "<1@example>",
		Disposition: "quarantine", Rule: "disguise-double-extension", RuleSet: "7",
		Reasons:  []verdict.Reason{{Rule: "disguise-double-extension", Severity: "high", Why: "why", Disposition: verdict.Quarantine}},
		Findings: []finding.Finding{finding.New(finding.NameDoubleExtension, "2/a.lzh", "name", "a.doc .exe")},
	}
}

// Mail is a message whose bytes a careless store or sender would change.
func Mail(n int) []byte {
	return []byte(fmt.Sprintf("Subject: %d\r\n\r\n.\r\n..dots\r\nbare\rCR \x00 \xff\r\n%s\r\n", n, strings.Repeat("x", 3000)))
}

func keep(t *testing.T, st quarantine.Store, n int) quarantine.Item {
	t.Helper()
	it, err := st.Keep(t.Context(), Item(n), Mail(n))
	if err != nil {
		t.Fatalf("Keep(%d): %v", n, err)
	}
	return it
}

func keepAndOpen(t *testing.T, st quarantine.Store) {
	it := keep(t, st, 1)
	got, err := st.Get(t.Context(), it.ID)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if got.State != quarantine.Held || got.Count != 1 || got.Size != int64(len(Mail(1))) {
		t.Errorf("Get = %+v, want one held mail of %d bytes", got, len(Mail(1)))
	}
	if want := Item(1); got.Subject != want.Subject || !got.Received.Equal(want.Received) ||
		!slices.Equal(got.Rcpts, want.Rcpts) || got.Reasons[0].Disposition != verdict.Quarantine ||
		got.Findings[0].Evidence["name"] != "a.doc .exe" {
		t.Errorf("Get = %+v, want %+v", got, want)
	}
	raw, err := st.Open(t.Context(), it.ID)
	if err != nil || !bytes.Equal(raw, Mail(1)) {
		t.Errorf("Open = %q, %v, want the bytes that were kept", raw, err)
	}
	if _, err := quarantine.ParseID(string(it.ID)); err != nil {
		t.Errorf("ParseID(%q): %v", it.ID, err)
	}
	lie := Item(1)
	lie.SHA256 = strings.Repeat("0", 64)
	if _, err := st.Keep(t.Context(), lie, Mail(1)); !errors.Is(err, quarantine.ErrDamaged) {
		t.Errorf("Keep with another SHA-256 = %v, want ErrDamaged", err)
	}
}

func retries(t *testing.T, st quarantine.Store) {
	first := keep(t, st, 1)
	swapped := Item(1)
	slices.Reverse(swapped.Rcpts)
	swapped.QueueID = "4bXz9999"
	again, err := st.Keep(t.Context(), swapped, Mail(1))
	if err != nil || again.ID != first.ID || again.Count != 2 {
		t.Errorf("Keep of a retry = %s count %d, %v, want %s count 2", again.ID, again.Count, err, first.ID)
	}
	other := Item(1)
	other.Rcpts = other.Rcpts[:1]
	if it, err := st.Keep(t.Context(), other, Mail(1)); err != nil || it.ID == first.ID {
		t.Errorf("Keep for other recipients = %s, %v, want an entry of its own", it.ID, err)
	}
	if it := keep(t, st, 2); it.ID == first.ID {
		t.Error("another mail was taken for a retry")
	}
	release(t, st, first.ID)
	if it := keep(t, st, 1); it.ID == first.ID || it.Count != 1 {
		t.Errorf("Keep after release = %s count %d, want a new entry", it.ID, it.Count)
	}
}

func retriesAtOnce(t *testing.T, st quarantine.Store) {
	const n = 32
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := st.Keep(t.Context(), Item(1), Mail(1)); err != nil {
				t.Errorf("Keep: %v", err)
			}
		})
	}
	wg.Wait()
	got, err := st.List(t.Context(), quarantine.Filter{})
	if err != nil || len(got) != 1 || got[0].Count != n {
		t.Errorf("List = %d entries, %v, want one with count %d", len(got), err, n)
	}
}

func filters(t *testing.T, st quarantine.Store) {
	for n := range 6 {
		keep(t, st, n)
	}
	odd := Item(6)
	odd.Rule, odd.MailFrom, odd.Rcpts = "link-storage", "", []string{"Ärger@example.jp"}
	if _, err := st.Keep(t.Context(), odd, Mail(6)); err != nil {
		t.Fatal(err)
	}
	all, err := st.List(t.Context(), quarantine.Filter{})
	if err != nil || len(all) != 7 {
		t.Fatalf("List = %d, %v, want 7", len(all), err)
	}
	release(t, st, all[0].ID)
	at := func(n int) time.Time { return Item(n).Received }
	tests := []struct {
		name string
		f    quarantine.Filter
		want int
	}{
		{"all", quarantine.Filter{}, 7},
		{"since is included", quarantine.Filter{Since: at(2)}, 5},
		{"until is not", quarantine.Filter{Until: at(2)}, 2},
		{"both", quarantine.Filter{Since: at(1), Until: at(3)}, 2},
		{"rule", quarantine.Filter{Rule: "link-storage"}, 1},
		{"rule in full only", quarantine.Filter{Rule: "link"}, 0},
		{"part of the sender, any case", quarantine.Filter{Sender: "SENDER3@"}, 1},
		{"a recipient beyond ASCII", quarantine.Filter{Recipient: "äRGER"}, 1},
		{"a wildcard is no wildcard", quarantine.Filter{Sender: "%"}, 0},
		{"second recipient", quarantine.Filter{Recipient: "odd local"}, 6},
		{"state", quarantine.Filter{State: quarantine.Released}, 1},
		{"limit", quarantine.Filter{Limit: 3}, 3},
		{"all together", quarantine.Filter{Since: at(0), Rule: "disguise-double-extension", Sender: "example.com", State: quarantine.Held, Limit: 4}, 4},
		{"quotes are text", quarantine.Filter{Sender: "' OR 1=1 --"}, 0},
	}
	for _, tt := range tests {
		if got, err := st.List(t.Context(), tt.f); err != nil || len(got) != tt.want {
			t.Errorf("%s: List(%+v) = %d items, %v, want %d", tt.name, tt.f, len(got), err, tt.want)
		}
	}
}

func pages(t *testing.T, st quarantine.Store) {
	const n = 25
	for i := range n {
		it := Item(i / 3) // several share one moment
		it.QueueID = fmt.Sprint(i)
		if _, err := st.Keep(t.Context(), it, Mail(i)); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[quarantine.ID]bool{}
	f := quarantine.Filter{Limit: 4}
	last := time.Now()
	for {
		page, err := st.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page {
			if seen[it.ID] || it.Received.After(last) {
				t.Errorf("List(%+v): %s is a repeat or out of order", f, it.ID)
			}
			seen[it.ID], last, f.Before = true, it.Received, it.ID
		}
		if len(page) < f.Limit {
			break
		}
	}
	if len(seen) != n {
		t.Errorf("pages held %d items, want %d", len(seen), n)
	}
}

// release runs a release without SMTP.
func release(t *testing.T, st quarantine.Store, id quarantine.ID) quarantine.Item {
	t.Helper()
	if _, err := st.BeginRelease(t.Context(), id, who, false); err != nil {
		t.Fatalf("BeginRelease: %v", err)
	}
	if err := st.Sending(t.Context(), id); err != nil {
		t.Fatalf("Sending: %v", err)
	}
	it, err := st.FinishRelease(t.Context(), id, "250 2.0.0 Ok: queued as 4c")
	if err != nil {
		t.Fatalf("FinishRelease: %v", err)
	}
	return it
}

func releases(t *testing.T, st quarantine.Store) {
	it := keep(t, st, 1)
	if now, err := st.Releasing(t.Context(), it.SHA256); err != nil || now {
		t.Errorf("Releasing before = %v, %v", now, err)
	}
	begun, err := st.BeginRelease(t.Context(), it.ID, who, false)
	if err != nil || begun.State != quarantine.Releasing || begun.By != who.Name {
		t.Fatalf("BeginRelease = %+v, %v", begun.Standing, err)
	}
	if now, err := st.Releasing(t.Context(), it.SHA256); err != nil || !now {
		t.Errorf("Releasing meanwhile = %v, %v, want true", now, err)
	}
	_, err = st.BeginRelease(t.Context(), it.ID, quarantine.Actor{Name: "taro", Reason: "r"}, true)
	if !errors.Is(err, quarantine.ErrReleasing) || !strings.Contains(err.Error(), "by hanako since 2") {
		t.Errorf("second BeginRelease = %v, want ErrReleasing with name and time", err)
	}
	if _, err := st.Delete(t.Context(), it.ID, who); !errors.Is(err, quarantine.ErrReleasing) {
		t.Errorf("Delete meanwhile = %v, want ErrReleasing", err)
	}
	done, err := st.FinishRelease(t.Context(), it.ID, "250 Ok")
	if err != nil || done.State != quarantine.Released || done.LastReply != "250 Ok" {
		t.Errorf("FinishRelease = %+v, %v", done.Standing, err)
	}
	_, err = st.BeginRelease(t.Context(), it.ID, who, false)
	if !errors.Is(err, quarantine.ErrAlready) {
		t.Errorf("BeginRelease of a released mail = %v, want ErrAlready", err)
	}
	if _, err := st.BeginRelease(t.Context(), it.ID, who, true); err != nil {
		t.Errorf("BeginRelease again = %v, want nil", err)
	}
}

func failedRelease(t *testing.T, st quarantine.Store) {
	it := keep(t, st, 1)
	for range 2 { // it can be tried again
		if _, err := st.BeginRelease(t.Context(), it.ID, who, false); err != nil {
			t.Fatalf("BeginRelease: %v", err)
		}
		got, err := st.FailRelease(t.Context(), it.ID, "452 4.3.1 no space", false)
		if err != nil || got.State != quarantine.Held || got.LastReply != "452 4.3.1 no space" || got.MaybeSent {
			t.Errorf("FailRelease = %+v, %v, want held with its reply", got.Standing, err)
		}
	}
	if again := keep(t, st, 1); again.ID != it.ID {
		t.Error("a retry after a failed release made a second entry")
	}
}

func unclearRelease(t *testing.T, st quarantine.Store) {
	it := keep(t, st, 1)
	if _, err := st.BeginRelease(t.Context(), it.ID, who, false); err != nil {
		t.Fatal(err)
	}
	if err := st.Sending(t.Context(), it.ID); err != nil {
		t.Fatal(err)
	}
	got, err := st.FailRelease(t.Context(), it.ID, "connection lost", true)
	if err != nil || got.State != quarantine.Releasing || !got.MaybeSent {
		t.Errorf("FailRelease = %+v, %v, want releasing and maybe sent", got.Standing, err)
	}
	if _, err := st.BeginRelease(t.Context(), it.ID, who, false); !errors.Is(err, quarantine.ErrUnclear) {
		t.Errorf("BeginRelease = %v, want ErrUnclear", err)
	}
	if _, err := st.BeginRelease(t.Context(), it.ID, who, true); err != nil {
		t.Errorf("BeginRelease again = %v", err)
	}
}

func endWithoutBegin(t *testing.T, st quarantine.Store) {
	it := keep(t, st, 1)
	if err := st.Sending(t.Context(), it.ID); err == nil {
		t.Error("Sending without BeginRelease = nil")
	}
	if _, err := st.FinishRelease(t.Context(), it.ID, "250 Ok"); err == nil {
		t.Error("FinishRelease without BeginRelease = nil")
	}
	if got, err := st.Get(t.Context(), it.ID); err != nil || got.State != quarantine.Held {
		t.Errorf("Get = %v, %v, want held", got.State, err)
	}
}

func races(t *testing.T, st quarantine.Store) {
	const mails, reviewers = 25, 8 // 200 attempts
	for n := range mails {
		it := keep(t, st, n)
		won := make(chan string, reviewers)
		var wg sync.WaitGroup
		for r := range reviewers {
			wg.Go(func() {
				me := quarantine.Actor{Name: fmt.Sprint("reviewer ", r), Reason: "r"}
				_, err := st.BeginRelease(t.Context(), it.ID, me, false)
				switch {
				case err == nil:
					won <- me.Name
				case !errors.Is(err, quarantine.ErrReleasing):
					t.Errorf("BeginRelease of a loser = %v, want ErrReleasing", err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("mail %d: %d winners, want 1", n, len(won))
		}
		log, err := st.Audit(t.Context(), it.ID)
		if err != nil || len(log) != reviewers {
			t.Errorf("Audit = %d entries, %v, want all %d attempts", len(log), err, reviewers)
		}
	}
}

func releaseAgainstDelete(t *testing.T, st quarantine.Store) {
	for n := range 50 {
		it := keep(t, st, n)
		var begin, del error
		var wg sync.WaitGroup
		wg.Go(func() { _, begin = st.BeginRelease(t.Context(), it.ID, who, false) })
		wg.Go(func() { _, del = st.Delete(t.Context(), it.ID, who) })
		wg.Wait()
		got, err := st.Get(t.Context(), it.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := quarantine.Held // both met the other's claim: clear for both, and nothing done
		switch {
		case begin == nil && del == nil:
			t.Errorf("mail %d was begun and deleted", n)
		case begin == nil:
			want = quarantine.Releasing
		case del == nil:
			want = quarantine.Deleted
		}
		if got.State != want {
			t.Errorf("mail %d: state %s, want %s (begin %v, delete %v)", n, got.State, want, begin, del)
		}
	}
}

func deletes(t *testing.T, st quarantine.Store) {
	it := keep(t, st, 1)
	got, err := st.Delete(t.Context(), it.ID, who)
	if err != nil || got.State != quarantine.Deleted || got.By != who.Name {
		t.Errorf("Delete = %+v, %v", got.Standing, err)
	}
	if got, err := st.Get(t.Context(), it.ID); err != nil || got.Subject != Item(1).Subject {
		t.Errorf("Get = %q, %v, want the record", got.Subject, err)
	}
	if _, err := st.Open(t.Context(), it.ID); !errors.Is(err, quarantine.ErrGone) {
		t.Errorf("Open = %v, want ErrGone", err)
	}
	if _, err := st.BeginRelease(t.Context(), it.ID, who, true); !errors.Is(err, quarantine.ErrGone) {
		t.Errorf("BeginRelease = %v, want ErrGone", err)
	}
	if _, err := st.Delete(t.Context(), it.ID, who); !errors.Is(err, quarantine.ErrAlready) {
		t.Errorf("second Delete = %v, want ErrAlready", err)
	}
	if again := keep(t, st, 1); again.ID == it.ID {
		t.Error("a mail that comes again was counted in a deleted entry")
	}
}

func audits(t *testing.T, st quarantine.Store) {
	it := keep(t, st, 1)
	nobody := quarantine.Actor{Name: "taro", Reason: " "}
	if _, err := st.BeginRelease(t.Context(), it.ID, nobody, false); !errors.Is(err, quarantine.ErrReason) {
		t.Errorf("BeginRelease without a reason = %v, want ErrReason", err)
	}
	if _, err := st.Delete(t.Context(), it.ID, nobody); !errors.Is(err, quarantine.ErrReason) {
		t.Errorf("Delete without a reason = %v, want ErrReason", err)
	}
	release(t, st, it.ID)
	if _, err := st.BeginRelease(t.Context(), it.ID, who, false); err == nil {
		t.Error("BeginRelease of a released mail = nil")
	}
	if _, err := st.Delete(t.Context(), it.ID, who); err != nil {
		t.Errorf("Delete: %v", err)
	}
	log, err := st.Audit(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range log {
		got = append(got, e.Action+" "+e.Outcome)
	}
	want := []string{"release refused", "delete refused", "release begun", "release done", "release already", "delete done"}
	if !slices.Equal(got, want) {
		t.Errorf("Audit = %q, want %q", got, want)
	}
	if err := quarantine.CheckChain(log); err != nil {
		t.Errorf("CheckChain = %v", err)
	}
	if log[2].Reason != who.Reason || log[3].Detail != "250 2.0.0 Ok: queued as 4c" {
		t.Errorf("Audit lost reason or reply: %+v", log[2:4])
	}
}

func badIDs(t *testing.T, st quarantine.Store) {
	for _, id := range []quarantine.ID{"", "../msg/x", "20261122-../../../x", "20261122-0000000000.json", "a\x00b"} {
		if _, err := st.Get(t.Context(), id); !errors.Is(err, quarantine.ErrBadID) {
			t.Errorf("Get(%q) = %v, want ErrBadID", id, err)
		}
		if _, err := st.Open(t.Context(), id); !errors.Is(err, quarantine.ErrBadID) {
			t.Errorf("Open(%q) = %v, want ErrBadID", id, err)
		}
		if _, err := st.BeginRelease(t.Context(), id, who, false); !errors.Is(err, quarantine.ErrBadID) {
			t.Errorf("BeginRelease(%q) = %v, want ErrBadID", id, err)
		}
		if _, err := st.Delete(t.Context(), id, who); !errors.Is(err, quarantine.ErrBadID) {
			t.Errorf("Delete(%q) = %v, want ErrBadID", id, err)
		}
	}
	unknown := quarantine.ID("20261122-0000000000")
	for name, err := range map[string]error{
		"Get":          second(st.Get(t.Context(), unknown)),
		"Open":         second(st.Open(t.Context(), unknown)),
		"BeginRelease": second(st.BeginRelease(t.Context(), unknown, who, false)),
		"Delete":       second(st.Delete(t.Context(), unknown, who)),
	} {
		if !errors.Is(err, quarantine.ErrNotFound) {
			t.Errorf("%s(unknown) = %v, want ErrNotFound", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func closed(t *testing.T, st quarantine.Store) {
	if err := st.Healthy(); err != nil {
		t.Errorf("Healthy = %v, want nil", err)
	}
	if err := st.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if err := st.Close(); err != nil {
		t.Errorf("second Close = %v, want nil", err)
	}
	if _, err := st.Keep(context.Background(), Item(1), Mail(1)); !errors.Is(err, quarantine.ErrClosed) {
		t.Errorf("Keep = %v, want ErrClosed", err)
	}
	if err := st.Healthy(); !errors.Is(err, quarantine.ErrClosed) {
		t.Errorf("Healthy = %v, want ErrClosed", err)
	}
	if _, err := st.List(context.Background(), quarantine.Filter{}); err == nil {
		t.Error("List = nil, want an error")
	}
}

// Load keeps mails of size bytes, each of its own, from as many writers at
// once, for benchmarks.
func Load(b *testing.B, st quarantine.Store, size, writers int) {
	b.Helper()
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			raw := bytes.Repeat([]byte("0123456789abcdef"), (size+15)/16)[:size]
			for n := range jobs {
				copy(raw, fmt.Sprintf("Subject: %020d\r\n\r\n", n))
				if _, err := st.Keep(b.Context(), Item(1), raw); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := 0; b.Loop(); n++ {
		jobs <- n
	}
	close(jobs)
	wg.Wait()
}
