package display

import "golang.org/x/text/unicode/bidi"

// sequence is one isolating run sequence (UAX #9 BD13) by character index.
type sequence struct {
	at  []int
	sos bidi.Class
	eos bidi.Class
}

// sequences carries out X10's division: runs of one level, those round an
// isolate joined.
func (p *paragraph) sequences() []sequence {
	var out []sequence
	of := make([]int, len(p.runes)) // the sequence each character is in
	prev := -1
	for i := range p.runes {
		if p.removed[i] {
			continue
		}
		switch {
		case p.match[i] >= 0:
			of[i] = of[p.match[i]]
		case prev >= 0 && p.levels[prev] == p.levels[i] && !p.opens(prev, i):
			of[i] = of[prev]
		default:
			of[i] = len(out)
			out = append(out, sequence{sos: direction(max(p.levels[i], p.before(i)))})
		}
		out[of[i]].at = append(out[of[i]].at, i)
		prev = i
	}
	for n := range out {
		last := out[n].at[len(out[n].at)-1]
		out[n].eos = direction(max(p.levels[last], p.after(last)))
	}
	return out
}

// opens says that prev opens an isolate whose inside begins with i. Levels
// differ there, but for an override that met the depth limit.
func (p *paragraph) opens(prev, i int) bool {
	return p.match[i] < 0 && isolates(p.classes[prev]) && p.levels[prev] != p.levels[i]
}

func isolates(c bidi.Class) bool { return c == bidi.LRI || c == bidi.RLI || c == bidi.FSI }

// before is the level of the nearest kept character before i, 0 at the start.
func (p *paragraph) before(i int) int8 {
	for i--; i >= 0; i-- {
		if !p.removed[i] {
			return p.levels[i]
		}
	}
	return 0
}

// after is the level of the nearest kept character after i, 0 at the end and
// after an isolate that is never closed.
func (p *paragraph) after(i int) int8 {
	if isolates(class(p.runes[i])) {
		return 0
	}
	for i++; i < len(p.runes); i++ {
		if !p.removed[i] {
			return p.levels[i]
		}
	}
	return 0
}

func direction(level int8) bidi.Class {
	if level&1 == 1 {
		return bidi.R
	}
	return bidi.L
}

// resolve carries out W1 to I2 for one sequence. Bracket pairs (N0) are left
// out: they move a bracket, never a letter of the extension.
func (p *paragraph) resolve(s sequence) {
	p.marks(s)
	p.numbers(s)
	p.separators(s)
	p.latinNumbers(s)
	p.neutrals(s)
	for _, i := range s.at {
		p.levels[i] = implicit(p.classes[i], p.levels[i])
	}
}

// marks is W1.
func (p *paragraph) marks(s sequence) {
	prev := s.sos
	for _, i := range s.at {
		if p.classes[i] == bidi.NSM {
			p.classes[i] = prev
			if isolates(prev) || prev == bidi.PDI {
				p.classes[i] = bidi.ON
			}
		}
		prev = p.classes[i]
	}
}

// numbers is W2 and W3.
func (p *paragraph) numbers(s sequence) {
	strong := s.sos
	for _, i := range s.at {
		switch p.classes[i] {
		case bidi.L, bidi.R:
			strong = p.classes[i]
		case bidi.AL:
			strong, p.classes[i] = bidi.AL, bidi.R
		case bidi.EN:
			if strong == bidi.AL {
				p.classes[i] = bidi.AN
			}
		}
	}
}

// separators is W4 to W6.
func (p *paragraph) separators(s sequence) {
	for n := 1; n+1 < len(s.at); n++ {
		a, b := p.classes[s.at[n-1]], p.classes[s.at[n+1]]
		c := &p.classes[s.at[n]]
		if a == b && (a == bidi.EN && (*c == bidi.ES || *c == bidi.CS) || a == bidi.AN && *c == bidi.CS) {
			*c = a
		}
	}
	p.terminators(s)
	for _, i := range s.at {
		switch p.classes[i] {
		case bidi.ES, bidi.ET, bidi.CS:
			p.classes[i] = bidi.ON
		}
	}
}

// terminators is W5: a run of ET beside a number belongs to it.
func (p *paragraph) terminators(s sequence) {
	for n := 0; n < len(s.at); n++ {
		end := n
		for end < len(s.at) && p.classes[s.at[end]] == bidi.ET {
			end++
		}
		if end == n {
			continue
		}
		beside := n > 0 && p.classes[s.at[n-1]] == bidi.EN || end < len(s.at) && p.classes[s.at[end]] == bidi.EN
		for ; n < end; n++ {
			if beside {
				p.classes[s.at[n]] = bidi.EN
			}
		}
	}
}

// latinNumbers is W7.
func (p *paragraph) latinNumbers(s sequence) {
	strong := s.sos
	for _, i := range s.at {
		switch p.classes[i] {
		case bidi.L, bidi.R:
			strong = p.classes[i]
		case bidi.EN:
			if strong == bidi.L {
				p.classes[i] = bidi.L
			}
		}
	}
}

// neutrals is N1 and N2.
func (p *paragraph) neutrals(s sequence) {
	prev := s.sos
	for n := 0; n < len(s.at); n++ {
		if d, strong := strength(p.classes[s.at[n]]); strong {
			prev = d
			continue
		}
		end, next := p.nextStrong(s, n)
		dir := direction(p.levels[s.at[n]])
		if prev == next {
			dir = prev
		}
		for ; n < end; n++ {
			p.classes[s.at[n]] = dir
		}
		n--
	}
}

// nextStrong returns where the run of neutrals at n ends, and the direction
// that follows it.
func (p *paragraph) nextStrong(s sequence, n int) (int, bidi.Class) {
	for ; n < len(s.at); n++ {
		if d, strong := strength(p.classes[s.at[n]]); strong {
			return n, d
		}
	}
	return n, s.eos
}

// strength returns the direction of c as N1 sees it: numbers count as R.
func strength(c bidi.Class) (bidi.Class, bool) {
	switch c {
	case bidi.L:
		return bidi.L, true
	case bidi.R, bidi.EN, bidi.AN:
		return bidi.R, true
	}
	return bidi.ON, false
}

// implicit is I1 and I2.
func implicit(c bidi.Class, level int8) int8 {
	switch {
	case level&1 == 0 && c == bidi.R:
		return level + 1
	case level&1 == 0 && (c == bidi.EN || c == bidi.AN):
		return level + 2
	case level&1 == 1 && c != bidi.R:
		return level + 1
	}
	return level
}
