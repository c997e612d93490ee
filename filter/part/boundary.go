package part

import (
	"bytes"
	"slices"
)

// level is one open multipart.
type level struct {
	h          header
	boundaries []string
	at         *numbering // of its parts
	path       string     // its own, as a part
	closed     bool       // its close delimiter has been seen
	parts      int
	digest     bool
	encodings  []encoding
}

// numbering counts the parts of one multipart. Multiparts nested too deep to
// be worth a number of their own share their parent's.
type numbering struct {
	path  string
	count int
}

// stack holds the open multiparts and finds them by boundary, so that a line
// costs the same however many are open.
type stack struct {
	levels []*level
	index  map[string]*users
	// lengths are those that open boundaries have, in order; counts says how
	// many have each.
	lengths []int
	counts  map[int]int
}

// users are the levels that use a boundary, lowest first.
type users struct{ open, closed []int }

// push opens a level.
func (s *stack) push(l *level) {
	at := len(s.levels)
	s.levels = append(s.levels, l)
	if s.index == nil {
		s.index, s.counts = map[string]*users{}, map[int]int{}
	}
	for _, b := range l.boundaries {
		u := s.index[b]
		if u == nil {
			u = &users{}
			s.index[b] = u
			s.lengthen(len(b))
		}
		u.open = append(u.open, at)
	}
}

// pop drops the innermost level and returns its boundaries.
func (s *stack) pop() []string {
	l := s.levels[len(s.levels)-1]
	s.levels = s.levels[:len(s.levels)-1]
	for _, b := range l.boundaries {
		u := s.index[b]
		if l.closed {
			u.closed = u.closed[:len(u.closed)-1]
		} else {
			u.open = u.open[:len(u.open)-1]
		}
		if len(u.open)+len(u.closed) == 0 {
			delete(s.index, b)
			s.shorten(len(b))
		}
	}
	return l.boundaries
}

// lengthen and shorten keep account of the lengths of open boundaries.
func (s *stack) lengthen(n int) {
	if s.counts[n]++; s.counts[n] == 1 {
		at, _ := slices.BinarySearch(s.lengths, n)
		s.lengths = slices.Insert(s.lengths, at, n)
	}
}

func (s *stack) shorten(n int) {
	if s.counts[n]--; s.counts[n] == 0 {
		at, _ := slices.BinarySearch(s.lengths, n)
		s.lengths = slices.Delete(s.lengths, at, at+1)
	}
}

// setClosed marks the innermost level as closed or open again.
func (s *stack) setClosed(closed bool) {
	at := len(s.levels) - 1
	l := s.levels[at]
	if l.closed == closed {
		return
	}
	l.closed = closed
	for _, b := range l.boundaries {
		u := s.index[b]
		if closed {
			u.open, u.closed = u.open[:len(u.open)-1], append(u.closed, at)
		} else {
			u.open, u.closed = append(u.open, at), u.closed[:len(u.closed)-1]
		}
	}
}

// delimiter is what a line is to the open multiparts.
type delimiter struct {
	level  int
	length int // of the boundary
	closes bool
	exact  bool // nothing but padding follows the boundary
	ended  bool // the multipart of that boundary has ended
}

// match finds the multipart that a line delimits. An exact match goes before one
// by prefix, an open level before a closed one, an inner before an outer.
func (s *stack) match(line []byte, loose bool) (best delimiter, ok bool) {
	if len(line) < 2 || line[0] != '-' || line[1] != '-' {
		return best, false
	}
	line = bytes.TrimRight(line[2:], padding7)
	for _, n := range s.lengths {
		if n > len(line) {
			break
		}
		u := s.index[string(line[:n])]
		if u == nil {
			continue
		}
		d := u.delimits(line[n:])
		d.length = n
		if (d.exact || loose && n > 0) && (!ok || s.better(d, best)) {
			best, ok = d, true
		}
	}
	return best, ok
}

// padding7 may follow a boundary: transport padding (RFC 2046 §5.1.1), and what
// readers drop with it.
const padding7 = " \t\r\v\f\x00"

func (u *users) delimits(rest []byte) delimiter {
	d := delimiter{closes: bytes.HasPrefix(rest, []byte("--"))}
	d.exact = len(rest) == 0 || d.closes && len(rest) == 2
	if n := len(u.open); n > 0 {
		d.level = u.open[n-1]
	} else {
		d.level = u.closed[len(u.closed)-1]
	}
	return d
}

func (s *stack) better(a, b delimiter) bool {
	if a.exact != b.exact {
		return a.exact
	}
	if ca, cb := s.levels[a.level].closed, s.levels[b.level].closed; ca != cb {
		return !ca
	}
	return a.level >= b.level
}
