// Package inside is the worker: the only process in which hostile bytes are
// opened. It locks itself up, proves that to the gate, then inspects what the
// gate shows it, one input at a time, until the gate hangs up.
//
// It opens no file and no connection: it is born with a socket to the gate
// and a read-only view of the message. What happens around it (starting,
// deadlines, replacement) is the work of filter/sandbox.
package inside

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sekisho/filter/budget"
	"sekisho/filter/inspect"
	"sekisho/filter/quiet"
	"sekisho/filter/report"
	"sekisho/filter/sandbox/frame"
)

// Handler inspects one input. Tests put a misbehaving one in its place.
type Handler func(job frame.Job, raw []byte) *report.Report

// Main is the whole worker.
func Main() {
	if err := Run(Inspect); err != nil {
		fmt.Fprintln(os.Stderr, "sekisho-worker:", err)
		os.Exit(1)
	}
}

// Run locks this process and serves jobs with h until the gate hangs up.
func Run(h Handler) error {
	// The gate starts us through a descriptor, whose number would be our name.
	name := []byte("sekisho-worker\x00")
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
		return fmt.Errorf("taking a name: %w", err)
	}
	memory, err := view()
	if err != nil {
		return fmt.Errorf("started by hand? It is the gate's to start: %w", err)
	}
	gate, err := newControl()
	if err != nil {
		return err
	}
	began := time.Now()
	hello, err := Lock()
	hello.LockMicros = time.Since(began).Microseconds()
	hello.Build = build()
	if err != nil {
		hello.Error = err.Error()
	}
	b, encodeErr := json.Marshal(hello)
	if err := errors.Join(encodeErr, say(gate, 0, b)); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("locking: %w", err)
	}
	return serve(gate, h, memory)
}

// view maps the message memory.
func view() ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(frame.Memory, &st); err != nil {
		return nil, fmt.Errorf("looking at the message memory: %w", err)
	}
	b, err := unix.Mmap(frame.Memory, 0, int(st.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the message memory: %w", err)
	}
	return b, nil
}

// build is the version of the binary, "" where it was built without one.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}

// watched is from what size on a message gets the runtime's monitor, which
// lets the clock interrupt a reader that neither allocates nor waits. Its looks
// around cost more than the inspection of a smaller message, and what grows out
// of a small one is allocated, which wakes the monitor too.
const watched = 1 << 20

// serve inspects with h what the gate asks for.
func serve(gate io.ReadWriter, h Handler, memory []byte) error {
	in := bufio.NewReader(gate)
	var buf bytes.Buffer
	for {
		id, err := frame.Read(in, &buf, frame.MaxJob)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a job: %w", err)
		}
		var job frame.Job
		if err := job.Unpack(buf.Bytes()); err != nil {
			return err
		}
		if job.Size < 0 || job.Size > int64(len(memory)) {
			return fmt.Errorf("a job of %d bytes in a memory of %d", job.Size, len(memory))
		}
		packed, err := reply(h, job, memory[:job.Size:job.Size])
		if err != nil {
			return err
		}
		if err := say(gate, id, packed); err != nil {
			return err
		}
		tidy()
	}
}

// Garbage waits until the heap has grown to five times what is in use, which is
// little for most mail: most of a worker's time would go into collecting it
// otherwise (environment of filter/sandbox). A large message has more in use.
const (
	usualGarbage = 400
	largeGarbage = 120
)

// reply is the packed Report of one input.
func reply(h Handler, job frame.Job, raw []byte) ([]byte, error) {
	if job.Size > watched {
		quiet.Wake()
		debug.SetGCPercent(largeGarbage)
		defer debug.SetGCPercent(usualGarbage)
	}
	return report.Pack(h(job, raw), frame.MaxAnswer)
}

// Inspect is the Handler of a true worker.
func Inspect(job frame.Job, raw []byte) *report.Report {
	bud := budget.New(job.Limits)
	bud.Confine()
	stop := time.AfterFunc(time.Duration(job.Millis)*time.Millisecond, bud.Stop)
	defer stop.Stop()
	return inspect.Run(inspect.Input{Kind: job.Kind, Name: job.Name, SHA256: job.SHA256, Raw: raw, Keys: job.Keys, Offer: job.Offer}, bud)
}

// heapKept is what a worker may hold between two jobs; above it the memory is
// given back, since the next message is most likely a small one. What an
// office's mail leaves uncollected stays below: to fetch the same pages anew
// for each larger message costs more than to inspect it.
const heapKept = 128 << 20

func tidy() {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Uint64() > heapKept {
		debug.FreeOSMemory()
	}
}

// say sends one frame to the gate.
func say(w io.Writer, id uint64, payload []byte) error {
	if _, err := w.Write(frame.Append(make([]byte, 0, len(payload)+16), id, payload)); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}
