package unpack

// lzhMaxLen is the longest prefix code in bits, lzhFast how many of them one
// look into the table decides: nearly all symbols of real text, in a table
// that stays in the first-level cache.
const (
	lzhMaxLen = 16
	lzhFast   = 10
)

// lzhSlow marks a table entry whose code is longer than lzhFast, or unused.
const lzhSlow = 0xffff

// lzhCode is a canonical prefix code: symbols of equal length in rising
// order, shorter codes first.
type lzhCode struct {
	table [1 << lzhFast]uint16 // symbol<<5 | length, by the next bits
	shift uint                 // 64 less the bits that table looks at
	limit [lzhMaxLen + 1]int   // first value beyond codes up to a length, in 16 bits
	skip  [lzhMaxLen + 1]int   // index into order of a length's first symbol, less its first code
	order []uint16             // symbols in the order of their codes
}

// single makes c a code of one symbol that costs no bits.
func (c *lzhCode) single(symbol int) {
	c.shift = 64
	c.table[0] = uint16(symbol << 5)
}

// build makes c the code of the given lengths, 0 meaning unused. It returns
// false when they ask for more codes than there are. Fewer are let pass:
// the missing ones fail when met.
func (c *lzhCode) build(lengths []uint8) bool {
	var count [lzhMaxLen + 1]int
	longest := uint(1)
	for _, l := range lengths {
		if l > lzhMaxLen {
			return false
		}
		count[l]++
		longest = max(longest, uint(l))
	}
	starts, ok := c.layOut(&count)
	if !ok {
		return false
	}
	c.arrange(lengths, starts)
	c.tabulate(&count, min(longest, lzhFast))
	return true
}

// layOut gives each length its span of codes and of places in order.
func (c *lzhCode) layOut(count *[lzhMaxLen + 1]int) (starts [lzhMaxLen + 1]int, ok bool) {
	code, index := 0, 0
	for l := 1; l <= lzhMaxLen; l++ {
		code <<= 1
		starts[l], c.skip[l] = index, index-code
		code += count[l]
		index += count[l]
		if code > 1<<l {
			return starts, false
		}
		c.limit[l] = code << (lzhMaxLen - l)
	}
	return starts, true
}

func (c *lzhCode) arrange(lengths []uint8, starts [lzhMaxLen + 1]int) {
	if cap(c.order) < len(lengths) {
		c.order = make([]uint16, len(lengths))
	}
	c.order = c.order[:len(lengths)]
	for symbol, l := range lengths {
		if l > 0 {
			c.order[starts[l]] = uint16(symbol)
			starts[l]++
		}
	}
}

func (c *lzhCode) tabulate(count *[lzhMaxLen + 1]int, bits uint) {
	c.shift = 64 - bits
	at, index := 0, 0
	for l := uint(1); l <= bits; l++ {
		for range count[l] {
			entry := c.order[index]<<5 | uint16(l)
			index++
			for end := at + 1<<(bits-l); at < end; at++ {
				c.table[at] = entry
			}
		}
	}
	for ; at < 1<<bits; at++ {
		c.table[at] = lzhSlow
	}
}

// next reads one symbol, -1 for a code that has none. 16 bits must be there.
func (c *lzhCode) next(r *lzhBits) int {
	entry := c.table[(r.acc>>c.shift)&(1<<lzhFast-1)]
	if entry == lzhSlow {
		return c.nextLong(r)
	}
	r.drop(uint(entry & 31))
	return int(entry >> 5)
}

func (c *lzhCode) nextLong(r *lzhBits) int {
	v := int(r.acc >> (64 - lzhMaxLen))
	for l := uint(lzhFast + 1); l <= lzhMaxLen; l++ {
		if v < c.limit[l] {
			r.drop(l)
			return int(c.order[v>>(lzhMaxLen-l)+c.skip[l]])
		}
	}
	return -1
}

// read is next for callers that do not fill r themselves.
func (c *lzhCode) read(r *lzhBits) int {
	if r.n < lzhMaxLen {
		r.fill()
	}
	return c.next(r)
}
