package specimen

import "slices"

// prefixMost is the longest code that LHA reads.
const prefixMost = 16

// prefixCode is a canonical prefix code of symbols by how often they occur.
// single is the only symbol where there is but one (0 where there is none),
// which costs no bits; else -1.
type prefixCode struct {
	single  int
	lengths []int
	codes   []int
}

func newPrefixCode(freq []int) prefixCode {
	var symbols []int
	for s, n := range freq {
		if n > 0 {
			symbols = append(symbols, s)
		}
	}
	switch len(symbols) {
	case 0:
		return prefixCode{single: 0}
	case 1:
		return prefixCode{single: symbols[0]}
	}
	lengths := prefixLengths(freq, symbols)
	return prefixCode{single: -1, lengths: lengths, codes: prefixCodes(lengths)}
}

// prefixLengths merges the rarest two until one is left (Huffman 1952). Where
// that makes a code too long, counts are levelled and it begins anew.
func prefixLengths(freq, symbols []int) []int {
	type node struct {
		weight int
		holds  []int
	}
	lengths := make([]int, len(freq))
	nodes := make([]node, 0, len(symbols))
	for _, s := range symbols {
		nodes = append(nodes, node{freq[s], []int{s}})
	}
	for len(nodes) > 1 {
		slices.SortStableFunc(nodes, func(a, b node) int { return a.weight - b.weight })
		merged := node{nodes[0].weight + nodes[1].weight, append(nodes[0].holds, nodes[1].holds...)}
		for _, s := range merged.holds {
			lengths[s]++
		}
		nodes = append(nodes[2:], merged)
	}
	if slices.Max(lengths) <= prefixMost {
		return lengths
	}
	flat := make([]int, len(freq))
	for _, s := range symbols {
		flat[s] = freq[s]/2 + 1
	}
	return prefixLengths(flat, symbols)
}

// prefixCodes gives codes in rising order, shorter ones first.
func prefixCodes(lengths []int) []int {
	codes := make([]int, len(lengths))
	code := 0
	for l := 1; l <= prefixMost; l++ {
		code <<= 1
		for s, have := range lengths {
			if have == l {
				codes[s] = code
				code++
			}
		}
	}
	return codes
}

func (c prefixCode) write(w *bitWriter, symbol int) {
	if c.single < 0 {
		w.put(c.codes[symbol], uint(c.lengths[symbol]))
	}
}
