package unpack

// The fixed codes for the upper bits of a distance: how many codes there are
// of each length, the first entry standing for three (-lh1-) or two (-lh3-)
// bits.
var (
	lh1Dists = fixedLZHCode(3, 1, 3, 8, 12, 24, 16)
	lh3Dists = fixedLZHCode(2, 1, 0, 2, 3, 7, 18, 47, 50)
)

func fixedLZHCode(length uint8, counts ...int) (lengths []uint8) {
	for i, n := range counts {
		for range n {
			lengths = append(lengths, length+uint8(i))
		}
	}
	return lengths
}

// lowDistBits are the lower bits of a distance, written as they are.
const lowDistBits = 6

// lharc1 undoes -lh1-: an adaptive code for symbols, a fixed one for distances.
type lharc1 struct {
	in      lzhBits
	symbols *lzhTree
	dists   lzhCode
}

func newLH1(in []byte) lzhDecoder {
	d := &lharc1{in: lzhBits{in: in}, symbols: newLZHTree(314).full()}
	d.dists.build(lh1Dists)
	return d
}

func (d *lharc1) unused() int { return d.in.left() }

func (d *lharc1) fill(w *lzhWindow) error {
	for w.pos < w.stop {
		s := d.symbols.next(&d.in)
		dist := 0
		if s >= 256 {
			dist = d.dists.read(&d.in)<<lowDistBits + d.in.get(lowDistBits) + 1
		}
		if d.in.short() {
			return errLZHShort
		}
		if s < 256 {
			w.put(byte(s))
			continue
		}
		w.repeat(dist, s-256+lzhMinRun)
	}
	return nil
}

// lharcEscape is the last symbol of -lh2- and -lh3-: eight more bits follow
// that lengthen the run.
const lharcEscape = 285

// lharc2 undoes -lh2-: adaptive codes for symbols and for distances, the
// latter growing with the output.
type lharc2 struct {
	in      lzhBits
	symbols *lzhTree
	dists   *lzhTree
	known   int // distance codes in the tree
	out     int // bytes made
}

// lh2Dists is how many distance codes an 8 KiB history has.
const lh2Dists = 8192 >> lowDistBits

func newLH2(in []byte) lzhDecoder {
	return &lharc2{in: lzhBits{in: in}, symbols: newLZHTree(lharcEscape + 1).full(), dists: newLZHTree(lh2Dists).first(), known: 1}
}

func (d *lharc2) unused() int { return d.in.left() }

func (d *lharc2) fill(w *lzhWindow) error {
	for w.pos < w.stop {
		s := d.symbols.next(&d.in)
		if s < 256 {
			if d.in.short() {
				return errLZHShort
			}
			w.put(byte(s))
			d.out++
			continue
		}
		if s == lharcEscape {
			s += d.in.get(8)
		}
		dist := d.distance()
		if d.in.short() {
			return errLZHShort
		}
		w.repeat(dist, s-256+lzhMinRun)
		d.out += s - 256 + lzhMinRun
	}
	return nil
}

// distance: a distance code exists only once that much output does.
func (d *lharc2) distance() int {
	for d.known < lh2Dists && d.out > d.known<<lowDistBits {
		d.dists.grow(d.known)
		d.known++
	}
	return d.dists.next(&d.in)<<lowDistBits + d.in.get(lowDistBits) + 1
}

// lharc3 undoes -lh3-: blocks with a code for symbols and either a fixed or an
// own code for distances.
type lharc3 struct {
	in      lzhBits
	left    int
	symbols lzhCode
	dists   lzhCode
}

func newLH3(in []byte) lzhDecoder { return &lharc3{in: lzhBits{in: in}} }

func (d *lharc3) unused() int { return d.in.left() }

func (d *lharc3) fill(w *lzhWindow) error {
	for w.pos < w.stop {
		if d.left == 0 && !d.open() {
			return errLZHCorrupt
		}
		d.left--
		s := d.symbols.read(&d.in)
		if s == lharcEscape {
			s += d.in.get(8)
		}
		dist := 0
		if s >= 256 {
			code := d.dists.read(&d.in)
			dist = code<<lowDistBits + d.in.get(lowDistBits) + 1
		}
		switch {
		case d.in.short():
			return errLZHShort
		case s < 0 || s >= 256 && dist <= 0:
			return errLZHCorrupt
		case s < 256:
			w.put(byte(s))
		default:
			w.repeat(dist, s-256+lzhMinRun)
		}
	}
	return nil
}

func (d *lharc3) open() bool {
	d.left = d.in.get(16)
	if d.left == 0 {
		d.left = 1 << 16
	}
	symbols := d.readCode(&d.symbols, lharcEscape+1, 9, func() int {
		if d.in.get(1) == 0 {
			return 0
		}
		return d.in.get(4) + 1
	})
	if d.in.get(1) == 0 {
		return symbols && d.dists.build(lh3Dists)
	}
	return symbols && d.readCode(&d.dists, lh2Dists, 7, func() int { return d.in.get(4) })
}

// readCode reads n lengths. Three ones at the start cannot be lengths of a
// code: they say that one symbol, written in field bits, is all there is.
func (d *lharc3) readCode(c *lzhCode, n int, field uint, length func() int) bool {
	var lengths [lharcEscape + 1]uint8
	for i := range n {
		lengths[i] = uint8(length())
		if i == 2 && lengths[0] == 1 && lengths[1] == 1 && lengths[2] == 1 {
			c.single(d.in.get(field))
			return true
		}
	}
	return c.build(lengths[:n])
}
