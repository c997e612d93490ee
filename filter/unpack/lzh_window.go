package unpack

import "io"

// lzhMaxRun is more than any method adds to its output at one step.
const lzhMaxRun = 1024

// lzhOut is how much is decoded between two moves of the window; a member said
// to be small makes do with less.
const (
	lzhOut      = 64 << 10
	lzhOutLeast = 16 << 10
)

// lzhWindow is what a decoder writes to and copies from: the last bytes out,
// then those that were not handed on yet.
type lzhWindow struct {
	buf   []byte
	dict  int // how far back a copy may reach
	pos   int // where the next byte goes
	taken int // up to where bytes were handed on
	stop  int // where the decoder may end its turn
}

// newLZHWindow makes a window for a member said to have size bytes.
func newLZHWindow(dict int, size int64, history func([]byte)) *lzhWindow {
	out := int(min(max(size, lzhOutLeast), lzhOut))
	w := &lzhWindow{buf: make([]byte, dict+out+lzhMaxRun), dict: dict, pos: dict, taken: dict}
	history(w.buf[:dict])
	return w
}

func (w *lzhWindow) put(b byte) {
	w.buf[w.pos] = b
	w.pos++
}

// repeat appends n bytes from dist bytes back. Methods whose distance is not
// bounded by its very encoding check it before.
func (w *lzhWindow) repeat(dist, n int) {
	from, to := w.buf[w.pos-dist:w.pos-dist+n], w.buf[w.pos:w.pos+n]
	w.pos += n
	if dist >= n {
		copy(to, from)
		return
	}
	for i := range to { // the run goes on into what it writes itself
		to[i] = from[i]
	}
}

// slide makes room, keeping what copies may reach.
func (w *lzhWindow) slide(left int64) {
	if w.pos > len(w.buf)-lzhMaxRun-1 {
		copy(w.buf, w.buf[w.pos-w.dict:w.pos])
		w.pos, w.taken = w.dict, w.dict
	}
	w.stop = int(min(int64(len(w.buf)-lzhMaxRun), int64(w.pos)+left))
}

// blankLZH is the history of most methods: blanks.
func blankLZH(b []byte) {
	if len(b) > 0 {
		b[0] = ' '
	}
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// lzhDecoder undoes one method. fill appends to w until w.stop is reached or
// passed by less than lzhMaxRun; bytes from before an error count.
type lzhDecoder interface {
	fill(w *lzhWindow) error
	unused() int // packed bytes not needed
}

// lzhReader reads the content of one member, left bytes of it.
type lzhReader struct {
	w    *lzhWindow
	dec  lzhDecoder
	left int64
	err  error
}

func (r *lzhReader) Read(p []byte) (int, error) {
	if r.w.taken == r.w.pos {
		if err := r.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.w.buf[r.w.taken:r.w.pos])
	r.w.taken += n
	return n, nil
}

func (r *lzhReader) more() error {
	if r.err != nil {
		return r.err
	}
	if r.left <= 0 {
		return io.EOF
	}
	r.w.slide(r.left)
	r.err = r.dec.fill(r.w)
	if over := int64(r.w.pos-r.w.taken) - r.left; over > 0 {
		r.w.pos -= int(over) // the last run goes past the declared end
	}
	r.left -= int64(r.w.pos - r.w.taken)
	if r.w.pos == r.w.taken {
		return r.err
	}
	return nil
}
