package rule

import (
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"sekisho/filter/finding"
)

// matcher is a `match:` or `except:` of plain keys. All keys must hold; those
// about an entity must hold of the same entity, those about a link of the
// same link.
type matcher struct {
	node    *yaml.Node
	need    need // of what subject asks
	subject []func(*subject) bool
	link    []func(*Link) bool
	message []func(*Facts) bool
}

// matchKeys are the plain matchers, in the order of the manual.
var matchKeys = []string{
	"finding", "evidence", "ext", "type", "media_type", "named", "encrypted", "unread", "depth",
	"host", "scheme", "link_ext",
	"kind", "inside", "author", "spf", "dmarc", "dmarc_policy",
}

// results are the words of RFC 8601 §2.7 that our checks give.
var results = []string{"pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"}

var policies = []string{"none", "quarantine", "reject"}

func (l *loader) matcher(src *source, node *yaml.Node) *matcher {
	m := l.mapping(src, node, matchKeys)
	out := &matcher{node: node}
	l.findingMatcher(m, out)
	l.entityMatchers(m, out)
	l.linkMatchers(m, out)
	l.messageMatchers(m, out)
	if len(node.Content) == 0 && node.Kind == yaml.MappingNode {
		l.fail(src, node, "there is nothing to match", "")
	}
	return out
}

func (l *loader) findingMatcher(m *mapping, out *matcher) {
	kinds := l.kinds(m)
	evidence := l.evidence(m)
	if kinds == nil {
		if m.has("evidence") {
			l.fail(m.src, m.at("evidence"), "evidence: without finding:", "name the finding whose evidence it is")
		}
		return
	}
	out.need = func(f *Facts) bool { return f.hasKind(kinds) }
	out.subject = append(out.subject, func(s *subject) bool {
		return slices.ContainsFunc(s.findings, func(f *Finding) bool {
			return kinds[f.Kind] && evidence.fits(f.Evidence)
		})
	})
}

// kinds reads finding:, refusing a kind that is not in the catalogue, since
// such a rule would never fire.
func (l *loader) kinds(m *mapping) map[string]bool {
	words := m.words("finding")
	if words == nil {
		return nil
	}
	out := map[string]bool{}
	for _, w := range words {
		if !knownKinds[w.word] {
			l.fail(m.src, w.node, fmt.Sprintf("there is no finding %q", w.word), nearest(w.word, kindNames))
		}
		out[w.word] = true
	}
	return out
}

var knownKinds, kindNames = catalogue()

func catalogue() (map[string]bool, []string) {
	set, all := map[string]bool{}, make([]string, 0, len(finding.Kinds))
	for _, k := range finding.Kinds {
		set[string(k.Kind)] = true
		all = append(all, string(k.Kind))
	}
	return set, all
}

// evidence holds the values wanted of each key of the evidence.
type evidence map[string]map[string]bool

func (e evidence) fits(have map[string]string) bool {
	for key, wanted := range e {
		if !wanted[have[key]] {
			return false
		}
	}
	return true
}

func (l *loader) evidence(m *mapping) evidence {
	node := m.values["evidence"]
	if node == nil {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		l.fail(m.src, node, fmt.Sprintf("evidence: expected keys and values, got %s", describe(node)), "")
		return nil
	}
	keys := make([]string, 0, len(node.Content)/2)
	for i := 0; i < len(node.Content); i += 2 {
		keys = append(keys, node.Content[i].Value)
	}
	inner := l.mapping(m.src, node, keys)
	out := evidence{}
	for _, key := range keys {
		out[key] = l.valueSet(inner, key)
	}
	return out
}

// valueSet reads literal words, and lists.NAME for all values of a list.
func (l *loader) valueSet(m *mapping, key string) map[string]bool {
	out := map[string]bool{}
	for _, w := range m.words(key) {
		name, isList := strings.CutPrefix(w.word, "lists.")
		if !isList {
			out[w.word] = true
			continue
		}
		w.word = name
		for value := range l.listValues(w) {
			out[value] = true
		}
	}
	return out
}

// listed reads the names of lists and returns all their values.
func (l *loader) listed(m *mapping, key string) map[string]bool {
	words := m.words(key)
	if words == nil {
		return nil
	}
	out := map[string]bool{}
	for _, w := range words {
		for value := range l.listValues(w) {
			out[value] = true
		}
	}
	return out
}

func (l *loader) listValues(p place) map[string]bool {
	values, ok := l.sets[p.word]
	if !ok {
		l.failNoList(p)
	}
	return values
}

func (l *loader) entityMatchers(m *mapping, out *matcher) {
	add := func(test func(*Entity) bool) {
		out.subject = append(out.subject, func(s *subject) bool { return s.entity != nil && test(s.entity) })
	}
	if set := l.listed(m, "ext"); set != nil {
		add(func(e *Entity) bool { return anyIn(e.Exts, set) })
	}
	if set := l.listed(m, "type"); set != nil {
		add(func(e *Entity) bool { return anyIn(e.Types, set) })
	}
	if m.has("media_type") {
		set := l.valueSet(m, "media_type")
		add(func(e *Entity) bool { return set[e.MediaType] })
	}
	l.entityFlags(m, add)
	if m.has("depth") {
		low, high := l.span(m.src, m.values["depth"])
		add(func(e *Entity) bool { return e.Depth >= low && e.Depth <= high })
	}
}

func (l *loader) entityFlags(m *mapping, add func(func(*Entity) bool)) {
	flags := []struct {
		key string
		is  func(*Entity) bool
	}{
		{"named", func(e *Entity) bool { return e.Name != "" }},
		{"encrypted", func(e *Entity) bool { return e.Encrypted }},
		{"unread", func(e *Entity) bool { return e.Unread }},
	}
	for _, f := range flags {
		if m.has(f.key) {
			want := m.flag(f.key)
			add(func(e *Entity) bool { return f.is(e) == want })
		}
	}
}

// span reads {min: N, max: N}; either may be left out.
func (l *loader) span(src *source, node *yaml.Node) (low, high int) {
	m := l.mapping(src, node, []string{"min", "max"})
	low, _ = m.number("min")
	high, limited := m.number("max")
	if !limited {
		high = maxItems
	}
	if low > high {
		l.fail(src, node, fmt.Sprintf("min %d is above max %d", low, high), "")
	}
	return low, high
}

func (l *loader) linkMatchers(m *mapping, out *matcher) {
	if set := l.listed(m, "host"); set != nil {
		out.link = append(out.link, func(k *Link) bool { return within(k.Host, set) })
	}
	if set := l.listed(m, "link_ext"); set != nil {
		out.link = append(out.link, func(k *Link) bool { return set[k.Ext] })
	}
	if m.has("scheme") {
		set := l.valueSet(m, "scheme")
		out.link = append(out.link, func(k *Link) bool { return set[k.Scheme] })
	}
}

func (l *loader) messageMatchers(m *mapping, out *matcher) {
	add := func(test func(*Facts) bool) { out.message = append(out.message, test) }
	if m.has("inside") {
		want := m.flag("inside")
		add(func(f *Facts) bool { return f.Inside == want })
	}
	if set := l.listed(m, "author"); set != nil {
		add(func(f *Facts) bool { return within(f.Auth.AuthorDomain, set) })
	}
	words := []struct {
		key   string
		known []string
		of    func(*Facts) string
	}{
		{"kind", []string{"mail", "file"}, func(f *Facts) string { return f.Kind }},
		{"spf", results, func(f *Facts) string { return f.Auth.SPF }},
		{"dmarc", results, func(f *Facts) string { return f.Auth.DMARC }},
		{"dmarc_policy", policies, func(f *Facts) string { return f.Auth.DMARCPolicy }},
	}
	for _, w := range words {
		if set := m.wordSet(w.key, w.known); set != nil {
			add(func(f *Facts) bool { return set[w.of(f)] })
		}
	}
}

// wordSet reads words out of a fixed set.
func (m *mapping) wordSet(key string, known []string) map[string]bool {
	words := m.words(key)
	if words == nil {
		return nil
	}
	out := map[string]bool{}
	for _, w := range words {
		if !slices.Contains(known, w.word) {
			m.load.fail(m.src, w.node, fmt.Sprintf("%s: unknown word %q", key, w.word), nearest(w.word, known))
		}
		out[w.word] = true
	}
	return out
}

func anyIn(words []string, set map[string]bool) bool {
	for _, w := range words {
		if set[w] {
			return true
		}
	}
	return false
}

// within says that domain, or a domain above it, is in set.
func within(domain string, set map[string]bool) bool {
	for domain != "" {
		if set[domain] {
			return true
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
	return false
}

// matches returns the paths that m speaks of and that except does not excuse.
func (m *matcher) matches(f *Facts, except *matcher) (paths []string, ok bool) {
	if !m.need.met(f) || !all(m.message, f) {
		return nil, false
	}
	if except != nil && !all(except.message, f) {
		except = nil
	}
	if except != nil && except.subject == nil && except.link == nil {
		return nil, false
	}
	var hits int
	if m.subject != nil {
		for i := range f.subjects {
			s := &f.subjects[i]
			if all(m.subject, s) && !(except != nil && except.subject != nil && all(except.subject, s)) {
				paths, hits = addPath(paths, s.path), hits+1
			}
		}
		if hits == 0 {
			return nil, false
		}
	}
	return m.matchLinks(f, except, paths)
}

func (m *matcher) matchLinks(f *Facts, except *matcher, paths []string) ([]string, bool) {
	if m.link == nil {
		return paths, true
	}
	hit := false
	for i := range f.Links {
		k := &f.Links[i]
		if all(m.link, k) && !(except != nil && except.link != nil && all(except.link, k)) {
			paths, hit = addPath(paths, k.Path), true
		}
	}
	return paths, hit
}

func all[T any](tests []func(*T) bool, of *T) bool {
	for _, test := range tests {
		if !test(of) {
			return false
		}
	}
	return true
}

// maxPaths bounds the paths of one reason: a reviewer reads the first few,
// and the findings hold them all.
const maxPaths = 20

func addPath(paths []string, path string) []string {
	if path == "" || len(paths) >= maxPaths || slices.Contains(paths, path) {
		return paths
	}
	return append(paths, path)
}
