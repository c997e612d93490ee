package inspect

import (
	"slices"
	"strings"

	"sekisho/filter/charset"
	"sekisho/filter/display"
	"sekisho/filter/entity"
	"sekisho/filter/filename"
	"sekisho/filter/filetype"
	"sekisho/filter/finding"
	"sekisho/filter/link"
	"sekisho/filter/part"
	"sekisho/filter/report"
)

// detectors are asked about every entity, in this order.
var detectors = []struct {
	name string
	see  func(*entity.Entity, []string) []finding.Finding
}{
	{"filename", func(e *entity.Entity, _ []string) []finding.Finding { return filename.Inspect(e.Path, e.Names) }},
	{"mismatch", mismatch},
	{"polyglot", polyglot},
}

// mismatch compares what the names claim with what the bytes are.
func mismatch(e *entity.Entity, types []string) []finding.Finding {
	ext, found := filetype.Mismatch(filename.Extensions(e.Names), types)
	if !found {
		return nil
	}
	return []finding.Finding{finding.New(finding.TypeMismatch, e.Path, "name", e.Name(), "shown", display.Shown(e.Name()),
		"ext", ext, "types", strings.Join(types, " "))}
}

func polyglot(e *entity.Entity, types []string) []finding.Finding {
	if !filetype.Polyglot(types) {
		return nil
	}
	return []finding.Finding{finding.New(finding.TypePolyglot, e.Path, "name", e.Name(), "types", strings.Join(types, " "))}
}

// authorship looks at the From that the reader sees (RFC 5322 §3.6.2: exactly
// one field; several mailboxes only with a Sender).
func authorship(at string, h part.Header) []finding.Finding {
	var fs []finding.Finding
	switch {
	case h.FromFields == 0 || len(h.From) == 0:
		fs = append(fs, finding.New(finding.FromMissing, at))
	case h.FromFields > 1 || len(h.From) > 1:
		fs = append(fs, finding.New(finding.FromMultiple, at, "addresses", addresses(h.From)))
	}
	for _, a := range h.From {
		if shown := addressIn(a.Name); shown != "" && !strings.EqualFold(domain(shown), a.Domain) {
			fs = append(fs, finding.New(finding.FromDeceptive, at, "shown", a.Name, "true", a.Addr, "form", form(a.Name, shown)))
		}
	}
	return fs
}

// form tells the address of a list's or a service's member, which both write
// before the word "via" and their own name, from any other.
func form(name, shown string) string {
	_, behind, _ := strings.Cut(strings.ReplaceAll(name, "＠", "@"), shown)
	if strings.HasPrefix(strings.TrimLeft(behind, "'\")>"), " via ") {
		return "via"
	}
	return "plain"
}

func addresses(list []part.Address) string {
	var out []string
	for _, a := range list {
		out = append(out, a.Addr)
	}
	return strings.Join(out, " ")
}

// addressIn finds the first mail address within a display name.
func addressIn(name string) string {
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune(" \t\"'<>()[],;:「」（）〈〉＜＞\u3000", r) }) {
		local, dom, ok := strings.Cut(strings.ReplaceAll(word, "＠", "@"), "@")
		if ok && local != "" && strings.Contains(strings.Trim(dom, "."), ".") {
			return local + "@" + dom
		}
	}
	return ""
}

func domain(addr string) string {
	return strings.TrimSuffix(addr[strings.LastIndexByte(addr, '@')+1:], ".")
}

// links reads HTML and text parts; members of archives are read too, since a
// mailed HTML file often comes packed.
func (w *walk) links(e *entity.Entity, types []string) {
	html := e.MediaType == "text/html" || slices.Contains(types, "html")
	plain := e.MediaType == "text/plain" || e.MediaType == "" && slices.Contains(types, "text")
	if !html && !plain || len(e.Body) == 0 {
		return
	}
	w.guard("link", e.Path, func() {
		read := link.Text
		if html {
			read = link.HTML
		}
		found, fs := read(e.Path, text(e))
		w.state(fs...)
		for _, l := range found {
			if len(w.rep.Links) < report.MaxLinks {
				w.rep.Links = append(w.rep.Links, report.Link{Path: e.Path, URL: l.URL, Shown: l.Shown, Scheme: l.Scheme, Host: l.Host, Site: l.Site, Ext: l.Ext})
			}
		}
	})
}

// text converts a body to UTF-8 by its declared charset, or by a guess where
// that is missing, unknown or wrong.
func text(e *entity.Entity) string {
	if e.Charset != "" {
		if s, ok := charset.Decode(e.Body, e.Charset); ok {
			return s
		}
	}
	s, _ := charset.Guess(e.Body)
	return s
}

// header copies what the reader sees into the Report.
func header(h part.Header) report.Header {
	return report.Header{Subject: h.Subject, MessageID: h.MessageID, Date: h.Date, FromFields: h.FromFields,
		From: mailboxes(h.From), ReplyTo: mailboxes(h.ReplyTo), Sender: mailboxes(h.Sender), To: mailboxes(h.To)}
}

func mailboxes(list []part.Address) []report.Address {
	out := make([]report.Address, 0, min(len(list), report.MaxAddresses))
	for _, a := range list[:min(len(list), report.MaxAddresses)] {
		out = append(out, report.Address{Name: a.Name, Addr: a.Addr, Domain: a.Domain})
	}
	return out
}
