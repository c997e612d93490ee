package rule

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/finding"
	"sekisho/filter/mail"
	"sekisho/filter/report"
	"sekisho/filter/verdict"
)

// compile loads rules of one condition each, in the order given.
func compile(t *testing.T, conditions ...string) *Set {
	t.Helper()
	var text strings.Builder
	for i, c := range conditions {
		text.WriteString(strings.Replace(head, "a-rule", "rule-"+string(rune('a'+i)), 1) + "  " + c + "\n")
	}
	set, err := Load(files("l.yaml", goodList, "r.yaml", text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestConditions(t *testing.T) {
	facts := func(change func(*Facts)) *Facts {
		f := &Facts{
			Entities: []Entity{{Name: "a.zip"}, {Path: "a.zip/b.exe", Name: "b.exe", Types: []string{"pe"}, Encrypted: true}},
			Findings: []Finding{
				{Kind: "name.padded", Path: "a.zip/b.exe", Evidence: map[string]string{"in": "name"}},
				{Kind: "container.encrypted", Path: "a.zip"},
			},
			Links: []Link{{Path: "1", Host: "files.example.exe", Scheme: "https", Ext: "exe"}},
			Auth:  Auth{Checked: true, SPF: "fail", DMARC: "none", DMARCPolicy: "none", AuthorDomain: "sub.exe"},
		}
		if change != nil {
			change(f)
		}
		f.complete()
		return f
	}
	tests := []struct {
		name, condition string
		change          func(*Facts)
		paths           []string
		fires           bool
	}{
		{"extension", "match: {ext: program}", nil, []string{"a.zip/b.exe"}, true},
		{"extension of another list member only", "match: {ext: program, named: false}", nil, nil, false},
		{"type not in the list", "match: {type: program}", nil, nil, false},
		{"finding and its entity", "match: {finding: name.padded, ext: program}", nil, []string{"a.zip/b.exe"}, true},
		{"finding at another entity", "match: {finding: container.encrypted, ext: program}", nil, nil, false},
		{"finding with its evidence", "match: {finding: name.padded, evidence: {in: [name, size]}}", nil, []string{"a.zip/b.exe"}, true},
		{"finding with other evidence", "match: {finding: name.padded, evidence: {in: size}}", nil, nil, false},
		{"evidence out of a list", "match: {finding: name.padded, evidence: {in: lists.program}}", nil, nil, false},
		{"encrypted", "match: {encrypted: true, ext: program}", nil, []string{"a.zip/b.exe"}, true},
		{"unread", "match: {unread: true, ext: program}", nil, nil, false},
		{"depth", "match: {ext: program, depth: {min: 2}}", nil, []string{"a.zip/b.exe"}, true},
		{"not so deep", "match: {ext: program, depth: {max: 1}}", nil, nil, false},
		{"a host below the listed one", "match: {host: program}", func(f *Facts) { f.Links[0].Host = "files.exe"; f.Links[0].Path = "1" }, []string{"1"}, true},
		{"a host that only ends like it", "match: {host: program}", func(f *Facts) { f.Links[0].Host = "filesexe" }, nil, false},
		{"link extension and scheme", "match: {link_ext: program, scheme: [http, https]}", nil, []string{"1"}, true},
		{"link of another scheme", "match: {link_ext: program, scheme: ftp}", nil, nil, false},
		{"an entity and a link", "match: {ext: program, link_ext: program}", nil, []string{"a.zip/b.exe", "1"}, true},
		{"message words", "match: {kind: mail, spf: fail, dmarc: [none, fail], dmarc_policy: none, author: program}", nil, nil, true},
		{"another word", "match: {spf: pass}", nil, nil, false},
		{"from outside", "match: {inside: false, ext: program}", nil, []string{"a.zip/b.exe"}, true},
		{"from one of us", "match: {inside: false, ext: program}", func(f *Facts) { f.Client.AuthType = "PLAIN" }, nil, false},
		{"excused at the same entity", "match: {ext: program}\n  except: {encrypted: true}", nil, nil, false},
		{"a harmless neighbour excuses nothing", "match: {ext: program}\n  except: {encrypted: false}", nil, []string{"a.zip/b.exe"}, true},
		{"excused by the message", "match: {ext: program}\n  except: {spf: fail}", nil, nil, false},
		{"excused only together", "match: {ext: program}\n  except: {encrypted: true, spf: pass}", nil, []string{"a.zip/b.exe"}, true},
		{"excused link", "match: {link_ext: program}\n  except: {scheme: https}", nil, nil, false},
		{"condition with its path", "when: any(entities, {.encrypted && .size == 0})", nil, []string{"a.zip/b.exe"}, true},
		{"two conditions with their paths", `when: any(entities, {.encrypted}) && any(links, {.host endsWith ".exe"})`, nil, []string{"a.zip/b.exe", "1"}, true},
		{"a finding carries its entity's words", `when: any(findings, .kind == "name.padded" && "exe" in .exts && "pe" in .types)`, nil, []string{"a.zip/b.exe"}, true},
		{"members are counted", "when: any(entities, .members == 1)", nil, []string{"a.zip"}, true},
		{"members through a finding", `when: any(findings, .kind == "container.encrypted" && .members == 1)`, nil, []string{"a.zip"}, true},
		{"match and when", "match: {ext: program}\n  when: auth.spf == 'pass'", nil, nil, false},
		{"when and except", "when: auth.spf == 'fail'\n  except: auth.dmarc == 'none'", nil, nil, false},
		{"when and plain except", "when: auth.spf == 'fail'\n  except: {dmarc: none}", nil, nil, false},
		{"list in a condition", "when: |\n    any(entities, any(.exts, # in lists.program))", nil, []string{"a.zip/b.exe"}, true},
		{"within a list", "when: within(auth.author, lists.program)", nil, nil, true},
		{"within our own domains", "when: within(auth.author, own_domains)", func(f *Facts) { f.OwnDomains = []string{"exe"} }, nil, true},
		{"imitates our own domain", "when: imitates('exarnple.jp', own_domains)", func(f *Facts) { f.OwnDomains = []string{"a.jp", "example.jp"} }, nil, true},
		{"one of ours imitates none of ours", "when: imitates('examp1e.jp', own_domains)", func(f *Facts) { f.OwnDomains = []string{"examp1e.jp", "example.jp"} }, nil, false},
		{"within no domains", "when: within(auth.author, own_domains)", nil, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := compile(t, tt.condition).Judge(facts(tt.change))
			if fires := len(v.Reasons) == 1; fires != tt.fires {
				t.Fatalf("Judge = %+v, want fires %v", v, tt.fires)
			}
			if tt.fires && !slices.Equal(v.Reasons[0].Paths, tt.paths) {
				t.Errorf("paths = %q, want %q", v.Reasons[0].Paths, tt.paths)
			}
		})
	}
}

func TestABrokenRuleQuarantines(t *testing.T) {
	set := compile(t, "when: entities[3].encrypted", "match: {ext: program}")
	v := set.Judge(&Facts{})
	if v.Disposition != verdict.Quarantine || v.Rule() != "rule-a" || !strings.HasPrefix(v.Reasons[0].Why, "rule error: ") {
		t.Errorf("Judge = %+v, want quarantine by a rule error", v)
	}
	full := &Facts{Entities: make([]Entity, 4)}
	full.join()
	if v := set.Judge(full); v.Disposition != verdict.Accept {
		t.Errorf("Judge = %+v, want accept where the index exists", v)
	}
}

func TestABrokenRuleThatObservesIsOnlyObserved(t *testing.T) {
	text := head + "  when: entities[3].encrypted\n  mode: observe\n"
	set, err := Load(files("r.yaml", text))
	if err != nil {
		t.Fatal(err)
	}
	v := set.Judge(&Facts{})
	if v.Disposition != verdict.Accept || len(v.Observed) != 1 || !strings.HasPrefix(v.Observed[0].Why, "rule error: ") {
		t.Errorf("Judge = %+v, want an observed rule error", v)
	}
}

func TestTheStrictestReasonComesFirst(t *testing.T) {
	rule := func(id, severity, then string) string {
		text := strings.ReplaceAll(head, "a-rule", id) + "  match: {ext: program}\n"
		return strings.ReplaceAll(strings.Replace(text, "severity: high", "severity: "+severity, 1), "quarantine", then)
	}
	set, err := Load(files("l.yaml", goodList, "r.yaml",
		rule("a-tag", "critical", "tag")+rule("b-low", "low", "quarantine")+rule("c-high", "high", "quarantine")+
			rule("d-high", "high", "quarantine")+rule("e-reject", "info", "reject")+"  mode: observe\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := &Facts{Entities: []Entity{{Name: "a.exe"}}}
	f.complete()
	v := set.Judge(f)
	var got []string
	for _, r := range v.Reasons {
		got = append(got, r.Rule)
	}
	if want := []string{"c-high", "d-high", "b-low", "a-tag"}; !slices.Equal(got, want) {
		t.Errorf("reasons = %v, want %v", got, want)
	}
	if v.Disposition != verdict.Quarantine || len(v.Observed) != 1 || v.Observed[0].Disposition != verdict.Reject {
		t.Errorf("Judge = %+v, want quarantine and one observed reject", v)
	}
	if v.RuleSet != set.ID() || len(set.ID()) != 12 {
		t.Errorf("RuleSet = %q, ID = %q", v.RuleSet, set.ID())
	}
	if again := set.Judge(f); !reflect.DeepEqual(v, again) {
		t.Errorf("the same facts gave %+v and %+v", v, again)
	}
}

func TestNewFactsCopiesAndCuts(t *testing.T) {
	r := &report.Report{
		Kind: "mail", Size: 7, Incomplete: true,
		Header: report.Header{Subject: strings.Repeat("表", 2000), FromFields: 2, From: []report.Address{{Name: "A", Addr: "a@b.jp", Domain: "b.jp"}}},
		Entities: []report.Entity{
			{Path: "1", Name: "example.com", Exts: []string{"com"}, Dir: true},
			{Path: "2", Name: "evil.exe/", Exts: []string{"exe"}, Dir: true, Size: 5},
		},
		Findings: []finding.Finding{finding.New(finding.NamePadded, "2", "name", "evil.exe")},
		Links:    []report.Link{{URL: "https://example.com/", Host: "example.com"}},
	}
	f := NewFacts(r, mail.Envelope{MailFrom: "x@y.jp", Rcpts: []string{"z@kansho.example.jp"}},
		mail.Client{Addr: netip.MustParseAddr("::ffff:192.0.2.1"), AuthType: "PLAIN"}, Auth{})
	if len(f.Header.Subject) > maxText || !strings.HasSuffix(f.Header.Subject, "表") {
		t.Errorf("subject of %d bytes is cut badly", len(f.Header.Subject))
	}
	if f.Entities[0].Exts != nil || !slices.Equal(f.Entities[1].Exts, []string{"exe"}) {
		t.Errorf("a folder has extensions %v, a file that calls itself one %v", f.Entities[0].Exts, f.Entities[1].Exts)
	}
	if f.Client.Addr != "192.0.2.1" || !f.Inside || f.Auth.AuthorDomain != "b.jp" || f.Header.FromFields != 2 {
		t.Errorf("NewFacts = %+v", f)
	}
	if !slices.Equal(f.Findings[0].Exts, []string{"exe"}) {
		t.Errorf("the finding lacks the words of its entity: %+v", f.Findings[0])
	}
	r.Findings[0].Evidence["name"] = "changed"
	if f.Findings[0].Evidence["name"] != "evil.exe" {
		t.Error("the facts share memory with the report")
	}
}

func TestFactsOverTheBoundAreAFinding(t *testing.T) {
	tests := []struct {
		name string
		r    *report.Report
		want bool
	}{
		{"an archive of 20,000 members", &report.Report{Entities: make([]report.Entity, 20000)}, false},
		{"too many entities", &report.Report{Entities: make([]report.Entity, maxItems+1)}, true},
		{"too many links", &report.Report{Links: make([]report.Link, maxItems+1)}, true},
		{"two names", &report.Report{Entities: []report.Entity{{Exts: make([]string, 2)}}}, false},
		{"too many names", &report.Report{Entities: []report.Entity{{Exts: make([]string, maxInner+1)}}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := NewFacts(tt.r, mail.Envelope{}, mail.Client{}, Auth{})
			got := slices.ContainsFunc(f.Findings, func(f Finding) bool { return f.Kind == "limit.reached" })
			if got != tt.want {
				t.Errorf("limit.reached = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestReadingsOfOnePathShareItsFindings(t *testing.T) {
	f := &Facts{
		Entities: []Entity{{Path: "1", Name: "a.txt"}, {Path: "1", Name: "a.exe", Reading: "undeclared-base64"}},
		Findings: []Finding{{Kind: "name.padded", Path: "1"}},
	}
	f.complete()
	if v := compile(t, "match: {finding: name.padded, ext: program}").Judge(f); v.Disposition != verdict.Quarantine {
		t.Errorf("Judge = %+v, want the second reading seen", v)
	}
}

func TestRulesRunTheirOwnTests(t *testing.T) {
	text := head + "    - {name: a mail, mail: \"Subject: x\\n\\ny\", want: none}\n    - {name: a file, message: m.eml, want: quarantine}\n  match: {ext: program}\n"
	set, err := Load(files("l.yaml", goodList, "m.eml", "From: a@b.jp", "r.yaml", text))
	if err != nil {
		t.Fatal(err)
	}
	var mails []string
	got := set.Test(func(tt Test) (*Facts, error) {
		mails = append(mails, string(tt.Mail))
		return &Facts{}, nil
	})
	if want := []string{"Subject: x\r\n\r\ny", "From: a@b.jp"}; !slices.Equal(mails, want) {
		t.Errorf("mails = %q, want %q", mails, want)
	}
	var ok []bool
	for _, r := range got {
		ok = append(ok, r.OK())
	}
	if want := []bool{true, true, true, false}; !slices.Equal(ok, want) {
		t.Errorf("OK = %v, want %v in %+v", ok, want, got)
	}
	for _, r := range set.Test(nil)[2:] {
		if r.Err == nil || r.OK() {
			t.Errorf("a message test without an inspector = %+v, want an error", r)
		}
	}
}
