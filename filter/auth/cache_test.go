package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestCacheBounds(t *testing.T) {
	now := time.Unix(0, 0)
	c := newCache(func() time.Time { return now })
	asked := 0
	ask := func(ttl time.Duration) func() (answer, error) {
		return func() (answer, error) { asked++; return answer{ttl: ttl}, nil }
	}
	tests := []struct {
		name string
		ttl  time.Duration
		kept time.Duration
	}{
		{"zero is kept a minute", 0, time.Minute},
		{"a day is kept an hour", 24 * time.Hour, time.Hour},
		{"ten minutes are kept", 10 * time.Minute, 10 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked = 0
			for _, at := range []time.Duration{0, tt.kept - 1, tt.kept} {
				now = time.Unix(0, 0).Add(at)
				c.get(t.Context(), tt.name, ask(tt.ttl))
			}
			if asked != 2 {
				t.Errorf("asked %d times, want 2", asked)
			}
		})
	}
	for i := range maxCached + 500 {
		c.get(t.Context(), fmt.Sprint(i), ask(time.Hour))
	}
	if len(c.entries) != maxCached || len(c.order) != maxCached {
		t.Errorf("%d entries, %d keys, want %d", len(c.entries), len(c.order), maxCached)
	}
}

// Those who waited for an asker that ran out of time ask for themselves.
func TestCacheAskerLeaves(t *testing.T) {
	c := newCache(time.Now)
	ctx, leave := context.WithCancel(t.Context())
	flying := make(chan struct{})
	go c.get(ctx, "a", func() (answer, error) {
		close(flying)
		<-ctx.Done()
		return answer{}, errors.New("timeout")
	})
	<-flying
	time.AfterFunc(20*time.Millisecond, leave)
	got, err := c.get(t.Context(), "a", func() (answer, error) { return answer{values: []string{"x"}}, nil })
	if err != nil || len(got.values) != 1 {
		t.Errorf("get = %v, %v, want an answer of its own", got, err)
	}
}
