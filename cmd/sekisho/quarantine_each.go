package main

import (
	"errors"

	"github.com/spf13/cobra"

	"sekisho/filter/config"
	"sekisho/filter/quarantine"
)

// eachID runs do for every id; one that fails does not stop the others.
func eachID(c *cobra.Command, args []string, do func(*config.Config, quarantine.Store, quarantine.ID) error) error {
	ids := make([]quarantine.ID, len(args))
	for i, a := range args {
		id, err := quarantine.ParseID(a)
		if err != nil {
			return err
		}
		ids[i] = id
	}
	return withStore(c, func(cfg *config.Config, st quarantine.Store) error {
		var errs []error
		for _, id := range ids {
			errs = append(errs, do(cfg, st, id))
		}
		return errors.Join(errs...)
	})
}
