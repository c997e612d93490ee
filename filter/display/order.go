package display

import (
	"slices"

	"golang.org/x/text/unicode/bidi"
)

// maxDepth is UAX #9's max_depth (BD2).
const maxDepth = 125

// maxOrdered bounds the runes that are put in display order.
const maxOrdered = 4096

// status is one entry of the directional status stack (UAX #9 §3.3.2).
type status struct {
	level    int8
	override bidi.Class // bidi.ON when there is none
	isolate  bool
}

// paragraph is one name under the algorithm of UAX #9 in a paragraph that
// runs left to right, as lists of files do in Japanese and English programs.
type paragraph struct {
	runes   []rune
	classes []bidi.Class
	levels  []int8
	removed []bool // X9
	match   []int  // the isolate initiator of a PDI, else -1
	stack   []status
	open    []int // isolate initiators not yet closed, -1 for overflow
	// overflowIsolates, overflowEmbeds and valid are X1's counters.
	overflowIsolates, overflowEmbeds, valid int
}

// Ordered returns the runes in the order in which they are shown, mirrored
// where the direction asks for it, without the characters that X9 removes.
func Ordered(runes []rune) []rune {
	if !slices.ContainsFunc(runes, rightToLeft) {
		return runes
	}
	if len(runes) > maxOrdered {
		runes = runes[:maxOrdered]
	}
	p := newParagraph(runes)
	for i := range p.runes {
		p.explicit(i)
	}
	for _, seq := range p.sequences() {
		p.resolve(seq)
	}
	return p.visual()
}

// rightToLeft says that r can change the order of display.
func rightToLeft(r rune) bool {
	if r < 0x0590 {
		return false
	}
	switch class(r) {
	case bidi.R, bidi.AL, bidi.AN, bidi.RLO, bidi.RLE, bidi.RLI, bidi.LRO, bidi.LRE, bidi.LRI, bidi.FSI:
		return true
	}
	return false
}

func class(r rune) bidi.Class {
	props, _ := bidi.LookupRune(r)
	return props.Class()
}

func newParagraph(runes []rune) *paragraph {
	p := &paragraph{
		runes: runes, classes: make([]bidi.Class, len(runes)), levels: make([]int8, len(runes)),
		removed: make([]bool, len(runes)), match: make([]int, len(runes)),
		stack: []status{{override: bidi.ON}},
	}
	for i, r := range runes {
		p.classes[i], p.match[i] = class(r), -1
	}
	return p
}

func (p *paragraph) top() status { return p.stack[len(p.stack)-1] }

// explicit carries out X2 to X8 for the i-th character.
func (p *paragraph) explicit(i int) {
	p.levels[i] = p.top().level
	switch c := p.classes[i]; c {
	case bidi.RLE, bidi.LRE, bidi.RLO, bidi.LRO:
		p.removed[i] = true
		p.embed(c)
	case bidi.RLI, bidi.LRI, bidi.FSI:
		p.isolate(i, c)
	case bidi.PDI:
		p.endIsolate(i)
	case bidi.PDF:
		p.removed[i] = true
		p.endEmbed()
	case bidi.BN:
		p.removed[i] = true
	default:
		p.override(i)
	}
}

// override is the second half of X6 and X5a.
func (p *paragraph) override(i int) {
	if o := p.top().override; o != bidi.ON {
		p.classes[i] = o
	}
}

// next is the least level above the current one with the wanted parity.
func (p *paragraph) next(rtl bool) int8 {
	level := p.top().level
	if rtl {
		return (level + 1) | 1
	}
	return (level + 2) &^ 1
}

// embed is X2 to X5.
func (p *paragraph) embed(c bidi.Class) {
	level := p.next(c == bidi.RLE || c == bidi.RLO)
	if level > maxDepth || p.overflowIsolates > 0 || p.overflowEmbeds > 0 {
		if p.overflowIsolates == 0 {
			p.overflowEmbeds++
		}
		return
	}
	s := status{level: level, override: bidi.ON}
	switch c {
	case bidi.RLO:
		s.override = bidi.R
	case bidi.LRO:
		s.override = bidi.L
	}
	p.stack = append(p.stack, s)
}

// isolate is X5a to X5c.
func (p *paragraph) isolate(i int, c bidi.Class) {
	rtl := c == bidi.RLI || c == bidi.FSI && firstStrong(p.runes[i+1:])
	p.override(i)
	level := p.next(rtl)
	if level > maxDepth || p.overflowIsolates > 0 || p.overflowEmbeds > 0 {
		p.overflowIsolates++
		return
	}
	p.valid++
	p.open = append(p.open, i)
	p.stack = append(p.stack, status{level: level, override: bidi.ON, isolate: true})
}

// firstStrong says that the first strong character up to the matching PDI
// runs from right to left (P2, P3).
func firstStrong(runes []rune) bool {
	depth := 0
	for _, r := range runes {
		switch class(r) {
		case bidi.RLI, bidi.LRI, bidi.FSI:
			depth++
		case bidi.PDI:
			if depth--; depth < 0 {
				return false
			}
		case bidi.L:
			if depth == 0 {
				return false
			}
		case bidi.R, bidi.AL:
			if depth == 0 {
				return true
			}
		}
	}
	return false
}

// endIsolate is X6a.
func (p *paragraph) endIsolate(i int) {
	switch {
	case p.overflowIsolates > 0:
		p.overflowIsolates--
	case p.valid > 0:
		p.overflowEmbeds = 0
		for !p.top().isolate {
			p.stack = p.stack[:len(p.stack)-1]
		}
		p.stack = p.stack[:len(p.stack)-1]
		p.valid--
		p.match[i] = p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
	}
	p.levels[i] = p.top().level
	p.override(i)
}

// endEmbed is X7.
func (p *paragraph) endEmbed() {
	switch {
	case p.overflowIsolates > 0:
	case p.overflowEmbeds > 0:
		p.overflowEmbeds--
	case !p.top().isolate && len(p.stack) > 1:
		p.stack = p.stack[:len(p.stack)-1]
	}
}

// visual carries out L2 and L4.
func (p *paragraph) visual() []rune {
	kept := make([]int, 0, len(p.runes))
	high := int8(0)
	for i := range p.runes {
		if !p.removed[i] {
			kept = append(kept, i)
			high = max(high, p.levels[i])
		}
	}
	for level := high; level > 0; level-- {
		p.reverse(kept, level)
	}
	out := make([]rune, len(kept))
	for n, i := range kept {
		out[n] = mirrored(p.runes[i], p.levels[i])
	}
	return out
}

// reverse turns round each run of characters at level or above.
func (p *paragraph) reverse(order []int, level int8) {
	for from := 0; from < len(order); from++ {
		to := from
		for to < len(order) && p.levels[order[to]] >= level {
			to++
		}
		if to > from {
			slices.Reverse(order[from:to])
			from = to
		}
	}
}

var mirrors = map[rune]rune{
	'(': ')', ')': '(', '[': ']', ']': '[', '{': '}', '}': '{', '<': '>', '>': '<',
	'（': '）', '）': '（', '「': '」', '」': '「', '【': '】', '】': '【', '«': '»', '»': '«',
}

func mirrored(r rune, level int8) rune {
	if m, ok := mirrors[r]; ok && level&1 == 1 {
		return m
	}
	return r
}
