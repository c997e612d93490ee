package password

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// HTML returns the text that a page shows, line by line as its blocks stand.
func HTML(page string) string {
	var out strings.Builder
	z := html.NewTokenizer(strings.NewReader(clip(page, maxText)))
	hidden := 0
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return out.String() // the end, as strings fail in no other way
		}
		if kind == html.TextToken {
			if hidden == 0 {
				out.WriteString(strings.NewReplacer("\n", " ", "\r", " ").Replace(string(html.UnescapeString(string(z.Raw())))))
			}
			continue
		}
		name, _ := z.TagName()
		switch a := atom.Lookup(name); {
		case a == atom.Script || a == atom.Style || a == atom.Title:
			if kind == html.StartTagToken {
				hidden++
			} else if hidden > 0 && kind == html.EndTagToken {
				hidden--
			}
		case !inline[a]:
			out.WriteByte('\n')
		}
	}
}

// inline are the elements that stand within a line.
var inline = map[atom.Atom]bool{
	atom.A: true, atom.B: true, atom.Strong: true, atom.I: true, atom.Em: true, atom.U: true, atom.S: true, atom.Span: true, atom.Font: true,
	atom.Code: true, atom.Kbd: true, atom.Tt: true, atom.Small: true, atom.Big: true, atom.Mark: true, atom.Sub: true, atom.Sup: true, atom.Wbr: true,
	atom.Img: true, atom.Var: true, atom.Samp: true,
}
