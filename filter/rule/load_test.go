package rule

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"sekisho/filter/finding"
)

// files builds a folder of rules out of name, text, name, text ...
func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

const goodList = `name: program
why: They run.
entries:
  - {value: exe, family: windows, reason: A program.}
  - {value: scr, family: windows, reason: A program.}
`

// head is a rule but for its condition, which the caller adds.
const head = `- id: a-rule
  why: A program.
  why_ja: プログラム。
  severity: high
  then: quarantine
  tests:
    - {name: a program, facts: {entities: [{name: a.exe}]}, want: quarantine}
    - {name: a document, facts: {entities: [{name: a.pdf}]}, want: none}
`

const goodRule = head + "  match: {ext: program}\n"

func TestLoadFindsEveryMistakeWithItsPlace(t *testing.T) {
	tests := []struct {
		name, rules string
		want        string // place and cause
		hint        string // a part of the hint, "" where there is none
	}{
		{"unknown key", goodRule + "  wehn: 'true'\n",
			`r.yaml:10:3: unknown key "wehn"`, `did you mean "when"?`},
		{"key twice", goodRule + "  severity: low\n",
			`r.yaml:10:3: key "severity" stands twice`, ""},
		{"wrong type", head + "  match: [exe]\n",
			`r.yaml:9:10: expected keys and values, got a list`, ""},
		{"text expected", strings.Replace(goodRule, "why: A program.", "why: [a]", 1),
			`r.yaml:2:8: why: expected text, got a list`, ""},
		{"bad disposition", strings.Replace(goodRule, "then: quarantine", "then: quarantene", 1),
			`r.yaml:5:9: then: unknown word "quarantene"`, `did you mean "quarantine"?`},
		{"bad severity", strings.Replace(goodRule, "severity: high", "severity: huge", 1),
			`r.yaml:4:13: severity: unknown word "huge"`, `did you mean "high"?`},
		{"bad mode", goodRule + "  mode: watch\n",
			`r.yaml:10:9: mode: unknown word "watch"`, "enforce, observe"},
		{"no id", strings.Replace(goodRule, "- id: a-rule\n ", "-", 1),
			`r.yaml:1:3: a rule has no id`, "- id:"},
		{"odd id", strings.Replace(goodRule, "a-rule", "A Rule", 1),
			`r.yaml:1:7: id "A Rule" is not in the form some-name`, ""},
		{"id twice", goodRule + goodRule,
			`r.yaml:10:7: id "a-rule" stands twice`, "r.yaml:1"},
		{"no why_ja", strings.Replace(goodRule, "  why_ja: プログラム。\n", "", 1),
			`r.yaml:1:3: a rule has no why_ja`, "Japanese"},
		{"why_ja in English", strings.Replace(goodRule, "プログラム。", "Program.", 1),
			`r.yaml:3:11: why_ja: is not Japanese`, ""},
		{"no condition", head, `r.yaml:1:3: rule "a-rule" has neither match: nor when:`, ""},
		{"empty match", head + "  match: {}\n", `r.yaml:9:10: there is nothing to match`, ""},
		{"missing list", head + "  match: {ext: programm}\n",
			`r.yaml:9:16: there is no list "programm"`, `did you mean "program"?`},
		{"missing list in a condition", head + "  when: any(entities, any(.exts, {# in lists.progam}))\n",
			`r.yaml:9:46: condition: there is no list "progam"`, `did you mean "program"?`},
		{"unknown finding", head + "  match: {finding: name.paded}\n",
			`r.yaml:9:20: there is no finding "name.paded"`, `did you mean "name.padded"?`},
		{"unknown finding in a condition", head + "  when: any(findings, .kind == \"name.paded\")\n",
			`r.yaml:9:32: condition: there is no finding "name.paded"`, `did you mean "name.padded"?`},
		{"unknown finding in a test", strings.Replace(goodRule, "entities: [{name: a.pdf}]", "findings: [{kind: name.paded}]", 1) + "",
			`r.yaml:8:33: there is no finding "name.paded"`, `did you mean "name.padded"?`},
		{"evidence without finding", head + "  match: {ext: program, evidence: {in: name}}\n",
			`r.yaml:9:25: evidence: without finding:`, ""},
		{"unknown name in a plain condition", head + "  when: any(entites, .encrypted)\n",
			`r.yaml:9:13: condition: unknown name entites`, `did you mean "entities"?`},
		{"unknown name in a quoted condition", head + "  when: 'kind == ''mail'' && foo'\n",
			`r.yaml:9:30: condition: unknown name foo`, ""},
		{"unknown name in a double-quoted condition", head + "  when: \"kind == \\\"mail\\\" && foo\"\n",
			`r.yaml:9:30: condition: unknown name foo`, ""},
		{"unknown name in a literal condition", head + "  when: |\n    inside &&\n      foo\n",
			`r.yaml:11:7: condition: unknown name foo`, ""},
		{"unknown name in a folded condition", head + "  when: >-\n    inside &&\n\n    foo\n",
			`r.yaml:12:5: condition: unknown name foo`, ""},
		{"unknown name in a plain condition over two lines", head + "  when: inside &&\n    foo\n",
			`r.yaml:10:5: condition: unknown name foo`, ""},
		{"unknown field", head + "  when: any(entities, .encrypt)\n",
			`r.yaml:9:24: condition: type rule.Entity has no field encrypt`, ""},
		{"syntax", head + "  when: inside &&\n", `r.yaml:9:`, ""},
		{"a comment in the middle", head + "  when: any(entities, any(.exts, # in lists.program))\n",
			`r.yaml:9:32: condition: unexpected token EOF`, "when: |"},
		{"not a condition", head + "  when: size + 1\n",
			`r.yaml:9:9: condition: expected bool, but got int`, "true or false"},
		{"bad pattern", head + "  when: header.subject matches '('\n",
			`r.yaml:9:24: condition: error parsing regexp`, ""},
		{"pattern out of the mail", head + "  when: header.subject matches header.date\n",
			`r.yaml:9:39: condition: the pattern of matches must be written out`, ""},
		{"long list in a long list", head + "  when: any(entities, any(findings, .path == ''))\n",
			`r.yaml:9:23: condition: a long list is walked for each member of another`, ".exts"},
		{"three deep", head + "  when: any(entities, any(.names, any([1], {# > 0})))\n",
			`r.yaml:9:23: condition: lists are walked more than two deep`, ""},
		{"let", head + "  when: let e = entities; any(e, .encrypted)\n",
			`condition: let and ; are not part of the rule language`, ""},
		{"range", head + "  when: any(1..100000000, {# > 1})\n",
			`condition: ranges are not part of the rule language`, ""},
		{"builtin that is switched off", head + "  when: len(repeat('a', 1000000)) > 1\n",
			`condition: unknown name repeat`, ""},
		{"the whole environment", head + "  when: len($env) > 1\n",
			`condition: $env is not part of the rule language`, ""},
		{"lists without a name", head + "  when: len(lists) > 1\n",
			`condition: lists stands without a name`, "lists.NAME"},
		{"long condition", head + "  when: " + strings.Repeat("inside || ", 400) + "inside\n",
			`r.yaml:9:`, ""},
		{"except of another thing", goodRule + "  except: {host: program}\n",
			`r.yaml:10:11: except: speaks of a link, match: does not`, ""},
		{"reply without reject", goodRule + "  reply: no\n",
			`r.yaml:10:3: reply: without then: reject or defer`, ""},
		{"reply of the wrong class", strings.ReplaceAll(goodRule, "quarantine", "reject") + "  reply: 452 4.3.4 full\n",
			`r.yaml:10:10: reply: then: reject needs codes that begin with 5`, ""},
		{"reply in Japanese", strings.ReplaceAll(goodRule, "quarantine", "reject") + "  reply: 拒否\n",
			`r.yaml:10:10: reply: is not one line of up to 200 printable ASCII characters`, ""},
		{"no firing test", strings.Replace(goodRule, "    - {name: a program, facts: {entities: [{name: a.exe}]}, want: quarantine}\n", "", 1),
			`r.yaml:6:3: rule "a-rule" has no test in which it fires`, "want: quarantine"},
		{"no silent test", strings.Replace(goodRule, "    - {name: a document, facts: {entities: [{name: a.pdf}]}, want: none}\n", "", 1),
			`r.yaml:6:3: rule "a-rule" has no test in which it stays silent`, "want: none"},
		{"test wants another disposition", strings.Replace(goodRule, "want: none", "want: tag", 1),
			`r.yaml:8:68: want: unknown word "tag"`, "quarantine, none"},
		{"test with unknown fact", strings.Replace(goodRule, "{name: a.pdf}", "{nome: a.pdf}", 1),
			`r.yaml:8:46: unknown fact "nome"`, `did you mean "name"?`},
		{"test without facts", strings.Replace(goodRule, "facts: {entities: [{name: a.pdf}]}, ", "", 1),
			`r.yaml:8:7: a test needs exactly one of facts:, message: and mail:`, ""},
		{"test with a missing message", strings.Replace(goodRule, "facts: {entities: [{name: a.pdf}]}", "message: no.eml", 1),
			`r.yaml:8:35: message "no.eml": file does not exist`, "folder of the rule file"},
		{"test outside the folder", strings.Replace(goodRule, "facts: {entities: [{name: a.pdf}]}", "message: ../../etc/passwd", 1),
			`r.yaml:8:35: message "../../etc/passwd"`, ""},
		{"broken YAML", "- id: [\n", `r.yaml:2:1: `, ""},
		{"empty file", "", `r.yaml:1:1: `, ""},
		{"two documents", goodRule + "---\n" + goodRule, `r.yaml:`, ""},
		{"binary", "\x00\xff\xfe", `r.yaml:1:1: `, ""},
		{"alias", "- id: &x a-rule\n", `r.yaml:1:7: anchors and aliases are not used in rules`, ""},
		{"a word alone", "hello\n", `r.yaml:1:1: expected rules or a list, got "hello"`, "- id:"},
		{"switching off nothing", "- {id: b-rule, disable: true}\n",
			`r.yaml:1:8: there is no rule "b-rule" to switch off`, ""},
		{"list twice", "name: program\nwhy: Again.\nvalues: [exe]\n",
			`r.yaml:1:7: list "program" stands twice`, "l.yaml"},
		{"list without why", "name: other\nvalues: [exe]\n", `r.yaml:1:7: list "other" has no why`, ""},
		{"changing no list", "name: programs\nextend: [exe]\n",
			`r.yaml:1:7: there is no list "programs" to change`, `did you mean "program"?`},
		{"value twice", "name: other\nwhy: x\nvalues: [exe, exe]\n",
			`r.yaml:3:15: value "exe" stands twice in list "other"`, ""},
		{"including no list", "name: other\nwhy: x\ninclude: [progam]\n",
			`r.yaml:3:11: there is no list "progam"`, `did you mean "program"?`},
		{"removing what is not there", "name: program\nremove: [exa]\n",
			`r.yaml:2:10: list "program" has no value "exa" to remove`, `did you mean "exe"?`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := Load(files("l.yaml", goodList, "r.yaml", tt.rules))
			if err == nil || set != nil {
				t.Fatalf("Load = %v, %v; want an error and no rules", set, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load:\n got %v\nwant %s", err, tt.want)
			}
			var at *Error
			if !errors.As(err, &at) || !anyHint(err, tt.hint) {
				t.Errorf("Load: no hint with %q in %v", tt.hint, err)
			}
		})
	}
}

// anyHint says that one of the joined errors brings a hint with part.
func anyHint(err error, part string) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return false
	}
	for _, one := range joined.Unwrap() {
		var at *Error
		if errors.As(one, &at) && strings.Contains(at.Hint, part) {
			return true
		}
	}
	return false
}

func TestLoadNamesAllMistakesOfAllFilesAtOnce(t *testing.T) {
	_, err := Load(
		files("a.yaml", "- id: [\n", "b.yaml", goodRule+"  wehn: x\n"),
		files("c.yaml", "name: x\n"),
	)
	if err == nil {
		t.Fatal("Load accepted broken files")
	}
	for _, want := range []string{"a.yaml:2:1:", "b.yaml:10:3:", `b.yaml:9:16: there is no list "program"`, "c.yaml:1:7:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Load does not name %q in:\n%v", want, err)
		}
	}
}

func TestLoadNamesAFileThatCannotBeRead(t *testing.T) {
	missing := t.TempDir() + "/rules.d"
	_, err := Load(files("l.yaml", goodList), Dir(missing))
	if err == nil || !strings.HasPrefix(err.Error(), missing+": reading rules: ") {
		t.Errorf("Load of a missing folder = %v, want its path", err)
	}
	folder := t.TempDir()
	if err := os.Symlink("/nowhere/at/all", folder+"/x.yaml"); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(files("l.yaml", goodList), Dir(folder)); err == nil || !strings.HasPrefix(err.Error(), folder+"/x.yaml: ") {
		t.Errorf("Load of a dead link = %v, want its path", err)
	}
}

func TestLocalFoldersChangeRulesAndLists(t *testing.T) {
	base := files("l.yaml", goodList, "r.yaml", goodRule)
	tag := strings.ReplaceAll(goodRule, "quarantine", "tag")
	program := func(name string) *Facts {
		f := &Facts{Entities: []Entity{{Name: name}}}
		f.complete()
		return f
	}
	tests := []struct {
		name  string
		local fstest.MapFS
		file  string
		want  string
	}{
		{"nothing changed", files(), "a.exe", "quarantine"},
		{"a rule replaced", files("x.yaml", tag), "a.exe", "tag"},
		{"a rule switched off", files("x.yaml", "- {id: a-rule, disable: true}\n"), "a.exe", "accept"},
		{"a list extended", files("x.yaml", "name: program\nextend: [xyz]\n"), "a.xyz", "quarantine"},
		{"a list extended keeps the rest", files("x.yaml", "name: program\nextend: [xyz]\n"), "a.exe", "quarantine"},
		{"a value removed", files("x.yaml", "name: program\nremove: [scr]\n"), "a.scr", "accept"},
		{"a list replaced", files("x.yaml", "name: program\nreplace: [exe, xyz]\n"), "a.scr", "accept"},
		{"files of other kinds are left alone", files("x.txt", "no", ".x.yaml", "no", "x.yaml~", "no"), "a.exe", "quarantine"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := Load(base, tt.local)
			if err != nil {
				t.Fatal(err)
			}
			if got := set.Judge(program(tt.file)).Disposition.String(); got != tt.want {
				t.Errorf("Judge(%s) = %s, want %s", tt.file, got, tt.want)
			}
			plain, err := Load(base)
			if err != nil {
				t.Fatal(err)
			}
			if same := plain.ID() == set.ID(); same != (tt.local["x.yaml"] == nil) {
				t.Errorf("ID = %s and %s", plain.ID(), set.ID())
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(goodRule)
	f.Add(goodList)
	f.Add(head + "  when: any(entities, any(.exts, # in lists.program) && .size > 3)\n  except: {inside: true}\n")
	facts := &Facts{
		Entities: []Entity{{Path: "1/a.exe", Name: "a.exe", Exts: []string{"exe"}, Types: []string{"pe"}}},
		Findings: []Finding{{Kind: string(finding.NamePadded), Path: "1/a.exe"}},
		Links:    []Link{{Path: "1", Host: "www.example.com"}},
	}
	facts.join()
	// Promise: a file is refused with a place, or it judges the same facts
	// the same way twice.
	f.Fuzz(func(t *testing.T, text string) {
		set, err := Load(files("l.yaml", goodList, "x.yaml", text))
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.File == "" {
				t.Fatalf("Load(%q) = %v, without a place", text, err)
			}
			return
		}
		one, two := set.Judge(facts), set.Judge(facts)
		if one.Disposition != two.Disposition || len(one.Reasons) != len(two.Reasons) {
			t.Fatalf("two verdicts on the same facts: %v, %v", one, two)
		}
	})
}
