package unpack

import "bytes"

// pmaSpan is a span of numbers: a first one and the bits that choose within.
type pmaSpan struct {
	first int
	bits  uint
}

func (s pmaSpan) read(r *lzhBits) int { return s.first + r.get(s.bits) }

// pmaRecent is PMarc's list of byte values, the last used first.
type pmaRecent [256]byte

// newPMARecent is the list at the start: printable ASCII, control characters,
// half-width katakana, the rest.
func newPMARecent() *pmaRecent {
	var l pmaRecent
	i := 0
	for _, span := range [][2]int{{0x20, 0x7f}, {0x00, 0x1f}, {0xa0, 0xdf}, {0x80, 0x9f}, {0xe0, 0xff}} {
		for v := span[0]; v <= span[1]; v++ {
			l[i] = byte(v)
			i++
		}
	}
	return &l
}

// use brings v to the front.
func (l *pmaRecent) use(v byte) {
	if l[0] == v {
		return
	}
	at := bytes.IndexByte(l[:], v)
	copy(l[1:at+1], l[:at])
	l[0] = v
}

// pmaOut is what -pm1- and -pm2- share: the bits, the list, the output.
type pmaOut struct {
	in     lzhBits
	recent *pmaRecent
	out    int
}

func newPMAOut(in []byte) pmaOut { return pmaOut{in: lzhBits{in: in}, recent: newPMARecent()} }

func (p *pmaOut) unused() int { return p.in.left() }

func (p *pmaOut) put(w *lzhWindow, v byte) {
	w.put(v)
	p.recent.use(v)
	p.out++
}

func (p *pmaOut) repeat(w *lzhWindow, dist, n int) {
	at := w.pos
	w.repeat(dist, n)
	p.out += n
	for _, v := range w.buf[at:w.pos] {
		p.recent.use(v)
	}
}

// pmarc1 undoes -pm1-. Blocks of bytes alternate with copies; all codes are
// fixed, and some grow with the output.
type pmarc1 struct {
	pmaOut
	tree    string
	started bool
}

// pm1Slack is how many bits past the end a -pm1- stream may use: PMarc leaves
// off zeros at the end.
const pm1Slack = 256

func newPM1(in []byte) lzhDecoder { return &pmarc1{pmaOut: newPMAOut(in)} }

func (d *pmarc1) fill(w *lzhWindow) error {
	if !d.started {
		d.tree, d.started = pm1Trees[d.in.get(5)], true
	}
	for w.pos < w.stop {
		if d.in.pad > d.in.n+pm1Slack {
			return errLZHShort
		}
		if d.in.get(1) == 1 && d.block(w) {
			continue // the longest block may be followed by another
		}
		if !d.copy(w) {
			return errLZHCorrupt
		}
	}
	return nil
}

// pm1Longest is the length of the longest block of bytes.
const pm1Longest = 216

// block reads a block of bytes and tells whether it is of the greatest length.
func (d *pmarc1) block(w *lzhWindow) bool {
	n := pm1Ladder(&d.in, pm1Blocks)
	for range n {
		span := pm1Bytes[d.byteSpan()]
		d.put(w, d.recent[span.read(&d.in)])
	}
	return n == pm1Longest
}

// byteSpan walks down the tree that the stream has chosen.
func (d *pmarc1) byteSpan() int {
	at := 0
	for at < len(d.tree) {
		if d.tree[at] != '(' {
			return int(d.tree[at] - 'a')
		}
		at++
		if d.in.get(1) == 1 {
			at = pm1Skip(d.tree, at)
		}
	}
	return 0
}

// pm1Skip passes over one branch of a tree.
func pm1Skip(tree string, at int) int {
	depth := 0
	for ; at < len(tree); at++ {
		switch tree[at] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return at + 1
		}
	}
	return at
}

// copy reads a copy command; the ranges that only a longer history has are not
// there at the start, and the codes are shorter for it.
func (d *pmarc1) copy(w *lzhWindow) bool {
	kind := d.copyKind()
	n := 2
	if kind >= 2 {
		n = pm1Ladder(&d.in, pm1Lengths)
	}
	dist := d.copySpan(kind).read(&d.in)
	if dist >= d.out {
		return false
	}
	d.repeat(w, dist+1, n)
	return true
}

func (d *pmarc1) copyKind() int {
	after := func(out, or int) int {
		if d.out >= out {
			return d.in.get(1)
		}
		return or
	}
	if d.in.get(1) == 0 {
		if after(576, 0) == 1 {
			return 4
		}
		return after(64, 0)
	}
	switch {
	case after(64, 1) == 0:
		return 3
	case after(2624, 1) == 1:
		return 2
	}
	return 5
}

// copySpan is the span of distances of a kind of copy: what the history allows
// of it.
func (d *pmarc1) copySpan(kind int) pmaSpan {
	span := pm1Copies[kind]
	if kind < 3 {
		return span
	}
	for bits := uint(8); bits < span.bits; bits++ {
		if d.out < span.first+1<<bits {
			span.bits = bits
		}
	}
	return span
}

var (
	pm1Bytes  = [...]pmaSpan{{0, 4}, {16, 4}, {32, 5}, {64, 6}, {128, 6}, {192, 6}}
	pm1Copies = [...]pmaSpan{{0, 6}, {64, 8}, {0, 6}, {64, 9}, {576, 11}, {2624, 13}}
)

// pm1Step is one rung of a fixed code: bits are read, and what they say below
// over is the number, less first; over itself leads on to rest.
type pm1Step struct {
	bits  uint
	first int
	over  int
	rest  []pmaSpan
}

var (
	pm1Blocks  = []pm1Step{{2, 1, 3, nil}, {3, 4, 7, nil}, {4, 11, 14, []pmaSpan{{25, 6}, {89, 7}}}}
	pm1Lengths = []pm1Step{{2, 3, 3, nil}, {3, 6, 5, []pmaSpan{{11, 2}, {15, 3}}}, {6, 23, 62, []pmaSpan{{85, 5}, {117, 7}}}}
)

func pm1Ladder(r *lzhBits, steps []pm1Step) int {
	for _, s := range steps {
		v := r.get(s.bits)
		if v < s.over {
			return s.first + v
		}
		if v -= s.over; v < len(s.rest) {
			return s.rest[v].read(r)
		}
	}
	return 0
}

// pm1Trees are the codes for pm1Bytes; the first five bits choose. The
// eighteenth has a branch twice in every PMarc.
var pm1Trees = [32]string{
	"((((ab)c)d)(ef))", "(((ab)(cf))(de))", "(((ab)c)(d(ef)))", "((a(bc))(d(ef)))",
	"((a(bd))(c(ef)))", "((a(b(ef)))(cd))", "((ab)((cd)(ef)))", "((ab)((c(ef))d))",
	"((ab)(c(d(ef))))", "(a(((bf)c)(de)))", "(a(((b(ef))c)d))", "(a(((bc)d)(ef)))",
	"(a((b(cf))(de)))", "(a((bc)(d(ef))))", "(a((b(d(ef)))c))", "(a(b((cd)(ef))))",
	"(a(b(c(d(ef)))))", "(((de)c)(de))", "((a(be))(cd))", "((ab)(c(de)))",
	"(a(((be)c)d))", "(a((bc)(de)))", "(a((b(de))c))", "(a(b(c(de))))",
	"(((ab)c)d)", "((a(bd))c)", "((ab)(cd))", "(a((bd)c))",
	"(a(b(cd)))", "(a(bc))", "(ab)", "a",
}

// pmarc2 undoes -pm2-: symbols for spans of the list and for copies, in codes
// that are read anew as the output grows.
type pmarc2 struct {
	pmaOut
	symbols, dists lzhCode
	withDists      bool
	due            int // the output at which codes are read next
}

func newPM2(in []byte) lzhDecoder {
	d := &pmarc2{pmaOut: newPMAOut(in)}
	d.in.get(1) // unused
	return d
}

var (
	pm2Bytes = [...]pmaSpan{{0, 3}, {8, 3}, {16, 4}, {32, 5}, {64, 5}, {96, 5}, {128, 6}, {192, 6}}
	pm2Long  = [...]pmaSpan{{17, 3}, {25, 3}, {33, 5}, {65, 6}, {129, 7}, {256, 0}}
)

func (d *pmarc2) fill(w *lzhWindow) error {
	for w.pos < w.stop {
		if d.out >= d.due && !d.renew() {
			return d.fault()
		}
		s := d.symbols.read(&d.in)
		if s >= 0 && s < len(pm2Bytes) {
			at := pm2Bytes[s].read(&d.in)
			if d.in.short() {
				return errLZHShort
			}
			d.put(w, d.recent[at])
			continue
		}
		if s < 0 || !d.copy(w, s-len(pm2Bytes)) {
			return d.fault()
		}
	}
	return nil
}

func (d *pmarc2) fault() error {
	if d.in.short() {
		return errLZHShort
	}
	return errLZHCorrupt
}

func (d *pmarc2) copy(w *lzhWindow, code int) bool {
	n := code + 2
	if long := code - 15; long >= len(pm2Long) {
		return false
	} else if long >= 0 {
		n = pm2Long[long].read(&d.in)
	}
	dist := d.distance(code)
	if dist < 0 || d.in.short() {
		return false
	}
	d.repeat(w, dist+1, n)
	return true
}

// distance: the shortest copies reach 64 bytes back, the longest repeat the
// last byte, all others have a code for the number of bits.
func (d *pmarc2) distance(code int) int {
	switch code {
	case 0:
		return d.in.get(6)
	case 20:
		return 0
	}
	bits := d.dists.read(&d.in)
	switch {
	case bits < 0:
		return -1
	case bits == 0:
		return d.in.get(6)
	}
	return 1<<(bits+5) + d.in.get(uint(bits)+5)
}

// renew reads the codes that are due: distances at 0, 1, 2 and 4 KiB, a code
// more each time; symbols at 0; from 4 KiB on both, where a bit says so.
func (d *pmarc2) renew() bool {
	at := d.due
	switch {
	case at == 0:
		d.due = 1 << 10
		return d.readSymbols() && d.readDists(5)
	case at == 1<<10:
		d.due = 2 << 10
		return d.readDists(6)
	case at == 2<<10:
		d.due = 4 << 10
		return d.readDists(7)
	}
	d.due += 4 << 10
	anew := d.in.get(1) == 1
	if anew && !d.readSymbols() {
		return false
	}
	return !anew && at > 4<<10 || d.readDists(8)
}

func (d *pmarc2) readSymbols() bool {
	n, least := d.in.get(5), d.in.get(3)
	d.withDists = n >= 10 && !(n == 29 && least == 0)
	if least == 0 {
		d.symbols.single(max(n-1, 0))
		return n > 0
	}
	bits := uint(d.in.get(3))
	var lengths [32]uint8
	for i := range n {
		if v := d.in.get(bits); v > 0 {
			lengths[i] = uint8(least + v - 1)
		}
	}
	return d.symbols.build(lengths[:n])
}

func (d *pmarc2) readDists(n int) bool {
	if !d.withDists {
		return true
	}
	var lengths [8]uint8
	used, only := 0, 0
	for i := range n {
		if lengths[i] = uint8(d.in.get(3)); lengths[i] > 0 {
			used++
			only = i
		}
	}
	if used == 1 {
		d.dists.single(only)
		return true
	}
	return d.dists.build(lengths[:n])
}
