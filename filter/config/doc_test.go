package config

import (
	"testing"

	"sekisho/filter/testfile"
)

func TestDocHoldsEveryKey(t *testing.T) {
	testfile.Doc(t, "docs/configuration.md", "the table of keys", Manual())
}
