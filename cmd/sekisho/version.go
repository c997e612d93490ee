package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"sekisho/filter/report"
)

// version is set at link time by the Makefile.
var version = "dev"

// buildVersion is the version of this program as people quote it.
func buildVersion() string {
	if version != "dev" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "dev-" + s.Value[:12]
			}
		}
	}
	return version
}

func versionCommand() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "print the version", Args: noArgs}
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *asJSON {
			return printJSON(c.OutOrStdout(), map[string]any{"schema": report.Schema, "version": buildVersion(), "go": runtime.Version()})
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "sekisho %s (%s)\n", buildVersion(), runtime.Version())
		return err
	}
	return c
}
