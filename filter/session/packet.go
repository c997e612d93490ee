package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	lengthSize = 4
	// maxPacket is the library's own limit on a packet. Postfix sends body
	// chunks of 64 KiB and header fields up to header_size_limit (100 KiB).
	maxPacket = 1 << 20
	// A connection at rest needs only the small buffer it is born with; ten
	// thousand idle ones must not cost anything worth mentioning. A larger
	// buffer is had only by sending what fills the one before.
	smallBuffer  = 512
	middleBuffer = 8 << 10
	largeBuffer  = 72 << 10 // a body chunk and some header packets
)

var (
	middleBuffers = sync.Pool{New: func() any { b := make([]byte, middleBuffer); return &b }}
	largeBuffers  = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
)

// packets reads whole packets from a connection.
type packets struct {
	conn    net.Conn
	timeout time.Duration // for a packet once its first byte is here
	ack     func()        // says that what was read has arrived
	small   [smallBuffer]byte
	buf     *[]byte // in use instead of small; nil if none
	r, w    int     // what is read but not yet handed out is between them
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
		if p.r == p.w {
			p.r, p.w = 0, 0
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
	return p.small[:]
}

// fill reads what is there, making room first.
func (p *packets) fill() error {
	if p.w == len(p.space()) {
		p.makeRoom()
	}
	n, err := p.conn.Read(p.space()[p.w:])
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
	switch len(old) {
	case smallBuffer:
		larger = middleBuffers.Get().(*[]byte)
	case middleBuffer:
		larger = largeBuffers.Get().(*[]byte)
	default:
		b := make([]byte, min(2*len(old), lengthSize+maxPacket))
		larger = &b
	}
	p.w = copy(*larger, old[:p.w])
	p.release()
	p.buf = larger
}

// rest gives the larger buffer back if nothing is left in it.
func (p *packets) rest() {
	if p.r == p.w {
		p.r, p.w = 0, 0
		p.release()
	}
}

func (p *packets) release() {
	switch {
	case p.buf == nil:
	case len(*p.buf) == middleBuffer:
		middleBuffers.Put(p.buf)
	case len(*p.buf) == largeBuffer:
		largeBuffers.Put(p.buf)
	}
	p.buf = nil
}
