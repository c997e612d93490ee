// Package frame is what gate and worker say to each other: a Hello from the
// worker, then a Job from the gate and a Report from the worker, in turns.
//
// A frame is a length, the job's id and a payload: the Hello in JSON, which
// people read when something is amiss, all else packed. Neither side reads more than it
// was promised, and neither sets aside memory on the strength of a length. The
// message itself never travels here: it lies in memory that the gate writes
// and the worker can only read.
package frame

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sekisho/filter/budget"
	"sekisho/filter/key"
	"sekisho/filter/packed"
)

// Version of this protocol. Gate and worker come from one build; another
// number means that they do not.
const Version = 1

// The file descriptors with which a worker is born.
const (
	Control = 3 // socket to the gate
	Memory  = 4 // the message, read-only
)

// The longest payload of each kind of frame.
const (
	MaxHello  = 4 << 10
	MaxJob    = 256 << 10
	MaxAnswer = 16 << 20
)

// Hello is what a worker has proved about itself before it asks for work.
type Hello struct {
	Version int `json:"version"`
	// Build is the main module's version of the worker's binary.
	Build string `json:"build"`
	// Landlock is the ABI that confines it, 0 where the kernel has none.
	Landlock int `json:"landlock"`
	// Seccomp and Filters are the lines of /proc/self/status after the lock:
	// mode 2, and the number of filters (-1 where the kernel tells none).
	Seccomp    int  `json:"seccomp"`
	Filters    int  `json:"filters"`
	NoNewPrivs bool `json:"no_new_privs"`
	// OpenDenied says that opening a file failed after the lock.
	OpenDenied bool `json:"open_denied"`
	Dumpable   bool `json:"dumpable"`
	// DataLimit, FileLimit and so on are the limits read back (setrlimit(2)).
	DataLimit uint64 `json:"data_limit"`
	FileLimit uint64 `json:"file_limit"`
	OpenLimit uint64 `json:"open_limit"`
	CoreLimit uint64 `json:"core_limit"`
	// LockMicros is how long the lock took.
	LockMicros int64 `json:"lock_micros"`
	// Error says what kept the worker from locking itself.
	Error string `json:"error,omitempty"`
}

// Job is one input to inspect.
type Job struct {
	Kind string
	Name string
	Size int64
	// SHA256 is the input's digest where the gate knows it: it need not be
	// computed twice.
	SHA256 string
	Limits budget.Limits
	// Keys are passwords to try; with Offer the Report tells those that stand
	// in the input.
	Keys  []key.Key
	Offer bool
	// Millis is the time after which the worker ends by itself and says how
	// far it came; a little later the gate ends it.
	Millis int64
}

// Pack returns the job as bytes, for Unpack.
func (j *Job) Pack() []byte {
	c := packed.Writer(make([]byte, 0, 256))
	j.code(c)
	return c.Bytes()
}

// Unpack reads a job.
func (j *Job) Unpack(b []byte) error {
	c := packed.Reader(string(b))
	j.code(c)
	if err := c.End(); err != nil {
		return fmt.Errorf("frame: job: %w", err)
	}
	return nil
}

// code hands every field to c; a test sees to it that none is forgotten.
func (j *Job) code(c *packed.Coder) {
	c.Text(&j.Kind)
	c.Text(&j.Name)
	c.Int64(&j.Size)
	c.Text(&j.SHA256)
	l := &j.Limits
	for _, n := range []*int64{&l.Bytes, &l.Member, &l.Ratio, &l.RatioFloor, &l.Tries} {
		c.Int64(n)
	}
	c.Int(&l.Members)
	c.Int(&l.Depth)
	packed.List(c, &j.Keys, key.Most, codeKey)
	c.Flag(&j.Offer)
	c.Int64(&j.Millis)
}

func codeKey(c *packed.Coder, k *key.Key) {
	c.Text(&k.Text)
	c.Text(&k.Source)
	c.Flag(&k.Weak)
}

// ErrTooLong is a frame that announces more than its reader takes.
var ErrTooLong = errors.New("frame: longer than allowed")

const headSize = 4 + 8

// Append adds a frame to b.
func Append(b []byte, id uint64, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint64(b, id)
	return append(b, payload...)
}

// Read reads a frame of at most most bytes into buf, which grows as bytes
// come in, and returns the job's id. io.EOF means that the other side hung up
// between two frames.
func Read(r io.Reader, buf *bytes.Buffer, most int) (uint64, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	n, id := int64(binary.BigEndian.Uint32(head[:4])), binary.BigEndian.Uint64(head[4:])
	if n > int64(most) {
		return 0, ErrTooLong
	}
	buf.Reset()
	got, err := io.Copy(buf, io.LimitReader(r, n))
	if err == nil && got < n {
		err = io.ErrUnexpectedEOF
	}
	return id, err
}

// Decode reads JSON strictly into v.
func Decode(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("frame: %w", err)
	}
	return nil
}
