package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-milter"

	"sekisho/filter/mail"
)

// maxText keeps a reply well inside the 512 bytes of an SMTP reply line
// (RFC 5321 §4.5.3.1.5).
const maxText = 400

// deferred is the answer to every failure of ours.
var deferred = status(mail.Reply{}, '4')

var (
	errNoEdits = errors.New("the MTA did not offer header changes")
	errNoHold  = errors.New("the MTA did not offer its hold queue")
)

// carryOut sends the edits of a reply and returns its final response. What
// cannot be carried out is deferred: a tag or a hold that is left out silently
// would be an accept.
func (b *backend) carryOut(r mail.Reply, m *milter.Modifier) (milter.Response, error) {
	switch r.Answer {
	case mail.AnswerAccept, mail.AnswerHold:
		if err := b.admit(r, m); err != nil {
			return deferred, err
		}
		return milter.RespAccept, nil
	case mail.AnswerReject:
		return status(r, '5'), nil
	case mail.AnswerDiscard:
		return milter.RespDiscard, nil
	default:
		return status(r, '4'), nil
	}
}

// admit sends the edits, and the wish to hold the message.
func (b *backend) admit(r mail.Reply, m *milter.Modifier) error {
	const edits = milter.OptAddHeader | milter.OptChangeHeader
	actions := b.wire.terms.actions
	hold := r.Answer == mail.AnswerHold
	switch {
	case len(r.Edits) > 0 && actions&edits != edits:
		return errNoEdits
	case hold && actions&milter.OptQuarantine == 0:
		return errNoHold
	}
	for _, e := range r.Edits {
		if err := check(e); err != nil {
			return err
		}
	}
	for _, e := range r.Edits {
		if err := b.edit(e, m); err != nil {
			return err
		}
	}
	if !hold {
		return nil
	}
	return m.Quarantine(printable(orElse(r.Text, "held")))
}

// check refuses what no MTA could carry out. It runs before the first edit is
// sent: an edit cannot be taken back.
func check(e mail.Edit) error {
	if !isFieldName(e.Name) {
		return fmt.Errorf("edit of the header: %q is no field name", e.Name)
	}
	perName := e.Op == mail.EditChange || e.Op == mail.EditDelete
	if e.Index < 0 || perName && e.Index == 0 {
		return fmt.Errorf("edit of the header: index %d of %s", e.Index, e.Name)
	}
	return nil
}

// isFieldName follows RFC 5322 §3.6.8.
func isFieldName(name string) bool {
	for i := 0; i < len(name); i++ {
		if name[i] <= ' ' || name[i] > '~' || name[i] == ':' {
			return false
		}
	}
	return name != ""
}

func (b *backend) edit(e mail.Edit, m *milter.Modifier) error {
	switch e.Op {
	case mail.EditInsert:
		return m.InsertHeader(e.Index, e.Name, b.value(e.Value))
	case mail.EditAdd:
		return m.AddHeader(e.Name, b.value(e.Value))
	case mail.EditChange:
		return m.ChangeHeader(e.Index, e.Name, b.value(e.Value))
	case mail.EditDelete:
		// An empty value removes the field.
		return m.ChangeHeader(e.Index, e.Name, "")
	}
	return fmt.Errorf("edit of the header: unknown operation %d", e.Op)
}

// value writes a field's value as the MTA wants it: with the blank after the
// colon if we agreed to bring it, folds with LF. A line end that is no fold,
// or a NUL, becomes a blank: it would begin a field of someone else's choice.
func (b *backend) value(v string) string {
	v = strings.NewReplacer("\r\n ", "\n ", "\r\n\t", "\n\t", "\r", " ", "\n", " ", "\x00", " ").Replace(v)
	if b.wire.terms.leadingSpace() || v == "" {
		return " " + v
	}
	return v
}

// status makes an SMTP reply of the given class, '4' or '5'. Codes of another
// class are replaced: Postfix drops such a reply and falls back to its default.
func status(r mail.Reply, class byte) milter.Response {
	usual := map[byte][3]string{
		'4': {"451", "4.3.0", "Message not inspected yet, please try again later"},
		'5': {"550", "5.7.1", "Message refused"},
	}[class]
	code, enhanced := usual[0], usual[1]
	if c := fmt.Sprint(r.Code); len(c) == 3 && c[0] == class {
		code = c
	}
	if isEnhanced(r.Enhanced) && r.Enhanced[0] == class {
		enhanced = r.Enhanced
	}
	text := printable(orElse(r.Text, usual[2]))
	// The MTA takes the text for a format: a percent sign is written twice.
	text = strings.ReplaceAll(text, "%", "%%")
	return milter.NewResponseStr(byte(milter.ActReplyCode), code+" "+enhanced+" "+text)
}

// isEnhanced follows RFC 3463 §2: class, subject and detail of up to three digits.
func isEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 1 {
		return false
	}
	for _, p := range parts {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

func orElse(text, usual string) string {
	if text == "" {
		return usual
	}
	return text
}

// printable keeps a reply one line of ASCII: everything else becomes '?'.
func printable(text string) string {
	out := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return out[:min(len(out), maxText)]
}
