package rule

import (
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The manual names every key, every fact and every function.
func TestTheManualIsWhole(t *testing.T) {
	text, err := fs.ReadFile(os.DirFS("../../docs"), "rules.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \n|`,;:(){}[].", r) })
	need := slices.Concat(ruleKeys, matchKeys, listKeys, testKeys, modes, severities, dispositions, results, policies, factNames)
	for _, names := range fieldNames {
		need = append(need, names...)
	}
	for _, v := range []any{Entity{}, Finding{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			need = append(need, f.Tag.Get("expr"))
		}
	}
	for _, word := range need {
		if !slices.Contains(words, word) {
			t.Errorf("docs/rules.md does not name %q", word)
		}
	}
}

// A field that rules can read can be given in a test, and the other way round.
func TestTheTagsOfFactsAgree(t *testing.T) {
	for _, v := range []any{Facts{}, Header{}, Address{}, Link{}, Client{}, Envelope{}, Auth{}, Signature{}} {
		typ := reflect.TypeOf(v)
		for _, f := range reflect.VisibleFields(typ) {
			if e, y := f.Tag.Get("expr"), f.Tag.Get("yaml"); e != y {
				t.Errorf("%s.%s is %q to conditions and %q to tests", typ.Name(), f.Name, e, y)
			}
		}
	}
}
