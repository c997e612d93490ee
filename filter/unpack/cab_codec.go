package unpack

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
)

// The ways of packing of a cabinet's folder (MS-CAB 2.3), in the low bits of
// their field; the window of LZX and Quantum stands above.
const (
	cabKind    = 0x0f
	cabStored  = 0
	cabMSZIP   = 1
	cabQuantum = 2
	cabLZX     = 3
)

// cabFrame is how many bytes one block unpacks to, the last one to fewer.
const cabFrame = 32 << 10

var errFrame = errors.New("block is not as long as its format has it")

// cabCodec undoes one way of packing, block by block; history goes on from
// block to block. What was unpacked before an error is returned with it, and
// is only lent until the next call.
type cabCodec interface {
	block(data []byte, size int) ([]byte, error)
}

// cabCodecs keeps one codec of each kind for all folders: a cabinet may have
// sixty thousand, each asking for a window.
type cabCodecs struct {
	mszip   mszip
	lzx     lzx
	quantum quantum
}

// open returns the codec of a folder, as if it were new.
func (c *cabCodecs) open(kind uint16) (cabCodec, error) {
	bits := uint(kind >> 8 & 0x1f)
	switch kind & cabKind {
	case cabStored:
		return cabCopy{}, nil
	case cabMSZIP:
		c.mszip.past = c.mszip.past[:0]
		return &c.mszip, nil
	case cabQuantum:
		if bits >= 10 && bits <= 21 {
			c.quantum.reset(bits)
			return &c.quantum, nil
		}
	case cabLZX:
		if bits >= 15 && bits <= 21 {
			c.lzx.reset(bits)
			return &c.lzx, nil
		}
	}
	return nil, errMethod
}

func cabMethod(kind uint16) string {
	switch kind & cabKind {
	case cabStored:
		return "stored"
	case cabMSZIP:
		return "mszip"
	case cabQuantum:
		return "quantum"
	case cabLZX:
		return "lzx"
	}
	return "unknown"
}

type cabCopy struct{}

func (cabCopy) block(data []byte, size int) ([]byte, error) {
	if len(data) > size {
		return data[:size], errFrame
	}
	return data, nil
}

// mszip is deflate in blocks that each end for themselves and may reach back
// into the 32 KiB before them (MS-MCI).
type mszip struct {
	z    io.Reader
	past []byte // the history, then the last block
}

func (m *mszip) block(data []byte, size int) ([]byte, error) {
	if len(data) < 2 || string(data[:2]) != "CK" {
		return nil, errBlock
	}
	m.past = append(m.past[:0], m.past[max(len(m.past)-cabFrame, 0):]...)
	n := len(m.past)
	in := bytes.NewReader(data[2:])
	if m.z == nil {
		m.z = flate.NewReaderDict(in, m.past)
	} else if err := m.z.(flate.Resetter).Reset(in, m.past); err != nil {
		return nil, err
	}
	m.past = append(m.past, make([]byte, size)...)
	got, err := io.ReadFull(m.z, m.past[n:])
	m.past = m.past[:n+got]
	return m.past[n:], err
}

// cabWindow is the output of LZX and Quantum. A block always fits before its
// end, so that it can be handed on as it stands.
type cabWindow struct {
	buf   []byte
	pos   int
	known int // bytes of the past that there are
	reach int // how far back a match may go
}

// reset forgets the past without clearing it.
func (w *cabWindow) reset(bits uint) {
	size := max(1<<bits, 2*cabFrame)
	if len(w.buf) < size {
		w.buf = make([]byte, size)
	}
	w.pos, w.known, w.reach = 0, 0, 1<<bits
}

// begin makes room for a block of size bytes and returns where it ends.
func (w *cabWindow) begin(size int) (end int, err error) {
	// Only the last block is shorter than a frame.
	if w.pos%cabFrame != 0 || size > cabFrame {
		return 0, errFrame
	}
	if w.pos == len(w.buf) {
		w.pos = 0
	}
	return w.pos + size, nil
}

func (w *cabWindow) put(c byte) {
	w.buf[w.pos] = c
	w.pos++
	w.known++
}

// copy repeats n bytes from dist bytes back; the caller has seen that there
// is room for them.
func (w *cabWindow) copy(dist, n int) bool {
	if dist <= 0 || dist > w.known || dist > w.reach {
		return false
	}
	from := w.pos - dist
	if from < 0 {
		from += len(w.buf)
	}
	w.known += n
	if from < w.pos && dist >= n {
		copy(w.buf[w.pos:w.pos+n], w.buf[from:from+n])
		w.pos += n
		return true
	}
	for range n {
		w.buf[w.pos] = w.buf[from]
		w.pos++
		if from++; from == len(w.buf) {
			from = 0
		}
	}
	return true
}
