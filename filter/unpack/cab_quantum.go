package unpack

// quantum undoes the method of the Quantum archiver: LZ77 symbols in an
// arithmetic code whose models learn. Each block of a cabinet begins the code
// anew; the models go on.
type quantum struct {
	win      cabWindow
	in       lzhBits
	low      uint16
	high     uint16
	code     uint16
	choice   quantumModel
	literals [4]quantumModel // by the two high bits of the byte
	near     [2]quantumModel // slots of distance for runs of 3 and 4
	far      quantumModel
	lengths  quantumModel
}

// quantumSymbol has the sum of the weights of itself and of all symbols behind
// it; a model ends with one that has none.
type quantumSymbol struct{ symbol, sum uint16 }

type quantumModel struct {
	symbols [65]quantumSymbol
	n       int
	turns   int // until the symbols are sorted
}

const (
	quantumStep     = 8    // weight of one more meeting
	quantumMost     = 3800 // beyond this sum, weights are halved
	quantumMaxSlots = 42
	quantumFirst    = 4
	quantumTurns    = 50
	quantumMinRun   = 3
)

// quantumSlots are the slots of distances.
var quantumSlots = slots(quantumMaxSlots, 19)

// quantumLengths are the first length and the bits that follow of each symbol,
// less the shortest run that has a symbol.
var quantumLengths = func() (out [27]slot) {
	base := 0
	for i := range out {
		out[i].base = base
		if i >= 6 && i < 26 {
			out[i].bits = uint(i-2) / 4
		}
		base += 1 << out[i].bits
	}
	return out
}()

func (m *quantumModel) reset(first, n int) {
	m.n, m.turns = n, quantumFirst
	for i := range n + 1 {
		m.symbols[i] = quantumSymbol{uint16(first + i), uint16(n - i)}
	}
}

// learn halves the weights, and now and then sorts by them.
func (m *quantumModel) learn() {
	s := m.symbols[:m.n+1]
	if m.turns--; m.turns > 0 {
		for i := m.n - 1; i >= 0; i-- {
			s[i].sum = max(s[i].sum>>1, s[i+1].sum+1)
		}
		return
	}
	m.turns = quantumTurns
	for i := range m.n {
		s[i].sum = (s[i].sum - s[i+1].sum + 1) >> 1
	}
	// Equal weights end up in the order of this very way of sorting.
	for i := range m.n - 1 {
		for j := i + 1; j < m.n; j++ {
			if s[i].sum < s[j].sum {
				s[i], s[j] = s[j], s[i]
			}
		}
	}
	for i := m.n - 1; i >= 0; i-- {
		s[i].sum += s[i+1].sum
	}
}

func (q *quantum) reset(bits uint) {
	q.win.reset(bits)
	for i := range q.literals {
		q.literals[i].reset(64*i, 64)
	}
	slots := int(bits) * 2
	q.near[0].reset(0, min(slots, 24))
	q.near[1].reset(0, min(slots, 36))
	q.far.reset(0, min(slots, quantumMaxSlots))
	q.lengths.reset(0, len(quantumLengths))
	q.choice.reset(0, 7)
}

func (q *quantum) block(data []byte, size int) ([]byte, error) {
	end, err := q.win.begin(size)
	if err != nil {
		return nil, err
	}
	start := q.win.pos
	q.in = lzhBits{in: data}
	q.low, q.high, q.code = 0, 0xffff, uint16(q.in.get(16))
	for q.win.pos < end && err == nil {
		err = q.step(end)
	}
	return q.win.buf[start:q.win.pos], err
}

// step unpacks one literal or match.
func (q *quantum) step(end int) error {
	choice := q.next(&q.choice)
	if choice < len(q.literals) {
		q.win.put(byte(q.next(&q.literals[choice])))
		return q.over()
	}
	n, slots := choice-4+quantumMinRun, &q.far
	if choice < 6 {
		slots = &q.near[choice-4]
	} else {
		l := quantumLengths[q.next(&q.lengths)]
		n += l.base + q.in.get(l.bits)
	}
	slot := quantumSlots[q.next(slots)]
	dist := slot.base + q.in.get(slot.bits) + 1
	// The last run of a short block goes on to the end of the frame.
	if !q.win.copy(dist, min(n, end-q.win.pos)) {
		return errDistance
	}
	return q.over()
}

// quantumAhead is how many bits the code may read beyond the data: 16 that it
// is ahead of what it uses, and a few bytes that some writers leave off.
const quantumAhead = 16 + 32

// over says that the data had ended long before.
func (q *quantum) over() error {
	if q.in.pad > q.in.n+quantumAhead {
		return errLZHShort
	}
	return nil
}

// next reads one symbol of m and lets m learn.
func (q *quantum) next(m *quantumModel) int {
	s := m.symbols[:m.n+1]
	width := uint32(q.high-q.low) + 1
	total := uint32(s[0].sum)
	place := uint16(((uint32(q.code-q.low)+1)*total - 1) / width)
	i := 1
	for i < m.n && s[i].sum > place {
		i++
	}
	symbol := int(s[i-1].symbol)
	q.high = q.low + uint16(uint32(s[i-1].sum)*width/total) - 1
	q.low += uint16(uint32(s[i].sum) * width / total)
	for j := range i {
		s[j].sum += quantumStep
	}
	if s[0].sum > quantumMost {
		m.learn()
	}
	q.narrow()
	return symbol
}

// narrow shifts out the bits on which both ends of the interval agree.
func (q *quantum) narrow() {
	for {
		if (q.low^q.high)&0x8000 != 0 {
			if q.low&0x4000 == 0 || q.high&0x4000 != 0 {
				return
			}
			q.code ^= 0x4000
			q.low &= 0x3fff
			q.high |= 0x4000
		}
		q.low <<= 1
		q.high = q.high<<1 | 1
		q.code = q.code<<1 | uint16(q.in.get(1))
	}
}
