package unpack

// ppmdEscapes is what a context's second symbol makes escapes worth, by how
// badly its only symbol failed.
var ppmdEscapes = [16]int{25, 14, 9, 7, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 2}

// decode returns the next byte, or -1 where the data makes no sense or ends.
func (p *ppmd) decode() int {
	if p.count(p.cur) == 1 {
		if c := p.decodeOnly(); c >= 0 {
			return c
		}
	} else if c, known := p.decodeAny(); known || c < 0 {
		return c
	}
	for {
		tried := p.count(p.cur)
		for {
			p.fall++
			if p.cur = p.suffix(p.cur); p.cur == 0 {
				return -1
			}
			if p.count(p.cur) != tried {
				break
			}
		}
		if c, known := p.decodeRest(tried); known || c < 0 {
			return c
		}
	}
}

// decodeOnly decodes in a context of one symbol; -1 says that it failed.
func (p *ppmd) decodeOnly() int {
	s := p.only(p.cur)
	chance := p.binChance(s)
	mean := (*chance + 1<<(ppmdPeriod-2)) >> ppmdPeriod
	if !p.rc.fails(uint32(*chance)) {
		*chance += 1<<ppmdPeriod - mean
		p.found = s
		symbol := p.symbol(s)
		limit := uint32(128)
		if p.isI {
			limit = 196
		}
		if f := p.freq(s); f < limit {
			p.setFreq(s, f+1)
		}
		p.before = 1
		p.run++
		p.next()
		return int(symbol)
	}
	*chance -= mean
	p.escape = ppmdEscapes[*chance>>10]
	clear(p.mask[:])
	p.mask[p.symbol(s)] = true
	p.before = 0
	return -1
}

// binChance is the estimate for the only symbol of the context in use.
func (p *ppmd) binChance(s uint32) *uint16 {
	long := uint32(p.run) >> 26 & 0x20
	parent := p.binClass[p.count(p.suffix(p.cur))-1]
	if p.isI {
		return &p.bins[p.seeClass[p.freq(s)-1]][uint32(parent)+p.before+uint32(p.flags(p.cur))+long]
	}
	p.high40 = highBit(p.symbol(p.found))
	return &p.bins[p.freq(s)-1][p.before+uint32(parent)+p.high40+2*highBit(p.symbol(s))+long]
}

// highBit tells letters and what is above from digits and signs.
func highBit(symbol byte) uint32 {
	if symbol >= 0x40 {
		return 8
	}
	return 0
}

// decodeAny decodes in a context of several symbols.
func (p *ppmd) decodeAny() (c int, known bool) {
	s, total := p.states(p.cur), p.sum(p.cur)
	at := p.rc.share(total)
	up := p.freq(s)
	if at < up {
		p.rc.take(0, up)
		p.found = s
		symbol := p.symbol(s)
		p.first()
		return int(symbol), true
	}
	p.before = 0
	n := p.count(p.cur)
	for range n - 1 {
		s += ppmdState
		f := p.freq(s)
		if up += f; up > at {
			p.rc.take(up-f, f)
			p.found = s
			symbol := p.symbol(s)
			p.later()
			return int(symbol), true
		}
	}
	if at >= total {
		return -1, false
	}
	p.high40 = highBit(p.symbol(p.found))
	p.rc.take(up, total-up)
	clear(p.mask[:])
	for range n {
		p.mask[p.symbol(s)] = true
		s -= ppmdState
	}
	return 0, false
}

// decodeRest decodes among the symbols that longer contexts have not tried.
func (p *ppmd) decodeRest(tried uint32) (c int, known bool) {
	var open [256]uint32
	n, up := 0, uint32(0)
	s := p.states(p.cur)
	for range p.count(p.cur) {
		if !p.mask[p.symbol(s)] {
			up += p.freq(s)
			open[n] = s
			n++
		}
		s += ppmdState
	}
	see, total := p.seeOf(tried)
	total += up
	at := p.rc.share(total)
	if at < up {
		up = 0
		for _, s := range open[:n] {
			f := p.freq(s)
			if up += f; up > at {
				p.rc.take(up-f, f)
				see.update()
				p.found = s
				symbol := p.symbol(s)
				p.escaped()
				return int(symbol), true
			}
		}
	}
	if at >= total {
		return -1, false
	}
	p.rc.take(up, total-up)
	see.sum += uint16(total)
	for _, s := range open[:n] {
		p.mask[p.symbol(s)] = true
	}
	return 0, false
}

// seeOf returns the estimate of a further escape, and what it is worth.
func (p *ppmd) seeOf(tried uint32) (*ppmdSee, uint32) {
	n := p.count(p.cur)
	if n == 256 {
		return &p.dummy, 1
	}
	parent := p.count(p.suffix(p.cur))
	var see *ppmdSee
	if p.isI {
		k := add(p.sum(p.cur) > 11*n, 1) + add(2*(n-1) < parent+tried-2, 2) + uint32(p.flags(p.cur))
		see = &p.sees[p.seeClass[n+1]-3][k]
	} else {
		left := n - tried
		k := add(left < parent-n, 1) + add(p.sum(p.cur) < 11*n, 2) + add(tried > left, 4) + p.high40
		see = &p.sees[p.seeClass[left-1]][k]
	}
	worth := see.sum >> see.shift
	see.sum -= worth
	return see, max(uint32(worth), 1)
}

func add(yes bool, n uint32) uint32 {
	if yes {
		return n
	}
	return 0
}

// first counts the most frequent symbol of its context.
func (p *ppmd) first() {
	twice, total := 2*p.freq(p.found), p.sum(p.cur)
	p.before = add(twice > total || p.isI && twice == total, 1)
	p.run += int(p.before)
	p.addSum(p.cur, 4)
	p.more()
	p.next()
}

// later counts another symbol, which moves up where it has overtaken.
func (p *ppmd) later() {
	s := p.found
	p.setFreq(s, p.freq(s)+4)
	p.addSum(p.cur, 4)
	if p.freq(s) > p.freq(s-ppmdState) {
		p.swap(s, s-ppmdState)
		p.found = s - ppmdState
		if p.freq(p.found) > ppmdMaxFreq {
			p.rescale()
		}
	}
	p.next()
}

// escaped counts a symbol that only a shorter context knew.
func (p *ppmd) escaped() {
	p.addSum(p.cur, 4)
	p.more()
	p.run = p.firstRun
	p.update()
}

func (p *ppmd) more() {
	f := p.freq(p.found) + 4
	p.setFreq(p.found, f)
	if f > ppmdMaxFreq {
		p.rescale()
	}
}

// next goes to the context that the symbol leads to.
func (p *ppmd) next() {
	to := p.successor(p.found)
	made := to > p.text
	if p.isI {
		made = to >= p.units
	}
	if p.fall == 0 && made {
		p.cur, p.longest = to, to
		return
	}
	p.update()
}

// rescale halves the frequencies of the context in use and drops symbols that
// come to nothing.
func (p *ppmd) rescale() {
	stats, s := p.states(p.cur), p.found
	for moved := p.keep(s); ; s -= ppmdState {
		if s == stats {
			p.write(s, moved)
			break
		}
		p.copyState(s, s-ppmdState)
	}
	escape := p.sum(p.cur) - p.freq(s)
	adder := add(p.fall != 0, 1)
	p.setFreq(s, (p.freq(s)+4+adder)>>1)
	total := p.freq(s)
	n := p.count(p.cur)
	for range n - 1 {
		s += ppmdState
		escape -= p.freq(s)
		p.setFreq(s, (p.freq(s)+adder)>>1)
		total += p.freq(s)
		p.sink(s, stats)
	}
	if p.freq(s) == 0 && p.dropped(s, stats, n, &escape) {
		return
	}
	p.setSum(p.cur, total+escape-escape>>1)
	if p.isI {
		p.setFlags(p.cur, p.flags(p.cur)|4)
	}
	p.found = p.states(p.cur)
}

// sink moves the state at s up to where its frequency belongs.
func (p *ppmd) sink(s, stats uint32) {
	moved := p.keep(s)
	for s != stats && uint32(moved[1]) > p.freq(s-ppmdState) {
		p.copyState(s, s-ppmdState)
		s -= ppmdState
	}
	p.write(s, moved)
}

// dropped drops the states from s down that have become zero; true says that
// one is left, which now stands in the context itself.
func (p *ppmd) dropped(s, stats, n uint32, escape *uint32) bool {
	gone := uint32(0)
	for p.freq(s) == 0 {
		gone++
		s -= ppmdState
	}
	*escape += gone
	left := n - gone
	p.setCount(p.cur, left)
	if left == 1 {
		p.onlyLeft(stats, n, *escape)
		return true
	}
	if from, to := (n+1)>>1, (left+1)>>1; from != to {
		p.setStates(p.cur, p.shrink(stats, from, to))
	}
	if p.isI {
		flags := p.flags(p.cur) &^ 8
		for i := range left {
			flags |= byte(highBit(p.symbol(p.states(p.cur) + i*ppmdState)))
		}
		p.setFlags(p.cur, flags)
	}
	return false
}

// onlyLeft puts the last state of a context into the context.
func (p *ppmd) onlyLeft(stats, n, escape uint32) {
	last := p.keep(stats)
	f := uint32(last[1])
	if p.isI {
		f = min((2*f+escape-1)/escape, ppmdMaxFreq/3)
	} else {
		for {
			f -= f >> 1
			if escape >>= 1; escape <= 1 {
				break
			}
		}
	}
	last[1] = byte(f)
	p.insert(stats, p.index((n+1)>>1))
	if p.isI {
		p.setFlags(p.cur, p.flags(p.cur)&0x10|byte(highBit(last[0])))
	}
	p.found = p.only(p.cur)
	p.write(p.found, last)
}
