package unpack

import (
	"encoding/binary"
	"math"
)

// What LZX's blocks are made of (MS-PATCH appendix B).
const (
	lzxVerbatim = 1
	lzxAligned  = 2
	lzxRaw      = 3

	lzxLengths  = 249 // symbols of the tree of lengths
	lzxMaxSlots = 50
	lzxMaxMain  = 256 + 8*lzxMaxSlots
	lzxMinRun   = 2

	// The translation of jumps ends after so many frames.
	lzxMaxFrames = 32768
)

// lzxSlots are the slots of LZX, which ends at 17 bits.
var lzxSlots = slots(lzxMaxSlots, 17)

// slot is the first of a span of distances, and how many bits tell which.
type slot struct {
	base int
	bits uint
}

func slots(n int, most uint) []slot {
	s := make([]slot, n)
	base := 0
	for i := range s {
		s[i].base = base
		if i >= 4 {
			s[i].bits = min(uint(i-2)/2, most)
		}
		base += 1 << s[i].bits
	}
	return s
}

// lzx undoes LZX as cabinets have it: one stream for a folder, each block of
// the folder one frame of 32 KiB that begins on a word.
type lzx struct {
	win    cabWindow
	raw    []byte  // the block as it stands
	in     lzhBits // the block with the bytes of each word exchanged
	swap   []byte
	slots  int
	recent [3]int
	kind   int
	left   int // bytes until the next block of LZX
	pad    bool
	begun  bool
	wim    bool // blocks of a Windows image
	intel  int  // declared size of the program whose jumps are translated, 0 for none
	frame  int
	plain  []byte // the frame after that translation

	mainLengths [lzxMaxMain]uint8
	runLengths  [lzxLengths]uint8
	main, run   lzhCode
	aligned     lzhCode
	lengths     lzhCode // the code in which lengths are written
}

func (x *lzx) reset(bits uint) {
	x.win.reset(bits)
	switch {
	case bits < 20:
		x.slots = int(bits) * 2
	case bits == 20:
		x.slots = 42
	default:
		x.slots = lzxMaxSlots
	}
	x.recent = [3]int{1, 1, 1}
	x.kind, x.left, x.pad, x.begun, x.intel, x.frame = 0, 0, false, false, 0, 0
	x.mainLengths, x.runLengths = [lzxMaxMain]uint8{}, [lzxLengths]uint8{}
}

func (x *lzx) block(data []byte, size int) ([]byte, error) {
	end, err := x.win.begin(size)
	if err != nil {
		return nil, err
	}
	start := x.win.pos
	x.load(data)
	if !x.begun {
		x.begun = true
		if x.in.get(1) == 1 {
			x.intel = x.in.get(16)<<16 | x.in.get(16)
		}
	}
	for x.win.pos < end && err == nil {
		err = x.fill(end)
	}
	if err == nil && x.in.short() {
		err = errLZHShort
	}
	return x.translate(x.win.buf[start:x.win.pos]), err
}

// load takes the bytes of a frame: bits count from the high end of
// little-endian words.
func (x *lzx) load(data []byte) {
	x.raw = data
	x.swap = append(append(x.swap[:0], data...), make([]byte, len(data)%2)...)
	for i := 0; i+1 < len(x.swap); i += 2 {
		x.swap[i], x.swap[i+1] = x.swap[i+1], x.swap[i]
	}
	x.in = lzhBits{in: x.swap}
}

// fill unpacks to the end of a block or of the frame.
func (x *lzx) fill(end int) error {
	if x.left == 0 {
		if err := x.open(); err != nil {
			return err
		}
	}
	before := x.win.pos
	until := min(end, before+x.left)
	var err error
	if x.kind == lzxRaw {
		err = x.copyRaw(until)
	} else {
		err = x.symbols(until)
	}
	x.left -= x.win.pos - before
	return err
}

// at returns the place in raw of the bit that comes next, counted in bits.
func (x *lzx) at() int { return x.in.pos*8 + int(x.in.pad) - int(x.in.n) }

// seek goes on with the byte at at.
func (x *lzx) seek(at int) {
	x.in = lzhBits{in: x.swap, pos: min(at, len(x.swap))}
}

// open reads the head of a block.
func (x *lzx) open() error {
	if x.pad { // a raw block of odd length is filled up
		x.pad = false
		x.seek((x.at() + 15) / 16 * 2)
	}
	x.kind = x.in.get(3)
	x.left = x.length()
	ok := true
	switch x.kind {
	case lzxRaw:
		return x.openRaw()
	case lzxAligned:
		var lengths [8]uint8
		for i := range lengths {
			lengths[i] = uint8(x.in.get(3))
		}
		ok = x.aligned.build(lengths[:])
	case lzxVerbatim:
	default:
		return errBlock
	}
	ok = ok && x.readLengths(x.mainLengths[:256]) && x.readLengths(x.mainLengths[256:256+8*x.slots]) &&
		x.main.build(x.mainLengths[:256+8*x.slots]) && x.readLengths(x.runLengths[:]) && x.run.build(x.runLengths[:])
	switch {
	case x.in.short():
		return errLZHShort
	case !ok, x.left == 0:
		return errLZHCorrupt
	}
	return nil
}

// length reads how many bytes a block unpacks to.
func (x *lzx) length() int {
	switch {
	case !x.wim:
		return x.in.get(16)<<8 | x.in.get(8)
	case x.in.get(1) == 1:
		return cabFrame
	case x.win.reach >= 1<<16:
		return x.in.get(16)<<8 | x.in.get(8)
	}
	return x.in.get(16)
}

// chunk undoes a chunk of a Windows image, which stands for itself: no size of
// a program is written in it.
func (x *lzx) chunk(data []byte, size int, bits uint) ([]byte, error) {
	const program = 12000000
	x.reset(bits)
	x.wim, x.begun, x.intel = true, true, program
	x.load(data)
	var err error
	for x.win.pos < size && err == nil {
		err = x.fill(size)
	}
	if err == nil && x.in.short() {
		err = errLZHShort
	}
	return x.translate(x.win.buf[:x.win.pos]), err
}

// openRaw reads the recent distances that stand before raw bytes, on the next
// word: where bits end on a word, a whole one is passed over.
func (x *lzx) openRaw() error {
	at := (x.at()/16 + 1) * 2
	if at+12 > len(x.raw) || x.left == 0 {
		return errLZHShort
	}
	for i := range x.recent {
		v := binary.LittleEndian.Uint32(x.raw[at+4*i:])
		x.recent[i] = int(min(v, math.MaxInt32))
	}
	x.pad = x.left%2 == 1
	x.seek(at + 12)
	return nil
}

// copyRaw copies raw bytes up to until.
func (x *lzx) copyRaw(until int) error {
	at := x.at() / 8
	n := copy(x.win.buf[x.win.pos:until], x.raw[min(at, len(x.raw)):])
	x.win.pos += n
	x.win.known += n
	x.seek(at + n)
	if x.win.pos < until {
		return errLZHShort
	}
	return nil
}

// readLengths changes the lengths of a tree by what is written of it.
func (x *lzx) readLengths(lengths []uint8) bool {
	var pre [20]uint8
	for i := range pre {
		pre[i] = uint8(x.in.get(4))
	}
	if !x.lengths.build(pre[:]) {
		return false
	}
	for i := 0; i < len(lengths); {
		v := x.lengths.read(&x.in)
		if v < 0 || x.in.short() {
			return false
		}
		n, length := 1, 0
		switch v {
		case 17:
			n = x.in.get(4) + 4
		case 18:
			n = x.in.get(5) + 20
		case 19:
			n = x.in.get(1) + 4
			if v = x.lengths.read(&x.in); v < 0 || v > 16 {
				return false
			}
			length = (int(lengths[i]) - v + 17) % 17
		default:
			length = (int(lengths[i]) - v + 17) % 17
		}
		for ; n > 0 && i < len(lengths); n-- {
			lengths[i] = uint8(length)
			i++
		}
	}
	return true
}

// symbols unpacks literals and matches up to until.
func (x *lzx) symbols(until int) error {
	for x.win.pos < until {
		s := x.main.read(&x.in)
		if uint(s) < 256 {
			x.win.put(byte(s))
			continue
		}
		if s < 0 || x.in.short() {
			return errLZHCorrupt
		}
		n := (s-256)&7 + lzxMinRun
		if n == 7+lzxMinRun {
			more := x.run.read(&x.in)
			if more < 0 {
				return errLZHCorrupt
			}
			n += more
		}
		dist := x.distance((s - 256) >> 3)
		if n > until-x.win.pos || !x.win.copy(dist, n) {
			return errDistance
		}
	}
	return nil
}

// distance reads the distance of a slot; the first three repeat a recent one.
func (x *lzx) distance(slot int) int {
	r := &x.recent
	if slot < 3 {
		r[0], r[slot] = r[slot], r[0]
		return r[0]
	}
	bits := lzxSlots[slot].bits
	dist := lzxSlots[slot].base - 2
	if x.kind == lzxAligned && bits >= 3 {
		dist += x.in.get(bits-3) << 3
		low := x.aligned.read(&x.in)
		if low < 0 {
			return 0
		}
		dist += low
	} else {
		dist += x.in.get(bits)
	}
	r[0], r[1], r[2] = dist, r[0], r[1]
	return dist
}

// translate turns the absolute targets of a program's calls back into
// distances, in a copy: the window keeps them.
func (x *lzx) translate(frame []byte) []byte {
	at := x.frame * cabFrame
	x.frame++
	if x.intel == 0 || x.frame > lzxMaxFrames || len(frame) <= 10 {
		return frame
	}
	x.plain = append(x.plain[:0], frame...)
	for i := 0; i < len(frame)-10; i++ {
		if x.plain[i] != 0xe8 {
			continue
		}
		field := x.plain[i+1:]
		target, here := int(int32(u32(field))), at+i
		if target >= -here && target < x.intel {
			if target >= 0 {
				target -= here
			} else {
				target += x.intel
			}
			binary.LittleEndian.PutUint32(field, uint32(target))
		}
		i += 4
	}
	return x.plain
}
