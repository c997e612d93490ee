package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shortGate is a gate of its own process: it starts a pool, keeps one worker
// busy for ever, prints the workers' pids and waits to be killed.
func shortGate() int {
	exe, err := os.Executable()
	if err != nil {
		return 1
	}
	p, err := New(Options{Program: exe, Workers: 2, MaxMessage: 1 << 20, Recycle: 1000, MaxRSS: 1 << 30})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go p.Inspect(context.Background(), mailInput("X-Do: loop\n\n"), Settings{Timeout: time.Hour, Limits: small.Limits})
	for p.Status().Workers < 3 || len(pidsOf(p)) < 3 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(strings.Trim(fmt.Sprint(pidsOf(p)), "[]"))
	select {}
}

// TestNoOrphans: when the gate is killed, no worker is left one second later,
// not even one in an endless loop.
func TestNoOrphans(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: exe, Args: []string{"sekisho-gate"}, Stderr: os.Stderr}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no word from the gate: %v", err)
	}
	var pids []int
	for word := range strings.FieldsSeq(line) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		if unix.Kill(pid, 0) != nil {
			t.Errorf("worker %d is not there while the gate lives", pid)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 3 {
		t.Fatalf("workers %v, want 3", pids)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	end := time.Now().Add(time.Second)
	for _, pid := range pids {
		for running(pid) {
			if time.Now().After(end) {
				t.Fatalf("worker %d is still there a second after its gate", pid)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// running says whether a process is there and not merely waiting to be reaped
// by whoever inherited it.
func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
