package mail

// Answer is what the MTA is told at the end of a message.
type Answer int

// The answers. The zero value is no answer at all: whoever forgets to decide
// defers.
const (
	AnswerDefer   Answer = iota // 4xx; the text defaults to 451 4.3.0
	AnswerAccept                // go on, with the edits
	AnswerReject                // 5xx with Text
	AnswerDiscard               // 250 to the sender, delivered to nobody
	AnswerHold                  // accept into Postfix's hold queue, with Text as its reason
)

// EditOp is a kind of header edit.
type EditOp int

// The header edits that a milter may ask for.
const (
	EditInsert EditOp = iota // insert at Index, 0 being the top
	EditAdd                  // append after the last field
	EditChange               // replace the Index-th field of Name, counted from 1
	EditDelete               // remove the Index-th field of Name, counted from 1
)

// Edit is one change of the header. Edits are carried out in order; deletions
// must come from the highest index down, or the later indexes have moved.
type Edit struct {
	Op    EditOp
	Index int
	Name  string
	// Value has no leading blank: the session brings the one that the
	// negotiated protocol needs. Folds are written as CRLF and a blank.
	Value string
}

// Reply is the answer to one message.
type Reply struct {
	Answer Answer
	// Code and Enhanced are the SMTP codes of AnswerDefer and AnswerReject,
	// such as 550 and "5.7.1"; zero means the usual ones.
	Code     int
	Enhanced string
	// Text is ASCII without line ends.
	Text string
	// Edits are for AnswerAccept and AnswerHold.
	Edits []Edit
}
