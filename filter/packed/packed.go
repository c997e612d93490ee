// Package packed turns values into bytes and back, for gate and worker, who
// speak a thousand times a second and are of one build.
//
// A type describes itself once, in a function that hands each field to a Coder;
// the same function writes and reads, so that the two cannot differ. Numbers
// are varints, texts and lists have their length in front; nothing names a
// field. A reader takes nothing on trust: texts are UTF-8, lists no longer than
// their caller allows, and no memory is set aside for what is not there.
package packed

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// What is wrong with bytes that are read.
var (
	ErrShort   = errors.New("packed: it ends early")
	ErrNumber  = errors.New("packed: number too large")
	ErrText    = errors.New("packed: not valid UTF-8")
	ErrList    = errors.New("packed: list too long")
	ErrPairs   = errors.New("packed: a key stands twice")
	ErrTooMuch = errors.New("packed: something stands behind it")
)

// Coder writes values, or reads them in the same order.
type Coder struct {
	reading bool
	out     []byte
	in      string // what is not read yet
	err     error
}

// Writer returns a Coder that appends to b.
func Writer(b []byte) *Coder { return &Coder{out: b} }

// Reader returns a Coder that reads s. The texts it gives out are parts of s.
func Reader(s string) *Coder { return &Coder{reading: true, in: s} }

// Bytes returns what was written.
func (c *Coder) Bytes() []byte { return c.out }

// End returns the first error of a reader, or ErrTooMuch if not all was read.
func (c *Coder) End() error {
	if c.err == nil && c.reading && c.in != "" {
		c.err = ErrTooMuch
	}
	return c.err
}

// fail ends the reading.
func (c *Coder) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.in = ""
}

// Int64 codes a number.
func (c *Coder) Int64(n *int64) {
	if !c.reading {
		c.out = binary.AppendVarint(c.out, *n)
		return
	}
	u := c.unsigned()
	*n = int64(u>>1) ^ -int64(u&1)
}

// Int codes a number.
func (c *Coder) Int(n *int) {
	wide := int64(*n)
	c.Int64(&wide)
	*n = int(wide)
}

// unsigned reads a varint of at most 64 bits.
func (c *Coder) unsigned() uint64 {
	var u uint64
	for i := range len(c.in) {
		b := c.in[i]
		if i == binary.MaxVarintLen64-1 && b > 1 {
			c.fail(ErrNumber)
			return 0
		}
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			c.in = c.in[i+1:]
			return u
		}
	}
	c.fail(ErrShort)
	return 0
}

// Flag codes a truth value.
func (c *Coder) Flag(v *bool) {
	var n int64
	if *v {
		n = 1
	}
	c.Int64(&n)
	if n != 0 && n != 1 {
		c.fail(ErrNumber)
	}
	*v = n == 1
}

// Text codes a text. What is written becomes valid UTF-8; what is read must be.
func (c *Coder) Text(s *string) {
	if !c.reading {
		valid := *s
		if !utf8.ValidString(valid) {
			valid = strings.ToValidUTF8(valid, "\uFFFD")
		}
		c.out = append(binary.AppendUvarint(c.out, uint64(len(valid))), valid...)
		return
	}
	n := c.unsigned()
	if n > uint64(len(c.in)) {
		c.fail(ErrShort)
		*s = ""
		return
	}
	*s, c.in = c.in[:n], c.in[n:]
	if !utf8.ValidString(*s) {
		c.fail(ErrText)
	}
}

// length codes the length of a list of n, or that there is no list (-1), and
// returns it. A reader gets no more than most, nor than bytes are left.
func (c *Coder) length(n, most int) int {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, uint64(n+1))
		return n
	}
	u := c.unsigned()
	switch {
	case u > uint64(min(most, math.MaxInt-1))+1:
		c.fail(ErrList)
	case u > uint64(len(c.in))+1:
		c.fail(ErrShort)
	}
	if c.err != nil {
		return -1
	}
	return int(u) - 1
}

// List codes a list of at most most items by each, which codes one.
func List[T any](c *Coder, l *[]T, most int, each func(*Coder, *T)) {
	n := len(*l)
	if *l == nil {
		n = -1
	}
	n = c.length(n, most)
	if c.reading {
		*l = nil
		if n >= 0 {
			*l = make([]T, 0, min(n, firstRoom))
		}
	}
	for i := 0; i < n && c.err == nil; i++ {
		if c.reading {
			*l = slices.Grow(*l, 1)[:i+1]
		}
		each(c, &(*l)[i])
	}
}

// firstRoom is for how many items room is made before they come.
const firstRoom = 64

// Texts codes a list of texts.
func (c *Coder) Texts(l *[]string, most int) { List(c, l, most, (*Coder).Text) }

// Pairs codes texts under names, most of them at most.
func (c *Coder) Pairs(m *map[string]string, most int) {
	n := len(*m)
	if *m == nil {
		n = -1
	}
	n = c.length(n, most)
	if !c.reading {
		for k, v := range *m {
			c.Text(&k)
			c.Text(&v)
		}
		return
	}
	*m = nil
	if n < 0 {
		return
	}
	*m = make(map[string]string, min(n, firstRoom))
	for range n {
		var k, v string
		c.Text(&k)
		c.Text(&v)
		if _, twice := (*m)[k]; twice {
			c.fail(ErrPairs)
		}
		if c.err != nil {
			return
		}
		(*m)[k] = v
	}
}
