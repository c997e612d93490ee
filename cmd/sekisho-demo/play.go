package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"sekisho/filter/escape"
	"sekisho/filter/postfixrig"
	"sekisho/filter/specimen"
)

// outcome is what became of one mail.
type outcome struct {
	specimen.Case
	reply  string
	judged event
}

func (o outcome) ok() bool { return o.judged.Disposition == o.Want }

// sendAll sends each mail in a session of its own, from an outside address.
func (s *stage) sendAll(ctx context.Context, cases []specimen.Case) ([]outcome, error) {
	fmt.Printf("\nSending %d mails through SMTP ", len(cases))
	var out []outcome
	for i, c := range cases {
		o := outcome{Case: c}
		var err error
		if o.reply, err = s.send(i, c); err != nil {
			return nil, fmt.Errorf("sending %s: %w", c.Name, err)
		}
		if o.judged, err = s.daemon.wait(ctx, messageID(c.Raw)); err != nil {
			return nil, err
		}
		out = append(out, o)
		fmt.Print(".")
	}
	fmt.Println(" done")
	return out, nil
}

func (s *stage) send(i int, c specimen.Case) (string, error) {
	client, err := postfixrig.Dial(s.postfix.SMTP())
	if err != nil {
		return "", err
	}
	defer client.Close()
	for _, step := range []func() (string, error){
		func() (string, error) { return client.Hello("localhost") },
		func() (string, error) {
			return client.XClient(fmt.Sprintf("ADDR=203.0.113.%d", 20+i), "NAME=mail.sender.example", "PORT=4711")
		},
		func() (string, error) { return client.Hello("mail.sender.example") },
	} {
		if reply, err := step(); err != nil || !strings.HasPrefix(reply, "2") {
			return reply, fmt.Errorf("the answer of Postfix is %q, %w", reply, orRefused(err))
		}
	}
	reply, err := client.Send(c.From, []string{c.To}, c.Raw)
	return reply, errors.Join(err, client.Quit())
}

var errRefused = errors.New("refused")

func orRefused(err error) error {
	if err == nil {
		return errRefused
	}
	return err
}

// messageID is the value of the Message-ID field as the daemon logs it.
func messageID(raw []byte) string {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Message-ID")) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// showTable prints one line a mail: what the victim would have seen, what it
// was, and what was done by which rule.
func showTable(w io.Writer, outcomes []outcome) {
	widths := []int{26, 46, 44, 11}
	row := func(cells ...string) {
		for i, c := range cells {
			if i < len(widths) {
				c = fit(c, widths[i])
			}
			fmt.Fprint(w, c, " ")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	row("MAIL", "WHAT THE VICTIM SEES", "WHAT IT IS", "DISPOSITION", "RULE")
	for _, o := range outcomes {
		mark := ""
		if !o.ok() {
			mark = "  <-- wanted " + o.Want
		}
		row(o.Name, escape.Text(o.Shown), escape.Text(o.Truth), o.judged.Disposition, o.judged.Rule+mark)
	}
}

// checkAll compares every outcome with what it should be, in the sink as well:
// what was accepted or tagged arrived, and what was blocked did not.
func (s *stage) checkAll(ctx context.Context, outcomes []outcome) error {
	var errs []error
	for _, o := range outcomes {
		if !o.ok() {
			errs = append(errs, fmt.Errorf("%s: %s by %v, wanted %s", o.Name, o.judged.Disposition, o.judged.Reasons, o.Want))
			continue
		}
		if o.Want == "accept" || o.Want == "tag" {
			errs = append(errs, s.arrived(ctx, o))
		}
	}
	for _, o := range outcomes {
		if o.Want == "quarantine" && s.sink.Count(func(d postfixrig.Delivered) bool { return messageID(d.Data) == messageID(o.Raw) }) > 0 {
			errs = append(errs, fmt.Errorf("%s: reached the sink", o.Name))
		}
	}
	return errors.Join(errs...)
}

// arrived waits for the delivered copy; an honest mail must end with the very
// bytes that were sent, below the trace fields that the way added.
func (s *stage) arrived(ctx context.Context, o outcome) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	d, err := s.sink.Wait(ctx, func(d postfixrig.Delivered) bool { return messageID(d.Data) == messageID(o.Raw) })
	if err != nil {
		return fmt.Errorf("%s: did not arrive: %w", o.Name, err)
	}
	if o.Want == "accept" && !bytes.HasSuffix(d.Data, o.Raw) {
		return fmt.Errorf("%s: arrived changed", o.Name)
	}
	return nil
}

// showQuarantine runs the command that a reviewer would.
func (s *stage) showQuarantine(ctx context.Context) error {
	fmt.Println("\n$ sekisho quarantine list")
	return s.command(ctx, os.Stdout, "quarantine", "list")
}

func (s *stage) command(ctx context.Context, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, s.program, append(args, "--config", s.config)...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("sekisho %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// release gives the last of the 2015 waves back and shows that it arrived byte
// for byte.
func (s *stage) release(ctx context.Context, outcomes []outcome) error {
	var kept *outcome
	for i, o := range outcomes {
		if o.judged.QuarantineID != "" {
			kept = &outcomes[i]
			break
		}
	}
	if kept == nil {
		return errors.New("nothing was kept, so nothing can be released")
	}
	id := kept.judged.QuarantineID
	fmt.Printf("\n$ sekisho quarantine release %s --reason \"shown in the demo\"\n", id)
	if err := s.command(ctx, os.Stdout, "quarantine", "release", id, "--reason", "shown in the demo", "--smtp", s.postfix.Reinject()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	d, err := s.sink.Wait(ctx, func(d postfixrig.Delivered) bool { return messageID(d.Data) == messageID(kept.Raw) })
	if err != nil {
		return fmt.Errorf("the released mail did not arrive: %w", err)
	}
	if !bytes.HasSuffix(d.Data, kept.Raw) {
		return errors.New("the released mail arrived changed")
	}
	fmt.Printf("It arrived at %s, byte for byte (%d bytes below the Received field of Postfix).\n", strings.Join(d.To, ", "), len(kept.Raw))
	return nil
}
