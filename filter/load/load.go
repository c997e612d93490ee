// Package load plays mail at a milter as Postfix does, and measures what that
// costs: time, and the processor time and memory of the milter's processes.
//
// It also makes the mail: sets that stand for an office's day, for short
// texts, for archives within archives, and for the worst that a sender could
// think of. All of it is the same on every run. It judges nothing but speed;
// what was answered is only counted.
//
// The client speaks the milter protocol as Postfix 3.7 does (milter8.c):
// macros before each step, no wait where the milter asked for silence, an
// ABORT after each message. It is our own since the library's client knows no
// silent steps and costs more than some of the milters under test.
//
// Nothing outside tests and cmd/sekisho-bench may import it.
package load

// Mail is one message of a set, its lines ended by CRLF.
type Mail struct {
	// Kind groups mails that should cost alike.
	Kind string
	Raw  []byte
}

// Set is a named collection of mails.
type Set struct {
	Name string
	// About says in a line what the mails are.
	About string
	Make  func() []Mail
}

// Sets are all that there are, cheap ones first.
var Sets = []Set{
	{"text", "texts of about 3 KB", func() []Mail { return texts(500) }},
	{"office", "an office's day: 70% text, the rest documents and archives, mean 165 KB", func() []Mail { return office(2) }},
	{"archive", "archives of 1 to 10 MB, three deep", func() []Mail { return archives(20) }},
	{"worst", "bombs, floods and depths", worst},
}
