// Package frame is what gate and worker say to each other: a Hello from the
// worker, then a Job from the gate and a Report from the worker, in turns.
//
// A frame is a length, the job's id and JSON. Neither side reads more than it
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
	Kind string `json:"kind"`
	Name string `json:"name"`
	Size int64  `json:"size"`
	// SHA256 is the input's digest where the gate knows it: it need not be
	// computed twice.
	SHA256 string        `json:"sha256,omitempty"`
	Limits budget.Limits `json:"limits"`
	// Keys are passwords to try; with Offer the Report tells those that stand
	// in the input.
	Keys  []key.Key `json:"keys,omitempty"`
	Offer bool      `json:"offer,omitempty"`
	// Millis is the time after which the worker ends by itself and says how
	// far it came; a little later the gate ends it.
	Millis int64 `json:"millis"`
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
