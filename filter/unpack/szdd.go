package unpack

import (
	"io"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// szddHead is the header that COMPRESS.EXE writes: its mark, the method, the
// last letter of the name, the size.
const (
	szddHead   = 14
	szddWindow = 4096
	szddStart  = szddWindow - 16
)

// openSZDD opens a file that COMPRESS.EXE packed. Its name ends in an
// underscore for the letter that the header keeps.
func openSZDD(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	names := streamNames(e, "\x00", "\x00")
	if len(e.Body) < szddHead {
		m.note(finding.ContainerBroken, e.Path, "record", "header")
		return m.found
	}
	if letter := e.Body[9]; letter >= ' ' && letter < 0x7f {
		for i, n := range names {
			if base, ok := strings.CutSuffix(n.Text, "_"); ok {
				names[i].Text = base + string(rune(letter))
			}
		}
	}
	return openStream(m, names, func() (io.Reader, error) {
		if e.Body[8] != 'A' {
			return nil, errMethod
		}
		s := &szdd{in: e.Body[szddHead:], at: szddStart, left: int64(u32(e.Body[10:]))}
		blankLZH(s.window[:])
		return s, nil
	})
}

// szdd undoes the one method: eight flags in a byte, each for a literal or for
// a copy out of a ring of 4096 bytes that holds blanks at first.
type szdd struct {
	in     []byte
	window [szddWindow]byte
	at     int
	flags  int // with a bit above, to tell when they are used up
	from   int
	run    int
	left   int64
}

func (s *szdd) Read(p []byte) (n int, err error) {
	for ; n < len(p); n++ {
		if s.left == 0 {
			return n, io.EOF
		}
		c, ok := s.next()
		if !ok {
			return n, io.ErrUnexpectedEOF
		}
		p[n] = c
		s.left--
	}
	return n, nil
}

// next is the next byte.
func (s *szdd) next() (c byte, ok bool) {
	if s.run == 0 {
		if s.flags <= 1 {
			if len(s.in) == 0 {
				return 0, false
			}
			s.flags = int(s.in[0]) | 1<<8
			s.in = s.in[1:]
		}
		literal := s.flags&1 != 0
		s.flags >>= 1
		if literal {
			if len(s.in) == 0 {
				return 0, false
			}
			c, s.in = s.in[0], s.in[1:]
			return s.put(c), true
		}
		if len(s.in) < 2 {
			return 0, false
		}
		s.from = int(s.in[0]) | int(s.in[1]&0xf0)<<4
		s.run = int(s.in[1]&0x0f) + lzhMinRun
		s.in = s.in[2:]
	}
	s.run--
	c = s.window[s.from%szddWindow]
	s.from++
	return s.put(c), true
}

func (s *szdd) put(c byte) byte {
	s.window[s.at%szddWindow] = c
	s.at++
	return c
}
