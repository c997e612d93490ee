package report

import (
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
)

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// honest is a Report as the inspection makes it, and what its reader expects.
func honest() (*Report, Expect) {
	r := &Report{Schema: Schema, Kind: KindMail, SHA256: digest, Size: 420,
		Header: Header{Subject: "見積書", From: []Address{{Name: "山田", Addr: "y@example.jp", Domain: "example.jp"}}, FromFields: 1},
		Entities: []Entity{
			{Path: "", Names: []string{}, Exts: []string{}, Types: []string{"eml"}, Size: 420, SHA256: digest},
			{Path: "2", Depth: 1, Name: "見積.exe", Names: []string{"見積.exe"}, Exts: []string{"exe"}, Types: []string{"pe"}, Size: 12, SHA256: digest},
		},
		Links:    []Link{{Path: "1", URL: "https://example.jp/", Scheme: "https", Host: "example.jp", Site: "example.jp"}},
		Findings: []finding.Finding{finding.New(finding.NamePadded, "2", "name", "見積.exe")}}
	return r, Expect{Kind: KindMail, Size: 420, SHA256: digest, Limits: budget.Small}
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("あ", maxText)
	tests := []struct {
		name   string
		change func(*Report, *Expect)
		want   string // "" = taken
	}{
		{"as the worker made it", func(*Report, *Expect) {}, ""},
		{"the gate does not know the digest", func(_ *Report, e *Expect) { e.SHA256 = "" }, ""},
		{"an entity whose bytes could not be had", func(r *Report, _ *Expect) { r.Entities[1].SHA256 = ""; r.Entities[1].Unread, r.Incomplete = true, true }, ""},
		{"as many findings as the inspection states", func(r *Report, _ *Expect) {
			r.Findings = make([]finding.Finding, MaxFindings)
			for i := range r.Findings {
				r.Findings[i].Kind = finding.NamePadded
			}
		}, ""},
		{"another schema", func(r *Report, _ *Expect) { r.Schema++ }, "schema"},
		{"a file for a mail", func(r *Report, _ *Expect) { r.Kind = KindFile }, "want \"mail\""},
		{"another size", func(r *Report, _ *Expect) { r.Size-- }, "bytes"},
		{"another message's digest", func(r *Report, _ *Expect) { r.SHA256 = strings.Repeat("0", 64) }, "digest"},
		{"no digest", func(r *Report, e *Expect) { r.SHA256, e.SHA256 = "", "" }, "digest"},
		{"a digest in capitals", func(r *Report, e *Expect) { r.SHA256, e.SHA256 = strings.ToUpper(digest), "" }, "digest"},
		{"a digest of other letters", func(r *Report, e *Expect) { r.SHA256, e.SHA256 = strings.Repeat("g", 64), "" }, "digest"},
		{"no entity", func(r *Report, _ *Expect) { r.Entities = nil }, "entities"},
		{"more entities than the budget allows", func(r *Report, e *Expect) { e.Limits.Members = 0 }, "entities"},
		{"a negative depth", func(r *Report, _ *Expect) { r.Entities[1].Depth = -1 }, "depth"},
		{"a depth that no screen shows", func(r *Report, _ *Expect) { r.Entities[1].Depth = maxDepth + 1 }, "depth"},
		{"a negative size", func(r *Report, _ *Expect) { r.Entities[1].Size = -1 }, "size"},
		{"an entity's digest", func(r *Report, _ *Expect) { r.Entities[1].SHA256 = "00" }, "digest"},
		{"an endless path", func(r *Report, _ *Expect) { r.Entities[1].Path = long }, "text"},
		{"an endless word", func(r *Report, _ *Expect) { r.Entities[1].Reading = strings.Repeat("x", maxWord+1) }, "word"},
		{"endless names", func(r *Report, _ *Expect) { r.Entities[1].Names = make([]string, maxList+1) }, "list"},
		{"an endless type", func(r *Report, _ *Expect) { r.Entities[1].Types = []string{strings.Repeat("x", maxWord+1)} }, "listed"},
		{"an endless subject", func(r *Report, _ *Expect) { r.Header.Subject = long }, "header"},
		{"an endless address", func(r *Report, _ *Expect) { r.Header.To = []Address{{Addr: long}} }, "address"},
		{"too many addresses", func(r *Report, _ *Expect) { r.Header.Sender = make([]Address, MaxAddresses+1) }, "addresses"},
		{"From fields below none", func(r *Report, _ *Expect) { r.Header.FromFields = -1 }, "From fields"},
		{"too many links", func(r *Report, _ *Expect) { r.Links = make([]Link, MaxLinks+1) }, "links"},
		{"an endless link", func(r *Report, _ *Expect) { r.Links[0].URL = long }, "link"},
		{"a kind that no catalogue has", func(r *Report, _ *Expect) { r.Findings[0].Kind = "name.\x1b[2J" }, "unknown finding"},
		{"too many findings", func(r *Report, _ *Expect) {
			r.Findings = make([]finding.Finding, MaxFindings+len(r.Entities)+maxPairs+1)
		}, "findings"},
		{"endless evidence", func(r *Report, _ *Expect) { r.Findings[0].Evidence["name"] = strings.Repeat("x", maxEvidence+1) }, "evidence"},
		{"an endless key", func(r *Report, _ *Expect) { r.Findings[0].Evidence[strings.Repeat("x", maxWord+1)] = "" }, "evidence"},
		{"a finding at an endless path", func(r *Report, _ *Expect) { r.Findings[0].Path = long }, "too long"},
		{"complete with an unread entity", func(r *Report, _ *Expect) { r.Entities[1].Unread = true }, "unread"},
		{"complete with an encrypted entity", func(r *Report, _ *Expect) { r.Entities[1].Encrypted = true }, "unread"},
		{"complete in spite of a limit", func(r *Report, _ *Expect) { r.Findings[0].Kind = finding.LimitReached }, "complete"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, want := honest()
			tt.change(r, &want)
			err := r.check(want)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("check = %v, want an error with %q", err, tt.want)
			}
		})
	}
}
