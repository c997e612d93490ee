package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"sekisho/filter/budget"
	"sekisho/filter/config"
	"sekisho/filter/escape"
	"sekisho/filter/inspect"
	"sekisho/filter/mail"
	"sekisho/filter/quarantine"
	"sekisho/filter/report"
	"sekisho/filter/rule"
	"sekisho/rules"
)

// loadRules reads the built-in rules and, over them, the local folders.
func loadRules(cfg *config.Config) (*rule.Set, error) {
	var local []fs.FS
	for _, dir := range cfg.RuleDirs {
		if err := trustedDir(dir); err != nil {
			if errors.Is(err, fs.ErrNotExist) && isDefaultDir(cfg, dir) {
				continue
			}
			return nil, err
		}
		local = append(local, rule.Dir(dir))
	}
	return rule.Load(rules.FS, local...)
}

// isDefaultDir says whether dir was not asked for but is the default: then it
// may be missing.
func isDefaultDir(cfg *config.Config, dir string) bool {
	for _, s := range config.Default().Settings() {
		if s.Key == "rules.dirs" {
			return s.Value == dir
		}
	}
	return false
}

// trustedDir refuses rules that others could have written.
func trustedDir(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return &config.Error{File: path, Err: unwrapPath(err), Hint: "rules.dirs names folders that the service may read"}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o022 != 0 {
			return &config.Error{File: path, Err: fmt.Errorf("mode %04o lets others write it", info.Mode().Perm()), Hint: "chmod go-w " + path}
		}
		return nil
	})
}

func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// hint finds what to do about an error.
func hint(err error) string {
	var ce *config.Error
	var re *rule.Error
	var qe *quarantine.Error
	var pe *fs.PathError
	switch {
	case errors.As(err, &ce):
		return ce.Hint
	case errors.As(err, &re):
		return re.Hint
	case errors.As(err, &qe):
		return qe.Hint
	case errors.As(err, &pe) && errors.Is(err, fs.ErrNotExist):
		return "check the path"
	case errors.As(err, &pe) && errors.Is(err, fs.ErrPermission):
		return "run as a user who may read it"
	}
	return ""
}

func rulesCommand() *cobra.Command {
	return groupCommand("rules", "try and list the rules", rulesTestCommand(), rulesListCommand())
}

func rulesListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "print every rule in force", Args: noArgs,
		Long: "Print every rule in force: id, what it asks for, severity, reason. A rule marked\n(observe) is recorded and decides nothing."}
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		set, err := rulesOf(c)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(c.OutOrStdout(), map[string]any{"schema": report.Schema, "rule_set": set.ID(), "rules": set.Rules()})
		}
		for _, r := range set.Rules() {
			fmt.Fprintf(c.OutOrStdout(), "%-32s %-14s %-8s %s\n", r.ID, asks(r), r.Severity, escape.Text(r.Why))
		}
		return nil
	}
	return c
}

// asks is what a rule asks for; one that only watches says so.
func asks(r rule.Info) string {
	if r.Observe {
		return r.Then.String() + " (observe)"
	}
	return r.Then.String()
}

func rulesOf(c *cobra.Command) (*rule.Set, error) {
	cfg, err := loadConfig(c)
	if err != nil {
		return nil, err
	}
	return loadRules(cfg)
}

func rulesTestCommand() *cobra.Command {
	c := &cobra.Command{Use: "test", Short: "run every rule's own tests", Args: noArgs,
		Long: "Run the tests inside the rule files. Exit status 3 when one fails."}
	asJSON := c.Flags().Bool("json", false, "print one JSON object a test")
	c.RunE = func(c *cobra.Command, _ []string) error {
		set, err := rulesOf(c)
		if err != nil {
			return err
		}
		return printTests(c, set.Test(inspectTest), *asJSON)
	}
	return c
}

// inspectTest makes the facts of a rule test that gives a whole mail.
func inspectTest(t rule.Test) (*rule.Facts, error) {
	rep := inspect.Mail(t.Mail, budget.New(budget.Default))
	return rule.NewFacts(rep, mail.Envelope{}, mail.Client{}, rule.Auth{}), nil
}

// printTests prints the failures, then the sum; with --json every test.
func printTests(c *cobra.Command, results []rule.TestResult, asJSON bool) error {
	failed := 0
	for _, r := range results {
		if !r.OK() {
			failed++
		}
		if err := printTest(c, r, asJSON); err != nil {
			return err
		}
	}
	if !asJSON {
		fmt.Fprintf(c.OutOrStdout(), "%d passed, %d failed\n", len(results)-failed, failed)
	}
	if failed > 0 {
		return errFound
	}
	return nil
}

func printTest(c *cobra.Command, r rule.TestResult, asJSON bool) error {
	cause := ""
	if r.Err != nil {
		cause = r.Err.Error()
	}
	switch {
	case asJSON:
		return printJSON(c.OutOrStdout(), map[string]any{"schema": report.Schema, "rule": r.Rule, "test": r.Name, "ok": r.OK(),
			"want": r.Want, "got": r.Got, "error": cause, "file": r.File, "line": r.Line})
	case r.OK():
		return nil
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "FAIL %s:%d: %s, test %q: want %s, got %s %s\n", escape.Text(r.File), r.Line, r.Rule,
		escape.Text(r.Name), r.Want, r.Got, escape.Text(cause))
	return err
}
