package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"sekisho/filter/postfixrig"
	"sekisho/filter/specimen"
)

// pair shows PPAP: an encrypted zip is kept until the mail with its password
// comes, then opened; the clean one is delivered, the other stays.
func (s *stage) pair(ctx context.Context) error {
	fmt.Println("\nNow with password.hold and password.pairing: encrypted archives wait for their password.")
	if err := s.holdEncrypted(ctx); err != nil {
		return err
	}
	for i, evil := range []bool{false, true} {
		archive, letter := specimen.Pair(evil)
		s.daemon.forget("password.opened")
		for n, c := range []specimen.Case{archive, letter} {
			if _, err := s.send(60+2*i+n, c); err != nil {
				return fmt.Errorf("sending %s: %w", c.Name, err)
			}
			got, err := s.daemon.wait(ctx, messageID(c.Raw))
			if err != nil {
				return err
			}
			if got.Disposition != c.Want {
				return fmt.Errorf("%s: %s by %v, wanted %s", c.Name, got.Disposition, got.Reasons, c.Want)
			}
			fmt.Printf("  %-22s %-11s %s\n", c.Name, got.Disposition, got.Rule)
		}
		if err := s.opened(ctx, archive, evil); err != nil {
			return err
		}
	}
	return nil
}

// opened waits for what the password did to the archive.
func (s *stage) opened(ctx context.Context, archive specimen.Case, evil bool) error {
	got, err := s.daemon.wait(ctx, "password.opened")
	if err != nil {
		return err
	}
	if evil {
		if got.Disposition != "quarantine" {
			return fmt.Errorf("%s was opened: %s, wanted quarantine", archive.Name, got.Disposition)
		}
		fmt.Printf("  opened and inspected: it stays, by %s\n", got.Rule)
		if s.sink.Count(func(d postfixrig.Delivered) bool { return messageID(d.Data) == messageID(archive.Raw) }) > 0 {
			return errors.New("the program reached the sink")
		}
		return nil
	}
	if err := s.arrived(ctx, outcome{Case: specimen.Case{Name: archive.Name, Raw: archive.Raw, Want: "accept"}}); err != nil {
		return err
	}
	fmt.Println("  opened and inspected: clean, so it arrived, byte for byte")
	return nil
}

// holdEncrypted changes the configuration of the running daemon.
func (s *stage) holdEncrypted(ctx context.Context) error {
	f, err := os.OpenFile(s.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "release.smtp: %s\npassword.hold: true\npassword.pairing: \"on\"\n", s.postfix.Reinject())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := s.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	_, err = s.daemon.wait(ctx, "reload.done")
	return err
}
