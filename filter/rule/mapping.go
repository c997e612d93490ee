package rule

import (
	"fmt"
	"slices"
	"strconv"

	yaml "go.yaml.in/yaml/v4"
)

// mapping is one YAML mapping with its place, so that each complaint can name
// the very word.
type mapping struct {
	load   *loader
	src    *source
	node   *yaml.Node
	keys   map[string]*yaml.Node
	values map[string]*yaml.Node
}

// mapping reads node as a mapping of the known keys; all else is a mistake.
func (l *loader) mapping(src *source, node *yaml.Node, known []string) *mapping {
	m := &mapping{load: l, src: src, node: node, keys: map[string]*yaml.Node{}, values: map[string]*yaml.Node{}}
	if node.Kind != yaml.MappingNode {
		l.fail(src, node, fmt.Sprintf("expected keys and values, got %s", describe(node)), "")
		return m
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		case !slices.Contains(known, key.Value):
			l.fail(src, key, fmt.Sprintf("unknown key %q", key.Value), nearest(key.Value, known))
		case m.keys[key.Value] != nil:
			l.fail(src, key, fmt.Sprintf("key %q stands twice", key.Value), "")
		default:
			m.keys[key.Value], m.values[key.Value] = key, value
		}
	}
	return m
}

func (m *mapping) has(key string) bool { return m.values[key] != nil }

// at is the node of a key, or the mapping where the key is missing.
func (m *mapping) at(key string) *yaml.Node {
	if n := m.keys[key]; n != nil {
		return n
	}
	return m.node
}

// text returns a scalar's text and its node, nil where the key is missing or
// its value is empty or of another type.
func (m *mapping) text(key string) (string, *yaml.Node) {
	n := m.values[key]
	if n == nil {
		return "", nil
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || n.Value == "" {
		m.load.fail(m.src, n, fmt.Sprintf("%s: expected text, got %s", key, describe(n)), "")
		return "", nil
	}
	return n.Value, n
}

// word is like text, for a value out of a fixed set.
func (m *mapping) word(key, otherwise string, known []string) string {
	text, n := m.text(key)
	if n == nil {
		return otherwise
	}
	if !slices.Contains(known, text) {
		m.load.fail(m.src, n, fmt.Sprintf("%s: unknown word %q", key, text), nearest(text, known))
		return otherwise
	}
	return text
}

func (m *mapping) flag(key string) bool {
	n := m.values[key]
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		m.load.fail(m.src, n, fmt.Sprintf("%s: expected true or false, got %s", key, describe(n)), "")
		return false
	}
	on, err := strconv.ParseBool(n.Value)
	return err == nil && on
}

// number reads a count; ok is false where the key is missing or wrong.
func (m *mapping) number(key string) (value int, ok bool) {
	n := m.values[key]
	if n == nil {
		return 0, false
	}
	value, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || value < 0 {
		m.load.fail(m.src, n, fmt.Sprintf("%s: expected a number from 0, got %s", key, describe(n)), "")
		return 0, false
	}
	return value, true
}

// items returns the members of a sequence.
func (m *mapping) items(key string) []*yaml.Node {
	n := m.values[key]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		m.load.fail(m.src, n, fmt.Sprintf("%s: expected a list, got %s", key, describe(n)), "write [a, b] or one '- ' a line")
		return nil
	}
	return n.Content
}

// words returns one word or a sequence of words with their places.
func (m *mapping) words(key string) []place {
	n := m.values[key]
	if n == nil {
		return nil
	}
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	if len(nodes) == 0 {
		m.load.fail(m.src, n, fmt.Sprintf("%s: is empty", key), "")
	}
	out := make([]place, 0, len(nodes))
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode || n.Value == "" {
			m.load.fail(m.src, n, fmt.Sprintf("%s: expected a word, got %s", key, describe(n)), "")
			continue
		}
		out = append(out, place{n.Value, n, m.src})
	}
	return out
}

// describe names what a node is, for people.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" || n.Value == "" {
			return "nothing"
		}
		return strconv.Quote(cut(n.Value))
	default:
		return "something else"
	}
}
