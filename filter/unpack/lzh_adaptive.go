package unpack

// lzhHalve is the count at which an adaptive tree halves all its counts.
const lzhHalve = 0x8000

// lzhTree is the adaptive prefix code of LHarc: its nodes stand in the order
// of how often they were met, the root first, and the two children of a node
// side by side. Each symbol read moves its nodes forward.
type lzhTree struct {
	freq   []int
	child  []int // the child for bit 0, the one for bit 1 stands before it; a leaf holds ^symbol
	parent []int
	leaf   []int // where a symbol stands
	end    int   // nodes in use
	total  int
}

func newLZHTree(symbols int) *lzhTree {
	nodes := 2*symbols + 1
	return &lzhTree{freq: make([]int, nodes), child: make([]int, nodes), parent: make([]int, nodes), leaf: make([]int, symbols)}
}

// full gives every symbol the count one.
func (t *lzhTree) full() *lzhTree {
	n := len(t.leaf)
	t.end, t.total = 2*n-1, n
	for s := range n {
		at := t.end - 1 - s
		t.freq[at], t.child[at], t.leaf[s] = 1, ^s, at
	}
	for at, kid := n-2, t.end-1; at >= 0; at, kid = at-1, kid-2 {
		t.freq[at] = t.freq[kid] + t.freq[kid-1]
		t.child[at] = kid
		t.parent[kid], t.parent[kid-1] = at, at
	}
	return t
}

// first starts a tree that knows symbol 0 alone and grows.
func (t *lzhTree) first() *lzhTree {
	t.end, t.freq[0], t.child[0], t.leaf[0] = 1, 1, ^0, 0
	return t
}

// grow adds a symbol: the last leaf becomes a node above itself and the new one.
func (t *lzhTree) grow(symbol int) {
	last := t.end - 1
	moved, fresh := last+1, last+2
	t.freq[moved], t.freq[fresh] = t.freq[last], 0
	t.setLeaf(moved, t.child[last])
	t.setLeaf(fresh, ^symbol)
	t.child[last] = fresh
	t.parent[moved], t.parent[fresh] = last, last
	t.end += 2
	t.met(symbol)
}

func (t *lzhTree) setLeaf(at, leaf int) { t.child[at], t.leaf[^leaf] = leaf, at }

// next reads one symbol and counts it.
func (t *lzhTree) next(r *lzhBits) int {
	at := t.child[0]
	for at >= 0 {
		if r.n == 0 {
			r.fill()
		}
		at = t.child[at-int(r.acc>>63)]
		r.drop(1)
	}
	t.met(^at)
	return ^at
}

// met counts a symbol: each node on its way up changes places with the first
// of those that were met as often, so that the order holds.
func (t *lzhTree) met(symbol int) {
	if t.total == lzhHalve {
		t.halve()
	}
	t.total++
	for at := t.leaf[symbol]; at != 0; at = t.parent[at] {
		lead := at
		for lead > 1 && t.freq[lead-1] == t.freq[at] {
			lead--
		}
		if lead != at {
			t.swap(at, lead)
			at = lead
		}
		t.freq[at]++
	}
}

func (t *lzhTree) swap(a, b int) {
	t.child[a], t.child[b] = t.child[b], t.child[a]
	t.adopt(a)
	t.adopt(b)
}

// adopt tells what hangs below a node where it is now.
func (t *lzhTree) adopt(at int) {
	if kid := t.child[at]; kid >= 0 {
		t.parent[kid], t.parent[kid-1] = at, at
	} else {
		t.leaf[^kid] = at
	}
}

// halve halves the counts of the leaves, rounding up, and builds the tree anew
// from the rarest up.
func (t *lzhTree) halve() {
	freq, child := t.halved()
	rest := len(freq) - 1
	at := t.end - 1
	take := func() {
		t.freq[at], t.child[at] = freq[rest], child[rest]
		at--
		rest--
	}
	for kid := t.end - 1; at >= 0; kid -= 2 {
		for rest >= 0 && at >= kid-1 {
			take()
		}
		if at < 0 {
			break
		}
		sum := t.freq[kid] + t.freq[kid-1]
		for rest >= 0 && freq[rest] <= sum {
			take()
		}
		t.freq[at], t.child[at] = sum, kid
		at--
	}
	for at := range t.end {
		t.adopt(at)
	}
	t.total = t.freq[0]
}

// halved lists the leaves in the order of the tree.
func (t *lzhTree) halved() (freq, child []int) {
	for at := range t.end {
		if t.child[at] < 0 {
			freq = append(freq, (t.freq[at]+1)/2)
			child = append(child, t.child[at])
		}
	}
	return freq, child
}
