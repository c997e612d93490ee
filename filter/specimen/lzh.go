package specimen

import (
	"bytes"
	"encoding/binary"
)

// LZH returns an LZH archive of members, with CP932 names as the Japanese
// Windows archivers write them and an end mark.
func LZH(members ...Member) []byte {
	var out []byte
	for _, m := range members {
		method, packed := "-lh5-", packLH5(m.Data)
		if m.Method == "-lh0-" {
			method, packed = m.Method, m.Data
		}
		out = append(out, lzhHeader(m, method, len(packed))...)
		out = append(out, packed...)
	}
	return append(out, 0)
}

// The time of all members, 2015-05-08 10:28: in DOS form, and in seconds of 1970.
const (
	dosTime  = (2015-1980)<<25 | 5<<21 | 8<<16 | 10<<11 | 28<<5
	unixTime = 1431048480
)

func lzhHeader(m Member, method string, packed int) []byte {
	name := m.Raw
	if name == nil {
		name = cp932(m.Name)
	}
	crc := u16(int(crc16(m.Data)))
	switch m.Level {
	case 1:
		return lzhOld(method, packed, len(m.Data), 1, name, join(crc, []byte{'M'}, u16(0)))
	case 2:
		return lzhSized(method, packed, len(m.Data), name, crc)
	}
	return lzhOld(method, packed, len(m.Data), 0, name, crc)
}

// lzhOld is a header of level 0 or 1: a size of one byte, a sum of one byte.
func lzhOld(method string, packed, size, level int, name, tail []byte) []byte {
	body := join([]byte(method), u32(packed), u32(size), u32(dosTime), []byte{0x20, byte(level), byte(len(name))}, name, tail)
	sum := byte(0)
	for _, b := range body {
		sum += b
	}
	return join([]byte{byte(len(body)), sum}, body)
}

// lzhSized is a header of level 2, its name in an extended header and its own
// CRC in another.
func lzhSized(method string, packed, size int, name, crc []byte) []byte {
	fixed := join([]byte(method), u32(packed), u32(size), u32(unixTime), []byte{0x20, 2}, crc, []byte{'M'})
	named := join(u16(len(name)+3), []byte{0x01}, name)
	total := 2 + len(fixed) + 5 + len(named) + 2
	pad := []byte{}
	if total&0xff == 0 { // the first byte would be an end mark
		pad = []byte{0}
	}
	head := join(u16(total+len(pad)), fixed, u16(5), []byte{0x00, 0, 0}, named, u16(0), pad)
	binary.LittleEndian.PutUint16(head[2+len(fixed)+3:], crc16(head))
	return head
}

// crc16 is the checksum of LHA, the slow and plain way.
func crc16(b []byte) (crc uint16) {
	for _, v := range b {
		crc ^= uint16(v)
		for range 8 {
			crc = crc>>1 ^ 0xa001*(crc&1)
		}
	}
	return crc
}

// The figures of -lh5-: an 8 KiB history, runs of 3 to 256 bytes, blocks small
// enough for their 16-bit count.
const (
	lh5History = 8 << 10
	lh5Least   = 3
	lh5Most    = 256
	lh5Block   = 16 << 10
	lh5Symbols = 256 + lh5Most - lh5Least + 1
	lh5Dists   = 14
	lh5Lengths = 19
)

// lh5Item is a byte, or a run: its symbol, and how far back it reaches.
type lh5Item struct{ symbol, dist int }

// packLH5 packs data with -lh5-.
func packLH5(data []byte) []byte {
	var w bitWriter
	items := lh5Parse(data)
	for len(items) > 0 {
		n := min(len(items), lh5Block)
		writeLH5Block(&w, items[:n])
		items = items[n:]
	}
	return w.bytes()
}

// lh5Parse cuts data into bytes and runs, taking at each place the run that the
// last places with the same three bytes offer.
func lh5Parse(data []byte) (items []lh5Item) {
	const tries = 32
	latest := map[[lh5Least]byte]int{}
	before := make([]int, len(data))
	enter := func(at int) {
		if at+lh5Least <= len(data) {
			key := [lh5Least]byte(data[at:])
			before[at] = latest[key] - 1
			latest[key] = at + 1
		}
	}
	for at := 0; at < len(data); {
		enter(at)
		run, dist := 0, 0
		for from, n := before[at], 0; at+lh5Least <= len(data) && from >= 0 && at-from <= lh5History && n < tries; from, n = before[from], n+1 {
			if got := sameRun(data[from:], data[at:]); got > run {
				run, dist = got, at-from
			}
		}
		if run < lh5Least {
			items = append(items, lh5Item{symbol: int(data[at])})
			at++
			continue
		}
		items = append(items, lh5Item{symbol: 256 + run - lh5Least, dist: dist - 1})
		for next := at + 1; next < at+run; next++ {
			enter(next)
		}
		at += run
	}
	return items
}

// sameRun is the length of the run that a and b begin with; a may reach into b.
func sameRun(a, b []byte) int {
	n := 0
	for n < len(b) && n < lh5Most && a[n] == b[n] {
		n++
	}
	return n
}

// distCode is the number of bits of a distance, its symbol.
func distCode(dist int) (code int) {
	for ; dist > 0; dist >>= 1 {
		code++
	}
	return code
}

func writeLH5Block(w *bitWriter, items []lh5Item) {
	symbols, dists := make([]int, lh5Symbols), make([]int, lh5Dists)
	for _, it := range items {
		symbols[it.symbol]++
		if it.symbol >= 256 {
			dists[distCode(it.dist)]++
		}
	}
	symbolCode, dists2 := newPrefixCode(symbols), newPrefixCode(dists)
	w.put(len(items), 16)
	writeLH5Symbols(w, symbolCode)
	writeLH5Lengths(w, dists2, 4, -1)
	for _, it := range items {
		symbolCode.write(w, it.symbol)
		if it.symbol < 256 {
			continue
		}
		code := distCode(it.dist)
		dists2.write(w, code)
		if code > 1 {
			w.put(it.dist-1<<(code-1), uint(code-1))
		}
	}
}

// writeLH5Symbols writes the lengths of the symbols' code in a code of their
// own, in which 0, 1 and 2 stand for runs of unused symbols.
func writeLH5Symbols(w *bitWriter, c prefixCode) {
	if c.single >= 0 {
		w.put(0, 5) // the code of lengths: one symbol, which none will use
		w.put(0, 5)
		w.put(0, 9)
		w.put(c.single, 9)
		return
	}
	steps := lh5Steps(c.lengths)
	freq := make([]int, lh5Lengths)
	for _, s := range steps {
		freq[s.symbol]++
	}
	lengths := newPrefixCode(freq)
	writeLH5Lengths(w, lengths, 5, 3)
	w.put(used(c.lengths), 9)
	for _, s := range steps {
		lengths.write(w, s.symbol)
		switch s.symbol {
		case 1:
			w.put(s.zeros-3, 4)
		case 2:
			w.put(s.zeros-20, 9)
		}
	}
}

// lh5Step is the length of one symbol, or a run of unused ones.
type lh5Step struct{ symbol, zeros int }

func lh5Steps(lengths []int) (steps []lh5Step) {
	n := used(lengths)
	for i := 0; i < n; {
		if lengths[i] > 0 {
			steps = append(steps, lh5Step{symbol: lengths[i] + 2})
			i++
			continue
		}
		zeros := 0
		for i < n && lengths[i] == 0 {
			zeros++
			i++
		}
		steps = append(steps, zeroSteps(zeros)...)
	}
	return steps
}

// zeroSteps covers a run of unused symbols: 1 or 2 singly, 3 to 18, 20 and more.
func zeroSteps(zeros int) (steps []lh5Step) {
	switch {
	case zeros < 3:
		for range zeros {
			steps = append(steps, lh5Step{symbol: 0, zeros: 1})
		}
	case zeros < 19:
		steps = append(steps, lh5Step{symbol: 1, zeros: zeros})
	case zeros == 19:
		steps = append(steps, lh5Step{symbol: 0, zeros: 1}, lh5Step{symbol: 1, zeros: 18})
	default:
		steps = append(steps, lh5Step{symbol: 2, zeros: zeros})
	}
	return steps
}

// writeLH5Lengths writes the lengths of a small code as numbers; after the one
// before gap, two bits tell how many zeros are left out.
func writeLH5Lengths(w *bitWriter, c prefixCode, field uint, gap int) {
	if c.single >= 0 {
		w.put(0, field)
		w.put(c.single, field)
		return
	}
	n := used(c.lengths)
	w.put(n, field)
	for i := 0; i < n; {
		l := c.lengths[i]
		w.put(min(l, 7), 3)
		if l >= 7 {
			w.put(1<<(l-6)-2, uint(l-6)) // ones, then a zero
		}
		if i++; i == gap {
			zeros := 0
			for zeros < 3 && i < n && c.lengths[i] == 0 {
				zeros++
				i++
			}
			w.put(zeros, 2)
		}
	}
}

// used is the number of symbols up to the last with a code.
func used(lengths []int) int {
	n := len(lengths)
	for n > 0 && lengths[n-1] == 0 {
		n--
	}
	return n
}

// bitWriter writes bits, the high bit of each byte first.
type bitWriter struct {
	out  bytes.Buffer
	acc  uint64
	bits uint
}

func (w *bitWriter) put(v int, n uint) {
	w.acc = w.acc<<n | uint64(v)&(1<<n-1)
	w.bits += n
	for w.bits >= 8 {
		w.bits -= 8
		w.out.WriteByte(byte(w.acc >> w.bits))
	}
}

func (w *bitWriter) bytes() []byte {
	if w.bits > 0 {
		w.put(0, 8-w.bits)
	}
	return w.out.Bytes()
}
