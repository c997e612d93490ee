package unpack

import (
	"bytes"
	"math"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
)

// maxMarks bounds the records of one kind that are looked at in one file: twice
// what a directory without zip64 can count, far above the members that a budget
// lets through. A million entries for one member cost seconds.
const maxMarks = 1 << 17

// maxDirectories bounds the central directories of one file. Joined archives
// have a handful; more are there to make us work.
const maxDirectories = 64

// zipMarks are the places where the signatures of zip records stand, whether
// or not a record truly begins there.
type zipMarks struct{ locals, centrals, ends []int }

// markZip finds all signatures in one pass. cut says that there were too many.
func markZip(b []byte) (m zipMarks, cut bool) {
	for at := 0; ; at += 2 {
		i := bytes.Index(b[at:], []byte("PK"))
		if i < 0 {
			return m, cut
		}
		at += i
		switch {
		case signed(b, at, sigLocal, localSize):
			cut = mark(&m.locals, at) || cut
		case signed(b, at, sigCentral, centralSize):
			cut = mark(&m.centrals, at) || cut
		case signed(b, at, sigEnd, endSize):
			cut = mark(&m.ends, at) || cut
		}
	}
}

func mark(to *[]int, at int) (cut bool) {
	if len(*to) >= maxMarks {
		return true
	}
	*to = append(*to, at)
	return false
}

// zipEnd is an end-of-central-directory record.
type zipEnd struct {
	at, end      int
	disk         uint16
	here         uint64 // members on this disk
	count        uint64
	size, offset uint64
	cut          bool // the comment runs over the end of the file
}

func readEnd(b []byte, at int) zipEnd {
	h := b[at:]
	e := zipEnd{
		at: at, disk: u16(h[4:]), here: uint64(u16(h[8:])), count: uint64(u16(h[10:])),
		size: uint64(u32(h[12:])), offset: uint64(u32(h[16:])),
		end: at + endSize + int(u16(h[20:])),
	}
	if e.end > len(b) {
		e.end, e.cut = len(b), true
	}
	return e
}

// long says that the record refers to the zip64 one.
func (e zipEnd) long() bool {
	return e.count == math.MaxUint16 || e.size == math.MaxUint32 || e.offset == math.MaxUint32
}

// zipDirectory is a run of central headers.
type zipDirectory struct {
	start, stop int // where it should end
	base        int // what its offsets are counted from
	size, count uint64
	declared    bool // an end record names it; else count and stop mean nothing
}

// directories returns where the directory of e may stand, in every way that a
// reader may take.
func (z *zipReader) directories(e zipEnd) []zipDirectory {
	var out []zipDirectory
	stop := e.at
	if signed(z.body, e.at-locator64Size, sigLocator64, locator64Size) {
		longs := z.ends64(e.at - locator64Size)
		if len(longs) == 0 && e.long() {
			z.note(finding.ContainerBroken, z.of.Path, "record", "zip64 end")
		}
		for _, long := range longs {
			out = z.place(out, long.size, long.offset, long.count, long.at)
			stop = min(stop, long.at)
			if len(longs) > 1 || !e.long() && (e.size != long.size || e.count != long.count || e.offset != long.offset) {
				z.note(finding.ContainerConflict, z.of.Path, "in", "zip64")
			}
		}
	}
	if e.size != math.MaxUint32 && e.offset != math.MaxUint32 {
		out = z.place(out, e.size, e.offset, e.count, stop)
	}
	return out
}

// ends64 reads the zip64 end record that the locator at names, and one that
// stands right before it, where prefixed data has moved it.
func (z *zipReader) ends64(locator int) (out []zipEnd) {
	b := z.body
	places := []int{locator - end64Size}
	if off := u64(b[locator+8:]); off < uint64(len(b)) && int(off) != places[0] {
		places = append([]int{int(off)}, places...)
	}
	for _, at := range places {
		if !signed(b, at, sigEnd64, end64Size) {
			continue
		}
		z.covered.add(at, at+12+int(min(u64(b[at+4:]), uint64(max(locator-at, 0)))))
		z.covered.add(locator, locator+locator64Size)
		out = append(out, zipEnd{at: at, count: u64(b[at+32:]), size: u64(b[at+40:]), offset: u64(b[at+48:])})
	}
	return out
}

// place adds the directories that size and offset may mean: right before the
// end record, as most readers take it, and at the offset as it stands.
func (z *zipReader) place(out []zipDirectory, size, offset, count uint64, stop int) []zipDirectory {
	if count == 0 && size == 0 {
		return out
	}
	if size <= uint64(stop) {
		start := stop - int(size)
		out = z.addDirectory(out, zipDirectory{start, stop, start - int(min(offset, math.MaxInt32)), size, count, true})
	}
	if offset < uint64(stop) {
		out = z.addDirectory(out, zipDirectory{int(offset), stop, 0, size, count, true})
	}
	return out
}

func (z *zipReader) addDirectory(out []zipDirectory, d zipDirectory) []zipDirectory {
	if !signed(z.body, d.start, sigCentral, centralSize) {
		return out
	}
	for _, known := range out {
		if known.start == d.start {
			return out
		}
	}
	return append(out, d)
}

// readEnds reads the directories of all end records from the last to the
// first: most readers take the last. One inside a member's data belongs to
// that member.
func (z *zipReader) readEnds() {
	read := 0
	for i := len(z.marks.ends) - 1; i >= 0; i-- {
		at := z.marks.ends[i]
		if z.settle(); z.within(at) {
			continue
		}
		if read++; read > maxDirectories {
			_ = z.bud.Exceed(budget.Members, z.of.Path) // remembered there
			return
		}
		if read == 2 {
			z.note(finding.ContainerConflict, z.of.Path, "in", "end record")
		}
		z.readEnd(readEnd(z.body, at), read == 1)
		z.readMembers()
	}
}

func (z *zipReader) readEnd(e zipEnd, last bool) {
	z.ends = append(z.ends, e)
	if e.disk != 0 && e.disk != math.MaxUint16 {
		z.note(finding.ContainerVolume, z.of.Path, "type", "zip")
	}
	if e.disk == 0 && e.here != e.count {
		z.note(finding.ContainerConflict, z.of.Path, "in", "count")
	}
	if e.cut {
		z.note(finding.ContainerBroken, z.of.Path, "record", "comment")
	}
	dirs := z.directories(e)
	if len(dirs) == 0 && (e.count > 0 || e.size > 0) {
		z.note(finding.ContainerBroken, z.of.Path, "record", "directory")
	}
	if len(dirs) > 1 {
		z.note(finding.ContainerConflict, z.of.Path, "in", "directory")
	}
	for i, d := range dirs {
		z.readDirectory(d, last && i == 0)
	}
}

// readDirectory reads a run of central headers. listed says that it is the one
// that most programs show.
func (z *zipReader) readDirectory(d zipDirectory, listed bool) {
	at, n := d.start, uint64(0)
	for signed(z.body, at, sigCentral, centralSize) && !z.taken[at] {
		z.taken[at] = true
		r := readCentral(z.body, at)
		z.add(r, d.base, listed)
		at, n = r.end, n+1
	}
	z.covered.add(d.start, at)
	if signed(z.body, at, sigSignature, 6) {
		skip := min(at+6+int(u16(z.body[at+4:])), len(z.body))
		z.covered.add(at, skip)
		at = skip
	}
	if !d.declared || n == 0 {
		return
	}
	if at != d.stop || uint64(at-d.start) != d.size {
		z.note(finding.ContainerConflict, z.of.Path, "in", "directory size")
	}
	// Writers without zip64 let the count of more than 65,535 run over.
	if n != d.count && n%(1<<16) != d.count {
		z.note(finding.ContainerConflict, z.of.Path, "in", "count")
	}
}

// readOrphans reads central headers that no end record leads to.
func (z *zipReader) readOrphans() {
	z.settle()
	for _, at := range z.marks.centrals {
		if z.taken[at] || z.within(at) {
			continue
		}
		z.readDirectory(zipDirectory{start: at}, false)
	}
	z.readMembers()
}
