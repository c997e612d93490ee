package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sekisho/filter/escape"
	"sekisho/filter/finding"
	"sekisho/filter/report"
	"sekisho/filter/verdict"
)

// printTree shows one input to people: the verdict with its reasons, then the
// tree of entities with what was found at each. Every invisible character is
// shown.
func printTree(w io.Writer, r scanned) error {
	rep, v := r.judged.Report, r.judged.Verdict
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", escape.Text(r.file), strings.ToUpper(v.Disposition.String()))
	for _, reason := range v.Reasons {
		printReason(&b, "  ", reason)
	}
	for _, reason := range v.Observed {
		printReason(&b, "  (observed) ", reason)
	}
	if a := authObject(r.judged); a != nil {
		fmt.Fprintf(&b, "  spf=%s dkim=%s dmarc=%s\n", a.SPF, dkimText(a.DKIM), a.DMARC)
	}
	printHeader(&b, rep)
	at := map[string][]finding.Finding{}
	for _, f := range rep.Findings {
		at[f.Path] = append(at[f.Path], f)
	}
	for _, e := range rep.Entities {
		printEntity(&b, e, at[e.Path])
		delete(at, e.Path)
	}
	for _, p := range slices.Sorted(maps.Keys(at)) {
		printFindings(&b, "  ", at[p])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printHeader shows who is said to have written a mail, and about what.
func printHeader(b *strings.Builder, rep *report.Report) {
	if rep.Kind != report.KindMail {
		return
	}
	h := rep.Header
	for _, field := range []struct {
		name string
		list []report.Address
	}{{"from", h.From}, {"from, read otherwise", h.FromOther}, {"sender", h.Sender}, {"reply-to", h.ReplyTo}} {
		if len(field.list) > 0 {
			fmt.Fprintf(b, "  %s: %s\n", field.name, escape.Text(mailboxes(field.list)))
		}
	}
	if h.Subject != "" {
		fmt.Fprintf(b, "  subject: %s\n", escape.Text(h.Subject))
	}
	for _, name := range slices.Sorted(maps.Keys(h.Raw)) {
		fmt.Fprintf(b, "  bytes of %s: %s\n", name, h.Raw[name])
	}
}

func mailboxes(list []report.Address) string {
	var out []string
	for _, a := range list {
		out = append(out, strings.TrimSpace(a.Name+" <"+a.Addr+">"))
	}
	return strings.Join(out, ", ")
}

func dkimText(list []scanDKIM) string {
	if len(list) == 0 {
		return "none"
	}
	var out []string
	for _, s := range list {
		out = append(out, s.Result+"("+escape.Text(s.Domain)+")")
	}
	return strings.Join(out, ",")
}

func printReason(b *strings.Builder, lead string, r verdict.Reason) {
	fmt.Fprintf(b, "%s%s [%s, %s] %s\n", lead, r.Rule, r.Disposition, r.Severity, escape.Text(r.Why))
}

func printEntity(b *strings.Builder, e report.Entity, fs []finding.Finding) {
	indent := strings.Repeat("  ", min(e.Depth, 20)+1)
	fmt.Fprintf(b, "%s%s %s%s\n", indent, branch(e.Depth), escape.Text(title(e)), marks(e))
	if len(e.Names) > 1 {
		for _, n := range e.Names[1:] {
			fmt.Fprintf(b, "%s    also named %s\n", indent, escape.Text(n))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(e.Raw)) {
		fmt.Fprintf(b, "%s    bytes of %s: %s\n", indent, escape.Text(n), e.Raw[n])
	}
	printFindings(b, indent+"    ", fs)
}

func branch(depth int) string {
	if depth == 0 {
		return "●"
	}
	return "└"
}

func title(e report.Entity) string {
	switch {
	case e.Path == e.Name || strings.HasSuffix(e.Path, "/"+e.Name):
		// The path of a member ends in its name.
		return cmp.Or(e.Path, "message")
	case e.Name != "" && e.Path != "":
		return e.Path + "  " + e.Name
	case e.Name != "":
		return e.Name
	case e.Path != "":
		return e.Path
	}
	return "message"
}

// marks says what an entity is, in brackets.
func marks(e report.Entity) string {
	words := slices.Clone(e.Types)
	if len(words) == 0 && e.MediaType != "" {
		words = append(words, escape.Text(e.MediaType))
	}
	for _, m := range []struct {
		is   bool
		word string
	}{{e.Dir, "folder"}, {e.Link, "link"}, {e.Encrypted, "encrypted"}, {e.Unread, "not read"}} {
		if m.is {
			words = append(words, m.word)
		}
	}
	if e.Reading != "" {
		words = append(words, "as "+escape.Text(e.Reading))
	}
	size := fmt.Sprintf("%d bytes", e.Size)
	if len(words) == 0 {
		return "  (" + size + ")"
	}
	return "  (" + strings.Join(words, ", ") + "; " + size + ")"
}

func printFindings(b *strings.Builder, lead string, fs []finding.Finding) {
	for _, f := range fs {
		fmt.Fprintf(b, "%s! %s", lead, f.Kind)
		for _, k := range slices.Sorted(maps.Keys(f.Evidence)) {
			fmt.Fprintf(b, " %s=%q", k, escape.Text(f.Evidence[k]))
		}
		b.WriteByte('\n')
	}
}
