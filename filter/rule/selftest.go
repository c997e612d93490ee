package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/vm"
	yaml "go.yaml.in/yaml/v4"
)

// Test is one test that a rule carries.
type Test struct {
	Rule, Name string
	File       string
	Line       int
	// Want is the rule's disposition, or "none" when it must stay silent.
	Want string
	// Mail is the message to inspect; nil where the test brings facts.
	Mail []byte

	facts *Facts
}

// TestResult tells how a test went.
type TestResult struct {
	Test
	// Got is what the rule did: its disposition or "none".
	Got string
	// Err says why the test could not run.
	Err error
}

// OK says that the test ran and the rule did what was wanted.
func (r TestResult) OK() bool { return r.Err == nil && r.Got == r.Want }

// none is the word for a rule that stays silent.
const none = "none"

var testKeys = []string{"name", "facts", "message", "mail", "want"}

func (l *loader) readTests(r *rule, m *mapping) {
	wants := map[string]bool{}
	for _, node := range m.items("tests") {
		t := l.readTest(r, node)
		wants[t.Want] = true
		r.tests = append(r.tests, t)
	}
	r.info.Tests = len(r.tests)
	word := r.info.Then.String()
	switch {
	case !wants[word]:
		l.fail(r.src, m.at("tests"), fmt.Sprintf("rule %q has no test in which it fires", r.info.ID), "add one with want: "+word)
	case !wants[none]:
		l.fail(r.src, m.at("tests"), fmt.Sprintf("rule %q has no test in which it stays silent", r.info.ID), "add an honest neighbour with want: none")
	}
}

func (l *loader) readTest(r *rule, node *yaml.Node) Test {
	m := l.mapping(r.src, node, testKeys)
	t := Test{Rule: r.info.ID, File: r.src.name, Line: node.Line}
	t.Name = m.required("name", "tell the story of the case")
	m.required("want", "the rule's disposition, or none")
	t.Want = m.word("want", "", []string{r.info.Then.String(), none})
	given := 0
	for _, key := range []string{"facts", "message", "mail"} {
		if m.has(key) {
			given++
		}
	}
	if given != 1 {
		l.fail(r.src, node, "a test needs exactly one of facts:, message: and mail:", "")
		return t
	}
	if m.has("facts") {
		t.facts = l.readFacts(r.src, m.values["facts"])
		return t
	}
	t.Mail = l.readMail(r, m)
	return t
}

// readFacts reads facts written out in a test. What is left out is empty.
func (l *loader) readFacts(src *source, node *yaml.Node) *Facts {
	f := &Facts{}
	if node.Kind != yaml.MappingNode {
		l.fail(src, node, fmt.Sprintf("facts: expected keys and values, got %s", describe(node)), "")
		return f
	}
	if err := node.Load(f, yaml.WithKnownFields()); err != nil {
		l.failYAML(src, err, node)
	}
	for _, found := range f.Findings {
		if !knownKinds[found.Kind] {
			l.fail(src, node, fmt.Sprintf("there is no finding %q", found.Kind), nearest(found.Kind, kindNames))
		}
	}
	f.complete()
	return f
}

// readMail takes a test's message from the rule file or from one beside it.
func (l *loader) readMail(r *rule, m *mapping) []byte {
	if text, node := m.text("mail"); node != nil {
		return []byte(strings.ReplaceAll(text, "\n", "\r\n"))
	}
	name, node := m.text("message")
	if node == nil {
		return nil
	}
	full := path.Join(path.Dir(r.src.path), name)
	text, err := readFile(r.src.from, full)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		l.fail(r.src, node, fmt.Sprintf("message %q: %v", name, err), "the path starts at the folder of the rule file")
	}
	return text
}

// fieldNames are the words of each struct of the facts, for hints.
var fieldNames = func() map[string][]string {
	out := map[string][]string{}
	for _, v := range []any{Facts{}, Header{}, Address{}, Entity{}, Finding{}, Link{}, Client{}, Envelope{}, Auth{}, Signature{}} {
		t := reflect.TypeOf(v)
		for _, f := range reflect.VisibleFields(t) {
			if tag := f.Tag.Get("yaml"); tag != "" && tag != "-" {
				out[t.Name()] = append(out[t.Name()], tag)
			}
		}
	}
	return out
}()

// Test runs the tests that the rules carry, in order of the rules' ids. run
// inspects the messages of those that bring one; where it is nil they come
// back with an error.
func (s *Set) Test(run func(Test) (*Facts, error)) []TestResult {
	var out []TestResult
	for _, r := range s.rules {
		for _, t := range r.tests {
			out = append(out, s.test(r, t, run))
		}
	}
	return slices.Clip(out)
}

func (s *Set) test(r *rule, t Test, run func(Test) (*Facts, error)) TestResult {
	out := TestResult{Test: t, Got: none}
	facts := t.facts
	if facts == nil {
		if run == nil {
			out.Err = errors.New("the test brings a message, and nobody is here to inspect it")
			return out
		}
		if facts, out.Err = run(t); out.Err != nil {
			return out
		}
	}
	_, fires, err := r.fires(new(vm.VM), &scope{facts, s.lists})
	if out.Err = err; fires {
		out.Got = r.info.Then.String()
	}
	return out
}
