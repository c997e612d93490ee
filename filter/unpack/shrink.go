package unpack

import (
	"bytes"
	"errors"
	"io"
)

var errShrink = errors.New("no such code")

const (
	shrinkBits    = 13
	shrinkControl = 256
	shrinkFree    = 0xffff
)

// shrink decodes method 1 of APPNOTE (5.1): LZW whose codes grow when the
// packer says so and whose table is partly cleared.
type shrink struct {
	bits   bitReader
	width  uint
	parent [1 << shrinkBits]uint16
	suffix [1 << shrinkBits]byte
	free   int // last code defined
	last   int // code before, -1 at the start
	first  byte
	out    []byte
	stack  []byte
}

func newShrink(in *bytes.Reader) *shrink {
	s := &shrink{bits: bitReader{in: in}, width: 9, free: shrinkControl, last: -1}
	for i := range s.parent {
		s.parent[i] = shrinkFree
		if i < 256 {
			s.suffix[i] = byte(i)
		}
	}
	return s
}

func openShrink(_ *zipReader, in *bytes.Reader, c zipClaim) (io.Reader, error) {
	return io.LimitReader(newShrink(in), int64(c.size)), nil
}

func (s *shrink) Read(p []byte) (int, error) {
	for len(s.out) == 0 {
		if err := s.step(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

func (s *shrink) step() error {
	code := int(s.bits.take(s.width))
	if code == shrinkControl {
		return s.control(s.bits.take(s.width))
	}
	if s.bits.over() {
		return io.EOF
	}
	if s.last < 0 && code > 255 {
		return errShrink
	}
	s.emit(code)
	return nil
}

func (s *shrink) control(what uint32) error {
	switch {
	case what == 1 && s.width < shrinkBits:
		s.width++
		return nil
	case what == 2:
		s.clear()
		return nil
	}
	return errShrink
}

// clear frees the codes that are no other's prefix.
func (s *shrink) clear() {
	var prefix [1 << shrinkBits]bool
	for _, p := range s.parent[shrinkControl+1:] {
		if p != shrinkFree {
			prefix[p] = true
		}
	}
	for i := shrinkControl + 1; i < len(s.parent); i++ {
		if !prefix[i] {
			s.parent[i] = shrinkFree
		}
	}
	s.free = shrinkControl
}

// emit writes the string of code and defines the next one. Clearing can leave
// a code that leads to itself, so the chain is followed no further than the
// table is long.
func (s *shrink) emit(code int) {
	s.stack = s.stack[:0]
	c := code
	if c > 255 && s.parent[c] == shrinkFree {
		s.stack = append(s.stack, s.first)
		c = s.last
	}
	for c > 255 && s.parent[c] != shrinkFree && len(s.stack) < len(s.parent) {
		s.stack = append(s.stack, s.suffix[c])
		c = int(s.parent[c])
	}
	s.first = s.suffix[c]
	s.out = append(s.out[:0], s.first)
	for i := len(s.stack) - 1; i >= 0; i-- {
		s.out = append(s.out, s.stack[i])
	}
	if s.last >= 0 {
		s.define()
	}
	s.last = code
}

// define gives the next free code to the string before with the first byte of
// this one.
func (s *shrink) define() {
	for s.free++; s.free < len(s.parent); s.free++ {
		if s.parent[s.free] == shrinkFree {
			s.parent[s.free], s.suffix[s.free] = uint16(s.last), s.first
			return
		}
	}
	s.free = len(s.parent) - 1
}
