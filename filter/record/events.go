package record

// Event names one thing that can happen. The list is closed and an interface:
// adding is free, renaming is an incompatible change.
type Event string

// The events.
const (
	MessageJudged     Event = "message.judged"
	MessageFailed     Event = "message.failed"
	ServiceStarted    Event = "service.started"
	ServiceStopping   Event = "service.stopping"
	ServiceStopped    Event = "service.stopped"
	ReloadDone        Event = "reload.done"
	ReloadRefused     Event = "reload.refused"
	LogDropped        Event = "log.dropped"
	SessionTrouble    Event = "session.trouble"
	SandboxDegraded   Event = "sandbox.degraded"
	SandboxLost       Event = "sandbox.lost"
	SandboxTrouble    Event = "sandbox.trouble"
	StoreTrouble      Event = "store.trouble"
	StoreHealed       Event = "store.healed"
	QuarantineRelease Event = "quarantine.released"
	PasswordOpened    Event = "password.opened"
	PasswordWrong     Event = "password.wrong"
	PasswordExpired   Event = "password.expired"
	PasswordFailed    Event = "password.failed"
)

// Info describes an event or a field to people; docs/log.md holds them all.
type Info struct{ Name, Text string }

// Events is the catalogue of events, in the order of the manual.
var Events = []Info{
	{string(MessageJudged), "A message got its verdict. One line for each message that reached the end of data."},
	{string(MessageFailed), "We could not judge or keep a message; the sender was asked to try again (451)."},
	{string(ServiceStarted), "The daemon listens and judges."},
	{string(ServiceStopping), "A stop was asked for; messages under way still get their answer."},
	{string(ServiceStopped), "The daemon has stopped."},
	{string(ReloadDone), "New configuration and rules are in force for the next message."},
	{string(ReloadRefused), "New configuration or rules have a mistake; the old ones stay in force."},
	{string(LogDropped), "The log did not take `count` lines in time, or refused them; mail went on."},
	{string(SessionTrouble), "A milter connection broke, was refused or ran into a limit."},
	{string(SandboxDegraded), "The workers are locked up with less than all that we know how to use; `detail` says with what. It holds nevertheless (docs/security.md)."},
	{string(SandboxLost), "A worker was thrown away: `cause` is crash, timeout, memory, answer or stopped, `detail` what it said last. Its message was tried once more in another worker."},
	{string(SandboxTrouble), "A worker could not be started; it is tried again, and messages wait or are deferred (451)."},
	{string(StoreTrouble), "The quarantine cannot keep mail: what would be kept goes to Postfix's hold queue or has to wait (`quarantine.when_unhealthy`). At most once a minute; `count` says how many messages since the last line."},
	{string(StoreHealed), "The quarantine keeps mail again; `count` says how many messages went elsewhere since the last line."},
	{string(QuarantineRelease), "A message that a reviewer is releasing came through this milter and was let pass; `rule` would have caught it."},
	{string(PasswordOpened), "A kept mail was opened with a password of another mail (`queue_id`) and inspected: `disposition` accept, then it was released (`reply`), or quarantine, then it stays by `rule`."},
	{string(PasswordWrong), "No word of `count` mails that speak of a password opens the kept mail; it goes on waiting."},
	{string(PasswordExpired), "No password came for a kept mail within `password.window`; it stays kept for a reviewer."},
	{string(PasswordFailed), "We could not try a password or release what it opened. The mail stays kept, and it is tried again."},
}

// Fields is the catalogue of field names: each has one meaning in all events.
var Fields = []Info{
	{"time", "when, RFC 3339 with milliseconds"},
	{"level", "info, warn or error"},
	{"event", "the event's name"},
	{"version", "version of sekisho"},
	{"queue_id", "Postfix's name of the message"},
	{"incident", "our id of this message's judgement; also in reply and quarantine"},
	{"client_ip", "address of the SMTP client"},
	{"client_host", "its verified name"},
	{"helo", "its HELO or EHLO argument"},
	{"auth_type", "SASL method when the client logged in"},
	{"mail_from", "envelope sender, empty for the null sender"},
	{"rcpt_to", "envelope recipients"},
	{"header_from", "addresses of the From field"},
	{"from_other", "addresses that only some mail programs read out of From"},
	{"from_name", "display name of the first author, decoded"},
	{"subject", "decoded subject"},
	{"raw", "header fields that no charset explains, each with its bytes in hexadecimal; in attachments, the same of names"},
	{"message_id", "Message-ID field"},
	{"size", "bytes of the message"},
	{"sha256", "SHA-256 of the message as it came"},
	{"disposition", "accept, tag, defer, hold, quarantine, reject or discard"},
	{"rule", "id of the deciding rule"},
	{"reasons", "ids of all enforced rules that matched"},
	{"observed", "ids of rules in mode observe that matched"},
	{"findings", "the facts: kind, path and evidence of each, at most 100"},
	{"findings_total", "number of facts, when more than were written"},
	{"attachments", "named entities: path, name, types, size, sha256, at most 100"},
	{"incomplete", "true when some bytes could not be read"},
	{"spf", "result of SPF (RFC 8601 word)"},
	{"dkim", "results of DKIM, one for each signature judged"},
	{"dmarc", "result of DMARC"},
	{"quarantine_id", "id of the kept message"},
	{"rule_set", "generation of the rules that judged"},
	{"took_ms", "milliseconds from end of data to the answer"},
	{"listen", "addresses listened on"},
	{"file", "file that a mistake is in, with line"},
	{"error", "what went wrong"},
	{"hint", "what to do about it"},
	{"sandbox", "what confines the workers"},
	{"cause", "why a worker was thrown away"},
	{"detail", "what is known of it"},
	{"pid", "process id of the worker"},
	{"stage", "part of the work in which something went wrong"},
	{"count", "how many"},
	{"peer", "other end of the milter connection"},
	{"phase", "what was waited for"},
	{"limit", "which limit was met"},
	{"after", "how long was waited"},
	{"connections", "milter connections open"},
	{"stack", "where our own code broke"},
	{"actor", "who did it"},
	{"reason", "why a person did it"},
	{"reply", "the mail server's answer"},
}
