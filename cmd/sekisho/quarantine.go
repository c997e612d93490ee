package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sekisho/filter/config"
	"sekisho/filter/display"
	"sekisho/filter/escape"
	"sekisho/filter/finding"
	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/sqlite"
	"sekisho/filter/report"
)

func quarantineCommand() *cobra.Command {
	c := groupCommand("quarantine", "work on kept mail", quarantineListCommand(), quarantineShowCommand(),
		quarantineReleaseCommand(), quarantineDeleteCommand(), quarantineVerifyCommand())
	c.PersistentFlags().String("store", "", "quarantine folder, overrides quarantine.dir")
	return c
}

// withStore opens the store beside a running daemon, or without one.
func withStore(c *cobra.Command, use func(*config.Config, quarantine.Store) error) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	dir, err := c.Flags().GetString("store")
	if err != nil {
		return err
	}
	if dir != "" {
		if err := cfg.Set("quarantine.dir", "--store", dir); err != nil {
			return err
		}
	}
	if _, err := os.Stat(cfg.QuarantineDir); err != nil {
		return &config.Error{File: cfg.QuarantineDir, Err: unwrapPath(err), Hint: "no mail was ever kept there: check quarantine.dir or --store"}
	}
	store, err := sqlite.Open(cfg.QuarantineDir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	return use(cfg, store)
}

// listFlags choose entries.
type listFlags struct {
	since, until, rule, sender, recipient, state string
	limit                                        int
	json                                         bool
}

func quarantineListCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use: "list", Short: "list kept mail, newest first", Args: noArgs,
		Long: `List kept mail, newest first. Deleted mail stays in the list as a record. All
conditions must hold; sender and recipient are parts of an address in any case.

Exit status: 0 also when nothing matches.`,
		Example: "  sekisho quarantine list --since 24h --recipient soumu@\n  sekisho quarantine list --state held --json",
	}
	fl := c.Flags()
	fl.StringVar(&f.since, "since", "", "received after: 2026-11-22, 2026-11-22T09:00 or an age such as 24h")
	fl.StringVar(&f.until, "until", "", "received before, in the same forms")
	fl.StringVar(&f.rule, "rule", "", "the deciding rule")
	fl.StringVar(&f.sender, "sender", "", "part of the envelope sender")
	fl.StringVar(&f.recipient, "recipient", "", "part of an envelope recipient")
	fl.StringVar(&f.state, "state", "", "held, releasing, released or deleted")
	fl.IntVar(&f.limit, "limit", 0, "at most so many entries (0: all)")
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, _ []string) error {
		filter, err := f.filter(time.Now())
		if err != nil {
			return err
		}
		return withStore(c, func(_ *config.Config, st quarantine.Store) error {
			items, err := st.List(c.Context(), filter)
			if err != nil {
				return err
			}
			return printItems(c.OutOrStdout(), items, f.json)
		})
	}
	return c
}

func (f listFlags) filter(now time.Time) (quarantine.Filter, error) {
	out := quarantine.Filter{Rule: f.rule, Sender: f.sender, Recipient: f.recipient, Limit: f.limit}
	var err error
	if out.Since, err = parseWhen("--since", f.since, now); err != nil {
		return out, err
	}
	if out.Until, err = parseWhen("--until", f.until, now); err != nil {
		return out, err
	}
	if f.limit < 0 {
		return out, usageError{fmt.Errorf("--limit %d: a number of entries, or 0 for all", f.limit)}
	}
	if f.state != "" {
		state, ok := quarantine.ParseState(f.state)
		if !ok {
			return out, usageError{fmt.Errorf("--state %q: held, releasing, released or deleted", f.state)}
		}
		out.State = state
	}
	return out, nil
}

// parseWhen reads a moment: a date, a date with time, or an age.
func parseWhen(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	if age, err := time.ParseDuration(s); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	return time.Time{}, usageError{fmt.Errorf("%s %q: a date such as 2026-11-22, or an age such as 24h", flag, s)}
}

// itemObject is one entry as JSON.
type itemObject struct {
	Schema int `json:"schema"`
	quarantine.Item
}

func printItems(w io.Writer, items []quarantine.Item, asJSON bool) error {
	if asJSON {
		for _, it := range items {
			if err := printJSON(w, itemObject{report.Schema, it}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(items) == 0 {
		_, err := fmt.Fprintln(w, "no kept mail matches")
		return err
	}
	if _, err := fmt.Fprintf(w, "%-19s  %-16s  %-9s  %-28s  %-30s  %s\n", "ID", "RECEIVED", "STATE", "RULE", "FROM", "SUBJECT"); err != nil {
		return err
	}
	for _, it := range items {
		if _, err := fmt.Fprintf(w, "%-19s  %-16s  %-9s  %-28s  %s  %s\n", it.ID, it.Received.Local().Format("2006-01-02 15:04"), it.State,
			it.Rule, padded(escape.Text(it.MailFrom), 30), escape.Text(it.Subject)); err != nil {
			return err
		}
	}
	return nil
}

// padded fills text up to a width in columns: an internationalised address is
// wider than it has characters.
func padded(text string, width int) string {
	for _, r := range text {
		width -= display.Columns(r)
	}
	return text + strings.Repeat(" ", max(width, 0))
}

func quarantineShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ID", Short: "show one kept mail: envelope, reasons, findings, history", Args: oneArg("ID"),
		Long: "Show one kept mail. Its content is never printed unless --raw asks for the\nbytes, which are refused on a terminal.",
		Example: `  sekisho quarantine show 20261122-9k3v0mzq5t
  sekisho quarantine show 20261122-9k3v0mzq5t --raw >mail.eml`,
	}
	asJSON := c.Flags().Bool("json", false, "print JSON")
	raw := c.Flags().Bool("raw", false, "write the message's bytes to standard output, which must not be a terminal")
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := quarantine.ParseID(args[0])
		if err != nil {
			return err
		}
		return withStore(c, func(_ *config.Config, st quarantine.Store) error {
			if *raw {
				return printRaw(c, st, id)
			}
			it, err := st.Get(c.Context(), id)
			if err != nil {
				return err
			}
			history, err := st.Audit(c.Context(), id)
			if err != nil {
				return err
			}
			if *asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"schema": report.Schema, "item": it, "history": history})
			}
			return printItem(c.OutOrStdout(), it, history)
		})
	}
	return c
}

func printRaw(c *cobra.Command, st quarantine.Store, id quarantine.ID) error {
	if f, ok := c.OutOrStdout().(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return usageError{fmt.Errorf("--raw writes hostile bytes: send them to a file or a program")}
		}
	}
	b, err := st.Open(c.Context(), id)
	if err != nil {
		return err
	}
	_, err = c.OutOrStdout().Write(b)
	return err
}

func printItem(w io.Writer, it quarantine.Item, history []quarantine.Entry) error {
	var b strings.Builder
	line := func(name, value string) {
		if value == "" {
			return
		}
		if name != "" {
			name += ":"
		}
		fmt.Fprintf(&b, "%-11s %s\n", name, escape.Text(value))
	}
	line("id", string(it.ID))
	line("state", string(it.State))
	line("received", it.Received.Local().Format(time.RFC3339))
	if !it.Awaits.IsZero() && it.State == quarantine.Held {
		line("password", "may come in another mail until "+it.Awaits.Local().Format(time.RFC3339))
	}
	line("queue id", it.QueueID)
	line("sender", "<"+it.MailFrom+">")
	line("recipients", strings.Join(it.Rcpts, " "))
	line("client", it.ClientHost+" ["+it.ClientAddr+"] helo "+it.Helo)
	line("author", author(it))
	line("subject", it.Subject)
	for _, name := range slices.Sorted(maps.Keys(it.Raw)) {
		line("bytes of", name+" "+it.Raw[name])
	}
	line("message-id", it.MessageID)
	line("size", fmt.Sprintf("%d bytes", it.Size))
	line("sha256", it.SHA256)
	line("came", fmt.Sprintf("%d time(s), last %s", it.Count, it.LastSeen.Local().Format(time.RFC3339)))
	line("last reply", it.LastReply)
	line("damage", it.Damage)
	if it.MaybeSent {
		line("warning", "a broken release may have sent it")
	}
	for _, r := range it.Reasons {
		line("rule", fmt.Sprintf("%s (%s) %s", r.Rule, r.Severity, r.Why))
		line("", r.WhyJa)
	}
	for _, f := range it.Findings {
		line("finding", findingText(f))
	}
	for _, e := range history {
		line("history", historyText(e))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// author is the first author as a mail program shows him.
func author(it quarantine.Item) string {
	if it.FromName == "" {
		return it.From
	}
	return it.FromName + " <" + it.From + ">"
}

// findingText names a finding of kept mail with its place: there is no tree
// beside it that would show the place.
func findingText(f finding.Finding) string {
	var b strings.Builder
	printFindings(&b, "", []finding.Finding{f})
	text := strings.TrimPrefix(strings.TrimSpace(b.String()), "! ")
	if f.Path == "" {
		return text
	}
	return f.Path + "  " + text
}

func historyText(e quarantine.Entry) string {
	text := fmt.Sprintf("%s %s by %s: %s", e.At.Local().Format(time.RFC3339), e.Action, e.Actor, e.Outcome)
	for _, part := range []string{e.Reason, e.Detail} {
		if part != "" {
			text += "; " + part
		}
	}
	return text
}

func quarantineReleaseCommand() *cobra.Command {
	var smtp, reason string
	var asJSON, again bool
	c := &cobra.Command{
		Use: "release ID...", Short: "give kept mail back to Postfix, byte for byte", Args: someArgs("ID"),
		Long: `Give kept mail back to Postfix with its own envelope, through an smtpd without
this milter (docs/quarantine.md shows the entry for master.cf). It counts as
released only when Postfix answered 250; any other answer is shown and kept,
and the mail stays held. Who, when and why is written to the audit log.

Exit status: 0 also for what was released before, 1 when a mail was not released;
the others are.`,
		Example: `  sekisho quarantine release 20261122-9k3v0mzq5t --reason "customer confirmed by telephone"`,
	}
	c.Flags().StringVar(&smtp, "smtp", "", "HOST:PORT of that smtpd, overrides release.smtp")
	c.Flags().StringVar(&reason, "reason", "", "why it is released (required)")
	c.Flags().BoolVar(&again, "again", false, "release once more what was released, or may have been")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, args []string) error {
		return eachID(c, args, func(cfg *config.Config, st quarantine.Store, id quarantine.ID) error {
			if smtp == "" {
				smtp = cfg.ReleaseSMTP
			}
			r, err := quarantine.Release(c.Context(), st, id, quarantine.ReleaseOptions{SMTP: smtp, Actor: actor(), Reason: reason, Again: again})
			if asJSON {
				return jsonOutcome(c.OutOrStdout(), id, r.Item, r.Reply, r.Already, err)
			}
			if err == nil {
				word := "released"
				if r.Already {
					word = "already released"
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s (%s)\n", id, word, escape.Text(r.Reply))
			}
			return err
		})
	}
	return c
}

func quarantineDeleteCommand() *cobra.Command {
	var reason string
	var asJSON bool
	c := &cobra.Command{
		Use: "delete ID...", Short: "delete kept mail; the entry stays as the record", Args: someArgs("ID"),
		Long: `Delete the bytes of kept mail. The entry stays in the list as a record, and who,
when and why is written to the audit log. A deleted mail cannot be released.

Exit status: 1 when an entry could not be deleted; the others are.`,
		Example: `  sekisho quarantine delete 20261122-9k3v0mzq5t --reason "part of the campaign of Monday"`,
	}
	c.Flags().StringVar(&reason, "reason", "", "why it is deleted (required)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, args []string) error {
		return eachID(c, args, func(_ *config.Config, st quarantine.Store, id quarantine.ID) error {
			it, err := st.Delete(c.Context(), id, quarantine.Actor{Name: actor(), Reason: reason})
			if asJSON {
				return jsonOutcome(c.OutOrStdout(), id, it, "", false, err)
			}
			if err == nil {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s: deleted\n", id)
			}
			return err
		})
	}
	return c
}

// jsonOutcome prints what became of one entry, also when it failed.
func jsonOutcome(w io.Writer, id quarantine.ID, it quarantine.Item, reply string, already bool, err error) error {
	o := map[string]any{"schema": report.Schema, "id": id, "state": it.State, "already": already}
	if reply != "" {
		o["reply"] = reply
	}
	if err != nil {
		o["error"] = err.Error()
		o["hint"] = hint(err)
	}
	if perr := printJSON(w, o); perr != nil {
		return perr
	}
	return err
}

func quarantineVerifyCommand() *cobra.Command {
	c := &cobra.Command{Use: "verify", Short: "read every kept mail and check it against its record", Args: noArgs,
		Long: "Read every kept mail and check it against its record. Exit status 3 when something is wrong."}
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withStore(c, func(_ *config.Config, st quarantine.Store) error {
			problems, err := st.Verify(c.Context())
			if err != nil {
				return err
			}
			for _, p := range problems {
				if *asJSON {
					err = printJSON(c.OutOrStdout(), map[string]any{"schema": report.Schema, "id": p.ID, "what": p.What})
				} else {
					_, err = fmt.Fprintf(c.OutOrStdout(), "%s %s\n", p.ID, escape.Text(p.What))
				}
				if err != nil {
					return err
				}
			}
			if len(problems) > 0 {
				return errFound
			}
			if !*asJSON {
				_, err = fmt.Fprintln(c.OutOrStdout(), "every kept mail is whole")
			}
			return err
		})
	}
	return c
}

// actor names who acts: the login name behind sudo, or the user.
func actor() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
