package inside

import (
	"os"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// allowed are the system calls that a locked worker may make: what Go's
// runtime needs to compute, collect garbage, keep time and start threads, and
// reading and writing on what is open already. Nothing opens, connects, sends
// signals to others, changes rights or starts a program. docs/security.md
// lists them; a test keeps both alike.
var allowed = []string{
	"read", "write", // the control socket, standard error, the runtime's eventfd
	"mmap", "munmap", "madvise", // memory; mmap never executable, see conditions
	"futex", "sched_yield", "nanosleep", "restart_syscall", // waiting
	"epoll_pwait", "clock_gettime", // timers
	"clone", "gettid", "getpid", "sigaltstack", "rt_sigprocmask", // threads
	"tgkill", "rt_sigreturn", // preemption: signals to itself
	"getrandom",
	"exit", "exit_group",
}

// denied fails instead of killing, so that the worker can prove it. Library
// code that looks for a file on its way (time zones, MIME types) goes on
// without.
var denied = []string{"openat"}

// threadFlags is exactly what Go's runtime passes to clone for a new thread.
// Without CLONE_THREAD or CLONE_VM it would be a new process.
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD

// policies are the filters, in the order in which they are loaded. The kernel
// asks all of them and takes the strictest answer. Each condition has a filter
// of its own: the library compares the next call's number with what it loaded
// of the last one's arguments, so that two conditions in one filter let calls
// slip through. The list comes last, since it forbids loading more.
func policies() []seccomp.Policy {
	return []seccomp.Policy{
		killIf("mmap", 2, seccomp.BitsSet, unix.PROT_EXEC),
		killIf("clone", 0, seccomp.NotEqual, threadFlags),
		killIf("tgkill", 0, seccomp.NotEqual, uint64(os.Getpid())),
		{
			DefaultAction: seccomp.ActionKillProcess,
			Syscalls: []seccomp.SyscallGroup{
				{Action: seccomp.ActionAllow, Names: allowed},
				{Action: seccomp.ActionErrno, Names: denied},
			},
		},
	}
}

// killIf is a filter with one condition on one call.
func killIf(name string, arg uint32, op seccomp.Operation, value uint64) seccomp.Policy {
	return seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{{
		Action: seccomp.ActionKillProcess,
		NamesWithCondtions: []seccomp.NameWithConditions{
			{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: arg, Operation: op, Value: value}}},
		},
	}}}
}
