package config

import (
	"regexp"
	"slices"
	"testing"

	"sekisho/filter/testfile"
)

func TestDocHoldsEveryKey(t *testing.T) {
	testfile.Doc(t, "docs/configuration.md", "the table of keys", Manual())
}

// The sample sets nothing as it is; with every line taken in it sets every key
// to its default.
func TestDocSample(t *testing.T) {
	testfile.File(t, "packaging/sekisho.yaml", Sample())
	asIs, err := parse("sekisho.yaml", []byte(Sample()))
	if err != nil || !slices.Equal(asIs.Settings(), Default().Settings()) {
		t.Fatalf("the sample as it is sets something: %v", err)
	}
	all := regexp.MustCompile(`(?m)^#([a-z])`).ReplaceAllString(Sample(), "$1")
	c, err := parse("sekisho.yaml", []byte(all))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range c.Settings() {
		if d := Default().Settings()[i]; s.Value != d.Value || s.Origin == "default" {
			t.Errorf("%s = %q from %q, want %q from the file", s.Key, s.Value, s.Origin, d.Value)
		}
	}
}
