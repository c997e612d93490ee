package testfile

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Corpus returns the folder of a suite below the one that SEKISHO_CORPUS names,
// "" for the whole. Without a corpus the test is skipped: the suites are other
// people's, and no part of this repository.
func Corpus(t testing.TB, suite string) string {
	t.Helper()
	root := os.Getenv("SEKISHO_CORPUS")
	if root == "" {
		t.Skip("SEKISHO_CORPUS names no corpus (make corpus CORPUS=folder)")
	}
	return filepath.Join(root, suite)
}

// Manifest reads manifest.jsonl of a suite's folder, one record a line.
func Manifest[T any](t testing.TB, dir string) []T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	for line := range bytes.Lines(raw) {
		var record T
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("%s/manifest.jsonl: record %d: %v", dir, len(out)+1, err)
		}
		out = append(out, record)
	}
	return out
}
