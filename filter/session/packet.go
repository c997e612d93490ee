package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"sekisho/filter/quiet"
)

const (
	lengthSize = 4
	// maxPacket is the library's own limit on a packet. Postfix sends body
	// chunks of 64 KiB and header fields up to header_size_limit (100 KiB).
	maxPacket = 1 << 20
	// A connection whose peer is silent has no buffer, be it between messages
	// or amid one: ten thousand of them must not cost anything worth
	// mentioning. The large one is had only by sending what fills the small
	// one, which a short mail does not.
	smallBuffer = 8 << 10
	largeBuffer = 72 << 10 // a body chunk and some header packets
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallBuffer); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
)

// packets reads whole packets from a connection.
type packets struct {
	conn    net.Conn
	bytes   *quiet.Conn   // of conn
	timeout time.Duration // for a packet once its first byte is here
	ack     func()        // says that what was read has arrived
	buf     *[]byte       // nil while nothing is to be read
	held    []byte        // the beginning of a packet, while buf is nil
	large   bool          // lend a large buffer: large packets have come
	r, w    int           // what is read but not yet handed out is between them
}

func newPackets(conn net.Conn, timeout time.Duration) *packets {
	return &packets{conn: conn, bytes: quiet.New(conn), timeout: timeout, ack: quickAck(conn)}
}

var errSize = errors.New("packet of impossible length")

// next returns the next packet with its length in front. It is valid until the
// following call. idle is how long the peer may be silent before the packet.
func (p *packets) next(idle time.Duration) ([]byte, error) {
	begun := false
	for {
		frame, err := p.whole()
		if frame != nil || err != nil {
			return frame, err
		}
		if p.r == p.w && len(p.held) == 0 {
			p.release()
			p.conn.SetReadDeadline(time.Now().Add(idle))
		} else if !begun {
			begun = true
			p.conn.SetReadDeadline(time.Now().Add(p.timeout))
		}
		if err := p.fill(); err != nil {
			return nil, err
		}
	}
}

// whole hands out a packet if all of it has been read.
func (p *packets) whole() ([]byte, error) {
	have := p.space()[p.r:p.w]
	if len(have) < lengthSize {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(have)
	if n == 0 || n > maxPacket {
		return nil, fmt.Errorf("%w: %d", errSize, n)
	}
	if len(have)-lengthSize < int(n) {
		return nil, nil
	}
	p.r += lengthSize + int(n)
	return have[:lengthSize+int(n)], nil
}

func (p *packets) space() []byte {
	if p.buf != nil {
		return *p.buf
	}
	return nil
}

// Lend implements quiet.Lender: a buffer is taken when there is something to
// put into it.
func (p *packets) Lend() []byte {
	if p.buf == nil {
		pool := &smallBuffers
		if p.large {
			pool = &largeBuffers
		}
		p.buf = pool.Get().(*[]byte)
		p.w = copy(*p.buf, p.held)
		p.held = nil
	}
	return (*p.buf)[p.w:]
}

// maxHeld is how much of a packet is set aside while its rest is waited for, so
// that the buffer can go.
const maxHeld = 512

// TakeBack implements quiet.Lender.
func (p *packets) TakeBack() {
	if p.w-p.r <= maxHeld {
		held := bytes.Clone((*p.buf)[p.r:p.w])
		p.release()
		p.held = held
	}
}

// fill reads what is there, making room first.
func (p *packets) fill() error {
	if p.buf != nil && p.w == len(*p.buf) {
		p.makeRoom()
	}
	n, err := p.bytes.ReadLent(p)
	p.w += n
	if n > 0 {
		p.ack()
		return nil
	}
	return err
}

// makeRoom moves the unfinished packet to the front, or to a larger buffer if
// it begins there already.
func (p *packets) makeRoom() {
	old := p.space()
	if p.r > 0 {
		p.w = copy(old, old[p.r:p.w])
		p.r = 0
		return
	}
	var larger *[]byte
	p.large = true
	switch len(old) {
	case smallBuffer:
		larger = largeBuffers.Get().(*[]byte)
	default:
		b := make([]byte, min(2*len(old), lengthSize+maxPacket))
		larger = &b
	}
	n := copy(*larger, old[:p.w])
	p.release()
	p.buf, p.w = larger, n
}

// rest is told that no message is in flight.
func (p *packets) rest() { p.large = false }

// release gives the buffer back, with what is in it.
func (p *packets) release() {
	switch {
	case p.buf == nil:
	case len(*p.buf) == smallBuffer:
		smallBuffers.Put(p.buf)
	case len(*p.buf) == largeBuffer:
		largeBuffers.Put(p.buf)
	}
	p.buf, p.held, p.r, p.w = nil, nil, 0, 0
}
