package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// garbage is how much of it, in percent of what is in use, may gather in the
// daemon. A message leaves about ten kilobytes; what is in use are the buffers of
// large ones, and twice as much would be the largest part of all memory.
const garbage = 50

// thrift sets how the daemon uses the machine while workers open the mail.
func thrift(o *opener) {
	if o.pool == nil {
		return
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		shareProcessors()
	}
}

// shareProcessors leaves the daemon half of the processors: it does less than
// half of the work, and each further one has its threads wake each other to look
// for more.
func shareProcessors() { runtime.GOMAXPROCS((runtime.GOMAXPROCS(0) + 1) / 2) }
