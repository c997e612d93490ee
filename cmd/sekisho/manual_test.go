package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sekisho/filter/testfile"
)

// TestDocCommands makes docs/commands.md out of the help texts, so that no
// command and no flag is missing there.
func TestDocCommands(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Commands\n\nThe help texts of the program (`sekisho help COMMAND`), written here by `make docs`.\n")
	describe(t, &b, rootCommand())
	testfile.File(t, "docs/commands.md", b.String())
}

func describe(t *testing.T, b *strings.Builder, c *cobra.Command) {
	if c.Short == "" {
		t.Errorf("%s has no help", c.CommandPath())
	}
	c.InitDefaultHelpFlag()
	b.WriteString("\n## " + c.CommandPath() + "\n\n```\n")
	text := c.Long
	if text == "" {
		text = c.Short
	}
	for line := range strings.Lines(text + "\n\n" + c.UsageString()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	b.WriteString("```\n")
	for _, sub := range c.Commands() {
		// cobra's own commands explain themselves.
		if sub.Name() != "completion" && sub.Name() != "help" {
			describe(t, b, sub)
		}
	}
}

func TestDocGauges(t *testing.T) {
	var b strings.Builder
	b.WriteString("| metric | meaning |\n| --- | --- |\n")
	for _, g := range gauges {
		b.WriteString("| `" + g.Name + "` | " + g.Text + " |\n")
	}
	testfile.Doc(t, "docs/log.md", "the catalogue of gauges", b.String())
}
