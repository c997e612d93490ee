// Package rule judges a message by rules: named conditions over facts, each
// with the disposition it asks for and with its own tests.
//
// It reads rule files (YAML), compiles them once into a Set, and turns the
// Facts of one message into a verdict. It inspects nothing itself and carries
// nothing out. Opinions live in the rule files, not here: the default ones
// are in the top folder rules/, and docs/rules.md is the manual.
//
// Conditions are written as plain matchers or in expr (Expr Language
// Definition, expr-lang v1.17). expr has no limits of its own, so the loader
// refuses what could be slow (condition.go) and the facts are cut to size
// (facts.go): a set of rules costs what its author wrote, whatever the
// sender sends.
package rule

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/expr-lang/expr/vm"
	yaml "go.yaml.in/yaml/v4"

	"sekisho/filter/escape"
	"sekisho/filter/verdict"
)

// Set is a compiled generation of rules. It never changes and may be used by
// several goroutines.
type Set struct {
	id       string
	rules    []*rule
	lists    map[string]map[string]bool
	listInfo []ListInfo
}

// rule is one compiled rule.
type rule struct {
	info        Info
	reply       string
	disabled    bool
	match       *matcher
	when        *condition
	exceptMatch *matcher
	except      *condition
	tests       []Test
	src         *source
	node        *yaml.Node
}

// Info describes a rule to people.
type Info struct {
	ID       string              `json:"id"`
	Why      string              `json:"why"`
	WhyJa    string              `json:"why_ja"`
	Severity string              `json:"severity"`
	Then     verdict.Disposition `json:"then"`
	Observe  bool                `json:"observe"`
	Tests    int                 `json:"tests"`
	File     string              `json:"file"`
	Line     int                 `json:"line"`
}

// ID is a short hash of all sources, which names the generation in the log.
func (s *Set) ID() string { return s.id }

// Rules describes the rules that are switched on, in order of their ids.
func (s *Set) Rules() []Info {
	out := make([]Info, len(s.rules))
	for i, r := range s.rules {
		out[i] = r.info
	}
	return out
}

// Lists describes the named lists in order of their names.
func (s *Set) Lists() []ListInfo { return slices.Clone(s.listInfo) }

// machines are kept from message to message with the room they have.
var machines = sync.Pool{New: func() any { return new(vm.VM) }}

// Judge asks every rule and joins what they say: the strictest disposition
// wins. Equal facts get equal verdicts.
func (s *Set) Judge(f *Facts) verdict.Verdict {
	v := verdict.Verdict{RuleSet: s.id}
	machine, env := machines.Get().(*vm.VM), &scope{f, s.lists}
	defer machines.Put(machine)
	for _, r := range s.rules {
		paths, fires, err := r.fires(machine, env)
		if !fires && err == nil {
			continue
		}
		reason := r.reason(paths, err)
		if r.info.Observe {
			v.Observed = append(v.Observed, reason)
			continue
		}
		v.Reasons = append(v.Reasons, reason)
		v.Disposition = max(v.Disposition, reason.Disposition)
	}
	slices.SortStableFunc(v.Reasons, strictest)
	return v
}

// strictest orders reasons; among equal dispositions the graver comes first,
// since the first reason is the one people read. Ids are in order already.
func strictest(a, b verdict.Reason) int {
	return cmp.Or(
		cmp.Compare(b.Disposition, a.Disposition),
		cmp.Compare(slices.Index(severities, b.Severity), slices.Index(severities, a.Severity)),
	)
}

// fires evaluates the rule: match and when, and not except.
func (r *rule) fires(machine *vm.VM, env *scope) (paths []string, fires bool, err error) {
	if r.match != nil {
		if paths, fires = r.match.matches(env.Facts, r.exceptMatch); !fires {
			return nil, false, nil
		}
	} else if r.exceptMatch != nil && all(r.exceptMatch.message, env.Facts) {
		return nil, false, nil
	}
	if r.when != nil {
		if fires, err = r.when.holds(machine, env); err != nil || !fires {
			return nil, false, err
		}
		for _, p := range r.when.places(machine, env) {
			paths = addPath(paths, p)
		}
	}
	if r.except != nil {
		excused, err := r.except.holds(machine, env)
		if err != nil || excused {
			return nil, false, err
		}
	}
	return paths, fires, nil
}

func (r *rule) reason(paths []string, err error) verdict.Reason {
	out := verdict.Reason{
		Rule: r.info.ID, Severity: r.info.Severity, Why: r.info.Why, WhyJa: r.info.WhyJa,
		Disposition: r.info.Then, Reply: r.reply, Paths: paths,
	}
	if err == nil {
		return out
	}
	// A rule that breaks is our fault or its author's, never a reason to
	// let the message pass unjudged.
	out.Severity, out.Reply = "high", ""
	out.Disposition = verdict.Quarantine
	out.Why = fmt.Sprintf("rule error: %s could not be evaluated: %s", r.info.ID, escape.Text(cut(err.Error())))
	out.WhyJa = fmt.Sprintf("規則の誤り: %s を評価できなかった。", r.info.ID)
	return out
}
