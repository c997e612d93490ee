package filter

import (
	"errors"
	"sync"
	"time"

	"sekisho/filter/mail"
	"sekisho/filter/quarantine"
	"sekisho/filter/record"
)

// troublePause is the least time between two lines about a store that stays
// out of order: a full disk must not fill the log's disk as well.
const troublePause = time.Minute

// unhealthy says that the store failed, not the message, and will for the next
// one too. A lock, a deadline or damaged bytes are not of this kind: they pass
// by themselves, and waiting costs the sender nothing.
func unhealthy(err error) bool {
	return errors.Is(err, quarantine.ErrUnhealthy) || errors.Is(err, quarantine.ErrFull)
}

// trouble counts what the store could not keep.
type trouble struct {
	mu    sync.Mutex
	on    bool
	count int64
	said  time.Time
}

// failed counts a message that went elsewhere and writes a line, the first
// time and then once a minute.
func (t *trouble) failed(log *record.Log, now time.Time, m *mail.Message, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	if t.on && now.Sub(t.said) < troublePause {
		return
	}
	log.Error(record.StoreTrouble).Str("queue_id", m.QueueID).Int("count", t.count).Err(cause).
		Str("hint", hintOf(cause)).Send()
	t.on, t.said, t.count = true, now, 0
}

// worked notes that a message was kept.
func (t *trouble) worked(log *record.Log) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.on {
		return
	}
	log.Info(record.StoreHealed).Int("count", t.count).Send()
	t.on, t.count = false, 0
}

func hintOf(err error) string {
	var e *quarantine.Error
	if errors.As(err, &e) && e.Hint != "" {
		return e.Hint
	}
	return "free or mend the disk of quarantine.dir; it is tried again with the next message, and no restart is needed"
}
