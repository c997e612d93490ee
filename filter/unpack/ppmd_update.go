package unpack

// update adds the symbol just coded to all contexts that did not know it, from
// the longest down to the one in use.
func (p *ppmd) update() {
	symbol, freq, next := p.symbol(p.found), p.freq(p.found), p.successor(p.found)
	hint := p.praise(symbol, freq)
	if p.fall == 0 && (!p.isI || next != 0) {
		made := p.grow(true, hint, p.cur)
		if made == 0 {
			p.exhausted()
			return
		}
		p.setSuccessor(p.found, made)
		p.cur, p.longest = made, made
		return
	}
	p.mem[p.text] = symbol
	p.text++
	to := p.text
	if p.text >= p.units {
		p.exhausted()
		return
	}
	next, ok := p.follow(next, to, hint)
	if !ok {
		p.exhausted()
		return
	}
	if p.fall == 0 {
		to = next
		if p.longest != p.cur {
			p.text--
		}
	}
	states := p.count(p.cur)
	rest := p.sum(p.cur) - states - (freq - 1)
	for c := p.longest; c != p.cur; c = p.suffix(c) {
		if !p.learn(c, symbol, freq, states, rest, to) {
			p.exhausted()
			return
		}
	}
	p.cur, p.longest = next, next
}

// exhausted begins anew with an empty memory.
func (p *ppmd) exhausted() {
	p.full = p.full || p.cuts
	p.restart()
}

// praise counts a symbol in the next shorter context too, while it is rare.
func (p *ppmd) praise(symbol byte, freq uint32) (state uint32) {
	if freq >= ppmdMaxFreq/4 || p.suffix(p.cur) == 0 {
		return 0
	}
	c := p.suffix(p.cur)
	if p.count(c) == 1 {
		s := p.only(c)
		if f := p.freq(s); f < 32 {
			p.setFreq(s, f+1)
		}
		return s
	}
	s := p.find(c, symbol)
	if s != p.states(c) && p.freq(s) >= p.freq(s-ppmdState) {
		p.swap(s, s-ppmdState)
		s -= ppmdState
	}
	if f := p.freq(s); f < ppmdMaxFreq-9 {
		p.setFreq(s, f+2)
		p.addSum(c, 2)
	}
	return s
}

// follow returns the context that comes next. Where the symbol led into the
// text only, contexts are made.
func (p *ppmd) follow(next, to, hint uint32) (uint32, bool) {
	switch {
	case next == 0 && p.isI:
		if next = p.reduce(hint, p.cur); next == 0 {
			return 0, false
		}
	case next == 0:
		p.setSuccessor(p.found, to)
		return p.cur, true
	case next < p.units:
		if next = p.grow(false, hint, p.cur); next == 0 {
			return 0, false
		}
	}
	p.fall--
	return next, true
}

// learn adds a symbol to a context; false says that the memory is full.
func (p *ppmd) learn(c uint32, symbol byte, freq, states, rest, to uint32) bool {
	n := p.count(c)
	if n == 1 {
		s := p.alloc(0)
		if s == 0 {
			return false
		}
		p.copyState(s, p.only(c))
		p.setStates(c, s)
		f := p.freq(s) * 2
		if f >= 2*(ppmdMaxFreq/4-1) {
			f = ppmdMaxFreq - 4
		}
		p.setFreq(s, f)
		p.setSum(c, f+uint32(p.escape)+add(states > 3, 1))
	} else {
		if !p.widen(c, n) {
			return false
		}
		if p.isI {
			p.addSum(c, add(3*(n-1)+1 < states-1, 1))
		} else {
			p.addSum(c, add(2*n < states, 1)+add(4*n <= states && p.sum(c) <= 8*n, 2))
		}
	}
	total := p.sum(c)
	worth, all := 2*freq*(total+6), rest+total
	gain := uint32(3)
	if p.isI {
		gain = 4
	}
	switch {
	case worth < 6*all:
		worth = 1 + add(worth > all, 1) + add(worth >= 4*all, 1)
	case p.isI:
		worth = 4 + add(worth > 9*all, 1) + add(worth > 12*all, 1) + add(worth > 15*all, 1)
		gain = worth
	default:
		worth = 4 + add(worth >= 9*all, 1) + add(worth >= 12*all, 1) + add(worth >= 15*all, 1)
		gain = worth
	}
	p.setSum(c, total+gain)
	p.putState(p.states(c)+n*ppmdState, symbol, worth, to)
	p.setCount(c, n+1)
	if p.isI {
		p.setFlags(c, p.flags(c)|byte(highBit(symbol)))
	}
	return true
}

// widen makes room for one more state where all units of a block are full.
func (p *ppmd) widen(c, n uint32) bool {
	if n&1 != 0 {
		return true
	}
	units := n >> 1
	i := p.index(units)
	if i == p.index(units+1) {
		return true
	}
	at := p.alloc(i + 1)
	if at == 0 {
		return false
	}
	old := p.states(c)
	copy(p.mem[at:at+units*ppmdUnit], p.mem[old:])
	p.insert(old, i)
	p.setStates(c, at)
	return true
}

// grow makes a context of one state for each order in which the symbol's
// successor is still text. hint is the symbol's state in the next shorter
// context, where it is known (variant I).
func (p *ppmd) grow(skip bool, hint, c uint32) uint32 {
	branch, symbol := p.successor(p.found), p.symbol(p.found)
	var open [ppmdMaxOrder + 1]uint32
	n := 0
	if !skip {
		open[n] = p.found
		n++
	}
	for p.suffix(c) != 0 {
		c = p.suffix(c)
		s := hint
		if hint = 0; s == 0 || !p.isI {
			s = p.find(c, symbol)
			p.nudge(c, s)
		}
		if to := p.successor(s); to != branch {
			c = to
			if n == 0 {
				return c
			}
			break
		}
		open[n] = s
		n++
	}
	first := p.mem[branch]
	flags := byte(highBit(symbol))<<1 | byte(highBit(first))
	freq := p.inherit(c, first)
	for n > 0 {
		made := p.allocContext()
		if made == 0 {
			return 0
		}
		p.mem[made+1] = 0
		p.setCount(made, 1)
		if p.isI {
			p.setFlags(made, flags)
		}
		p.putState(p.only(made), first, freq, branch+1)
		p.setSuffix(made, c)
		n--
		p.setSuccessor(open[n], made)
		c = made
	}
	return c
}

// nudge counts a symbol once more on the way, as variant I does.
func (p *ppmd) nudge(c, s uint32) {
	if !p.isI {
		return
	}
	f := p.freq(s)
	if p.count(c) == 1 {
		if f < 24 && p.count(p.suffix(c)) == 1 {
			p.setFreq(s, f+1)
		}
	} else if f < ppmdMaxFreq-9 {
		p.setFreq(s, f+1)
		p.addSum(c, 1)
	}
}

// inherit guesses the frequency of a new context's symbol from the shorter one.
func (p *ppmd) inherit(c uint32, symbol byte) uint32 {
	if p.count(c) == 1 {
		return p.freq(p.only(c))
	}
	f := p.freq(p.find(c, symbol)) - 1
	rest := p.sum(c) - p.count(c) - f
	if p.isI {
		rest++ // it counts states from none
	}
	switch {
	case 2*f <= rest:
		return 1 + add(5*f > rest, 1)
	case p.isI:
		return 1 + (f+2*rest-3)/rest
	}
	return 1 + (2*f+3*rest-1)/(2*rest)
}

// reduce finds the longest context in which the symbol leads somewhere
// (variant I). The states passed now lead into the text.
func (p *ppmd) reduce(hint, c uint32) uint32 {
	first, symbol := c, p.symbol(p.found)
	branch := p.text
	p.setSuccessor(p.found, branch)
	p.fall++
	s := uint32(0)
	for {
		if hint == 0 && p.suffix(c) == 0 {
			return c
		}
		c = p.suffix(c)
		if s, hint = hint, 0; s == 0 {
			s = p.find(c, symbol)
			p.praiseI(c, s)
		}
		if p.successor(s) != 0 {
			break
		}
		p.setSuccessor(s, branch)
		p.fall++
	}
	if p.successor(s) <= branch {
		found := p.found
		p.found = s
		p.setSuccessor(s, p.grow(false, 0, c))
		p.found = found
	}
	if p.fall == 1 && first == p.longest {
		p.setSuccessor(p.found, p.successor(s))
		p.text--
	}
	return p.successor(s)
}

func (p *ppmd) praiseI(c, s uint32) {
	f := p.freq(s)
	switch {
	case p.count(c) == 1 && f < 32:
		p.setFreq(s, f+1)
	case p.count(c) > 1 && f < ppmdMaxFreq-9:
		p.setFreq(s, f+2)
		p.addSum(c, 2)
	}
}
