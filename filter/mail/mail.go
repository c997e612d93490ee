// Package mail holds a message as it came: who said what in the SMTP session,
// and the message's bytes.
//
// It is words only: nothing here reads, decodes or judges. RFC 5321 names the
// envelope, RFC 5322 the header.
package mail

import "net/netip"

// Client is the SMTP client as Postfix described it when it connected, and
// what became known of it up to the current message.
type Client struct {
	Addr netip.Addr // zero when the client came over a local socket
	Port uint16
	// Host is the name that Postfix found for Addr and confirmed, or Addr in
	// brackets where there is none.
	Host string
	// Helo is the last HELO or EHLO argument.
	Helo string
	// Daemon is the name of the SMTP server, macro {daemon_name}.
	Daemon string
	// TLSVersion is empty when the session is not encrypted.
	TLSVersion string
	// AuthType and AuthName are set when the client logged in with SASL.
	AuthType, AuthName string
}

// Envelope is the SMTP transaction's envelope (RFC 5321 §2.3.1).
type Envelope struct {
	// MailFrom is the reverse-path without angle brackets; empty for <>.
	MailFrom string
	// MailArgs are the ESMTP parameters of MAIL, as far as the milter
	// library passes them on.
	MailArgs []string
	// Rcpts are the forward-paths that Postfix accepted, in order.
	Rcpts []string
}

// HeaderField is one field of the message header with its bytes as they came.
type HeaderField struct {
	// Name is the field's name in the sender's own spelling.
	Name string
	// Value is all after the colon: leading blank and folding kept, CRLF at
	// each fold, no line end at the end.
	Value string
}

// Message is one transaction, from MAIL to the end of data.
type Message struct {
	QueueID  string
	Client   Client
	Envelope Envelope
	// Fields are the header fields in the order they came, duplicates kept.
	Fields []HeaderField
	// Raw is the whole message: Fields, the empty line, the body; lines end
	// in CRLF where the sender's did. It may be a read-only mapping that is
	// gone once the message is answered: keep no slice of it.
	Raw []byte
	// Oversize says that the message is larger than the configured maximum:
	// Raw is then empty and Size what was counted.
	Oversize bool
	// Size is the number of bytes of the message.
	Size int64
	// SHA256 is the lower-case hex digest of Raw.
	SHA256 string
	// Macros are the milter macros in force at the end of the message,
	// merged over all stages, without braces around the names.
	Macros map[string]string
}
