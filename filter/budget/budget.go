// Package budget bounds how much work one message may cost: bytes drawn out,
// members, depth, and how far one member may swell.
//
// Time is kept by the gate, which calls Stop; a reader notices at its next
// Spend. Reaching a limit is remembered with the first path that reached it,
// so that the walk can state it as a finding: over a limit is never clean.
package budget

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// Limits are the bounds for one message.
type Limits struct {
	Bytes   int64 // decoded bytes over all entities
	Member  int64 // decoded bytes of one entity
	Members int   // entities, body parts and members alike
	Depth   int   // containers within containers
	// Ratio is the most that a member may swell, output to input; small
	// members (under RatioFloor bytes out) are free.
	Ratio      int64
	RatioFloor int64
	// Tries is the work on passwords, in bytes hashed and bytes decoded in vain.
	Tries int64
}

// Default suits a mail gateway: the largest honest mails fit ten times over.
var Default = Limits{
	Bytes:      512 << 20,
	Member:     256 << 20,
	Members:    20000,
	Depth:      16,
	Ratio:      250,
	RatioFloor: 64 << 20,  // an honest table of zeros swells 400 times, but not to this
	Tries:      512 << 20, // forty tries on a 7z archive: about a second
}

// Small suits fuzzing and tests.
var Small = Limits{Bytes: 4 << 20, Member: 2 << 20, Members: 200, Depth: 6, Ratio: 200, RatioFloor: 1 << 20, Tries: 32 << 20}

// ErrExceeded is what a reader meets when the budget is used up or the gate
// has stopped it.
var ErrExceeded = errors.New("budget exceeded")

// What names a limit.
type What string

// The limits by name, as findings state them.
const (
	Bytes   What = "bytes"
	Member  What = "member"
	Members What = "members"
	Depth   What = "depth"
	Ratio   What = "ratio"
	Time    What = "time"
)

// Reached is a limit that was met and where.
type Reached struct {
	What What
	Path string
}

// Budget is the account of one message. It is used by one goroutine; only
// Stop may be called from another.
type Budget struct {
	limits  Limits
	bytes   int64
	members int
	tries   int64
	stopped atomic.Bool
	// confined says that the process is locked up and may die.
	confined bool
	reached  []Reached
	spare    [][]byte // given back by Free
	large    []byte   // the largest given back, for this message only
}

// New opens an account.
func New(l Limits) *Budget { return &Budget{limits: l} }

// Confine says that the process is locked up, so that decoders may run that
// could take it down.
func (b *Budget) Confine() { b.confined = true }

// Confined says whether Confine was called.
func (b *Budget) Confined() bool { return b.confined }

// Limits returns the bounds in force.
func (b *Budget) Limits() Limits { return b.limits }

// Bytes returns the decoded bytes spent so far.
func (b *Budget) Bytes() int64 { return b.bytes }

// Members returns the entities counted so far.
func (b *Budget) Members() int { return b.members }

// Stop ends the work at the reader's next Spend or Count.
func (b *Budget) Stop() { b.stopped.Store(true) }

// Reached returns the limits met so far, each once, in the order they were met.
func (b *Budget) Reached() []Reached { return b.reached }

// Exceed remembers that a limit was met at path and returns ErrExceeded. A
// reader that knows of a limit before spending (a declared size) calls it.
func (b *Budget) Exceed(what What, path string) error {
	for _, r := range b.reached {
		if r.What == what {
			return ErrExceeded
		}
	}
	b.reached = append(b.reached, Reached{what, path})
	return ErrExceeded
}

// Spend accounts for n decoded bytes at path.
func (b *Budget) Spend(path string, n int64) error {
	if b.stopped.Load() {
		return b.Exceed(Time, path)
	}
	if b.bytes += n; b.bytes > b.limits.Bytes {
		return b.Exceed(Bytes, path)
	}
	return nil
}

// Count accounts for one more entity at path.
func (b *Budget) Count(path string) error {
	if b.stopped.Load() {
		return b.Exceed(Time, path)
	}
	if b.members++; b.members > b.limits.Members {
		return b.Exceed(Members, path)
	}
	return nil
}

// Enter says whether a container at the given depth may be opened.
func (b *Budget) Enter(path string, depth int) error {
	if depth > b.limits.Depth {
		return b.Exceed(Depth, path)
	}
	return nil
}

// Read draws all of r, which unpacks packed bytes, within the budget: at most
// Member bytes and Ratio times packed. It returns what was read, and
// ErrExceeded where a limit cut it short, or r's own error. packed < 0 means
// unknown and skips the ratio. Who needs the bytes no longer may Free them.
func (b *Budget) Read(path string, r io.Reader, packed int64) ([]byte, error) {
	return b.ReadSized(path, r, packed, 0)
}

// ReadSized is Read where a size is declared: room is made for it at once. It
// is a hint only, and believed as far as honest packers go.
func (b *Budget) ReadSized(path string, r io.Reader, packed, size int64) ([]byte, error) {
	return b.Draw(path, reading{r}, packed, size)
}

// Filler is a decoder that looks back at its own output, so needs no window.
type Filler interface {
	// Fill appends at most room bytes to out within its capacity, and says
	// how many; what it leaves behind them is no one's. out holds all that it
	// gave before. Its end is io.EOF.
	Fill(out []byte, room int) (int, error)
}

// reading makes a Filler of a reader.
type reading struct{ io.Reader }

func (r reading) Fill(out []byte, room int) (int, error) {
	return r.Read(out[len(out) : len(out)+room])
}

// Draw is ReadSized for a Filler.
func (b *Budget) Draw(path string, f Filler, packed, size int64) ([]byte, error) {
	// One byte more, so that the end is met without growing.
	out := b.room(max(readStart, int(min(size+1, max(packed, 0)*readTrust, readFirst))))
	for {
		if len(out) == cap(out) {
			out = b.wider(out, size, packed)
		}
		// A short step, so that little is read beyond a limit.
		n, err := f.Fill(out, min(cap(out)-len(out), readStep))
		if n > 0 {
			if e := b.grow(path, int64(len(out)), int64(n), packed); e != nil {
				return out, e
			}
			out = out[:len(out)+n]
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// Free gives back bytes that Read has returned, for members to come: making
// and clearing memory would cost more than unpacking. The caller answers for
// nobody using them any more; a slice that Read did not return is none to give.
func (b *Budget) Free(buf []byte) {
	switch {
	case cap(buf) > readKeep:
		if cap(buf) > cap(b.large) {
			b.large = buf[:0]
		}
	case cap(buf) >= readStart && len(b.spare) < maxSpare:
		b.spare = append(b.spare, buf[:0])
	}
}

// Lend returns an empty buffer with room for n bytes, to be given back by Free.
// It accounts for nothing.
func (b *Budget) Lend(n int) []byte { return b.room(max(n, readStart)) }

// Close ends the account. What was given back is kept for the next message.
func (b *Budget) Close() {
	b.large = nil
	if len(b.spare) > 0 {
		spares.Put(&b.spare)
		b.spare = nil
	}
}

// spares are buffers of accounts that were closed.
var spares sync.Pool

// room returns an empty buffer for n bytes, the smallest spare one that fits.
func (b *Budget) room(n int) []byte {
	if b.spare == nil {
		if kept, ok := spares.Get().(*[][]byte); ok {
			b.spare = *kept
		}
	}
	best := -1
	for i, s := range b.spare {
		if cap(s) >= n && (best < 0 || cap(s) < cap(b.spare[best])) {
			best = i
		}
	}
	if best < 0 && n > readKeep && cap(b.large) >= n {
		buf := b.large
		b.large = nil
		return buf
	}
	if best < 0 {
		return make([]byte, 0, n)
	}
	buf := b.spare[best]
	b.spare = slices.Delete(b.spare, best, best+1)
	return buf
}

// wider gives out twice the room, but no more than the declared size or the
// limit: two such buffers are in memory at once. What swells as bombs do gets at
// once what it may swell to, and from readLeap on every member all that it may
// need: the worker has no room for a row of doubled buffers up to the limit, and
// the first touch of a page costs more than unpacking it. What is not written
// to takes up no memory.
func (b *Budget) wider(out []byte, size, packed int64) []byte {
	most := max(b.limits.Member, int64(len(out))) + readStep
	n := min(2*int64(cap(out)), most)
	switch swells := packed >= 0 && int64(len(out)) > packed*readTrust; {
	case cap(out) >= readLeap:
		n = most
	case swells && cap(out) >= swellLeap:
		n = min(max(n, b.limits.RatioFloor+2*readStep), most)
	}
	if size > int64(cap(out)) {
		n = min(n, size+1)
	}
	larger := append(b.room(int(n)), out...)
	b.Free(out)
	return larger
}

// Read begins small, since most members are, and takes at most one step
// between two looks at the limits.
const (
	readStart = 4 << 10
	readStep  = 64 << 10
	readFirst = 16 << 20
	readLeap  = 32 << 20
	swellLeap = 4 << 20
	// readTrust is how far a declared size is believed: text and XML are
	// packed up to so many times.
	readTrust = 16
	// maxSpare buffers are kept, one for each level of nesting and some. One
	// larger than readKeep is kept for this message only: a hundred bombs in a
	// row cost the kernel no more pages than one, and none stays in memory.
	maxSpare = 8
	readKeep = 32 << 20
)

func (b *Budget) grow(path string, have, n, packed int64) error {
	if err := b.Spend(path, n); err != nil {
		return err
	}
	total := have + n
	if total > b.limits.Member {
		return b.Exceed(Member, path)
	}
	if packed >= 0 && total > b.limits.RatioFloor && total/b.limits.Ratio > packed {
		return b.Exceed(Ratio, path)
	}
	return nil
}
