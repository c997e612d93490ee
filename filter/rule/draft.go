package rule

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"sekisho/filter/verdict"
)

// ruleKeys are the keys of a rule, in the order of the manual.
var ruleKeys = []string{
	"id", "why", "why_ja", "severity", "then", "mode", "reply",
	"match", "when", "except", "tests", "disable",
}

var severities = []string{"info", "low", "medium", "high", "critical"}

var modes = []string{"enforce", "observe"}

var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// replyText is an SMTP reply that the rule may bring: printable ASCII, so
// that it passes every mail program, with a code of its own if it likes.
var replyText = regexp.MustCompile(`^(?:([45])\d\d ([45])\.\d{1,3}\.\d{1,3} )?[ -~]{1,200}$`)

func (l *loader) readRules(src *source, root *yaml.Node) {
	for _, node := range root.Content {
		l.readRule(src, node)
	}
}

func (l *loader) readRule(src *source, node *yaml.Node) {
	m := l.mapping(src, node, ruleKeys)
	if node.Kind != yaml.MappingNode {
		return
	}
	id, idNode := m.text("id")
	switch {
	case idNode == nil:
		l.fail(src, node, "a rule has no id", `begin it with "- id: some-name"`)
		return
	case !kebab.MatchString(id):
		l.fail(src, idNode, fmt.Sprintf("id %q is not in the form some-name", id), "use a-z, 0-9 and single hyphens")
	}
	r := &rule{src: src, node: idNode, info: Info{ID: id, File: src.name, Line: node.Line}}
	if m.flag("disable") {
		l.disable(r, m)
		return
	}
	l.readSpeech(r, m)
	l.readCondition(r, m)
	l.readTests(r, m)
	l.admit(r)
}

// admit takes the rule in, over one of the same id from an earlier folder.
func (l *loader) admit(r *rule) {
	if old := l.rules[r.info.ID]; old != nil && old.src.set == r.src.set {
		l.fail(r.src, r.node, fmt.Sprintf("id %q stands twice", r.info.ID),
			fmt.Sprintf("the other is at %s:%d", old.src.name, old.node.Line))
		return
	}
	l.rules[r.info.ID] = r
}

// disable switches off a rule of an earlier folder.
func (l *loader) disable(r *rule, m *mapping) {
	for _, key := range ruleKeys {
		if m.has(key) && !slices.Contains([]string{"id", "disable", "why", "why_ja"}, key) {
			l.fail(r.src, m.at(key), fmt.Sprintf("%s: beside disable: true", key), "keep id: and disable: only")
		}
	}
	if l.rules[r.info.ID] == nil {
		l.fail(r.src, r.node, fmt.Sprintf("there is no rule %q to switch off", r.info.ID),
			nearest(r.info.ID, slices.Sorted(maps.Keys(l.rules))))
		return
	}
	r.disabled = true
	l.admit(r)
}

// readSpeech reads what the rule says and asks for.
func (l *loader) readSpeech(r *rule, m *mapping) {
	r.info.Why = m.required("why", "say in one English sentence what a reviewer should know")
	r.info.WhyJa = m.required("why_ja", "say the same in Japanese")
	if m.has("why_ja") && isASCII(r.info.WhyJa) && r.info.WhyJa != "" {
		l.fail(r.src, m.values["why_ja"], "why_ja: is not Japanese", "")
	}
	m.required("severity", "one of "+strings.Join(severities, ", "))
	m.required("then", "one of "+strings.Join(dispositions, ", "))
	r.info.Severity = m.word("severity", "", severities)
	r.info.Then, _ = verdict.Parse(m.word("then", "accept", dispositions))
	r.info.Observe = m.word("mode", "enforce", modes) == "observe"
	l.readReply(r, m)
}

func (l *loader) readReply(r *rule, m *mapping) {
	text, node := m.text("reply")
	if node == nil {
		return
	}
	first := map[verdict.Disposition]string{verdict.Reject: "5", verdict.Defer: "4"}[r.info.Then]
	code := replyText.FindStringSubmatch(text)
	switch {
	case first == "":
		l.fail(r.src, m.at("reply"), "reply: without then: reject or defer", "")
	case code == nil:
		l.fail(r.src, node, "reply: is not one line of up to 200 printable ASCII characters", "")
	case code[1] != "" && (code[1] != first || code[2] != first):
		l.fail(r.src, node, fmt.Sprintf("reply: then: %s needs codes that begin with %s", r.info.Then, first), "")
	default:
		r.reply = text
	}
}

// readCondition reads match:, when: and except:.
func (l *loader) readCondition(r *rule, m *mapping) {
	if node := m.values["match"]; node != nil {
		r.match = l.matcher(r.src, node)
	}
	if _, node := m.text("when"); node != nil {
		r.when = l.condition(r.src, node)
	}
	if !m.has("match") && !m.has("when") {
		l.fail(r.src, m.node, fmt.Sprintf("rule %q has neither match: nor when:", r.info.ID), "a rule without a condition would speak of every mail")
	}
	switch node := m.values["except"]; {
	case node == nil:
	case node.Kind == yaml.MappingNode:
		r.exceptMatch = l.matcher(r.src, node)
		l.checkExcept(r)
	default:
		if _, node := m.text("except"); node != nil {
			r.except = l.condition(r.src, node)
		}
	}
}

// checkExcept sees to it that except: speaks of the same thing as match:. Else
// a harmless attachment laid beside the harmful one would excuse both.
func (l *loader) checkExcept(r *rule) {
	e, m := r.exceptMatch, r.match
	if m == nil {
		m = new(matcher)
	}
	switch {
	case e.subject != nil && m.subject == nil:
		l.fail(r.src, e.node, "except: speaks of an entity, match: does not", "write the exception into the condition")
	case e.link != nil && m.link == nil:
		l.fail(r.src, e.node, "except: speaks of a link, match: does not", "write the exception into the condition")
	case e.subject != nil && e.link != nil:
		l.fail(r.src, e.node, "except: speaks of an entity and of a link", "write two rules")
	}
}

// required returns a text that must be there.
func (m *mapping) required(key, hint string) string {
	if !m.has(key) {
		m.load.fail(m.src, m.node, fmt.Sprintf("a rule has no %s", key), hint)
		return ""
	}
	text, _ := m.text(key)
	return text
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0
}
