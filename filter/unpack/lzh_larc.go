package unpack

// larcS undoes -lzs-: a bit, then a byte or a place in a 2 KiB history with a
// length.
type larcS struct {
	in  lzhBits
	out int
}

// The places in LArc's histories are counted from where its buffer begins,
// and writing begins that much before the end.
const (
	lzsHistory, lzsLead = 2048, 17
	lz5History, lz5Lead = 4096, 18
)

func newLZS(in []byte) lzhDecoder { return &larcS{in: lzhBits{in: in}} }

func (d *larcS) unused() int { return d.in.left() }

func (d *larcS) fill(w *lzhWindow) error {
	for w.pos < w.stop {
		if d.in.get(1) == 1 {
			b := byte(d.in.get(8))
			if d.in.short() {
				return errLZHShort
			}
			w.put(b)
			d.out++
			continue
		}
		place, n := d.in.get(11), d.in.get(4)+2
		if d.in.short() {
			return errLZHShort
		}
		w.repeat(larcDistance(d.out-lzsLead-place, lzsHistory), n)
		d.out += n
	}
	return nil
}

// larcDistance brings a difference of places into 1 to history.
func larcDistance(diff, history int) int { return (diff-1)&(history-1) + 1 }

// larc5 undoes -lz5-: flag bits in bytes of their own, the low bit first, then
// a byte, or a place in a 4 KiB history with a length in two.
type larc5 struct {
	in    []byte
	pos   int
	flags int // from the low bit; a one above them marks their end
	out   int
}

func newLZ5(in []byte) lzhDecoder { return &larc5{in: in, flags: 1} }

func (d *larc5) unused() int { return len(d.in) - d.pos }

func (d *larc5) fill(w *lzhWindow) error {
	for w.pos < w.stop {
		if d.flags == 1 {
			if d.pos == len(d.in) {
				return errLZHShort
			}
			d.flags = int(d.in[d.pos]) | 0x100
			d.pos++
		}
		plain := d.flags & 1
		if d.pos+2-plain > len(d.in) {
			return errLZHShort
		}
		d.flags >>= 1
		if plain == 1 {
			w.put(d.in[d.pos])
			d.pos++
			d.out++
			continue
		}
		d.run(w, int(d.in[d.pos]), int(d.in[d.pos+1]))
	}
	return nil
}

func (d *larc5) run(w *lzhWindow, low, high int) {
	n := high&0x0f + lzhMinRun
	w.repeat(larcDistance(d.out-lz5Lead-(low|high&0xf0<<4), lz5History), n)
	d.pos += 2
	d.out += n
}

// larcHistory is what -lz5- finds before its first byte: a run of each byte
// value, all values up and down, zeros, blanks; the lead holds zeros.
func larcHistory(b []byte) {
	at := lz5Lead
	for v := range 256 {
		for range 13 {
			b[at] = byte(v)
			at++
		}
	}
	for v := range 256 {
		b[at+v], b[at+256+v] = byte(v), byte(255-v)
	}
	at += 512
	clear(b[at : at+128])
	blankLZH(b[at+128:])
}
