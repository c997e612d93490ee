package rule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	yaml "go.yaml.in/yaml/v4"

	"sekisho/filter/display"
)

// scope is what a condition can name: the facts and `lists`.
type scope struct {
	*Facts
	Lists map[string]map[string]bool `expr:"lists"`
}

// condition is a compiled `when:` or `except:` expression.
type condition struct {
	program *vm.Program
	need    need
	// paths, one for each any() that decides, find what the condition
	// spoke of. They run only after a match.
	paths []*vm.Program
}

const maxNodes = 300

// builtins are the functions of expr that a condition may call: those whose
// cost is bounded by the facts. The rest of expr's are switched off.
var builtins = []string{"all", "any", "none", "one", "count", "filter", "len", "lower", "upper", "trim", "hasPrefix", "hasSuffix"}

func options() []expr.Option {
	out := []expr.Option{expr.Env(scope{}), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins()}
	for _, name := range builtins {
		out = append(out, expr.EnableBuiltin(name))
	}
	return append(out,
		expr.Function("within", callWithin, new(func(string, []string) bool), new(func(string, map[string]bool) bool)),
		expr.Function("imitates", callImitates, new(func(string, []string) bool)))
}

// callImitates says for conditions that a reader takes a domain for one of a
// list, though it is none of them.
func callImitates(args ...any) (any, error) {
	domain, isText := args[0].(string)
	list, isList := args[1].([]string)
	if !isText || !isList {
		return nil, fmt.Errorf("imitates: %T, %T are no text and list", args[0], args[1])
	}
	domain = strings.ToLower(domain)
	imitates := func(own string) bool { return display.Imitates(domain, own) }
	return !slices.ContainsFunc(list, func(own string) bool { return inDomain(domain, own) }) && slices.ContainsFunc(list, imitates), nil
}

// inDomain says that host is domain or stands below it.
func inDomain(host, domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }

// callWithin is within for conditions: over a list, or over a few words.
func callWithin(args ...any) (any, error) {
	domain, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("within: %T is no text", args[0])
	}
	switch set := args[1].(type) {
	case map[string]bool:
		return within(domain, set), nil
	case []string:
		words := make(map[string]bool, len(set))
		for _, w := range set {
			words[w] = true
		}
		return within(domain, words), nil
	default:
		return nil, fmt.Errorf("within: %T is no list", args[1])
	}
}

func (l *loader) condition(src *source, node *yaml.Node) *condition {
	text := node.Value
	config := conf.New(scope{})
	for _, set := range options() {
		set(config)
	}
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		l.failExpr(src, node, err)
		return nil
	}
	guard := guard{lists: l.sets}
	ast.Walk(&tree.Node, &guard)
	if bad := guard.result(); bad != nil {
		l.failAt(src, node, bad.from, bad.text, bad.hint)
		return nil
	}
	program, err := expr.Compile(text, append(options(), expr.AsBool())...)
	if err != nil {
		l.failExpr(src, node, err)
		return nil
	}
	return &condition{program: program, need: needOf(tree.Node), paths: pathPrograms(tree.Node)}
}

// failExpr places an error of expr within the YAML file.
func (l *loader) failExpr(src *source, node *yaml.Node, err error) {
	var at *file.Error
	if !errors.As(err, &at) {
		l.fail(src, node, fmt.Sprintf("condition: %v", err), "a condition ends in true or false")
		return
	}
	hint := factHint(at.Message)
	if node.LineComment != "" {
		hint = "YAML takes ' #' for the start of a comment: write 'when: |' and the condition on the next line"
	}
	l.failAt(src, node, at.From, at.Message, hint)
}

// factHint proposes the nearest fact for expr's complaint of an unknown name.
func factHint(message string) string {
	var name string
	if _, err := fmt.Sscanf(message, "unknown name %s", &name); err != nil {
		return ""
	}
	return nearest(name, factNames)
}

var factNames = append([]string{
	"kind", "size", "incomplete", "header", "entities", "findings", "links",
	"client", "envelope", "auth", "inside", "own_domains", "lists", "within", "imitates",
}, builtins...)

// pathPrograms turns each deciding any(LIST, P) into filter(LIST, P).
func pathPrograms(node ast.Node) []*vm.Program {
	switch n := node.(type) {
	case *ast.BinaryNode:
		if n.Operator == "&&" || n.Operator == "||" || n.Operator == "and" || n.Operator == "or" {
			return append(pathPrograms(n.Left), pathPrograms(n.Right)...)
		}
	case *ast.BuiltinNode:
		if n.Name != "any" || !isBig(n.Arguments[0]) {
			return nil
		}
		program, err := expr.Compile("filter"+n.String()[len("any"):], options()...)
		if err != nil {
			return nil // the reason then names no path; the condition itself stands
		}
		return []*vm.Program{program}
	}
	return nil
}

// holds evaluates the condition. The machine may be used again.
func (c *condition) holds(machine *vm.VM, env *scope) (bool, error) {
	if !c.need.met(env.Facts) {
		return false, nil
	}
	out, err := machine.Run(c.program, env)
	if err != nil {
		return false, err
	}
	yes, ok := out.(bool)
	if !ok {
		return false, fmt.Errorf("the condition gave %T", out)
	}
	return yes, nil
}

// places finds the paths that a condition spoke of.
func (c *condition) places(machine *vm.VM, env *scope) (paths []string) {
	for _, program := range c.paths {
		out, err := machine.Run(program, env)
		items, ok := out.([]any)
		if err != nil || !ok {
			continue
		}
		for _, item := range items {
			paths = addPath(paths, pathOf(item))
		}
	}
	return paths
}

func pathOf(item any) string {
	switch it := item.(type) {
	case Entity:
		return it.Path
	case Finding:
		return it.Path
	case Link:
		return it.Path
	}
	return ""
}

// guard refuses what could make a condition slow, or silently never true.
// The facts bound each walk of a list; guard sees to it that walks of the
// long lists do not multiply.
type guard struct {
	lists map[string]map[string]bool
	found []complaint
	named int // lists.NAME seen
	bare  []ast.Node
}

type complaint struct {
	from       int
	text, hint string
}

func (g *guard) result() *complaint {
	if len(g.found) == 0 && len(g.bare) > g.named {
		g.refuse(g.bare[0], "lists stands without a name", "write lists.NAME")
	}
	if len(g.found) == 0 {
		return nil
	}
	return &g.found[0]
}

func (g *guard) refuse(n ast.Node, text, hint string) {
	g.found = append(g.found, complaint{n.Location().From, text, hint})
}

// Visit implements ast.Visitor.
func (g *guard) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		switch n.Value {
		case "lists":
			g.bare = append(g.bare, n)
		case "$env":
			g.refuse(n, "$env is not part of the rule language", nearest("", factNames))
		}
	case *ast.MemberNode:
		g.member(n)
	case *ast.BinaryNode:
		g.binary(n)
	case *ast.BuiltinNode:
		g.walk(n)
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		g.refuse(n, "let and ; are not part of the rule language", "write a second rule")
	}
}

func (g *guard) member(n *ast.MemberNode) {
	of, isName := n.Node.(*ast.IdentifierNode)
	if !isName || of.Value != "lists" {
		return
	}
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		return // counted as bare
	}
	g.named++
	if g.lists[name.Value] == nil {
		g.refuse(n.Property, fmt.Sprintf("there is no list %q", name.Value),
			nearest(name.Value, slices.Sorted(maps.Keys(g.lists))))
	}
}

func (g *guard) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "..":
		g.refuse(n, "ranges are not part of the rule language", "")
	case "matches":
		if _, ok := n.Right.(*ast.StringNode); !ok {
			g.refuse(n.Right, "the pattern of matches must be written out", "a pattern out of the mail could not be checked at load")
		}
	case "==", "!=", "in":
		g.kind(n.Left, n.Right)
		g.kind(n.Right, n.Left)
	}
}

// kind checks words that are compared with a finding's kind.
func (g *guard) kind(of, with ast.Node) {
	member, ok := of.(*ast.MemberNode)
	if !ok {
		return
	}
	if name, ok := member.Property.(*ast.StringNode); !ok || name.Value != "kind" {
		return
	}
	words := []ast.Node{with}
	if array, ok := with.(*ast.ArrayNode); ok {
		words = array.Nodes
	}
	for _, w := range words {
		if s, ok := w.(*ast.StringNode); ok && !knownKinds[s.Value] {
			g.refuse(s, fmt.Sprintf("there is no finding %q", s.Value), nearest(s.Value, kindNames))
		}
	}
}

// walk checks the lists that are walked within a walk.
func (g *guard) walk(outer *ast.BuiltinNode) {
	for _, inner := range walks(predicate(outer)) {
		if len(walks(predicate(inner))) > 0 {
			g.refuse(inner, "lists are walked more than two deep", "")
		}
		if mentionsBig(inner.Arguments[0]) {
			g.refuse(inner, "a long list is walked for each member of another",
				"findings carry .exts, .types and .members of their entity: there is no need to search for it")
		}
	}
}

// predicate is the condition that n asks of each member, nil where it asks none.
func predicate(n *ast.BuiltinNode) ast.Node {
	if len(n.Arguments) < 2 {
		return nil
	}
	p, _ := n.Arguments[1].(*ast.PredicateNode)
	if p == nil {
		return nil
	}
	return p.Node
}

// walks collects the calls below root that walk a list.
func walks(root ast.Node) []*ast.BuiltinNode {
	var out collector
	if root != nil {
		ast.Walk(&root, &out)
	}
	return out.calls
}

type collector struct {
	calls []*ast.BuiltinNode
	big   bool
}

// Visit implements ast.Visitor.
func (c *collector) Visit(node *ast.Node) {
	c.big = c.big || isBig(*node)
	if n, ok := (*node).(*ast.BuiltinNode); ok && predicate(n) != nil {
		c.calls = append(c.calls, n)
	}
}

func mentionsBig(root ast.Node) bool {
	var out collector
	ast.Walk(&root, &out)
	return out.big
}

// isBig says that node is one of the lists whose length the sender chooses.
func isBig(node ast.Node) bool {
	n, ok := node.(*ast.IdentifierNode)
	return ok && (n.Value == "entities" || n.Value == "findings" || n.Value == "links")
}
