// Package report holds the Report: what the inspection of one input found.
//
// It is the worker's answer to the gate and the core of `sekisho scan --json`.
// A Report is stable: the same bytes give the same Report, in the same order,
// without times or random ids. All text in it is untrusted.
package report

import (
	"sekisho/filter/finding"
)

// Schema is the version of the Report and of the JSON made from it. Adding a
// field leaves it as it is; a renamed or removed field raises it.
const Schema = 1

// Kind of input.
const (
	KindMail = "mail"
	KindFile = "file"
)

// Report is what the inspection of one input found.
type Report struct {
	Schema   int               `json:"schema"`
	Kind     string            `json:"kind"`
	SHA256   string            `json:"sha256"`
	Size     int64             `json:"size"`
	Header   Header            `json:"header"`
	Entities []Entity          `json:"entities"`
	Links    []Link            `json:"links"`
	Findings []finding.Finding `json:"findings"`
	// Incomplete says that some bytes were not read to their end: a limit, a
	// failure, an encrypted, damaged or unopened container.
	Incomplete bool `json:"incomplete"`
	// Passwords are what may be passwords for something that came in another
	// message: for the gate only, where it asked for them. They stand in no log
	// and no scan.
	Passwords []string `json:"passwords,omitempty"`
}

// Header is what the message header says to its reader, decoded.
type Header struct {
	Subject   string    `json:"subject"`
	MessageID string    `json:"message_id"`
	Date      string    `json:"date"`
	From      []Address `json:"from"`
	ReplyTo   []Address `json:"reply_to"`
	Sender    []Address `json:"sender"`
	To        []Address `json:"to"`
	// FromOther are further authors that some program reads out of From, or
	// in its place where it names none.
	FromOther []Address `json:"from_other,omitempty"`
	// FromFields is the number of From fields; 1 in any honest message.
	FromFields int `json:"from_fields"`
	// Raw are the bytes, in hexadecimal, of the fields above whose text holds
	// U+FFFD because no charset explains them.
	Raw map[string]string `json:"raw,omitempty"`
}

// Address is one mailbox of an address field (RFC 5322 §3.4).
type Address struct {
	// Name is the decoded display name.
	Name string `json:"name"`
	// Addr is local-part@domain.
	Addr string `json:"addr"`
	// Domain is the part after the last @, lower case, without final dot.
	Domain string `json:"domain"`
}

// Entity is one node of the tree, without its bytes.
type Entity struct {
	Path  string `json:"path"`
	Depth int    `json:"depth"`
	// Name is the most likely name, Names are all readings of it.
	Name  string   `json:"name"`
	Names []string `json:"names"`
	// Raw are the bytes, in hexadecimal, of those names that hold U+FFFD
	// because no charset explains them.
	Raw map[string]string `json:"raw,omitempty"`
	// Exts are the effective extensions of all names: lower case, without
	// dot, as Windows would act on them.
	Exts []string `json:"exts"`
	// Types are all types that the bytes match.
	Types       []string `json:"types"`
	MediaType   string   `json:"media_type,omitempty"`
	Disposition string   `json:"disposition,omitempty"`
	Reading     string   `json:"reading,omitempty"`
	Size        int64    `json:"size"`
	SHA256      string   `json:"sha256"`
	Encrypted   bool     `json:"encrypted"`
	Unread      bool     `json:"unread"`
	Dir         bool     `json:"dir,omitempty"`
	Link        bool     `json:"link,omitempty"`
}

// Link is one distinct link target of the message.
type Link struct {
	Path string `json:"path"`
	// URL is the target as a browser would normalise it.
	URL string `json:"url"`
	// Shown is the text that the reader sees, "" for a bare URL.
	Shown string `json:"shown,omitempty"`
	// Scheme, Host and Site are lower case; Host in A-labels; Site is the
	// registrable domain of Host by the public suffix list.
	Scheme string `json:"scheme"`
	Host   string `json:"host"`
	Site   string `json:"site"`
	// Ext is the extension of the URL's path, lower case, without dot.
	Ext string `json:"ext,omitempty"`
}
