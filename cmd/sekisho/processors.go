package main

import (
	"os"
	"runtime"
)

// shareProcessors leaves the daemon half of the processors while workers open
// the mail: it does less than half of the work, and each further one has its
// threads wake each other to look for more. GOMAXPROCS in the environment
// overrides it.
func shareProcessors(o *opener) {
	if o.pool == nil || os.Getenv("GOMAXPROCS") != "" {
		return
	}
	runtime.GOMAXPROCS((runtime.GOMAXPROCS(0) + 1) / 2)
}
