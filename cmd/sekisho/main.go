// Command sekisho is a milter for Postfix that keeps disguised programs,
// forged senders and lying links from the desk of their reader.
//
// This package holds the command line only, one file a subcommand; what is
// done stands in filter and its rooms.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sekisho/filter/config"
	"sekisho/filter/escape"
	"sekisho/filter/sandbox"
	"sekisho/filter/sandbox/inside"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3
)

// errFound ends a command that did its work and found something: status 3,
// no message.
var errFound = errors.New("found")

func main() {
	if os.Args[0] == sandbox.ProgramName {
		inside.Main() // we stand in for the worker: see newOpener
		return
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program, for main and for tests.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	at, err := root.ExecuteC()
	return status(err, at.CommandPath(), errs)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "sekisho",
		Short: "a checkpoint for targeted mail, attached to Postfix as a milter",
		Long: `sekisho inspects mail that Postfix hands it, in every way a mail program could
read it, judges it by rules, and keeps what must not reach a desk.

Exit status: 0 done, 1 could not do it, 2 wrong usage, 3 done and something was found.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().String("config", "", "configuration file (default "+config.DefaultFile+" if it is there)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serveCommand(), scanCommand(), rulesCommand(), quarantineCommand(), configCommand(), doctorCommand(), versionCommand())
	root.SuggestionsMinimumDistance = suggestFrom
	root.SetHelpCommand(helpCommand(root))
	completeCommand(root)
	return root
}

// status prints an error for people and returns the exit status; at is the
// command that was asked for.
func status(err error, at string, errs io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFound):
		return exitFound
	case errors.As(err, &usage):
		fmt.Fprintf(errs, "sekisho: %s\nhint: see %s --help\n", escape.Text(err.Error()), at)
		return exitUsage
	}
	complain(errs, err)
	return exitFailed
}

// complain prints every mistake in err, each with its hint. Two errors in one
// stand on lines of their own.
func complain(errs io.Writer, err error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			complain(errs, e)
		}
		return
	}
	fmt.Fprintf(errs, "sekisho: %s\n", escape.Text(err.Error()))
	if h := hint(err); h != "" {
		fmt.Fprintf(errs, "hint: %s\n", escape.Text(h))
	}
}
