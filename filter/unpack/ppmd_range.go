package unpack

import (
	"bytes"
	"io"
)

// ppmdCode reads the packed bytes for a range decoder. Past their end it gives
// zeros for a while: an encoder may leave its last bytes out.
type ppmdCode struct {
	in          *bytes.Reader
	code, width uint32
	over        int
}

func (c *ppmdCode) byte() uint32 {
	b, err := c.in.ReadByte()
	if err != nil {
		c.over++
	}
	return uint32(b)
}

func (c *ppmdCode) start(n int) {
	c.width = 1<<32 - 1
	for range n {
		c.code = c.code<<8 | c.byte()
	}
}

func (c *ppmdCode) err() error {
	if c.over > 4 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (c *ppmdCode) share(total uint32) uint32 {
	if c.width /= total; c.width == 0 {
		c.over, c.width = 5, 1
	}
	return c.code / c.width
}

// range7z is the range decoder of 7z.
type range7z struct{ ppmdCode }

func (r *range7z) begin() error {
	if r.byte() != 0 {
		return errPPMd
	}
	r.start(4)
	return nil
}

func (r *range7z) take(start, size uint32) {
	r.code -= start * r.width
	r.width *= size
	r.settle()
}

func (r *range7z) fails(chance uint32) bool {
	bound := r.width / ppmdBinScale * chance
	missed := r.code >= bound
	if missed {
		r.code, r.width = r.code-bound, r.width-bound
	} else {
		r.width = bound
	}
	r.settle()
	return missed
}

func (r *range7z) settle() {
	for range 2 {
		if r.width < 1<<24 {
			r.code, r.width = r.code<<8|r.byte(), r.width<<8
		}
	}
}

// rangeI is the range decoder of variant I: where a carry could come, it gives
// away a part of the range.
type rangeI struct {
	ppmdCode
	low uint32
}

func (r *rangeI) begin() error {
	r.start(4)
	return nil
}

func (r *rangeI) take(start, size uint32) {
	start *= r.width
	r.low, r.code, r.width = r.low+start, r.code-start, r.width*size
	for {
		if (r.low^(r.low+r.width))>>24 != 0 {
			if r.width >= 1<<15 {
				return
			}
			r.width = -r.low & (1<<15 - 1)
		}
		if r.err() != nil {
			return
		}
		r.code, r.width, r.low = r.code<<8|r.byte(), r.width<<8, r.low<<8
	}
}

func (r *rangeI) fails(chance uint32) bool {
	missed := r.share(ppmdBinScale) >= chance
	if missed {
		r.take(chance, ppmdBinScale-chance)
	} else {
		r.take(0, chance)
	}
	return missed
}

// szPPMd opens PPMd of variant H: the properties are order and memory.
func szPPMd(s *sevenZip, in *bytes.Reader, props []byte, size int64) (io.Reader, error) {
	if len(props) < 5 {
		return nil, errSevenZip
	}
	order, memory := int(props[0]), u32(props[1:])
	return s.openPPMd(&range7z{ppmdCode{in: in}}, in.Len(), order, memory, size)
}

// ppmdShare is how many decoded bytes of deflate cost as much as one packed
// byte of PPMd: each goes through up to all orders.
const ppmdShare = 192

// openPPMd opens PPMd after a look at what it asks for.
func (m *members) openPPMd(rc ppmdRange, packed, order int, memory uint32, size int64) (*ppmdReader, error) {
	if order < 2 || order > ppmdMaxOrder || memory < ppmdMinSize || memory > ppmdMaxSize {
		return nil, errMethod
	}
	if err := m.allot(int64(memory)); err != nil {
		return nil, err
	}
	if err := m.bud.Spend(m.of.Path, int64(packed)*ppmdShare); err != nil {
		return nil, err
	}
	_, isI := rc.(*rangeI)
	return &ppmdReader{p: newPPMd(order, memory, isI, rc), left: size}, nil
}

// openZipPPMd reads the header of APPNOTE 5.10: order, memory in MiB, and what
// is done when it is full.
func openZipPPMd(z *zipReader, in *bytes.Reader, c zipClaim) (io.Reader, error) {
	var h [2]byte
	if _, err := io.ReadFull(in, h[:]); err != nil {
		return nil, err
	}
	v := uint32(u16(h[:]))
	const cutOff = 1 // what to do when memory is full; freezing, 2, was never in use
	if v>>12 > cutOff {
		return nil, errMethod
	}
	r, err := z.openPPMd(&rangeI{ppmdCode: ppmdCode{in: in}}, in.Len(), int(v&15)+1, (v>>4&0xff+1)<<20, int64(min(c.size, 1<<62)))
	if err != nil {
		return nil, err
	}
	r.p.cuts = v>>12 == cutOff
	return r, nil
}
