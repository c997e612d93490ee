package part

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Bounds of the search for further authors; an honest message has none.
const (
	mostOthers = 16
	mostTexts  = 32
	mostFields = 8
	// mostRead bounds the bytes of one field that are split in other ways;
	// the usual way reads it whole. Programs show a fraction of it.
	mostRead = 16 << 10
)

// hiddenFrom is the name we give a From field that only lenient programs see:
// the colon or the indent is not where it belongs.
const hiddenFrom = "hidden from"

// concealedFrom finds a From field in a line that is none by the standard.
func concealedFrom(line []byte) (field, bool) {
	name, value, ok := bytes.Cut(bytes.TrimLeft(line, " \t"), []byte(":"))
	if !ok || !strings.EqualFold(string(bytes.TrimRight(name, " \t")), "from") || bytes.IndexByte(value, '@') < 0 {
		return field{}, false
	}
	return field{hiddenFrom, value}, true
}

// others gathers the authors that some program reads where most do not. Which
// shapes fool which program: Chen, Paxson, Jiang, "Composition Kills" (2020).
type others struct {
	known map[string]bool // domains that need no further word
	out   []Address
}

// otherAuthors returns the authors that From can be read to name beside from:
// split at another quote, bracket, comment, sign or NUL, decoded before it is
// split, or standing in a field that only repair makes a From field.
func otherAuthors(h *header, from []Address) []Address {
	o := others{known: map[string]bool{}}
	plain := false
	for _, a := range from {
		if sane(a.Domain) {
			o.known[a.Domain], plain = true, true
		}
	}
	names := []string{"from", hiddenFrom}
	if !plain { // RFC 5322 §3.6.2 has no such message; programs show these instead
		names = append(names, "sender", "resent-from", "resent-sender")
	}
	for _, name := range names {
		values := h.all(name)
		for _, v := range values[:min(len(values), mostFields)] {
			o.field(v)
		}
	}
	return o.out
}

func (o *others) field(value []byte) {
	if len(value) > mostRead {
		value = slices.Concat(value[:mostRead/2], value[len(value)-mostRead/2:])
	}
	for _, text := range authorTexts(value) {
		for _, split := range []splitting{{}, {escapes: true}, {flat: unclosed(text)}} {
			r := addressReader{s: text, splitting: split}
			r.read(mostOthers)
			for _, a := range r.out {
				o.address(a)
			}
			for _, word := range strings.Fields(r.behind.String()) {
				o.address(Address{Addr: word})
			}
		}
	}
}

// authorTexts are the texts that programs split into addresses: as it stands,
// folds taken out whole, words decoded first, with and without what stands
// between control characters.
func authorTexts(value []byte) []string {
	plain := unfold(value)
	out := []string{plain}
	if s := legible(plain); s != plain {
		out = append(out, s)
	}
	if s := squeeze(value); s != plain {
		out = append(out, s)
	}
	if strings.Contains(plain, "=?") {
		decoded, _, _ := decodeWords(plain)
		out = append(out, decoded)
	}
	for _, s := range out[:len(out):len(out)] {
		if strings.IndexFunc(s, unprinted) >= 0 {
			pieces := strings.FieldsFunc(s, unprinted)
			out = append(append(out, strings.Join(pieces, "")), pieces...)
		}
	}
	for _, s := range out[:len(out):len(out)] {
		if wide := norm.NFKC.String(s); wide != s && strings.Count(wide, "@") > strings.Count(s, "@") {
			out = append(out, wide)
		}
	}
	return out[:min(len(out), mostTexts)]
}

// unprinted says that r ends a text for some programs and is passed over by
// others.
func unprinted(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// unclosed says that a quote or comment of text never ends: what ends it is
// every program's own choice.
func unclosed(text string) bool {
	r := addressReader{s: text}
	r.read(mostOthers)
	return r.open
}

// address keeps every domain that a program may take the author's to be: behind
// each sign, up to a character that no domain has.
func (o *others) address(a Address) {
	for i := 0; i < len(a.Addr) && len(o.out) < mostOthers; i++ {
		if a.Addr[i] != '@' {
			continue
		}
		rest := a.Addr[i+1:]
		if end := strings.IndexFunc(rest, notInDomain); end >= 0 {
			rest = rest[:end]
		}
		domain := strings.Trim(strings.ToLower(rest), ".")
		if !sane(domain) || o.known[domain] {
			continue
		}
		o.known[domain] = true
		local := a.Addr[strings.LastIndexAny(a.Addr[:i], "<>,;:@\" ")+1 : i]
		o.out = append(o.out, Address{Name: a.Name, Addr: local + "@" + rest, Domain: domain})
	}
}

// sane says that domain is one that mail can come from.
func sane(domain string) bool {
	return strings.IndexByte(domain, '.') > 0 && strings.IndexFunc(domain, notInDomain) < 0
}

// notInDomain says that r ends a domain: all of ASCII but letters, digits,
// hyphen, dot and the underscore that some hosts have.
func notInDomain(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
		return false
	}
	return r < 0x80 || r == '\u3000' || r == '\uFFFD'
}
