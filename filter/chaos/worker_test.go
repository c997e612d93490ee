package chaos

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// workers lists the processes that run the worker program.
func workers(t *testing.T) (pids []int) {
	t.Helper()
	procs, err := os.ReadDir("/proc")
	check(t, err)
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		// A process that ends meanwhile has no link any more.
		exe, _ := os.Readlink(filepath.Join("/proc", p.Name(), "exe"))
		if exe == filepath.Join(filepath.Dir(program), "sekisho-worker") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// F2: workers are killed one by one under load, slowly enough that none dies
// while it starts: the gate takes that for a broken program and waits longer. A death costs its own message
// a second try at most: nothing is lost, leaked, deferred or wrongly kept.
func TestF02WorkersKilledUnderLoad(t *testing.T) {
	s := newStand(t)
	d := s.start()
	full := len(workers(t))
	if full == 0 {
		t.Fatal("the daemon has no workers")
	}
	l := load{messages: deep(240, 40), senders: 6, retry: true}
	s.storm(l, 300*time.Millisecond, deep(8, 40), func() {
		killed := within(20*time.Second, func() bool {
			pids := workers(t)
			return len(pids) >= full && syscall.Kill(pids[0], syscall.SIGKILL) == nil // it may have been replaced
		})
		if !killed {
			t.Error("no worker came back to be killed")
		}
	})
	if d.ended() {
		t.Error("the daemon ended")
	}
}

// F2: the daemon alone is killed: no worker outlives it by more than a second.
func TestF02NoOrphans(t *testing.T) {
	s := newStand(t)
	for range deep(4, 25) {
		d := s.start()
		s.send(load{messages: 6, senders: 3})
		before := len(workers(t))
		d.signal(syscall.SIGKILL)
		<-d.done
		if before == 0 || !within(time.Second, func() bool { return len(workers(t)) == 0 }) {
			t.Fatalf("%d workers before the kill, %d a second after it", before, len(workers(t)))
		}
	}
}

// F6: all workers stop answering. Each message under way is judged by another
// worker or kept as not inspectable, within the time a message has; none is
// passed unread.
func TestF06WorkersHang(t *testing.T) {
	s := newStand(t)
	s.config = []string{"timeout.inspect: 2s", "timeout.message: 10s"}
	s.start()
	s.send(load{messages: 3})
	for _, pid := range workers(t) {
		check(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	led := newLedger()
	l := load{after: 3, messages: 24, senders: 4, retry: true}
	s.sendTo(led, l)
	f := s.find()
	for n := 4; n <= 27; n++ {
		if blocked(n) && f.sink[n] > 0 {
			t.Errorf("message %d was delivered unread", n)
		}
		if led.accepted[n] == 0 || f.sink[n]+f.quarantine[n] == 0 {
			t.Errorf("message %d: accepted %d times, found nowhere", n, led.accepted[n])
		}
	}
	t.Logf("slowest %v, 4xx %d, inspect.failed %d", led.slowest.Round(time.Millisecond), led.deferred, strings.Count(s.log(), "inspect.failed"))
	if led.slowest > 10*time.Second+patience {
		t.Errorf("the slowest answer took %v", led.slowest)
	}
}
