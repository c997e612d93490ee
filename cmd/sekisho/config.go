package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sekisho/filter/config"
	"sekisho/filter/escape"
	"sekisho/filter/report"
	"sekisho/filter/rule"
)

// loadConfig reads the file that --config names, or the default file where it
// is there, or nothing.
func loadConfig(c *cobra.Command) (*config.Config, error) {
	file, err := c.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	if file != "" {
		return config.Load(file)
	}
	if _, err := os.Stat(config.DefaultFile); errors.Is(err, fs.ErrNotExist) {
		return config.Default(), nil
	}
	return config.Load(config.DefaultFile)
}

func configCommand() *cobra.Command {
	return groupCommand("config", "check the configuration, show the values in force", configCheckCommand(), configShowCommand())
}

func configCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "read the configuration and the rules, print every mistake", Args: noArgs,
		Long: `Read the configuration and all rules as a start or a reload would, and print
every mistake with its place and what to do. Nothing is opened or made.

Exit status: 1 when there is a mistake.`,
		Example: "  sekisho config check && systemctl reload sekisho",
	}
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		set, err := rulesOf(c)
		switch {
		case *asJSON:
			return errors.Join(printJSON(c.OutOrStdout(), checkObject(set, err)), err)
		case err != nil:
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "configuration and %d rules are good (rule set %s)\n", len(set.Rules()), set.ID())
		return err
	}
	return c
}

// checkObject is the answer of `config check --json`.
func checkObject(set *rule.Set, err error) map[string]any {
	o := map[string]any{"schema": report.Schema, "ok": err == nil}
	if err == nil {
		o["rules"], o["rule_set"] = len(set.Rules()), set.ID()
		return o
	}
	mistakes := []map[string]string{}
	for _, e := range flatten(err) {
		mistakes = append(mistakes, map[string]string{"error": e.Error(), "hint": hint(e)})
	}
	o["mistakes"] = mistakes
	return o
}

func configShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show", Short: "print each value in force and where it came from", Args: noArgs,
		Long: `Print every key with its value and where it came from: a line of the file, or
the default. A running daemon may still use older values until its next reload.`,
	}
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		if *asJSON {
			return printSettings(c, cfg)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, s := range cfg.Settings() {
			fmt.Fprintf(w, "%s\t%s\t%s\n", s.Key, escape.Text(s.Value), escape.Text(s.Origin))
		}
		return w.Flush()
	}
	return c
}

func printSettings(c *cobra.Command, cfg *config.Config) error {
	type line struct {
		Key    string `json:"key"`
		Value  string `json:"value"`
		Origin string `json:"origin"`
	}
	lines := []line{}
	for _, s := range cfg.Settings() {
		lines = append(lines, line(s))
	}
	return printJSON(c.OutOrStdout(), map[string]any{"schema": report.Schema, "settings": lines})
}
