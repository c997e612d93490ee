package load

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// process is what /proc/PID/stat tells of one process (proc(5)).
type process struct {
	pid, parent int
	cpu         time.Duration // its own and that of its children that have ended
	rss         int64
}

// tick is the unit of the times there: USER_HZ is 100 wherever Go runs.
const tick = 10 * time.Millisecond

// errGone is a process that has ended meanwhile.
var errGone = errors.New("process is gone")

func readProcess(pid int) (process, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, errGone
	}
	// The name of the program may hold blanks and parentheses.
	end := bytes.LastIndexByte(b, ')')
	f := bytes.Fields(b[end+1:])
	const parent, firstTime, times, pages = 1, 11, 4, 21
	if end < 0 || len(f) <= pages {
		return process{}, fmt.Errorf("process %d: unreadable state %q", pid, b)
	}
	p := process{pid: pid, parent: number(f[parent]), rss: int64(number(f[pages])) * int64(os.Getpagesize())}
	for _, t := range f[firstTime : firstTime+times] {
		p.cpu += time.Duration(number(t)) * tick
	}
	return p, nil
}

func number(b []byte) int {
	n, err := strconv.Atoi(string(b))
	if err != nil {
		return 0
	}
	return n
}

// family returns the processes that are, or descend from, one of the roots.
func family(roots []int) ([]process, error) {
	names, err := fs.Glob(os.DirFS("/proc"), "[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]process{}
	var out []process
	for _, name := range names {
		p, err := readProcess(number([]byte(name)))
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		children[p.parent] = append(children[p.parent], p)
		for _, root := range roots {
			if p.pid == root {
				out = append(out, p)
			}
		}
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].pid]...)
	}
	return out, nil
}

// cpu is the processor time that the family has used.
func cpu(roots []int) (sum time.Duration, err error) {
	all, err := family(roots)
	for _, p := range all {
		sum += p.cpu
	}
	if err == nil && len(roots) > 0 && len(all) < len(roots) {
		err = fmt.Errorf("processes %v: %w", roots, errGone)
	}
	return sum, err
}

// memoryWatch looks at the family's memory every so often.
type memoryWatch struct {
	stop chan struct{}
	peak chan int64
}

// lookEvery is short beside the time that memory stays in use.
const lookEvery = 100 * time.Millisecond

func watchMemory(roots []int) *memoryWatch {
	w := &memoryWatch{make(chan struct{}), make(chan int64, 1)}
	go func() {
		var peak int64
		t := time.NewTicker(lookEvery)
		defer t.Stop()
		for {
			peak = max(peak, memory(roots))
			select {
			case <-w.stop:
				w.peak <- peak
				return
			case <-t.C:
			}
		}
	}()
	return w
}

// end stops the watch and returns the most that it saw.
func (w *memoryWatch) end() int64 {
	close(w.stop)
	return <-w.peak
}

// memory is what the family holds now; an unreadable /proc counts as nothing,
// and cpu says so.
func memory(roots []int) (sum int64) {
	all, err := family(roots)
	if err != nil {
		return 0
	}
	for _, p := range all {
		sum += p.rss
	}
	return sum
}
