package rule

import (
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// locate finds the line and column of the offset-th character of a scalar's
// text within its file.
//
// YAML folds, indents and quotes text in its own ways, but in every style the
// characters other than blanks come in the same order in file and text: so
// they are counted in the text and counted off again in the file.
func locate(file []byte, n *yaml.Node, offset int) (line, column int) {
	skip := 0
	for i, r := range []rune(n.Value) {
		if i >= offset {
			break
		}
		if !isBlank(r) {
			skip++
		}
	}
	c := cursor{rest: file, line: 1, column: 1}
	c.to(n.Line, n.Column)
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		c.to(n.Line+1, 1) // what follows | or > is not text
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		c.next()
	}
	return c.pass(skip, n.Style)
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// cursor is a place in a file.
type cursor struct {
	rest         []byte
	line, column int
}

// next steps over one character and returns it, 0 at the end.
func (c *cursor) next() rune {
	if len(c.rest) == 0 {
		return 0
	}
	r, n := utf8.DecodeRune(c.rest)
	c.rest = c.rest[n:]
	if r == '\n' {
		c.line, c.column = c.line+1, 1
	} else {
		c.column++
	}
	return r
}

func (c *cursor) to(line, column int) {
	for len(c.rest) > 0 && (c.line < line || c.line == line && c.column < column) {
		c.next()
	}
}

// pass steps over skip characters other than blanks and returns the place of
// the one after them.
func (c *cursor) pass(skip int, style yaml.Style) (line, column int) {
	for len(c.rest) > 0 {
		line, column = c.line, c.column
		r := c.next()
		if isBlank(r) {
			continue
		}
		if skip == 0 {
			return line, column
		}
		skip--
		doubled := style&yaml.SingleQuotedStyle != 0 && r == '\''
		if doubled || style&yaml.DoubleQuotedStyle != 0 && r == '\\' {
			c.next() // two characters in the file, one in the text
		}
	}
	return c.line, c.column
}
