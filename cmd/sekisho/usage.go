package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// noArgs is for commands that take flags only.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("no argument is taken here, but %q was given", args[0])}
	}
	return nil
}

// noCommand is for commands that hold others: a word that is left over was
// meant to be one of them.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += ": did you mean " + near[0] + "?"
	}
	return usageError{errors.New(text)}
}

// someArgs asks for one argument or more; what names them.
func someArgs(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError{fmt.Errorf("name at least one %s", what)}
		}
		for _, a := range args {
			if a == "" {
				return usageError{fmt.Errorf("an empty word is no %s", what)}
			}
		}
		return nil
	}
}

// oneArg asks for exactly one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("name one %s, not %d", what, len(args))}
		}
		return someArgs(what)(c, args)
	}
}

// groupCommand is a command that only holds others.
func groupCommand(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: noCommand, RunE: needsCommand}
	// cobra sets this default for the top command alone.
	c.SuggestionsMinimumDistance = suggestFrom
	c.AddCommand(commands...)
	return c
}

// suggestFrom is how many letters may be wrong in a word that is still taken
// for a known command.
const suggestFrom = 2

func needsCommand(c *cobra.Command, _ []string) error {
	return usageError{fmt.Errorf("%s needs a subcommand", c.Name())}
}

// helpCommand is cobra's own, but a command that there is not is wrong usage.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "tell about a command",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usageError{fmt.Errorf("no command is called %q", args[len(args)-1])}
			}
			return c.Help()
		},
	}
}

// completeCommand tells what cobra's completion command does, and makes its
// misuse wrong usage.
func completeCommand(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Short, c.Args, c.RunE = "print the shell's completion script", noCommand, needsCommand
		for _, shell := range c.Commands() {
			shell.Args = noArgs
		}
	}
}
