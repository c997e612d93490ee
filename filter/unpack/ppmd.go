package unpack

import (
	"encoding/binary"
	"errors"
	"io"
)

// PPMd keeps statistics of which byte follows which bytes before it. Shkarin's
// variant H stands in 7z, variant I in zip. Both let the model grow within a
// memory of fixed size and begin anew when it is full: to notice that moment at
// the same byte as the packer, the memory is given out exactly as he wrote it.
const (
	ppmdUnit     = 12 // bytes of a context, or of two states
	ppmdState    = 6  // symbol, frequency, successor
	ppmdSizes    = 38 // sizes of blocks: 1-4, 6-12, 15-24, 28-128 units
	ppmdMaxFreq  = 124
	ppmdMaxOrder = 64
	ppmdMinSize  = 1 << 11
	ppmdMaxSize  = 256 << 20
	ppmdBinScale = 1 << 14
	ppmdPeriod   = 7 // bits by which a mean moves
)

// errPPMd says that the packed bytes mean nothing.
var errPPMd = errors.New("ppmd: data makes no sense")

// ppmd is a model with its decoder. References are places in mem, 0 for none.
// A context is: how many states (variant H in two bytes; I in one, less one,
// and flags), the sum of frequencies, the place of its states, the shorter
// context. A single state stands in the context itself.
type ppmd struct {
	mem      []byte
	start    uint32
	size     uint32
	isI      bool
	text     uint32 // where the bytes seen go on
	units    uint32 // where blocks begin
	low      uint32 // between low and high nothing was given out yet
	high     uint32
	glue     uint32
	free     [ppmdSizes]uint32
	sizeOf   [ppmdSizes]uint32
	indexOf  [128]byte
	maxOrder int
	fall     int // by how much the order is below the maximum
	run      int
	firstRun int
	escape   int // for a context that gets its second symbol
	before   uint32
	high40   uint32 // variant H: the last symbol was 0x40 or above
	cur      uint32 // context in use
	longest  uint32 // context of the highest order
	found    uint32 // state last coded
	bins     [128][64]uint16
	sees     [25][32]ppmdSee
	dummy    ppmdSee
	binClass [256]byte
	seeClass [260]byte
	rc       ppmdRange
	mask     [256]bool
	cuts     bool // a full memory is thinned out, not emptied: not known here
	full     bool // and so it was
}

// ppmdSee estimates how often a context's symbols all fail.
type ppmdSee struct {
	sum   uint16
	shift byte
	count byte
}

func (s *ppmdSee) update() {
	if s.shift < ppmdPeriod {
		if s.count--; s.count == 0 {
			s.sum <<= 1
			s.count = byte(3 << s.shift)
			s.shift++
		}
	}
}

// ppmdRange is the arithmetic decoder: the one of 7-Zip for variant H, the
// carry-less one of Subbotin for variant I.
type ppmdRange interface {
	begin() error
	// share narrows the range to total parts and says in which the code is.
	share(total uint32) uint32
	take(start, size uint32)
	// fails decodes whether the only symbol of a context is not what comes.
	fails(chance uint32) bool
	err() error
}

// newPPMd makes a model of the given order and memory, not yet begun.
func newPPMd(order int, size uint32, isI bool, rc ppmdRange) *ppmd {
	p := &ppmd{maxOrder: order, size: size, isI: isI, rc: rc, start: ppmdUnit - size%4}
	p.mem = make([]byte, p.start+size+ppmdUnit)
	units := uint32(0)
	for i := range p.sizeOf {
		step := uint32(4)
		if i < 12 {
			step = uint32(i)/4 + 1
		}
		for range step {
			p.indexOf[units] = byte(i)
			units++
		}
		p.sizeOf[i] = units
	}
	p.classes()
	p.dummy = ppmdSee{shift: ppmdPeriod, count: 64}
	return p
}

// classes fills the tables that put counts into classes: fine for small ones,
// coarse for large.
func (p *ppmd) classes() {
	for i := range p.binClass {
		switch {
		case i == 0:
		case i == 1:
			p.binClass[i] = 2
		case i < 11:
			p.binClass[i] = 4
		default:
			p.binClass[i] = 6
		}
	}
	exact := 3
	if p.isI {
		exact = 5
	}
	class, left := exact, 1
	for i := range p.seeClass {
		if i < exact {
			p.seeClass[i] = byte(i)
			continue
		}
		p.seeClass[i] = byte(class)
		if left--; left == 0 {
			class++
			left = class - exact + 1
		}
	}
}

// ppmdBinStart are the first chances of the only symbol of a context to fail.
var ppmdBinStart = [8]uint32{0x3cdd, 0x1f3f, 0x59bf, 0x48f3, 0x64a1, 0x5abc, 0x6632, 0x6051}

// restart empties the model: one context of order 0 with all bytes.
func (p *ppmd) restart() {
	clear(p.free[:])
	p.text = p.start
	p.high = p.start + p.size
	p.low = p.high - p.size/8/ppmdUnit*7*ppmdUnit
	p.units, p.glue = p.low, 0
	p.fall = p.maxOrder
	p.firstRun = -min(p.maxOrder, 12) - 1
	p.run, p.before = p.firstRun, 0
	p.high -= ppmdUnit
	p.cur, p.longest = p.high, p.high
	p.setSuffix(p.cur, 0)
	p.mem[p.cur+1] = 0
	p.setCount(p.cur, 256)
	p.setSum(p.cur, 257)
	p.found = p.low
	p.low += 128 * ppmdUnit
	p.setStates(p.cur, p.found)
	for i := range uint32(256) {
		p.putState(p.found+i*ppmdState, byte(i), 1, 0)
	}
	if p.isI {
		p.chancesI()
	} else {
		p.chancesH()
	}
}

func (p *ppmd) chancesH() {
	for i := range p.bins {
		p.binRow(i, uint32(i)+2)
	}
	for i := range p.sees {
		for k := range 16 {
			p.sees[i][k] = ppmdSee{sum: uint16((5*i + 10) << (ppmdPeriod - 4)), shift: ppmdPeriod - 4, count: 4}
		}
	}
}

func (p *ppmd) chancesI() {
	i := 0
	for m := range 25 {
		for int(p.seeClass[i]) == m {
			i++
		}
		p.binRow(m, uint32(i)+1)
	}
	i = 0
	for m := range 24 {
		for int(p.seeClass[i+3]) == m+3 {
			i++
		}
		for k := range 32 {
			p.sees[m][k] = ppmdSee{sum: uint16((2*i + 5) << (ppmdPeriod - 4)), shift: ppmdPeriod - 4, count: 7}
		}
	}
}

func (p *ppmd) binRow(row int, divisor uint32) {
	for k, first := range ppmdBinStart {
		for m := 0; m < 64; m += 8 {
			p.bins[row][k+m] = uint16(ppmdBinScale - first/divisor)
		}
	}
}

func (p *ppmd) u32(at uint32) uint32       { return binary.LittleEndian.Uint32(p.mem[at:]) }
func (p *ppmd) put32(at, v uint32)         { binary.LittleEndian.PutUint32(p.mem[at:], v) }
func (p *ppmd) u16(at uint32) uint32       { return uint32(binary.LittleEndian.Uint16(p.mem[at:])) }
func (p *ppmd) put16(at, v uint32)         { binary.LittleEndian.PutUint16(p.mem[at:], uint16(v)) }
func (p *ppmd) sum(c uint32) uint32        { return p.u16(c + 2) }
func (p *ppmd) setSum(c, v uint32)         { p.put16(c+2, v) }
func (p *ppmd) states(c uint32) uint32     { return p.u32(c + 4) }
func (p *ppmd) setStates(c, s uint32)      { p.put32(c+4, s) }
func (p *ppmd) suffix(c uint32) uint32     { return p.u32(c + 8) }
func (p *ppmd) setSuffix(c, v uint32)      { p.put32(c+8, v) }
func (p *ppmd) symbol(s uint32) byte       { return p.mem[s] }
func (p *ppmd) freq(s uint32) uint32       { return uint32(p.mem[s+1]) }
func (p *ppmd) setFreq(s, v uint32)        { p.mem[s+1] = byte(v) }
func (p *ppmd) successor(s uint32) uint32  { return p.u32(s + 2) }
func (p *ppmd) setSuccessor(s, to uint32)  { p.put32(s+2, to) }
func (p *ppmd) only(c uint32) uint32       { return c + 2 }
func (p *ppmd) copyState(to, from uint32)  { copy(p.mem[to:to+ppmdState], p.mem[from:from+ppmdState]) }
func (p *ppmd) addSum(c, v uint32)         { p.setSum(c, p.sum(c)+v) }
func (p *ppmd) flags(c uint32) byte        { return p.mem[c+1] }
func (p *ppmd) setFlags(c uint32, v byte)  { p.mem[c+1] = v }
func (p *ppmd) keep(s uint32) (st [6]byte) { copy(st[:], p.mem[s:]); return st }
func (p *ppmd) write(s uint32, st [6]byte) { copy(p.mem[s:s+ppmdState], st[:]) }

func (p *ppmd) putState(s uint32, symbol byte, freq, next uint32) {
	p.mem[s], p.mem[s+1] = symbol, byte(freq)
	p.put32(s+2, next)
}

// count is how many states a context has.
func (p *ppmd) count(c uint32) uint32 {
	if p.isI {
		return uint32(p.mem[c]) + 1
	}
	return p.u16(c)
}

func (p *ppmd) setCount(c, n uint32) {
	if p.isI {
		p.mem[c] = byte(n - 1)
	} else {
		p.put16(c, n)
	}
}

// find returns the state of the symbol in a context that has it.
func (p *ppmd) find(c uint32, symbol byte) uint32 {
	if p.count(c) == 1 {
		return p.only(c)
	}
	s := p.states(c)
	for p.symbol(s) != symbol {
		s += ppmdState
	}
	return s
}

func (p *ppmd) swap(a, b uint32) {
	x, y := p.keep(a), p.keep(b)
	p.write(a, y)
	p.write(b, x)
}

// ppmdReader reads what was packed, to the given size.
type ppmdReader struct {
	p     *ppmd
	left  int64
	begun bool
	fault error
}

func (r *ppmdReader) Read(out []byte) (n int, err error) {
	if !r.begun {
		r.begun = true
		r.p.restart()
		r.fault = r.p.rc.begin()
	}
	for n < len(out) && r.left > 0 && r.fault == nil {
		c := r.p.decode()
		switch r.fault = r.p.rc.err(); {
		case r.p.full:
			r.fault = errMethod
		case c < 0 && r.fault == nil:
			r.fault = errPPMd
		}
		if r.fault == nil {
			out[n] = byte(c)
			n, r.left = n+1, r.left-1
		}
	}
	switch {
	case n > 0 || len(out) == 0:
		return n, nil
	case r.fault != nil:
		return 0, r.fault
	}
	return 0, io.EOF
}
