package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk is a small file system of the store's own.
type disk struct {
	t            *testing.T
	where, image string
}

// newDisk mounts a fresh ext4 out of a file.
func newDisk(t *testing.T, mib int) *disk {
	t.Helper()
	dir := t.TempDir()
	d := &disk{t: t, where: filepath.Join(dir, "disk"), image: filepath.Join(dir, "image")}
	check(t, os.Mkdir(d.where, 0o700))
	check(t, os.WriteFile(d.image, nil, 0o600))
	check(t, os.Truncate(d.image, int64(mib)<<20))
	d.run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,nodiscard", d.image)
	d.mount()
	t.Cleanup(func() { d.run("umount", "-l", d.where) })
	return d
}

func (d *disk) mount() { d.run("mount", "-o", "loop,errors=remount-ro", d.image, d.where) }

// newTmpfs mounts a tmpfs.
func newTmpfs(t *testing.T, options string) *disk {
	t.Helper()
	d := &disk{t: t, where: t.TempDir()}
	d.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", d.where)
	t.Cleanup(func() { d.run("umount", "-l", d.where) })
	return d
}

func (d *disk) run(name string, args ...string) {
	d.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err == nil {
		return
	}
	if name == "mount" && os.Getenv("CI") == "" {
		d.t.Skipf("mount: %v: %s (a small disk needs the right to mount)", err, out)
	}
	d.t.Fatalf("%s %q: %v: %s", name, args, err, out)
}

func (d *disk) filler() string { return filepath.Join(d.where, "filler") }

// fill takes the disk's last byte.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.Create(d.filler())
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size >>= 4 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatalf("filling the disk ended with %v", err)
	}
	check(d.t, f.Sync())
}

func (d *disk) empty() { check(d.t, os.Remove(d.filler())) }

// exhaust takes the last inode.
func (d *disk) exhaust() {
	d.t.Helper()
	check(d.t, os.Mkdir(d.filler(), 0o700))
	for n := 0; ; n++ {
		err := os.WriteFile(filepath.Join(d.filler(), fmt.Sprint(n)), nil, 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		if err != nil || n > 1<<20 {
			d.t.Fatalf("taking inodes ended with %v after %d", err, n)
		}
	}
}

func (d *disk) freeInodes() { check(d.t, os.RemoveAll(d.filler())) }

// loop is the name of the block device, such as loop0.
func (d *disk) loop() string {
	d.t.Helper()
	out, err := exec.Command("losetup", "-n", "-O", "NAME", "-j", d.image).Output()
	if err != nil || len(out) == 0 {
		d.t.Fatalf("losetup: %q, %v", out, err)
	}
	return filepath.Base(strings.TrimSpace(string(out)))
}

// readOnly makes the kernel meet an error of the file system, so that it turns
// read-only under the daemon, as errors=remount-ro says.
func (d *disk) readOnly() {
	d.t.Helper()
	check(d.t, os.WriteFile("/sys/fs/ext4/"+d.loop()+"/trigger_fs_error", []byte("chaos"), 0o200))
}

// cut takes the device away behind its first megabyte: what was written and
// not synced can never be, and fsync answers EIO.
func (d *disk) cut() {
	d.t.Helper()
	syscall.Sync()
	loop := d.loop()
	check(d.t, exec.Command("cp", "--sparse=always", d.image, d.image+".whole").Run())
	check(d.t, os.Truncate(d.image, 1<<20))
	d.run("losetup", "-c", "/dev/"+loop)
}

// repair gives the disk back as it was at the fault: after a cut from the copy
// that cut made, after an error by fsck. The daemon must be down.
func (d *disk) repair() {
	d.t.Helper()
	d.run("umount", d.where)
	if err := os.Rename(d.image+".whole", d.image); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Fatal(err)
	}
	if out, err := exec.Command("fsck.ext4", "-fy", d.image).CombinedOutput(); err != nil && exitCode(err) > 1 {
		d.t.Fatalf("fsck: %v: %s", err, out)
	}
	d.mount()
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// F8, the faults that go away again: no space, no inode, below the reserve.
// While the disk is full, mail to be blocked goes to Postfix's hold queue,
// clean mail flows, nobody hears 4xx; the store heals in five seconds.
func TestF08DiskFullAndHealed(t *testing.T) {
	tests := []struct {
		name       string
		disk       func(*testing.T) *disk
		fault, end func(*disk)
		config     string
	}{
		{"no byte is free", func(t *testing.T) *disk { return newDisk(t, 24) }, (*disk).fill, (*disk).empty, "quarantine.reserve: 0B"},
		{"less than the reserve is free", func(t *testing.T) *disk { return newDisk(t, 32) }, (*disk).fill, (*disk).empty, "quarantine.reserve: 4MiB"},
		{"no inode is free", func(t *testing.T) *disk { return newTmpfs(t, "size=64m,nr_inodes=300,mode=700") }, (*disk).exhaust, (*disk).freeInodes, "quarantine.reserve: 0B"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.disk(t)
			s := newStand(t)
			s.config = []string{tt.config, "quarantine.dir: " + filepath.Join(d.where, "store")}
			s.start()
			part := load{messages: deep(36, 50), senders: 4}
			led := newLedger()
			s.sendTo(led, part)
			tt.fault(d)
			part.after += part.messages
			s.sendTo(led, part)
			s.waitLog(`"event":"store.trouble"`)
			tt.end(d)
			part.after += part.messages
			part.after += s.heals(led, part.after)
			s.sendTo(led, part)
			f := s.account(led, load{messages: part.after + part.messages})
			s.neverDeferred(led)
			if held, least := len(f.hold), part.messages/3; held < least {
				t.Errorf("%d messages are on hold, want at least the %d of the full disk", held, least)
			}
			if n := blockedIn(part); !allIn(f.quarantine, part) {
				t.Errorf("not all %d blocked messages after the fault are in the quarantine", n)
			}
			if out, err := s.sekisho("quarantine", "verify", "--store", s.storeInUse()); err != nil {
				t.Errorf("verify: %v\n%s", err, out)
			}
		})
	}
}

// heals sends blocked messages behind number after until one is kept, for as
// long as we have patience, and returns how many it took.
func (s *stand) heals(led *ledger, after int) int {
	s.t.Helper()
	start, sent := time.Now(), 0
	for !strings.Contains(s.log(), `"event":"store.healed"`) {
		if time.Since(start) > patience {
			s.t.Errorf("the store has not healed after %v", patience)
			return sent
		}
		s.sendTo(led, load{after: after + sent, messages: 3})
		sent += 3
	}
	s.t.Logf("healed %v after the end of the fault", time.Since(start).Round(time.Millisecond))
	return sent
}

func (s *stand) neverDeferred(led *ledger) {
	s.t.Helper()
	if led.deferred+led.broken > 0 {
		s.t.Errorf("%d answers 4xx and %d broken sessions, want none", led.deferred, led.broken)
	}
}

func blockedIn(l load) (n int) {
	for i := l.after + 1; i <= l.after+l.messages; i++ {
		if blocked(i) {
			n++
		}
	}
	return n
}

// allIn says whether every message of l that is to be blocked is in where.
func allIn(where map[int]int, l load) bool {
	for i := l.after + 1; i <= l.after+l.messages; i++ {
		if blocked(i) && where[i] == 0 {
			return false
		}
	}
	return true
}

// F8, the faults that need a person: the file system turns read-only, or
// fsync answers EIO. The mail of before is whole after the repair, the mail of
// the fault is in Postfix's hold queue.
func TestF08DiskBroken(t *testing.T) {
	tests := []struct {
		name  string
		fault func(*disk)
	}{
		{"the kernel makes it read-only", (*disk).readOnly},
		{"fsync answers EIO", (*disk).cut},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(t, 32)
			s := newStand(t)
			s.config = []string{"quarantine.reserve: 0B", "quarantine.dir: " + filepath.Join(d.where, "store")}
			s.start()
			part := load{messages: deep(36, 50), senders: 4}
			led := newLedger()
			s.sendTo(led, part)
			tt.fault(d)
			part.after += part.messages
			s.sendTo(led, part)
			s.waitLog(`"event":"store.trouble"`)
			s.daemon.kill()
			d.repair()
			s.start()
			f := s.account(led, load{messages: part.after + part.messages})
			s.neverDeferred(led)
			if !allIn(f.hold, part) {
				t.Error("not all blocked messages of the fault are on hold")
			}
			if !allIn(f.quarantine, load{messages: part.messages}) {
				t.Error("not all blocked messages from before the fault are in the quarantine")
			}
		})
	}
}

// F8 where the operator wants no hold queue: blocked mail hears 451 until the
// disk has room again, clean mail flows.
func TestF08DiskFullAndDeferred(t *testing.T) {
	d := newDisk(t, 24)
	s := newStand(t)
	s.config = []string{"quarantine.reserve: 0B", "quarantine.when_unhealthy: defer", "quarantine.dir: " + filepath.Join(d.where, "store")}
	s.start()
	d.fill()
	led := newLedger()
	part := load{messages: deep(30, 50), senders: 4}
	s.sendTo(led, part)
	if n := blockedIn(part); led.deferred != n || len(led.accepted) != part.messages-n {
		t.Errorf("%d answers 4xx and %d accepted, want %d and %d", led.deferred, len(led.accepted), n, part.messages-n)
	}
	d.empty()
	again := load{messages: part.messages, senders: 4, retry: true}
	second := s.send(again)
	s.account(second, load{}) // what the second time was accepted is looked for below
	f := s.find()
	if !allIn(f.quarantine, part) || len(f.hold) > 0 {
		t.Errorf("in the quarantine: %d, on hold: %d; want all that is blocked, and none", len(f.quarantine), len(f.hold))
	}
}
