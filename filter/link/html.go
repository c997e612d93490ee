package link

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/publicsuffix"

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
	forms  map[string]string
	asked  map[string]bool // addresses that a password goes to
	// styled says that an element within the open anchor may be hidden or
	// moved by a style sheet; pieces are then its texts one by one.
	styled bool
	pieces []string
}

// maxPieces bounds the texts of one anchor that are looked at one by one.
const maxPieces = 32

// HTML returns the links of an HTML text and what is to be said about them.
// path is the entity's.
func HTML(path, text string) ([]Link, []finding.Finding) {
	p := &page{collector: newCollector(path), forms: map[string]string{}}
	p.base = firstBase(text)
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

// firstBase returns the address that the relative ones of a page start from:
// the first <base> counts for all, those before it included.
func firstBase(text string) target {
	if !namesBase(text) {
		return target{}
	}
	z := html.NewTokenizer(strings.NewReader(text))
	z.SetMaxBuf(maxToken)
	for z.Next() != html.ErrorToken {
		if t := z.Token(); t.Data == "base" && has(t, "href") {
			return parse(attribute(t, "href"), target{})
		}
	}
	return target{}
}

// namesBase spares the pages without one a second reading.
func namesBase(text string) bool {
	const mark = "<base"
	for {
		i := strings.IndexByte(text, '<')
		if i < 0 || len(text)-i < len(mark) {
			return false
		}
		if text = text[i:]; strings.EqualFold(text[:len(mark)], mark) {
			return true
		}
		text = text[1:]
	}
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
		if len(p.pieces) < maxPieces {
			p.pieces = append(p.pieces, s)
		}
	case !p.inLink:
		p.loose.WriteString(s)
	}
}

// start reads the attributes that lead somewhere.
func (p *page) start(t html.Token) {
	p.hide(t)
	p.turned = p.turned || turns(t)
	p.styled = p.styled || p.inLink && (has(t, "class") || has(t, "id") || has(t, "style"))
	switch t.Data {
	case "a":
		p.endLink()
		p.href, p.inLink = attribute(t, "href", "xlink:href"), t.Type == html.StartTagToken
		if p.href == "" && has(t, "href") {
			p.href = p.base.raw // the page itself, which is where its base is
		}
	case "area":
		p.add(attribute(t, "href"), address(attribute(t, "alt")))
	case "img":
		p.text(address(attribute(t, "alt"))) // shown in place of a picture that is not loaded
	case "base":
	case "form":
		p.action = attribute(t, "action")
		p.forms[attribute(t, "id")] = p.action
		p.add(p.action, "")
	case "input", "button":
		p.button(t)
	case "meta":
		p.refresh(t)
	case "iframe", "frame", "embed":
		p.add(attribute(t, "src"), "")
	case "object":
		p.add(attribute(t, "data"), "")
	case "animate", "set":
		p.animate(t)
	case "br", "p", "div", "td", "tr", "li", "h1", "h2", "h3":
		p.text("\n")
	case "link":
	default:
		p.add(attribute(t, "href"), "") // VML's shapes, which Outlook follows
	}
}

// address returns an alternative text that is an address and nothing else: a
// logo's honest one is a name, or a host without a scheme.
func address(alt string) string {
	if alt = strings.TrimSpace(alt); !strings.Contains(alt, "://") || strings.ContainsAny(alt, " \t\r\n\u3000") {
		return ""
	}
	return alt
}

// animate reads the targets that SVG puts in place of a link's own.
func (p *page) animate(t html.Token) {
	if name := attribute(t, "attributename"); name != "href" && name != "xlink:href" {
		return
	}
	for _, value := range []string{attribute(t, "values"), attribute(t, "from"), attribute(t, "to")} {
		for to := range strings.SplitSeq(value, ";") {
			p.add(to, "")
		}
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
	to := p.sendsTo(t)
	if t.Data == "button" && t.Type == html.StartTagToken && !p.inLink {
		p.href, p.inLink = to, true
		return
	}
	switch kind := strings.ToLower(strings.TrimSpace(attribute(t, "type"))); {
	case kind == "password":
		p.password(to)
	case kind == "image":
		p.add(to, address(attribute(t, "alt")))
	case kind == "submit", attribute(t, "formaction") != "":
		p.add(to, attribute(t, "value"))
	}
}

// sendsTo returns the address that a field of a form is sent to.
func (p *page) sendsTo(t html.Token) string {
	switch to := attribute(t, "formaction"); {
	case to != "":
		return to
	case p.action == "" && has(t, "form"):
		return p.forms[attribute(t, "form")]
	}
	return p.action
}

// password states, once for each address, that a password goes there.
func (p *page) password(to string) {
	t := parse(clipped(strings.TrimSpace(to)), p.base)
	if t.host == "" || p.asked[t.raw] || len(p.asked) == maxLinks {
		return
	}
	if p.asked == nil {
		p.asked = map[string]bool{}
	}
	p.asked[t.raw] = true
	p.state(finding.LinkForm, "url", t.raw, "host", t.host, "site", t.site())
}

// refresh reads <meta http-equiv=refresh content="0; url=...">.
func (p *page) refresh(t html.Token) {
	if !strings.EqualFold(attribute(t, "http-equiv"), "refresh") {
		return
	}
	// HTML §4.2.5.3: a number, then a blank, comma or semicolon.
	url := strings.TrimLeft(attribute(t, "content"), " \t\r\n\f0123456789.")
	url = strings.TrimSpace(strings.TrimLeft(url, " \t\r\n\f;,"))
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

// unseen are the declarations, without blanks, that take a text out of sight.
var unseen = []string{"display:none", "visibility:hidden", "visibility:collapse", "font-size:0;", "font-size:0p", "font-size:0e", "font-size:0%",
	"opacity:0;", "opacity:0.0", "max-height:0;", "max-height:0p", "max-width:0;", "max-width:0p", "mso-hide:all", "color:transparent",
	"clip:rect(0", "text-indent:-9", "left:-9", "top:-9", "transform:scale(0"}

// invisibleStyle says that a style attribute takes its element out of sight.
// A preheader is hidden in this way too: nothing is said of it, only its text
// is not what the reader sees.
func invisibleStyle(style string) bool {
	style = strings.ToLower(strings.Join(strings.Fields(style), ""))
	for _, s := range unseen {
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
		p.piecewise()
	}
	p.href, p.inLink, p.turned, p.styled, p.pieces = "", false, false, false, p.pieces[:0]
	p.shown.Reset()
}

// piecewise looks at the texts of an anchor one by one: a style sheet, which is
// not read, may hide all but the one that shows an address.
func (p *page) piecewise() {
	if !p.styled || len(p.pieces) < 2 || p.full {
		return
	}
	whole := visible(clipped(p.shown.String()))
	t := parse(clipped(strings.TrimSpace(p.href)), p.base)
	if lies(t, whole) {
		return // stated already
	}
	for _, piece := range p.pieces {
		if piece = visible(clipped(piece)); whollyHost(piece) && lies(t, piece) {
			p.mismatch(t, piece)
			return
		}
	}
}

// whollyHost says that a piece shows a host to its end: the first half of one
// that goes on in the next piece ends in a dot, or in no suffix.
func whollyHost(piece string) bool {
	host, ok := claimed(piece)
	if !ok || strings.HasSuffix(piece, ".") {
		return false
	}
	suffix, managed := publicsuffix.PublicSuffix(host)
	return managed && suffix != host
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
