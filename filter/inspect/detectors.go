package inspect

import (
	"encoding/hex"
	"slices"
	"strings"

	"sekisho/filter/display"
	"sekisho/filter/entity"
	"sekisho/filter/filename"
	"sekisho/filter/filetype"
	"sekisho/filter/finding"
	"sekisho/filter/link"
	"sekisho/filter/part"
	"sekisho/filter/report"
	"sekisho/filter/unpack"
)

// detectors are asked about every entity, in this order.
var detectors = []struct {
	name string
	see  func(*entity.Entity, []string) []finding.Finding
}{
	{"filename", func(e *entity.Entity, _ []string) []finding.Finding { return filename.Inspect(e.Path, e.Names) }},
	{"mismatch", mismatch},
	{"polyglot", polyglot},
	{"lock", lock},
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

// lock states that a document asks its reader for a password. Containers say so
// themselves.
func lock(e *entity.Entity, types []string) []finding.Finding {
	if !slices.Contains(types, "pdf") {
		return nil
	}
	method := unpack.PDFLock(e.Body)
	if method == "" {
		return nil
	}
	return []finding.Finding{finding.New(finding.ContainerEncrypted, e.Path, "name", e.Name(), "method", method)}
}

func polyglot(e *entity.Entity, types []string) []finding.Finding {
	if !filetype.Polyglot(types) {
		return nil
	}
	return []finding.Finding{finding.New(finding.TypePolyglot, e.Path, "name", e.Name(), "types", strings.Join(types, " "))}
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
		switch {
		case html:
			read = link.HTML
		case e.MediaType != "":
			read = link.Body
		}
		found, fs := read(e.Path, w.hear(e, html))
		w.state(fs...)
		for _, l := range found {
			if len(w.rep.Links) < report.MaxLinks {
				w.rep.Links = append(w.rep.Links, report.Link{Path: e.Path, URL: l.URL, Shown: l.Shown, Scheme: l.Scheme, Host: l.Host, Site: l.Site, Ext: l.Ext})
			}
		}
	})
}

// header copies what the reader sees into the Report.
func header(h part.Header) report.Header {
	out := report.Header{Subject: h.Subject, MessageID: h.MessageID, Date: h.Date, FromFields: h.FromFields,
		From: mailboxes(h.From), ReplyTo: mailboxes(h.ReplyTo), Sender: mailboxes(h.Sender), To: mailboxes(h.To)}
	if len(h.FromOther) > 0 {
		out.FromOther = mailboxes(h.FromOther)
	}
	for name, raw := range h.Undecoded {
		if out.Raw == nil {
			out.Raw = map[string]string{}
		}
		out.Raw[name] = hex.EncodeToString(raw)
	}
	return out
}

func mailboxes(list []part.Address) []report.Address {
	out := make([]report.Address, 0, min(len(list), report.MaxAddresses))
	for _, a := range list[:min(len(list), report.MaxAddresses)] {
		out = append(out, report.Address{Name: a.Name, Addr: a.Addr, Domain: a.Domain})
	}
	return out
}
