package inspect_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/inspect"
	"sekisho/filter/specimen"
)

// What inspecting a zip of 50 MB of documents may add to the memory of a
// process, in KiB.
const largeGrowth = 64 << 10

const largeZip = "SEKISHO_TEST_LARGE_ZIP"

// The memory that a large zip of documents takes is that of its largest members,
// not of all: a process of its own reads one and tells its peak.
func TestLargeZipTakesLittleMemory(t *testing.T) {
	if file := os.Getenv(largeZip); file != "" {
		fmt.Printf("grew=%d\n", inspectLarge(t, file))
		return
	}
	file := filepath.Join(t.TempDir(), "documents.zip")
	if err := os.WriteFile(file, documents(50<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestLargeZipTakesLittleMemory$", "-test.v")
	cmd.Env = append(os.Environ(), largeZip+"="+file)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, told, _ := bytes.Cut(out, []byte("grew="))
	told, _, _ = bytes.Cut(told, []byte("\n"))
	grew, err := strconv.Atoi(string(told))
	if err != nil {
		t.Fatalf("the child said %q", out)
	}
	if t.Logf("grew by %d KiB", grew); grew > largeGrowth {
		t.Errorf("inspecting grew the process by %d KiB, want at most %d", grew, largeGrowth)
	}
}

// documents is a zip of documents with a picture and some text each, which
// together take about size bytes.
func documents(size int) []byte {
	noise := make([]byte, 450<<10)
	seed := uint32(7)
	var in []specimen.Member
	for i := 0; i*len(noise) < size; i++ {
		for k := range noise {
			seed = seed*1664525 + 1013904223
			noise[k] = byte(seed >> 24)
		}
		document := specimen.Zip(
			specimen.Member{Name: "[Content_Types].xml", Data: []byte("<Types/>")},
			specimen.Member{Name: "word/document.xml", Data: []byte(strings.Repeat(fmt.Sprintf("<w:p>支給額 %d 円</w:p>", i), 8000)), Method: "fast"},
			specimen.Member{Name: "word/media/image1.bin", Data: bytes.Clone(noise), Method: "store"})
		in = append(in, specimen.Member{Name: fmt.Sprintf("資料%03d.docx", i), Data: document, Method: "store"})
	}
	return specimen.Zip(in...)
}

// inspectLarge inspects a file and returns by how many KiB the process grew at
// most meanwhile.
func inspectLarge(t *testing.T, file string) int {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	// "5" makes the peak begin anew (proc(5), clear_refs).
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	before := memory(t, "VmRSS:")
	rep := inspect.File("documents.zip", raw, budget.New(budget.Default))
	peak := memory(t, "VmHWM:")
	if rep.Incomplete || len(rep.Entities) < 400 {
		t.Fatalf("%d entities, incomplete %v: %v", len(rep.Entities), rep.Incomplete, rep.Findings)
	}
	return peak - before
}

// memory reads a field of this process's status, in KiB.
func memory(t *testing.T, field string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), field)
	words := strings.Fields(rest)
	if len(words) == 0 {
		t.Fatalf("no %s in the status of the process", field)
	}
	n, err := strconv.Atoi(words[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
