package part

import (
	"slices"
	"strconv"
	"strings"

	"sekisho/filter/charset"
)

// segment is one piece of a parameter that was cut by RFC 2231 §3.
type segment struct {
	number int
	coded  bool // the key ended in '*': percent-coded
	value  string
}

// segments picks the pieces of key out of params, in the order they stand.
func segments(params []param, key string) []segment {
	key += "*"
	n := 0
	for _, p := range params {
		if strings.HasPrefix(p.key, key) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	out := make([]segment, 0, n)
	for _, p := range params {
		rest, ok := strings.CutPrefix(p.key, key)
		if !ok || len(p.vals) == 0 {
			continue
		}
		digits := strings.TrimSuffix(rest, "*")
		number, err := strconv.Atoi(digits)
		if digits == "" {
			continue // key* alone: a whole value
		}
		if err != nil {
			number = len(out)
		}
		out = append(out, segment{number, strings.HasSuffix(rest, "*"), p.vals[0]})
	}
	return out
}

// assemblies puts the pieces together in every way that a mail program does.
func assemblies(segs []segment) [][]segment {
	if len(segs) == 0 {
		return nil
	}
	sorted := slices.Clone(segs)
	slices.SortStableFunc(sorted, func(a, b segment) int { return a.number - b.number })
	first := slices.CompactFunc(slices.Clone(sorted), func(a, b segment) bool { return a.number == b.number })
	out := [][]segment{first}
	if len(first) != len(sorted) {
		out = append(out, lastOfEach(sorted), sorted)
	}
	if !slices.Equal(segs, sorted) {
		out = append(out, segs)
	}
	if n := contiguous(first); n < len(first) {
		out = append(out, first[:n])
	}
	return out
}

func lastOfEach(sorted []segment) []segment {
	var out []segment
	for i, s := range sorted {
		if i+1 == len(sorted) || sorted[i+1].number != s.number {
			out = append(out, s)
		}
	}
	return out
}

// contiguous counts the pieces up to the first gap.
func contiguous(segs []segment) int {
	for i, s := range segs {
		if s.number != segs[0].number+i {
			return i
		}
	}
	return len(segs)
}

// joinSegments decodes one assembly: percent coding undone and joined, then
// decoded; each piece decoded on its own; every piece taken as coded.
func joinSegments(segs []segment) (texts []string, label string) {
	total := 0
	for _, s := range segs {
		total += len(s.value)
	}
	whole, all := make([]byte, 0, total), make([]byte, 0, total)
	var each strings.Builder
	each.Grow(total)
	alone := true
	for i, s := range segs {
		value := s.value
		if i == 0 {
			label, value = splitCharset(value)
		}
		piece := []byte(value)
		if s.coded {
			piece = percent(value)
		}
		whole = append(whole, piece...)
		all = append(all, percent(value)...)
		if alone {
			text, ok := charset.Decode(piece, label)
			each.WriteString(text)
			alone = ok
		}
	}
	texts = []string{inCharset(whole, label)}
	if alone {
		texts = append(texts, each.String())
	}
	return append(texts, inCharset(all, label)), label
}

// splitCharset takes charset'language' off the front of an extended value. Some
// senders put it in quotes of its own.
func splitCharset(value string) (label, rest string) {
	label, tail, ok := strings.Cut(value, "'")
	if !ok || len(label) > 40 {
		return "", value
	}
	_, rest, ok = strings.Cut(tail, "'")
	if !ok {
		return "", value
	}
	return strings.ToLower(strings.Trim(label, "\" ")), rest
}

// inCharset decodes b as label says, or as it seems to be where that fails.
func inCharset(b []byte, label string) string {
	if text, found := charset.Mislabelled(b, label); found {
		return text
	}
	if label != "" {
		if text, ok := charset.Decode(b, label); ok {
			return text
		}
	}
	text, _ := charset.Guess(b)
	return text
}

// percent undoes percent coding; what is not coded stays.
func percent(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if c, ok := hexByte(s[i+1:]); ok {
				out = append(out, c)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}
