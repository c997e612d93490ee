package action

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sekisho/filter/mail"
	"sekisho/filter/verdict"
)

func judged(d verdict.Disposition, reply string) verdict.Verdict {
	return verdict.Verdict{Disposition: d, Reasons: []verdict.Reason{{Rule: "some-rule", Why: "A reason.", Disposition: d, Reply: reply}}}
}

func TestReplyAnswers(t *testing.T) {
	tests := []struct {
		name string
		v    verdict.Verdict
		want mail.Reply
	}{
		{"clean mail goes on", verdict.Verdict{}, mail.Reply{Answer: mail.AnswerAccept}},
		{"kept mail is answered 250 and dropped", judged(verdict.Quarantine, ""), mail.Reply{Answer: mail.AnswerDiscard}},
		{"a rule's own codes are used", judged(verdict.Reject, "552 5.3.4 too large"),
			mail.Reply{Answer: mail.AnswerReject, Code: 552, Enhanced: "5.3.4", Text: "too large (incident I1)"}},
		{"a rule cannot turn a reject into a 2xx", judged(verdict.Reject, "250 2.0.0 fine"),
			mail.Reply{Answer: mail.AnswerReject, Code: 550, Enhanced: "5.7.1", Text: "250 2.0.0 fine (incident I1)"}},
		{"reject text stays ASCII", judged(verdict.Reject, "拒否"),
			mail.Reply{Answer: mail.AnswerReject, Code: 550, Enhanced: "5.7.1", Text: "<U+62D2><U+5426> (incident I1)"}},
		{"an unknown disposition defers", judged(verdict.Disposition(99), ""),
			mail.Reply{Answer: mail.AnswerDefer, Code: 451, Enhanced: "4.7.1", Text: "message deferred by policy, please try again later (incident I1)"}},
		{"hold names the rule", judged(verdict.Hold, ""), mail.Reply{Answer: mail.AnswerHold, Text: "sekisho I1 some-rule"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Options{}.Reply(Plan{Verdict: tt.v, Incident: "I1"})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Reply differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForgedMarksAreDeletedFromTheTopIndexDown(t *testing.T) {
	fields := []mail.HeaderField{{Name: "X-Sekisho-Verdict", Value: " accept"}, {Name: "Subject", Value: " x"},
		{Name: "x-sekisho-verdict", Value: " accept"}, {Name: "X-Sekishonen", Value: " honest"}, {Name: "X-SEKISHO-Rules ", Value: " none"}}
	got := Options{}.Reply(Plan{Fields: fields}).Edits
	want := []mail.Edit{
		{Op: mail.EditDelete, Index: 1, Name: "X-SEKISHO-Rules"},
		{Op: mail.EditDelete, Index: 2, Name: "x-sekisho-verdict"},
		{Op: mail.EditDelete, Index: 1, Name: "X-Sekisho-Verdict"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("edits differ (-want +got):\n%s", diff)
	}
}

func TestSubjectPrefix(t *testing.T) {
	tests := []struct {
		name, prefix, subject, want string
	}{
		{"ascii before ascii", "[CAUTION]", " hello", "[CAUTION] hello"},
		{"japanese before utf-8", "[注意]", " =?UTF-8?B?44GC?=", "=?UTF-8?B?W+azqOaEj10=?= =?UTF-8?B?44GC?="},
		{"japanese before iso-2022-jp keeps its charset", "[注意]", " =?ISO-2022-JP?B?GyRCJCIbKEI=?=",
			"=?ISO-2022-JP?B?WxskQkNtMFUbKEJd?= =?ISO-2022-JP?B?GyRCJCIbKEI=?="},
		{"folding stays", "[C]", " a\r\n b", "[C] a\r\n b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{SubjectPrefix: tt.prefix}
			edits := o.subject([]mail.HeaderField{{Name: "SUBJECT", Value: tt.subject}})
			if len(edits) != 1 || edits[0].Op != mail.EditChange || edits[0].Value != tt.want {
				t.Errorf("subject(%q) = %+v, want change to %q", tt.subject, edits, tt.want)
			}
		})
	}
}

func TestAddedLinesStayShort(t *testing.T) {
	for _, in := range []string{strings.Repeat("word ", 500), strings.Repeat("x", 5000)} {
		for line := range strings.SplitSeq(fold(in), "\r\n") {
			if len(line) > 998 {
				t.Errorf("fold left a line of %d bytes", len(line))
			}
		}
	}
}
