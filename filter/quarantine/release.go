package quarantine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultSMTP is where Postfix listens without this milter
// (docs/quarantine.md shows the master.cf entry).
const DefaultSMTP = "127.0.0.1:10026"

// defaultStep bounds one SMTP step. Postfix on the same machine answers in
// milliseconds; a minute forgives a machine that is busy.
const defaultStep = time.Minute

// ReleaseOptions say how, by whom and why a mail is released.
type ReleaseOptions struct {
	SMTP   string // host:port; empty: DefaultSMTP
	Helo   string // empty: localhost
	Actor  string
	Reason string
	// Again releases a mail that was released, or may have been.
	Again bool
	// Step bounds each SMTP step, the answer to the final dot five times as
	// long; 0: one minute.
	Step time.Duration
}

// Result is how a release ended.
type Result struct {
	Item  Item   `json:"item"`
	Reply string `json:"reply"`
	// Already says that the mail had been released before: nothing was sent.
	Already bool `json:"already"`
}

// Release gives the kept mail id back to Postfix, byte for byte and with its
// own envelope. Without error it is released: by this call, after 250 to the
// final dot for all recipients, or by an earlier one (Result.Already). With an
// error it is held as before and LastReply says why, except after ErrUnclear.
func Release(ctx context.Context, st Store, id ID, o ReleaseOptions) (Result, error) {
	doing := "releasing " + string(id)
	it, err := st.BeginRelease(ctx, id, Actor{o.Actor, o.Reason}, o.Again)
	if errors.Is(err, ErrAlready) {
		return Result{Item: it, Reply: it.LastReply, Already: true}, nil
	}
	if err != nil {
		return Result{Item: it}, err
	}
	reply, err := send(ctx, st, it, o)
	// What happened is recorded even if the caller has gone meanwhile.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		return failed(ctx, st, it, doing, err)
	}
	it, err = st.FinishRelease(ctx, id, reply)
	if err != nil {
		return Result{Item: it, Reply: reply}, &Error{Doing: doing, Hint: "do not release it again",
			Err: fmt.Errorf("sent (%s), but recording it: %w", reply, err)}
	}
	return Result{Item: it, Reply: reply}, nil
}

// send checks the stored bytes and hands them to Postfix.
func send(ctx context.Context, st Store, it Item, o ReleaseOptions) (string, error) {
	raw, err := st.Open(ctx, it.ID)
	if err != nil {
		return "", err
	}
	if err := sendable(it); err != nil {
		return "", err
	}
	c, err := dial(ctx, o)
	if err != nil {
		return "", err
	}
	defer c.close()
	return c.deliver(it, raw, func() error { return st.Sending(ctx, it.ID) })
}

// failed records a release that did not end in 250.
func failed(ctx context.Context, st Store, it Item, doing string, cause error) (Result, error) {
	maybe := errors.Is(cause, ErrUnclear)
	out := &Error{Doing: doing, Err: cause}
	var inner *Error
	switch {
	case maybe:
		out.Hint = "look for queue id " + quoted(it.QueueID) + " and message id " + quoted(it.MessageID) +
			" in Postfix's log; if it did not arrive, release it with --again"
	case errors.As(cause, &inner):
		out.Hint = inner.Hint
	}
	now, err := st.FailRelease(ctx, it.ID, cause.Error(), maybe)
	if err != nil {
		out.Err = errors.Join(cause, err)
		now = it
	}
	return Result{Item: now, Reply: now.LastReply}, out
}
