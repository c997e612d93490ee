package rule

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// need is something without which a condition cannot hold, and that is cheaper
// to look at than the condition: most mail has no findings, and most rules
// speak of nothing else. nil needs nothing.
type need func(*Facts) bool

// met says whether the condition is worth evaluating.
func (n need) met(f *Facts) bool { return n == nil || n(f) }

// needOf reads off what node needs. Where node could break before it comes to
// what is needed (an index beyond a list's end), nothing is: a rule that breaks
// must say so.
func needOf(node ast.Node) need {
	switch n := node.(type) {
	case *ast.BinaryNode:
		switch n.Operator {
		case "&&", "and":
			if !isPlain(n.Left) {
				return needOf(n.Left)
			}
			return both(needOf(n.Left), needOf(n.Right))
		case "||", "or":
			return either(needOf(n.Left), needOf(n.Right))
		}
	case *ast.UnaryNode:
		if of := flagOf(n.Node); of != nil && (n.Operator == "!" || n.Operator == "not") {
			return func(f *Facts) bool { return !of(f) }
		}
	case *ast.BuiltinNode:
		if n.Name == "any" {
			return needOfAny(n)
		}
	}
	return flagOf(node)
}

// isPlain says that node is made of facts that are true or false by themselves.
func isPlain(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BinaryNode:
		return slices.Contains([]string{"&&", "and", "||", "or"}, n.Operator) && isPlain(n.Left) && isPlain(n.Right)
	case *ast.UnaryNode:
		return (n.Operator == "!" || n.Operator == "not") && isPlain(n.Node)
	}
	return flagOf(node) != nil
}

// flagOf is the fact of that name, if it is true or false by itself.
func flagOf(node ast.Node) need {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		switch n.Value {
		case "inside":
			return func(f *Facts) bool { return f.Inside }
		case "incomplete":
			return func(f *Facts) bool { return f.Incomplete }
		}
	case *ast.MemberNode:
		if of, name := memberOf(n); of == "auth" && name == "checked" {
			return func(f *Facts) bool { return f.Auth.Checked }
		}
	}
	return nil
}

// memberOf takes apart a fact of the form of.name.
func memberOf(n *ast.MemberNode) (of, name string) {
	ident, isIdent := n.Node.(*ast.IdentifierNode)
	word, isWord := n.Property.(*ast.StringNode)
	if !isIdent || !isWord {
		return "", ""
	}
	return ident.Value, word.Value
}

// needOfAny is a member of the list; of the findings, one of the kinds that
// are asked for.
func needOfAny(n *ast.BuiltinNode) need {
	list, ok := n.Arguments[0].(*ast.IdentifierNode)
	if !ok {
		return nil
	}
	switch list.Value {
	case "entities":
		return func(f *Facts) bool { return len(f.Entities) > 0 }
	case "links":
		return func(f *Facts) bool { return len(f.Links) > 0 }
	case "findings":
		if kinds := kindsAsked(predicate(n)); kinds != nil {
			return func(f *Facts) bool { return f.hasKind(kinds) }
		}
		return func(f *Facts) bool { return len(f.Findings) > 0 }
	}
	return nil
}

// kindsAsked are the kinds of which a finding must be for node to hold, nil
// where any will do.
func kindsAsked(node ast.Node) map[string]bool {
	n, ok := node.(*ast.BinaryNode)
	if !ok {
		return nil
	}
	switch n.Operator {
	case "&&", "and":
		// The first alone: what stands behind it may break on other findings.
		return kindsAsked(n.Left)
	case "==", "in":
		if isKind(n.Left) {
			return texts(n.Right)
		}
	}
	return nil
}

// isKind says that node is the kind of the finding that is looked at.
func isKind(node ast.Node) bool {
	n, ok := node.(*ast.MemberNode)
	if !ok {
		return false
	}
	_, isPointer := n.Node.(*ast.PointerNode)
	word, isWord := n.Property.(*ast.StringNode)
	return isPointer && isWord && word.Value == "kind"
}

// texts are the words of a text or of a list of texts, nil if node is neither.
func texts(node ast.Node) map[string]bool {
	words := []ast.Node{node}
	if array, ok := node.(*ast.ArrayNode); ok {
		words = array.Nodes
	}
	out := map[string]bool{}
	for _, w := range words {
		s, ok := w.(*ast.StringNode)
		if !ok {
			return nil
		}
		out[s.Value] = true
	}
	return out
}

func both(a, b need) need {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(f *Facts) bool { return a(f) && b(f) }
}

func either(a, b need) need {
	if a == nil || b == nil {
		return nil
	}
	return func(f *Facts) bool { return a(f) || b(f) }
}

// hasKind says that some finding is of one of these kinds.
func (f *Facts) hasKind(kinds map[string]bool) bool {
	for k := range f.kinds {
		if kinds[k] {
			return true
		}
	}
	return false
}
