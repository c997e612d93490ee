package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// lookup finds a value in the first line of JSON text by a path such as
// reasons.0.rule; lists also take a name of a field to gather: findings.kind
// gives all kinds, parted by blanks.
func lookup(text, path string) (string, error) {
	var v any
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&v); err != nil {
		return "", fmt.Errorf("not JSON: %w: %.200s", err, text)
	}
	for step := range strings.SplitSeq(path, ".") {
		next, err := follow(v, step)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		v = next
	}
	return shown(v), nil
}

func follow(v any, step string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		return v[step], nil
	case []any:
		if i, err := strconv.Atoi(step); err == nil {
			if i >= len(v) {
				return nil, fmt.Errorf("only %d elements", len(v))
			}
			return v[i], nil
		}
		var all []any
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				all = append(all, m[step])
			}
		}
		return all, nil
	}
	return nil, fmt.Errorf("%q of %T", step, v)
}

func shown(v any) string {
	if list, ok := v.([]any); ok {
		var words []string
		for _, e := range list {
			words = append(words, fmt.Sprint(e))
		}
		return strings.Join(words, " ")
	}
	return fmt.Sprint(v)
}

func TestLookup(t *testing.T) {
	text := `{"a":[{"k":"x"},{"k":"y"}],"n":3}` + "\n{}"
	for path, want := range map[string]string{"a.1.k": "y", "a.k": "x y", "n": "3", "none": "<nil>"} {
		if got, err := lookup(text, path); err != nil || got != want {
			t.Errorf("lookup(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
}
