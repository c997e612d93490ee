package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSekishoStandsInForItsWorker: the one binary alone still opens hostile
// bytes behind the lock, and doctor says so.
func TestSekishoStandsInForItsWorker(t *testing.T) {
	dir := t.TempDir()
	alone := filepath.Join(dir, "sekisho")
	if out, err := exec.Command("go", "build", "-o", alone, "sekisho/cmd/sekisho").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	mail := filepath.Join(dir, "x.eml")
	if err := os.WriteFile(mail, []byte("From: a@partner.example\r\nSubject: x\r\n\r\nHello.\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(alone, "scan", mail).CombinedOutput(); err != nil || !strings.Contains(string(out), "ACCEPT") {
		t.Errorf("scan: %v\n%s", err, out)
	}
	out, err := exec.Command(alone, "doctor").Output() // it finds something to mend: status 3
	if err == nil || !strings.Contains(string(out), "sekisho itself stands in, locked: seccomp") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	// A worker that was asked for by name is never replaced.
	config := filepath.Join(dir, "sekisho.yaml")
	if err := os.WriteFile(config, []byte("sandbox.worker: /nowhere/sekisho-worker\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(alone, "scan", "--config", config, mail).CombinedOutput(); err == nil || !strings.Contains(string(out), "/nowhere/sekisho-worker") {
		t.Errorf("a missing worker that was named: %v\n%s", err, out)
	}
}
