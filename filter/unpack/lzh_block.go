package unpack

// lzhBlock undoes -lh4- to -lh7-, -lhx- and LHarK's -lh7-: blocks of LZ77
// symbols, each block with its own prefix codes.
type lzhBlock struct {
	in       lzhBits
	left     int  // symbols until the next block
	distBits uint // size of the field that counts distance codes
	lhark    bool
	symbols  lzhCode
	dists    lzhCode
	lengths  lzhCode // the code in which the lengths of symbols are written
}

// lzhMinRun is the shortest run worth a copy; runs count from symbol 256.
const lzhMinRun = 3

func newLZHBlock(distBits uint) func([]byte) lzhDecoder {
	return func(in []byte) lzhDecoder { return &lzhBlock{in: lzhBits{in: in}, distBits: distBits} }
}

func newLHarK(in []byte) lzhDecoder {
	return &lzhBlock{in: lzhBits{in: in}, distBits: 6, lhark: true}
}

func (d *lzhBlock) unused() int { return d.in.left() }

func (d *lzhBlock) fill(w *lzhWindow) error {
	for w.pos < w.stop {
		if d.left == 0 && !d.open() {
			return d.fault()
		}
		d.left--
		if d.in.n < lzhMaxLen {
			d.in.fill()
		}
		s := d.symbols.next(&d.in)
		if uint(s) < 256 && !d.in.short() {
			w.put(byte(s))
			continue
		}
		if s < 0 || d.in.short() || !d.run(w, s) {
			return d.fault()
		}
	}
	return nil
}

// fault tells whether bits ran out or made no sense.
func (d *lzhBlock) fault() error {
	if d.in.short() {
		return errLZHShort
	}
	return errLZHCorrupt
}

func (d *lzhBlock) run(w *lzhWindow, symbol int) bool {
	length := symbol - 256 + lzhMinRun
	if d.lhark {
		length = d.larkLength(symbol)
	}
	dist := d.distance()
	if dist <= 0 || dist > w.dict || d.in.short() {
		return false
	}
	w.repeat(dist, length)
	return true
}

// distance reads a distance, 0 when its code has no meaning. The code is the
// number of bits that follow, plus the leading one that goes without saying.
func (d *lzhBlock) distance() int {
	bits := d.dists.read(&d.in)
	switch {
	case bits < 0:
		return 0
	case bits < 2:
		return bits + 1
	case d.lhark:
		return d.larkDistance(bits)
	}
	return 1<<(bits-1) + d.in.get(uint(bits-1)) + 1
}

// larkLength: LHarK ends the plain lengths at symbol 263 and gives further
// ones in steps of four symbols and a growing number of extra bits.
func (d *lzhBlock) larkLength(symbol int) int {
	switch {
	case symbol < 264:
		return symbol - 256 + lzhMinRun
	case symbol < 288:
		extra := uint(symbol-260) / 4
		return (4+symbol%4)<<extra + d.in.get(extra) + lzhMinRun
	}
	return 514
}

func (d *lzhBlock) larkDistance(code int) int {
	if code < 4 {
		return code + 1
	}
	extra := uint(code-2) / 2
	if extra > 30 {
		return 0
	}
	return (2+code%2)<<extra + d.in.get(extra) + 1
}

// open reads the head of a block: how many symbols it has, and three codes.
func (d *lzhBlock) open() bool {
	d.left = d.in.get(16)
	if d.left == 0 {
		d.left = 1 << 16 // the first LHA counts down before it looks
	}
	return d.readCode(&d.lengths, 5, 3) && d.readSymbols() && d.readCode(&d.dists, d.distBits, -1) && !d.in.short()
}

// readCode reads a code whose lengths stand as plain numbers. After the
// entry before gap, two bits tell how many entries to pass over: in the code
// of lengths the symbols for rarely used lengths stand there.
func (d *lzhBlock) readCode(c *lzhCode, field uint, gap int) bool {
	n := d.in.get(field)
	if n == 0 {
		c.single(d.in.get(field))
		return true
	}
	var lengths [1<<6 + 3]uint8
	for i := 0; i < n; {
		l := d.readLength()
		if l > lzhMaxLen {
			return false
		}
		lengths[i] = uint8(l)
		if i++; i == gap {
			i += d.in.get(2)
		}
	}
	return c.build(lengths[:n])
}

// readLength reads a number below seven in three bits, a larger one with a
// one-bit more for each step.
func (d *lzhBlock) readLength() int {
	l := d.in.get(3)
	for l == 7 || l > 7 && l <= lzhMaxLen {
		if d.in.get(1) == 0 {
			break
		}
		l++
	}
	return l
}

// readSymbols reads the code of symbols: its lengths are written in the code
// just read, in which 0, 1 and 2 stand for runs of unused symbols.
func (d *lzhBlock) readSymbols() bool {
	n := d.in.get(9)
	if n == 0 {
		d.symbols.single(d.in.get(9))
		return true
	}
	var lengths [512]uint8
	for i := 0; i < n; {
		v := d.lengths.read(&d.in)
		if v < 0 || v-2 > lzhMaxLen || d.in.short() {
			return false
		}
		switch v {
		case 0:
			i++
		case 1:
			i += 3 + d.in.get(4)
		case 2:
			i += 20 + d.in.get(9)
		default:
			lengths[i] = uint8(v - 2)
			i++
		}
	}
	return d.symbols.build(lengths[:n])
}
