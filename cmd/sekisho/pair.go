package main

import (
	"context"
	"time"

	"sekisho/filter"
	"sekisho/filter/quarantine"
)

// pair brings kept mail and its passwords together until the daemon ends; what
// it returns waits for that, for limit at most: a release that Postfix does not
// answer stays as one that was begun.
func (d *daemon) pair(ctx context.Context, limit time.Duration) (wait func()) {
	ctx, stop := context.WithCancel(ctx)
	d.gate.Pairs = filter.NewPairs(filter.PairOptions{Store: d.store, Log: d.log, Now: time.Now, Current: d.gate.Current,
		Release: func(ctx context.Context, id quarantine.ID, reason string) (quarantine.Result, error) {
			return quarantine.Release(ctx, d.store, id, quarantine.ReleaseOptions{SMTP: d.gate.Current().ReleaseSMTP, Actor: "sekisho", Reason: reason})
		}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.gate.Pairs.Run(ctx)
	}()
	return func() {
		stop()
		select {
		case <-done:
		case <-time.After(limit):
		}
	}
}
