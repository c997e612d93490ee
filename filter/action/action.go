// Package action turns a verdict into what the MTA is to do: a reply and
// header edits.
//
// It keeps nothing and judges nothing. Header text that it writes is safe by
// construction: ASCII or encoded words, folded below 998 bytes (RFC 5322
// §2.1.1), never a line end out of a message.
package action

import (
	"fmt"
	"strings"

	"sekisho/filter/escape"
	"sekisho/filter/mail"
	"sekisho/filter/verdict"
)

// Options say how a mark looks.
type Options struct {
	// SubjectPrefix is put before the subject of a tagged message, "" for
	// none.
	SubjectPrefix string
	// Contact is named in reject replies, "" for none.
	Contact string
}

// prefix is the start of every header field name of ours; incoming fields of
// such a name are removed, since a sender could forge them.
const prefix = "x-sekisho-"

// Plan is what is to be done with one message.
type Plan struct {
	Verdict  verdict.Verdict
	Incident string // the id that record, reply and quarantine share
	// Results is the value of our own Authentication-Results field, "" for
	// none; Strip are the deletions of forged ones, highest index first.
	Results string
	Strip   []mail.Edit
	// Fields are the message's header fields, to find forged ones of ours.
	Fields []mail.HeaderField
}

// Reply returns the answer for p.
func (o Options) Reply(p Plan) mail.Reply {
	switch p.Verdict.Disposition {
	case verdict.Accept:
		return mail.Reply{Answer: mail.AnswerAccept, Edits: o.edits(p)}
	case verdict.Tag:
		return mail.Reply{Answer: mail.AnswerAccept, Edits: o.edits(p)}
	case verdict.Hold:
		return mail.Reply{Answer: mail.AnswerHold, Text: "sekisho " + p.Incident + " " + p.Verdict.Rule(), Edits: o.edits(p)}
	case verdict.Quarantine, verdict.Discard:
		return mail.Reply{Answer: mail.AnswerDiscard}
	case verdict.Reject:
		return o.refusal(p, mail.AnswerReject, 550, "5.7.1", "message refused by policy")
	}
	return o.refusal(p, mail.AnswerDefer, 451, "4.7.1", "message deferred by policy, please try again later")
}

// refusal builds a 4xx or 5xx reply out of the deciding rule's own text.
func (o Options) refusal(p Plan, answer mail.Answer, code int, enhanced, text string) mail.Reply {
	if len(p.Verdict.Reasons) > 0 && p.Verdict.Reasons[0].Reply != "" {
		text = p.Verdict.Reasons[0].Reply
	}
	code, enhanced, text = codes(text, code, enhanced)
	if o.Contact != "" {
		text += "; contact " + o.Contact
	}
	return mail.Reply{Answer: answer, Code: code, Enhanced: enhanced,
		Text: escape.ASCII(text) + " (incident " + p.Incident + ")"}
}

// codes takes "552 5.3.4 text" apart; a text without codes keeps the given
// ones, as does one whose class would turn a refusal into something else.
func codes(text string, code int, enhanced string) (int, string, string) {
	words := strings.SplitN(text, " ", 3)
	if len(words) < 3 || len(words[0]) != 3 || !strings.HasPrefix(words[1], words[0][:1]+".") {
		return code, enhanced, text
	}
	var n int
	if _, err := fmt.Sscanf(words[0], "%d", &n); err != nil || n/100 != code/100 {
		return code, enhanced, text
	}
	return n, words[1], words[2]
}

// edits lists the header edits: deletions first (the indexes they name are
// those of the message as it came), then our own fields on top.
func (o Options) edits(p Plan) []mail.Edit {
	edits := append(stripOwn(p.Fields), p.Strip...)
	if p.Verdict.Disposition == verdict.Tag {
		edits = append(edits, o.subject(p.Fields)...)
		edits = append(edits, marks(p)...)
	}
	if p.Results != "" {
		edits = append(edits, mail.Edit{Op: mail.EditInsert, Name: "Authentication-Results", Value: p.Results})
	}
	return edits
}

// stripOwn deletes incoming fields of our own names, for each name from the
// highest index down: upwards, each deletion would move the next.
func stripOwn(fields []mail.HeaderField) []mail.Edit {
	count := map[string]int{}
	var edits []mail.Edit
	for _, f := range fields {
		name := strings.ToLower(strings.TrimRight(f.Name, " \t"))
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		count[name]++
		edits = append(edits, mail.Edit{Op: mail.EditDelete, Index: count[name], Name: strings.TrimRight(f.Name, " \t")})
	}
	for i, j := 0, len(edits)-1; i < j; i, j = i+1, j-1 {
		edits[i], edits[j] = edits[j], edits[i]
	}
	return edits
}

// marks are the X-Sekisho-* fields of a tagged message.
func marks(p Plan) []mail.Edit {
	rules := make([]string, 0, len(p.Verdict.Reasons))
	for _, r := range p.Verdict.Reasons {
		rules = append(rules, r.Rule)
	}
	why := ""
	if len(p.Verdict.Reasons) > 0 {
		why = p.Verdict.Reasons[0].Why
	}
	return []mail.Edit{
		{Op: mail.EditInsert, Name: "X-Sekisho-Reason", Value: fold(escape.ASCII(why))},
		{Op: mail.EditInsert, Name: "X-Sekisho-Rules", Value: fold(strings.Join(rules, ", "))},
		{Op: mail.EditInsert, Name: "X-Sekisho-Verdict", Value: "tag; incident=" + p.Incident},
	}
}

// lineLength is where added header lines are folded (RFC 5322 §2.1.1 asks for
// 78, first line's name included).
const lineLength = 70

// fold breaks s at blanks into lines of at most about 70 bytes; a word too
// long for that is cut, so that no line passes 998.
func fold(s string) string {
	var b strings.Builder
	line := 0
	for i, word := range strings.Fields(s) {
		for len(word) > 900 {
			b.WriteString(word[:900] + "\r\n ")
			word, line = word[900:], 0
		}
		switch {
		case i == 0:
		case line+len(word) > lineLength:
			b.WriteString("\r\n ")
			line = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(word)
		line += len(word) + 1
	}
	return b.String()
}
