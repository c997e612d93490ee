package link

import (
	"strings"

	"golang.org/x/net/html"

	"sekisho/filter/finding"
)

// maxToken bounds one token of HTML; a data: address of a whole file ends the
// reading there, which is stated.
const maxToken = 4 << 20

// page is the state of reading one HTML text.
type page struct {
	*collector
	// href is the open anchor's, depth of text inside it in shown.
	href   string
	inLink bool
	shown  strings.Builder
	// loose is the text outside anchors: mail programs make links of it.
	loose strings.Builder
	// hidden is the element whose content is not displayed, and how many of
	// its name are open within.
	hidden string
	nested int
	turned bool   // the text runs right to left by <bdo> or style
	action string // the open form's
}

// HTML returns the links of an HTML text and what is to be said about them.
// path is the entity's.
func HTML(path, text string) ([]Link, []finding.Finding) {
	p := &page{collector: newCollector(path)}
	z := html.NewTokenizer(strings.NewReader(text))
	z.SetMaxBuf(maxToken)
	for z.Next() != html.ErrorToken {
		p.token(z)
	}
	if z.Err() == html.ErrBufferExceeded {
		p.state(finding.LimitReached, "limit", "html-token")
	}
	p.endLink()
	p.bare(p.loose.String())
	return p.links, p.fs
}

func (p *page) token(z *html.Tokenizer) {
	switch t := z.Token(); t.Type {
	case html.TextToken:
		p.text(t.Data)
	case html.StartTagToken, html.SelfClosingTagToken:
		p.start(t)
	case html.EndTagToken:
		p.end(t.Data)
	case html.CommentToken:
		p.conditional(t.Data)
	}
}

// conditional reads the comments that Outlook reads: <!--[if mso]>...
func (p *page) conditional(comment string) {
	condition, inside, ok := strings.Cut(comment, "]>")
	if !ok || !strings.HasPrefix(strings.TrimSpace(condition), "[if") || strings.Contains(inside, "<!--") {
		return
	}
	z := html.NewTokenizer(strings.NewReader(inside))
	for z.Next() != html.ErrorToken {
		p.token(z)
	}
}

// text adds to what the reader sees.
func (p *page) text(s string) {
	switch {
	case p.hidden != "":
	case p.inLink && p.shown.Len() < maxText:
		p.shown.WriteString(s)
	case !p.inLink:
		p.loose.WriteString(s)
	}
}

// start reads the attributes that lead somewhere.
func (p *page) start(t html.Token) {
	p.hide(t)
	p.turned = p.turned || turns(t)
	switch t.Data {
	case "a":
		p.endLink()
		p.href, p.inLink = attribute(t, "href", "xlink:href"), t.Type == html.StartTagToken
	case "area":
		p.add(attribute(t, "href"), "")
	case "base":
		p.base = parse(attribute(t, "href"), target{})
	case "form":
		p.action = attribute(t, "action")
		p.add(p.action, "")
	case "input", "button":
		p.button(t)
	case "meta":
		p.refresh(t)
	case "br", "p", "div", "td", "tr", "li", "h1", "h2", "h3":
		p.text("\n")
	case "link":
	default:
		p.add(attribute(t, "href"), "") // VML's shapes, which Outlook follows
	}
}

// turns says that an element shows its text from right to left, whatever the
// letters.
func turns(t html.Token) bool {
	style := strings.ToLower(attribute(t, "style"))
	return t.Data == "bdo" && strings.EqualFold(attribute(t, "dir"), "rtl") ||
		strings.Contains(style, "bidi-override") && strings.Contains(style, "rtl")
}

// button reads what sends a form: it shows its value, or the text in it.
func (p *page) button(t html.Token) {
	to := attribute(t, "formaction")
	if to == "" {
		to = p.action
	}
	if t.Data == "button" && t.Type == html.StartTagToken && !p.inLink {
		p.href, p.inLink = to, true
		return
	}
	if kind := attribute(t, "type"); strings.EqualFold(kind, "submit") || attribute(t, "formaction") != "" {
		p.add(to, attribute(t, "value"))
	}
}

// refresh reads <meta http-equiv=refresh content="0; url=...">.
func (p *page) refresh(t html.Token) {
	if !strings.EqualFold(attribute(t, "http-equiv"), "refresh") {
		return
	}
	_, url, ok := strings.Cut(attribute(t, "content"), ";")
	if !ok {
		_, url, _ = strings.Cut(attribute(t, "content"), ",")
	}
	url = strings.TrimSpace(url)
	if len(url) > 3 && strings.EqualFold(url[:3], "url") {
		url = strings.TrimLeft(url[3:], " =")
	}
	p.add(strings.Trim(url, `'"`), "")
}

// hide begins a part that is not displayed: scripts, styles, and what its
// style takes away.
func (p *page) hide(t html.Token) {
	switch {
	case p.hidden == t.Data && t.Type == html.StartTagToken:
		p.nested++
	case p.hidden == "" && t.Type == html.StartTagToken && !void[t.Data] && (unshown[t.Data] || invisibleStyle(attribute(t, "style")) || has(t, "hidden")):
		p.hidden, p.nested = t.Data, 1
	}
}

var (
	unshown = map[string]bool{"script": true, "style": true, "title": true, "template": true}
	void    = map[string]bool{"img": true, "br": true, "hr": true, "input": true, "meta": true, "link": true, "area": true, "base": true, "col": true, "wbr": true}
)

// invisibleStyle says that a style attribute takes its element out of sight.
// A preheader is hidden in this way too: nothing is said of it, only its text
// is not what the reader sees.
func invisibleStyle(style string) bool {
	style = strings.ToLower(strings.Join(strings.Fields(style), ""))
	for _, s := range []string{"display:none", "visibility:hidden", "font-size:0;", "font-size:0px", "opacity:0;"} {
		if strings.Contains(style+";", s) {
			return true
		}
	}
	return false
}

func (p *page) end(name string) {
	if name == p.hidden {
		if p.nested--; p.nested == 0 {
			p.hidden = ""
		}
	}
	switch name {
	case "a", "button":
		p.endLink()
	case "form":
		p.action = ""
	case "p", "div", "td", "tr", "li":
		p.text("\n")
	}
}

// endLink keeps the open anchor.
func (p *page) endLink() {
	if p.inLink {
		shown := p.shown.String()
		if p.turned {
			shown = reversed(shown)
		}
		p.add(p.href, shown)
	}
	p.href, p.inLink, p.turned = "", false, false
	p.shown.Reset()
}

func reversed(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

// attribute returns the first attribute of one of the names. A browser takes
// the first of two with one name.
func attribute(t html.Token, names ...string) string {
	for _, a := range t.Attr {
		for _, name := range names {
			if a.Key == name {
				return a.Val
			}
		}
	}
	return ""
}

func has(t html.Token, name string) bool {
	for _, a := range t.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
