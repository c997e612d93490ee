// Package quarantine says what kept mail is, what may happen to it and in
// which order, and gives a mail back to Postfix when a reviewer releases it.
//
// It does not keep anything itself: Store is the contract, quarantine/sqlite
// keeps mail in files with an index beside them, and quarantine/storetest
// tries any store. It does not decide what is kept, and it expires nothing.
//
// A state is defined by what exists (docs/quarantine.md): file first, row
// second, answer to Postfix third; removal goes the other way round. Release
// speaks SMTP (RFC 5321) with 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531). It
// departs from RFC 5321 in one point: bare CR and LF are sent as they were
// kept, since what is released is byte for byte what Postfix gave us.
package quarantine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"time"

	"sekisho/filter/finding"
	"sekisho/filter/verdict"
)

// State is where a kept mail stands.
type State string

// The states of the index. A mail on its way in (arriving, stored) has no row
// yet and so no state.
const (
	Held      State = "held"      // waits for review
	Releasing State = "releasing" // is being given back, or was when a release broke off
	Released  State = "released"  // Postfix answered 250; the file stays as proof
	Deleted   State = "deleted"   // the file is gone, the row stays as the record
)

// ParseState finds the state of a word.
func ParseState(word string) (State, bool) {
	s := State(word)
	return s, slices.Contains([]State{Held, Releasing, Released, Deleted}, s)
}

// Item is one kept mail without its bytes. All text in it that came with the
// mail is untrusted.
type Item struct {
	ID       ID        `json:"id"`
	Received time.Time `json:"received"`
	QueueID  string    `json:"queue_id"`

	// MailFrom and Rcpts are the envelope, without angle brackets; MailFrom
	// is empty for the null sender.
	MailFrom string   `json:"mail_from"`
	Rcpts    []string `json:"rcpts"`
	// SMTPUTF8 says that the sender asked for it (RFC 6531); a release then
	// asks for it as well.
	SMTPUTF8 bool `json:"smtputf8,omitempty"`

	ClientAddr string `json:"client_addr"`
	ClientHost string `json:"client_host"`
	Helo       string `json:"helo"`

	Subject string `json:"subject"`
	From    string `json:"from"`
	// FromName is the author's display name, decoded.
	FromName string `json:"from_name,omitempty"`
	// Raw are the bytes, in hexadecimal, of header fields that no charset
	// explains, by their name.
	Raw       map[string]string `json:"raw,omitempty"`
	MessageID string            `json:"message_id"`

	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`

	Disposition string            `json:"disposition"`
	Rule        string            `json:"rule"`
	RuleSet     string            `json:"rule_set,omitempty"`
	Reasons     []verdict.Reason  `json:"reasons"`
	Findings    []finding.Finding `json:"findings"`

	// Awaits is until when a password that comes in another mail may open this
	// one and set it free; zero for a mail that waits for its reviewer only.
	Awaits time.Time `json:"awaits,omitzero"`

	Standing
}

// Standing is the part of an Item that changes after the mail was kept.
type Standing struct {
	State State `json:"state"`
	// Since is when State was reached, By who brought it there, "" while the
	// mail is held for the first time.
	Since time.Time `json:"since"`
	By    string    `json:"by,omitempty"`
	// Count is how often the same mail came with the same envelope while it
	// was held: a sender that got no answer tries again.
	Count    int       `json:"count"`
	LastSeen time.Time `json:"last_seen"`
	// LastReply is what Postfix last answered to a release, or what broke it.
	LastReply string `json:"last_reply,omitempty"`
	// MaybeSent says that a release ended after the whole mail was sent and
	// before the answer came: Postfix may or may not have it.
	MaybeSent bool `json:"maybe_sent,omitempty"`
	// Damage says what is wrong with the kept file, "" when nothing is known.
	Damage string `json:"damage,omitempty"`
}

// RetryKey is equal for two mails of the same envelope and the same bytes.
func (it Item) RetryKey() string {
	h := sha256.New()
	field(h, it.MailFrom)
	rcpts := slices.Clone(it.Rcpts)
	slices.Sort(rcpts)
	for _, r := range rcpts {
		field(h, r)
	}
	field(h, it.SHA256)
	return hex.EncodeToString(h.Sum(nil))
}

// field hashes s behind its length, so that no two lists of fields hash alike.
func field(h hash.Hash, s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	h.Write(n[:])
	h.Write([]byte(s))
}

// Filter chooses items; its zero value chooses all. Items come newest first.
type Filter struct {
	Since, Until time.Time // received at or after Since, before Until
	Rule         string    // the deciding rule
	Sender       string    // part of the envelope sender, in any case
	Recipient    string    // part of an envelope recipient, in any case
	State        State
	// Before continues a listing behind the item of this ID, the last one of
	// the page before.
	Before ID
	Limit  int // 0: all
}
