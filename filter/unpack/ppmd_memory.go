package unpack

// A free block is a node: in variant H a mark of 0, its units, the next node
// and the one before; in variant I a mark, the next node, its units.
const ppmdEmpty = 1<<32 - 1

func (p *ppmd) insert(at uint32, index int) {
	if p.isI {
		p.put32(at, ppmdEmpty)
		p.put32(at+4, p.free[index])
		p.put32(at+8, p.sizeOf[index])
	} else {
		p.put32(at, p.free[index])
	}
	p.free[index] = at
}

func (p *ppmd) remove(index int) uint32 {
	at := p.free[index]
	if p.isI {
		p.free[index] = p.u32(at + 4)
	} else {
		p.free[index] = p.u32(at)
	}
	return at
}

func (p *ppmd) index(units uint32) int { return int(p.indexOf[units-1]) }

// split frees what a block of one size has beyond another.
func (p *ppmd) split(at uint32, from, to int) {
	p.insertUnits(at+p.sizeOf[to]*ppmdUnit, p.sizeOf[from]-p.sizeOf[to])
}

// insertUnits frees a run that may have no block's size: as two blocks then.
func (p *ppmd) insertUnits(at, units uint32) {
	i := p.index(units)
	if p.sizeOf[i] != units {
		i--
		k := p.sizeOf[i]
		p.insert(at+k*ppmdUnit, int(units-k-1))
	}
	p.insert(at, i)
}

// alloc gives out a block, 0 when the memory is full.
func (p *ppmd) alloc(index int) uint32 {
	if p.free[index] != 0 {
		return p.remove(index)
	}
	if n := p.sizeOf[index] * ppmdUnit; n <= p.high-p.low {
		at := p.low
		p.low += n
		return at
	}
	return p.allocRare(index)
}

// allocContext gives out one unit, from the other end of the memory.
func (p *ppmd) allocContext() uint32 {
	if p.high != p.low {
		p.high -= ppmdUnit
		return p.high
	}
	if p.free[0] != 0 {
		return p.remove(0)
	}
	return p.allocRare(0)
}

func (p *ppmd) allocRare(index int) uint32 {
	if p.glue == 0 {
		if p.isI {
			p.glueI()
		} else {
			p.glueH()
		}
		if p.free[index] != 0 {
			return p.remove(index)
		}
	}
	for i := index + 1; i < ppmdSizes; i++ {
		if p.free[i] != 0 {
			at := p.remove(i)
			p.split(at, i, index)
			return at
		}
	}
	p.glue--
	n := p.sizeOf[index] * ppmdUnit
	if p.units-p.text <= n {
		return 0
	}
	p.units -= n
	return p.units
}

// shrink makes a block smaller, by a move where a free one fits.
func (p *ppmd) shrink(at, from, to uint32) uint32 {
	i, k := p.index(from), p.index(to)
	if i == k {
		return at
	}
	if p.free[k] != 0 {
		moved := p.remove(k)
		copy(p.mem[moved:moved+to*ppmdUnit], p.mem[at:])
		p.insert(at, i)
		return moved
	}
	p.split(at, i, k)
	return at
}

// glueH joins free blocks that touch, and sorts them into their lists again.
func (p *ppmd) glueH() {
	head := p.start + p.size
	last := head
	p.glue = 255
	for i := range p.free {
		at := p.free[i]
		p.free[i] = 0
		for at != 0 {
			next := p.u32(at)
			p.put16(at, 0)
			p.put16(at+2, p.sizeOf[i])
			p.put32(at+4, last)
			p.put32(last+8, at)
			last, at = at, next
		}
	}
	p.put16(head, 1)
	p.put32(head+4, last)
	p.put32(last+8, head)
	if p.low != p.high {
		p.put16(p.low, 1)
	}
	for at := last; at != head; at = p.u32(at + 4) {
		units := p.u16(at + 2)
		for {
			other := at + units*ppmdUnit
			if units += p.u16(other + 2); p.u16(other) != 0 || units >= 1<<16 {
				break
			}
			p.put32(p.u32(other+8)+4, p.u32(other+4))
			p.put32(p.u32(other+4)+8, p.u32(other+8))
			p.put16(at+2, units)
		}
	}
	for at := p.u32(head + 4); at != head; {
		next := p.u32(at + 4)
		p.refill(at, p.u16(at+2))
		at = next
	}
}

// refill frees a run of any length.
func (p *ppmd) refill(at, units uint32) {
	for ; units > 128; units, at = units-128, at+128*ppmdUnit {
		p.insert(at, ppmdSizes-1)
	}
	p.insertUnits(at, units)
}

// glueI does what glueH does for variant I.
func (p *ppmd) glueI() {
	p.glue = 1 << 13
	if p.low != p.high {
		p.put32(p.low, 0)
	}
	var joined []uint32
	for i := range p.free {
		at := p.free[i]
		p.free[i] = 0
		for at != 0 {
			if units := p.u32(at + 8); units != 0 {
				joined = append(joined, at)
				for other := at + units*ppmdUnit; p.u32(other) == ppmdEmpty; other = at + units*ppmdUnit {
					units += p.u32(other + 8)
					p.put32(other+8, 0)
				}
				p.put32(at+8, units)
			}
			at = p.u32(at + 4)
		}
	}
	for _, at := range joined {
		if units := p.u32(at + 8); units != 0 {
			p.refill(at, units)
		}
	}
}
