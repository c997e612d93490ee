package rule

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	yaml "go.yaml.in/yaml/v4"
)

// ListInfo describes a named list to people.
type ListInfo struct {
	Name, Why, File string
	Entries         []Entry
}

// Entry is one value of a list and why it is there.
type Entry struct {
	Value  string
	Family string
	Reason string
}

// list is a list as it stands after all sources were read.
type list struct {
	name, why  string
	file       string
	source     int
	entries    map[string]Entry
	includes   []place // names of other lists whose values are in this one
	isComplete bool
}

// place is a word and where it stands.
type place struct {
	word string
	node *yaml.Node
	file *source
}

var listName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

var listKeys = []string{"name", "why", "values", "entries", "include", "extend", "replace", "remove"}

// readList reads one list file: a new list, or a change to one of an earlier
// source.
func (l *loader) readList(src *source, root *yaml.Node) {
	m := l.mapping(src, root, listKeys)
	name, node := m.text("name")
	if node == nil {
		l.fail(src, root, "a list has no name", `add "name:", the word that rules use as lists.NAME`)
		return
	}
	if !listName.MatchString(name) {
		l.fail(src, node, fmt.Sprintf("list name %q is not a word of a-z, 0-9 and _", name), "")
		return
	}
	if m.has("extend") || m.has("replace") || m.has("remove") {
		l.changeList(src, m, name, node)
		return
	}
	l.newList(src, m, name, node)
}

func (l *loader) newList(src *source, m *mapping, name string, node *yaml.Node) {
	if old := l.lists[name]; old != nil {
		hint := fmt.Sprintf("the other is in %s", old.file)
		if old.source != src.set {
			hint = "to change a list of the default rules write extend:, remove: or replace:"
		}
		l.fail(src, node, fmt.Sprintf("list %q stands twice", name), hint)
		return
	}
	why, whyNode := m.text("why")
	if whyNode == nil {
		l.fail(src, node, fmt.Sprintf("list %q has no why", name), "say in one sentence what its values have in common")
	}
	made := &list{name: name, why: why, file: src.name, source: src.set, entries: map[string]Entry{}}
	l.addEntries(m, made, "values")
	l.addEntries(m, made, "entries")
	made.includes = m.words("include")
	l.lists[name] = made
}

// changeList applies a later source's extend, remove or replace.
func (l *loader) changeList(src *source, m *mapping, name string, node *yaml.Node) {
	old := l.lists[name]
	if old == nil {
		l.fail(src, node, fmt.Sprintf("there is no list %q to change", name), nearest(name, slices.Sorted(maps.Keys(l.lists))))
		return
	}
	for _, key := range []string{"values", "entries", "include"} {
		if m.has(key) {
			l.fail(src, m.at(key), fmt.Sprintf("%s: cannot stand beside extend:, remove: or replace:", key), "")
		}
	}
	if m.has("replace") {
		old.entries, old.includes = map[string]Entry{}, nil
		l.addEntries(m, old, "replace")
	}
	l.addEntries(m, old, "extend")
	for _, gone := range m.words("remove") {
		if _, known := old.entries[gone.word]; !known {
			l.fail(src, gone.node, fmt.Sprintf("list %q has no value %q to remove", name, gone.word),
				nearest(gone.word, slices.Sorted(maps.Keys(old.entries))))
		}
		delete(old.entries, gone.word)
	}
}

// addEntries reads a sequence of values, each a bare word or a mapping of
// value, family and reason.
func (l *loader) addEntries(m *mapping, to *list, key string) {
	for _, node := range m.items(key) {
		entry := Entry{Value: node.Value}
		if node.Kind == yaml.MappingNode {
			one := l.mapping(m.src, node, []string{"value", "family", "reason"})
			entry.Value, _ = one.text("value")
			entry.Family, _ = one.text("family")
			entry.Reason, _ = one.text("reason")
		}
		switch _, twice := to.entries[entry.Value]; {
		case entry.Value == "":
			l.fail(m.src, node, "a value is empty", "")
		case twice:
			l.fail(m.src, node, fmt.Sprintf("value %q stands twice in list %q", entry.Value, to.name), "")
		default:
			to.entries[entry.Value] = entry
		}
	}
}

// completeLists resolves include: over all lists. A circle ends by itself:
// each list is taken up once.
func (l *loader) completeLists() {
	for _, name := range slices.Sorted(maps.Keys(l.lists)) {
		l.complete(l.lists[name])
	}
}

func (l *loader) complete(to *list) {
	if to.isComplete {
		return
	}
	to.isComplete = true
	for _, include := range to.includes {
		from := l.lists[include.word]
		if from == nil {
			l.failNoList(include)
			continue
		}
		l.complete(from)
		for value, entry := range from.entries {
			to.entries[value] = entry
		}
	}
}

func (l *loader) failNoList(p place) {
	l.fail(p.file, p.node, fmt.Sprintf("there is no list %q", p.word), nearest(p.word, slices.Sorted(maps.Keys(l.lists))))
}

// values is what conditions see of all lists.
func (l *loader) values() map[string]map[string]bool {
	out := make(map[string]map[string]bool, len(l.lists))
	for name, from := range l.lists {
		values := make(map[string]bool, len(from.entries))
		for value := range from.entries {
			values[value] = true
		}
		out[name] = values
	}
	return out
}

func (l *list) info() ListInfo {
	out := ListInfo{Name: l.name, Why: l.why, File: l.file}
	for _, value := range slices.Sorted(maps.Keys(l.entries)) {
		out.Entries = append(out.Entries, l.entries[value])
	}
	return out
}
