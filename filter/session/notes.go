package session

// The events that Config.Note is told of.
const (
	// NoteAccept: a connection could not be taken up (error).
	NoteAccept = "session.accept"
	// NoteFull: the cap on connections is reached (connections).
	NoteFull = "session.full"
	// NoteProtocol: the peer broke the protocol and was cut off (peer, error).
	NoteProtocol = "session.protocol"
	// NoteTimeout: the peer was silent for too long and was cut off (peer, phase).
	NoteTimeout = "session.timeout"
	// NoteUnanswered: a reply could not be sent (peer, queue_id, error).
	NoteUnanswered = "session.unanswered"
	// NoteLimit: a message is over a limit and goes on as oversize (queue_id, limit).
	NoteLimit = "session.limit"
	// NoteFailed: a failure of ours made the message wait (queue_id, error).
	NoteFailed = "session.failed"
	// NotePanic: the handler panicked; the message waits (queue_id, error, stack).
	NotePanic = "session.panic"
	// NoteLate: the handler missed the deadline; the message waits (queue_id, after).
	NoteLate = "session.late"
)
