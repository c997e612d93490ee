package main

import (
	"sekisho/filter"
	"sekisho/filter/finding"
	"sekisho/filter/report"
	"sekisho/filter/verdict"
)

// scanObject is one line of `scan --json`. It is a contract: fields are added,
// never renamed or removed without a new schema number (docs/scan.md).
type scanObject struct {
	Schema      int               `json:"schema"`
	File        string            `json:"file"`
	Error       string            `json:"error,omitempty"`
	Kind        string            `json:"kind"`
	SHA256      string            `json:"sha256"`
	Size        int64             `json:"size"`
	Disposition string            `json:"disposition"`
	Reasons     []verdict.Reason  `json:"reasons"`
	Observed    []verdict.Reason  `json:"observed"`
	Header      *report.Header    `json:"header,omitempty"`
	Findings    []finding.Finding `json:"findings"`
	Entities    []report.Entity   `json:"entities"`
	Links       []report.Link     `json:"links"`
	Auth        *scanAuth         `json:"auth"`
	Incomplete  bool              `json:"incomplete"`
	RuleSet     string            `json:"rule_set,omitempty"`
}

// scanAuth are the authentication results, null without --auth.
type scanAuth struct {
	SPF         string     `json:"spf"`
	DKIM        []scanDKIM `json:"dkim"`
	DMARC       string     `json:"dmarc"`
	DMARCPolicy string     `json:"dmarc_policy"`
	Author      string     `json:"author"`
}

type scanDKIM struct {
	Result   string `json:"result"`
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Aligned  bool   `json:"aligned"`
	Reason   string `json:"reason,omitempty"`
}

func scanLine(r scanned) scanObject {
	o := scanObject{Schema: report.Schema, File: r.file, Reasons: []verdict.Reason{}, Observed: []verdict.Reason{},
		Findings: []finding.Finding{}, Entities: []report.Entity{}, Links: []report.Link{}}
	if r.err != nil {
		o.Error, o.Incomplete = r.err.Error(), true
		return o
	}
	v, rep := r.judged.Verdict, r.judged.Report
	o.Kind, o.SHA256, o.Size, o.Incomplete = rep.Kind, rep.SHA256, rep.Size, rep.Incomplete
	o.Disposition, o.RuleSet = v.Disposition.String(), v.RuleSet
	o.Reasons = append(o.Reasons, v.Reasons...)
	o.Observed = append(o.Observed, v.Observed...)
	o.Findings = append(o.Findings, rep.Findings...)
	o.Entities = append(o.Entities, rep.Entities...)
	o.Links = append(o.Links, rep.Links...)
	if rep.Kind == report.KindMail {
		o.Header = &rep.Header
	}
	o.Auth = authObject(r.judged)
	return o
}

func authObject(j filter.Judged) *scanAuth {
	if !j.Authenticated {
		return nil
	}
	a := &scanAuth{SPF: j.Auth.SPF.Result, DMARC: j.Auth.DMARC.Result, DMARCPolicy: j.Auth.DMARC.Policy, Author: j.Auth.DMARC.Domain, DKIM: []scanDKIM{}}
	for _, s := range j.Auth.DKIM {
		a.DKIM = append(a.DKIM, scanDKIM{Result: s.Result, Domain: s.Domain, Selector: s.Selector, Aligned: s.Aligned, Reason: s.Reason})
	}
	return a
}
