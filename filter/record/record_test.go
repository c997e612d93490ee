package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"sekisho/filter/finding"
	"sekisho/filter/mail"
	"sekisho/filter/report"
	"sekisho/filter/verdict"
)

func clock() time.Time { return time.Date(2026, 11, 22, 9, 0, 0, 5e6, time.UTC) }

const hostile = "a\r\nb\x1b[2J\u202e\u2028\u0085\u200b\x82\x00\u009b=\"x\" \U000e0041"

func judgement() Judgement {
	return Judgement{
		Message: &mail.Message{QueueID: "4bXyZ", Envelope: mail.Envelope{MailFrom: hostile, Rcpts: []string{hostile}},
			Client: mail.Client{Helo: hostile, Host: hostile}},
		Report: &report.Report{Header: report.Header{Subject: hostile, From: []report.Address{{Addr: hostile}}},
			Entities: []report.Entity{{Path: hostile, Name: hostile, Types: []string{"pe"}}},
			Findings: []finding.Finding{finding.New(finding.NamePadded, hostile, "name", hostile)}},
		Verdict: verdict.Verdict{Disposition: verdict.Quarantine, Reasons: []verdict.Reason{{Rule: "r1"}}},
		DKIM:    []string{hostile}, Took: 1500 * time.Microsecond,
	}
}

// Every sink, every field: one event is one line and holds no character that
// a terminal or a reader of lines acts on.
func TestHostileTextIsInert(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			l := New(&out, format, clock)
			l.Judged(judgement())
			l.Error(MessageFailed).Err(errors.New(hostile)).Strs("rcpt_to", []string{hostile}).Send()
			if got := strings.Count(out.String(), "\n"); got != 2 {
				t.Errorf("two events made %d lines", got)
			}
			for _, r := range strings.ReplaceAll(out.String(), "\n", "") {
				if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u200b' || r == unicode.ReplacementChar {
					t.Errorf("output holds %U", r)
				}
			}
			if !strings.Contains(out.String(), "⟨U+202E⟩") {
				t.Error("the RLO is evidence and must be shown")
			}
		})
	}
}

func TestJudgedFields(t *testing.T) {
	var out bytes.Buffer
	New(&out, "json", clock).Judged(judgement())
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"event": "message.judged", "queue_id": "4bXyZ", "disposition": "quarantine",
		"rule": "r1", "took_ms": 1.5, "time": "2026-11-22T09:00:00.005Z"} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	known := map[string]bool{}
	for _, f := range Fields {
		known[f.Name] = true
	}
	for key := range got {
		if !known[key] {
			t.Errorf("field %q is not in the catalogue", key)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestABrokenSinkIsCounted(t *testing.T) {
	l := New(broken{}, "json", clock)
	l.Info(ServiceStarted).Send()
	l.Info(ServiceStopped).Send()
	if l.Dropped() != 2 {
		t.Errorf("Dropped() = %d, want 2", l.Dropped())
	}
}
