package inside

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sekisho/filter/testfile"
)

// answer runs all filters over one call, as the kernel does, and returns the
// strictest action.
func answer(t *testing.T, archID, nr uint32, args ...uint64) seccomp.Action {
	t.Helper()
	call := make([]byte, 64)
	binary.BigEndian.PutUint32(call[0:], nr)
	binary.BigEndian.PutUint32(call[4:], archID)
	for i, a := range args {
		binary.BigEndian.PutUint32(call[16+8*i:], uint32(a))
		binary.BigEndian.PutUint32(call[20+8*i:], uint32(a>>32))
	}
	worst := seccomp.ActionAllow
	for _, p := range policies() {
		program, err := p.Assemble()
		if err != nil {
			t.Fatal(err)
		}
		vm, err := bpf.NewVM(program)
		if err != nil {
			t.Fatal(err)
		}
		got, err := vm.Run(call)
		if err != nil {
			t.Fatal(err)
		}
		if a := seccomp.Action(uint32(got)); strictness(a) > strictness(worst) {
			worst = a
		}
	}
	return worst
}

func strictness(a seccomp.Action) int {
	switch a & 0xffff0000 {
	case seccomp.ActionKillProcess:
		return 2
	case seccomp.ActionAllow:
		return 0
	}
	return 1 // an errno
}

func number(t *testing.T, name string) uint32 {
	t.Helper()
	info, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	nr, ok := info.SyscallNames[name]
	if !ok {
		t.Fatalf("%s is no call of %s", name, info.Name)
	}
	return uint32(nr)
}

// TestPolicyListsTheWholeTruth walks every call number there is, with
// arguments that pass the conditions.
func TestPolicyListsTheWholeTruth(t *testing.T) {
	info, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	if len(allowed) > 30 {
		t.Errorf("%d calls are allowed; 30 is the promise", len(allowed))
	}
	good := map[string][]uint64{"clone": {threadFlags}, "tgkill": {uint64(os.Getpid())}}
	for nr := range uint32(1024) {
		name := info.SyscallNumbers[int(nr)]
		got := answer(t, uint32(info.ID), nr, good[name]...)
		want := seccomp.ActionKillProcess
		switch {
		case slices.Contains(allowed, name):
			want = seccomp.ActionAllow
		case slices.Contains(denied, name):
			want = seccomp.ActionErrno | seccomp.Action(unix.EPERM)
		}
		if got != want {
			t.Errorf("call %d (%s): %#x, want %#x", nr, name, uint32(got), uint32(want))
		}
	}
}

func TestPolicyConditions(t *testing.T) {
	info, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	self := uint64(os.Getpid())
	tests := []struct {
		name, call string
		args       []uint64
		allowed    bool
	}{
		{"memory for data", "mmap", []uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE}, true},
		{"memory for code", "mmap", []uint64{0, 4096, unix.PROT_EXEC}, false},
		{"memory for all", "mmap", []uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC}, false},
		// Each of these protections is also the number of an allowed call: a
		// filter that forgot which call it judges would let them pass.
		{"memory for code, number of clone", "mmap", []uint64{threadFlags, 4096, uint64(number(t, "clone")) | unix.PROT_EXEC}, false},
		{"memory for code, number of futex", "mmap", []uint64{0, 4096, uint64(number(t, "futex")) | unix.PROT_EXEC}, false},
		{"a thread", "clone", []uint64{threadFlags}, true},
		{"a process", "clone", []uint64{uint64(unix.SIGCHLD)}, false},
		{"a process with the number of mmap", "clone", []uint64{uint64(number(t, "mmap"))}, false},
		{"a process that shares memory", "clone", []uint64{unix.CLONE_VM | unix.CLONE_VFORK}, false},
		{"a thread in a new name space", "clone", []uint64{threadFlags | unix.CLONE_NEWUSER}, false},
		{"a thread with bits above 32", "clone", []uint64{threadFlags | 1<<40}, false},
		{"a signal to itself", "tgkill", []uint64{self, self, uint64(unix.SIGURG)}, true},
		{"a signal to the gate", "tgkill", []uint64{uint64(os.Getppid()), uint64(os.Getppid()), uint64(unix.SIGKILL)}, false},
		{"a signal to all", "tgkill", []uint64{^uint64(0), 1, uint64(unix.SIGKILL)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := answer(t, uint32(info.ID), number(t, tt.call), tt.args...)
			if (got == seccomp.ActionAllow) != tt.allowed {
				t.Errorf("%s%v: %#x, allowed should be %v", tt.call, tt.args, uint32(got), tt.allowed)
			}
		})
	}
}

// TestPolicyKnowsOneArchitecture: a call by another architecture's numbers
// means something else.
func TestPolicyKnowsOneArchitecture(t *testing.T) {
	info, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []*arch.Info{arch.I386, arch.ARM, arch.X86_64, arch.AARCH64} {
		if other.ID == info.ID {
			continue
		}
		if got := answer(t, uint32(other.ID), number(t, "read")); got == seccomp.ActionAllow {
			t.Errorf("read by the numbers of %s is allowed", other.Name)
		}
	}
	if info.ID == arch.X86_64.ID {
		if got := answer(t, uint32(info.ID), 0x40000000|number(t, "read")); got == seccomp.ActionAllow {
			t.Error("read by the numbers of x32 is allowed")
		}
	}
}

func TestDocListsTheAllowedCalls(t *testing.T) {
	testfile.Doc(t, "docs/security.md", "the list of system calls", "`"+strings.Join(allowed, "` `")+"`; `"+
		strings.Join(denied, "` `")+"` fails with EPERM\n")
}
