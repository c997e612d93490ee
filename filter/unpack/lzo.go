package unpack

// lzo undoes LZO1X: literals and matches whose first byte tells their form by
// its high bits, and whose last byte tells in two bits how many literals
// follow.
type lzo struct {
	in  []byte
	out []byte
	max int
}

// maxLZORun bounds a length that is written in zero bytes of 255 each.
const maxLZORun = 1 << 24

// unpackLZO unpacks one block of size bytes. What came before an error counts.
func unpackLZO(in []byte, size int) ([]byte, error) {
	d := &lzo{in: in, out: make([]byte, 0, min(size, 256*len(in)+64)), max: size}
	state := 0 // literals behind the last match, 4 for a long run of them
	if len(in) > 0 && in[0] > 17 {
		n := int(d.byte()) - 17
		if !d.literals(n) {
			return d.out, errLZO
		}
		state = min(n, 4)
	}
	for {
		if len(d.in) == 0 {
			return d.out, errLZHShort
		}
		ended, next, ok := d.step(state)
		switch {
		case !ok:
			return d.out, errLZO
		case ended:
			return d.out, nil
		}
		state = next
	}
}

func (d *lzo) byte() byte {
	if len(d.in) == 0 {
		return 0
	}
	b := d.in[0]
	d.in = d.in[1:]
	return b
}

// long reads a length that goes on in further bytes where its bits are zero.
func (d *lzo) long(v, mask int) int {
	if n := v & mask; n != 0 {
		return n
	}
	n := mask
	for len(d.in) > 0 && d.in[0] == 0 && n < maxLZORun {
		n += 255
		d.in = d.in[1:]
	}
	return n + int(d.byte())
}

func (d *lzo) literals(n int) bool {
	if n > len(d.in) || len(d.out)+n > d.max {
		return false
	}
	d.out = append(d.out, d.in[:n]...)
	d.in = d.in[n:]
	return true
}

func (d *lzo) match(dist, n int) bool {
	if dist > len(d.out) || len(d.out)+n > d.max {
		return false
	}
	for from := len(d.out) - dist; n > 0; n-- {
		d.out = append(d.out, d.out[from])
		from++
	}
	return true
}

// step undoes one instruction and the literals behind it.
func (d *lzo) step(state int) (ended bool, next int, ok bool) {
	v := int(d.byte())
	dist, n, tail := 0, 0, v&3
	switch {
	case v < 16 && state == 0: // a run of literals
		return false, 4, d.literals(d.long(v, 15) + 3)
	case v < 16 && state < 4:
		dist, n = v>>2+int(d.byte())<<2+1, 2
	case v < 16:
		dist, n = v>>2+int(d.byte())<<2+2049, 3
	case v < 64:
		mask, far := 31, 1
		if v < 32 {
			mask, far = 7, v&8<<11+16384
		}
		n = d.long(v, mask) + 2
		low := int(d.byte()) | int(d.byte())<<8
		dist, tail = far+low>>2, low&3
		if v < 32 && dist == 16384 {
			return true, 0, true
		}
	default:
		n = v>>5 + 1
		dist = v>>2&7 + int(d.byte())<<3 + 1
	}
	return false, tail, d.match(dist, n) && d.literals(tail)
}
