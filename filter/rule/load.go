package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"sekisho/filter/verdict"
)

// source is one file of rules or one list.
type source struct {
	set  int    // 0 for the default rules, then the local folders in order
	name string // as errors show it
	path string // within files
	text []byte
	from fs.FS
}

// loader gathers everything, complaints included, before anything counts.
type loader struct {
	errors  []*Error
	sources []*source
	lists   map[string]*list
	sets    map[string]map[string]bool
	rules   map[string]*rule
}

// maxFile bounds one file of rules: a larger one is a mistake, such as a
// mailbox in the folder.
const maxFile = 4 << 20

// folder is a rule folder whose errors name the file as the operator knows it.
type folder struct {
	fs.FS
	path string
}

// Dir is a folder of local rules. Unlike os.DirFS it lets errors name files
// by their full path.
func Dir(name string) fs.FS { return folder{os.DirFS(name), name} }

// Load reads the default rules and then each local folder, all or nothing: a
// rule of a later folder replaces one of the same id, and its lists may change
// earlier lists. The error joins every *Error of every file.
func Load(files fs.FS, local ...fs.FS) (*Set, error) {
	l := &loader{lists: map[string]*list{}, rules: map[string]*rule{}}
	for i, from := range append([]fs.FS{files}, local...) {
		l.gather(i, from)
	}
	roots := l.parse()
	for i, src := range l.sources {
		if roots[i] != nil && roots[i].Kind == yaml.MappingNode {
			l.readList(src, roots[i])
		}
	}
	l.completeLists()
	l.sets = l.values()
	for i, src := range l.sources {
		if roots[i] != nil && roots[i].Kind == yaml.SequenceNode {
			l.readRules(src, roots[i])
		}
	}
	if err := join(l.errors); err != nil {
		return nil, err
	}
	return l.set(), nil
}

// gather reads the YAML files of one folder and below.
func (l *loader) gather(set int, from fs.FS) {
	shown := func(name string) string {
		if f, ok := from.(folder); ok {
			return path.Join(f.path, name)
		}
		return name
	}
	_ = fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			l.failFile(shown(name), err)
			return nil
		}
		if d.IsDir() || strings.HasPrefix(d.Name(), ".") || !slices.Contains([]string{".yaml", ".yml"}, path.Ext(name)) {
			return nil
		}
		src := &source{set: set, name: shown(name), path: name, from: from}
		if src.text, err = readFile(from, name); err != nil {
			l.failFile(src.name, err)
			return nil
		}
		l.sources = append(l.sources, src)
		return nil
	})
}

func readFile(from fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(from, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a plain file")
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%d bytes are too large for a file of rules", info.Size())
	}
	return fs.ReadFile(from, name)
}

// failFile complains of a file or folder that cannot be read.
func (l *loader) failFile(name string, err error) {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the path stands in front already
	}
	hint := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		hint = "let the service user read it"
	case errors.Is(err, fs.ErrNotExist):
		hint = "create the folder, or take it out of the configuration"
	}
	l.errors = append(l.errors, &Error{File: name, Err: fmt.Errorf("reading rules: %w", err), Hint: hint})
}

// parse returns the top node of each source, nil where there is none.
func (l *loader) parse() []*yaml.Node {
	roots := make([]*yaml.Node, len(l.sources))
	for i, src := range l.sources {
		var doc yaml.Node
		if err := yaml.Load(src.text, &doc); err != nil {
			l.failYAML(src, err, nil)
			continue
		}
		if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
			l.fail(src, &doc, "the file is empty", "remove it, or write a rule")
			continue
		}
		root := doc.Content[0]
		switch {
		case l.hasAlias(src, root):
		case root.Kind != yaml.SequenceNode && root.Kind != yaml.MappingNode:
			l.fail(src, root, fmt.Sprintf("expected rules or a list, got %s", describe(root)), `a rule begins with "- id: "`)
		default:
			roots[i] = root
		}
	}
	return roots
}

// hasAlias refuses YAML's aliases: a rule is to be read where it stands.
func (l *loader) hasAlias(src *source, n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		l.fail(src, n, "anchors and aliases are not used in rules", "write the value out, or name it as a list")
		return true
	}
	for _, inner := range n.Content {
		if l.hasAlias(src, inner) {
			return true
		}
	}
	return false
}

// failYAML turns what the YAML library complains of into our own errors.
func (l *loader) failYAML(src *source, err error, under *yaml.Node) {
	at := yaml.Node{Line: 1, Column: 1}
	if under != nil {
		at = *under
	}
	var many *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &many):
		for _, e := range many.Errors {
			l.failMark(src, at, e)
		}
	case errors.As(err, &one):
		l.failMark(src, at, one)
	default:
		l.fail(src, &at, err.Error(), "")
	}
}

var unknownField = regexp.MustCompile(`^field (\S+) not found in type rule\.(\S+)$`)

func (l *loader) failMark(src *source, at yaml.Node, e *yaml.LoadError) {
	if e.Mark.Line > 0 {
		at.Line, at.Column = e.Mark.Line, max(e.Mark.Column, 1)
	}
	if m := unknownField.FindStringSubmatch(e.Message); m != nil {
		l.fail(src, &at, fmt.Sprintf("unknown fact %q", m[1]), nearest(m[1], fieldNames[m[2]]))
		return
	}
	l.fail(src, &at, strings.TrimPrefix(e.Message, "yaml: "), "")
}

func (l *loader) fail(src *source, n *yaml.Node, text, hint string) {
	l.errors = append(l.errors, &Error{
		File: src.name, Line: max(n.Line, 1), Column: max(n.Column, 1), Err: errors.New(text), Hint: hint,
	})
}

// failAt complains of the offset-th character of a condition.
func (l *loader) failAt(src *source, n *yaml.Node, offset int, text, hint string) {
	line, column := locate(src.text, n, offset)
	l.fail(src, &yaml.Node{Line: line, Column: column}, "condition: "+text, hint)
}

// set builds the Set of all rules that are switched on, in order of their ids.
func (l *loader) set() *Set {
	s := &Set{id: l.id(), lists: l.sets}
	for _, r := range l.rules {
		if !r.disabled {
			s.rules = append(s.rules, r)
		}
	}
	slices.SortFunc(s.rules, func(a, b *rule) int { return strings.Compare(a.info.ID, b.info.ID) })
	for _, from := range l.lists {
		s.listInfo = append(s.listInfo, from.info())
	}
	slices.SortFunc(s.listInfo, func(a, b ListInfo) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// id is a short hash over every source.
func (l *loader) id() string {
	h := sha256.New()
	for _, src := range l.sources {
		fmt.Fprintf(h, "%d %q %d\n", src.set, src.path, len(src.text))
		h.Write(src.text)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// dispositions are the words of then:, mildest first.
var dispositions = func() (words []string) {
	for d := verdict.Accept; d <= verdict.Discard; d++ {
		words = append(words, d.String())
	}
	return words
}()
