package rules

import (
	"fmt"
	"testing"

	"sekisho/filter/finding"
	"sekisho/filter/mail"
	"sekisho/filter/report"
	"sekisho/filter/rule"
)

// business is the report of a mail with ten attachments, each with findings
// and links around it, so that no rule ends early for want of facts.
func business() *report.Report {
	r := &report.Report{Kind: report.KindMail, Size: 1 << 20, Header: report.Header{
		Subject: "資料送付の件", FromFields: 1,
		From: []report.Address{{Name: "田中", Addr: "tanaka@example.co.jp", Domain: "example.co.jp"}},
	}}
	for i := range 10 {
		name := fmt.Sprintf("見積書_2026.11.%02d.docx", i+1)
		path := fmt.Sprint(i + 1)
		r.Entities = append(r.Entities, report.Entity{
			Path: path, Depth: 1, Name: name, Names: []string{name}, Exts: []string{"docx"},
			Types: []string{"zip", "ooxml", "docx"}, MediaType: "application/octet-stream", Size: 100000,
		})
		r.Links = append(r.Links, report.Link{
			Path: path, URL: "https://www.example.co.jp/a/" + path, Scheme: "https",
			Host: "www.example.co.jp", Site: "example.co.jp",
		})
		r.Findings = append(r.Findings, finding.New(finding.ContainerPrefix, path, "kind", "data"))
	}
	return r
}

func BenchmarkJudge(b *testing.B) {
	set, err := rule.Load(FS)
	if err != nil {
		b.Fatal(err)
	}
	r := business()
	auth := rule.Auth{Checked: true, SPF: "pass", DMARC: "pass", DMARCPolicy: "none"}
	b.ReportAllocs()
	b.SetBytes(r.Size)
	for b.Loop() {
		set.Judge(rule.NewFacts(r, mail.Envelope{}, mail.Client{}, auth))
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rule.Load(FS); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJudgeWorst judges the longest facts that rules can meet.
func BenchmarkJudgeWorst(b *testing.B) {
	set, err := rule.Load(FS)
	if err != nil {
		b.Fatal(err)
	}
	r := business()
	for len(r.Entities) < 20000 {
		e := r.Entities[0]
		e.Path = fmt.Sprint(len(r.Entities))
		r.Entities = append(r.Entities, e)
		r.Links = append(r.Links, r.Links[0])
		r.Findings = append(r.Findings, finding.New(finding.ContainerPrefix, e.Path, "kind", "data"))
	}
	for b.Loop() {
		set.Judge(rule.NewFacts(r, mail.Envelope{}, mail.Client{}, rule.Auth{}))
	}
}
