package unpack

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
)

// zipReader walks one zip file by every record in it: all end records, all
// central headers, all local headers, merged per local header.
type zipReader struct {
	*members
	body    []byte
	marks   zipMarks
	ends    []zipEnd
	taken   map[int]bool       // central headers already read
	byLocal map[int]*zipMember // by the place of the local header
	waiting []*zipMember       // not yet yielded
	parts   []zipPart          // where the members' bytes are
	covered spans
	opaque  spans // of these, the data that could not be unpacked
	folded  map[string]bool
	byName  map[string][]int // local headers by raw name, built when needed
	inflate inflater         // for all members: its tables cost more than a small one
	keys    *key.Ring
	full    bool // the budget has no room for one more member
}

// zipMember is what all headers say of one member.
type zipMember struct {
	at      int // of the local header; -1 for none
	central []*zipRecord
	local   *zipRecord
	listed  bool // in the directory that most programs show
	moved   bool // not where the central header says
}

// zipPart is the place of a member in the file.
type zipPart struct {
	span
	path string
}

func unlockZip(e *entity.Entity, keys *key.Ring, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	z := &zipReader{
		members: newMembers(e, bud, yield), body: e.Body, keys: keys,
		taken: map[int]bool{}, byLocal: map[int]*zipMember{}, folded: map[string]bool{},
	}
	var cut bool
	if z.marks, cut = markZip(z.body); cut {
		_ = bud.Exceed(budget.Members, e.Path) // remembered there
	}
	z.readEnds()
	z.readOrphans()
	z.readHidden()
	z.checkEdges()
	z.checkOverlap()
	return z.found
}

// add takes a central header; its offset counts from base.
func (z *zipReader) add(c *zipRecord, base int, listed bool) {
	at := z.findLocal(c, base)
	moved := at != base+int(min(c.offset, math.MaxInt32))
	m := z.byLocal[at]
	if m == nil || at < 0 {
		m = &zipMember{at: at, listed: listed}
		z.waiting = append(z.waiting, m)
		if at >= 0 {
			z.byLocal[at] = m
			if signed(z.body, at, sigLocal, localSize) {
				m.local = readLocal(z.body, at)
			}
		}
	}
	m.central, m.moved = append(m.central, c), m.moved || moved
}

// findLocal returns where the local header of c is: where it should be, where
// it is when prefixed data has moved it, or else the header of that name. A
// place without a signature is the last choice, -1 means none.
func (z *zipReader) findLocal(c *zipRecord, base int) int {
	off := int(min(c.offset, math.MaxInt32))
	for _, at := range []int{base + off, off} {
		if signed(z.body, at, sigLocal, localSize) {
			return at
		}
	}
	if z.byName == nil {
		z.byName = z.localsByName()
	}
	name := string(c.name)
	if at := z.byName[name]; len(at) > 0 {
		z.byName[name] = at[1:]
		return at[0]
	}
	if at := base + off; at >= 0 && at <= len(z.body)-localSize {
		return at
	}
	return -1
}

func (z *zipReader) localsByName() map[string][]int {
	names := map[string][]int{}
	for _, at := range z.marks.locals {
		if z.byLocal[at] == nil {
			name := string(readLocal(z.body, at).name)
			names[name] = append(names[name], at)
		}
	}
	return names
}

// readMembers yields all members that wait.
func (z *zipReader) readMembers() {
	for _, m := range z.waiting {
		z.readMember(m)
	}
	z.waiting = z.waiting[:0]
}

// readHidden yields the members that only a local header tells of. One inside
// another member's data is left to that member.
func (z *zipReader) readHidden() {
	z.settle()
	until := 0
	for _, at := range z.marks.locals {
		if at < until || z.byLocal[at] != nil || z.within(at) {
			continue
		}
		m := &zipMember{at: at, local: readLocal(z.body, at)}
		if !plausible(m.local) {
			continue
		}
		z.byLocal[at] = m
		z.readMember(m)
		until = z.parts[len(z.parts)-1].end
	}
}

// plausible says that r may be a header and not four bytes of a program that
// knows zip files.
func plausible(r *zipRecord) bool {
	return r.fault == "" && !r.cut && len(r.name) > 0 && (r.method <= 20 || zipMethods[r.method].name != "" || r.method == methodAES)
}

// readMember yields what the headers of m name. Without room in the budget it
// only marks the place.
func (z *zipReader) readMember(m *zipMember) {
	if z.full {
		z.settlePart(z.of.Path, max(m.at, 0), max(m.at, 0))
		return
	}
	e, ok := z.next(z.names(m)...)
	if z.full = !ok; z.full {
		z.settlePart(e.Path, max(m.at, 0), max(m.at, 0))
		return
	}
	z.compare(m, e)
	switch mode := m.main().mode(); {
	case mode == 0xa000:
		e.Link = true
	case mode == 0x4000 || endsInSlash(e.Name()):
		e.Dir = m.main().size == 0
	}
	z.readContent(m, e)
}

// settlePart remembers where the bytes of a member are.
func (z *zipReader) settlePart(path string, start, end int) {
	z.parts = append(z.parts, zipPart{span{start, end}, path})
	z.covered.add(start, end)
}

func (z *zipReader) settle() {
	z.covered.settle()
	z.opaque.settle()
}

// within says that the byte at is a record's or belongs to data that was
// unpacked. What only claims to be packed or encrypted may be records.
func (z *zipReader) within(at int) bool { return z.covered.holds(at) && !z.opaque.holds(at) }

func endsInSlash(name string) bool {
	return name != "" && (name[len(name)-1] == '/' || name[len(name)-1] == '\\')
}

// main returns the header that most programs go by.
func (m *zipMember) main() *zipRecord {
	if len(m.central) > 0 {
		return m.central[0]
	}
	return m.local
}

// records returns all headers of m.
func (m *zipMember) records() []*zipRecord {
	if m.local == nil {
		return m.central
	}
	return append(slices.Clip(slices.Clone(m.central)), m.local)
}

// checkEdges states what stands before, between and after the records.
func (z *zipReader) checkEdges() {
	end := 0
	for _, e := range z.ends {
		z.covered.add(e.at, e.end)
		end = max(end, e.end)
	}
	if !z.full && len(z.parts)+len(z.ends) > 0 {
		z.checkGaps(end)
	}
	switch {
	case len(z.ends) > 0:
	case len(z.parts) > 0 && string(z.body[:4]) == sigDescriptor:
		z.note(finding.ContainerVolume, z.of.Path, "type", "zip")
	default:
		z.note(finding.ContainerBroken, z.of.Path, "record", "end")
	}
}

// checkGaps looks at the bytes that no record explains; end is the end of the
// last end record.
func (z *zipReader) checkGaps(end int) {
	z.covered.settle()
	at, gaps, first := 0, 0, 0
	for _, s := range append(slices.Clip(z.covered.sorted), span{len(z.body), len(z.body)}) {
		gap := z.body[at:s.start]
		switch {
		case len(gap) == 0 || honestGap(gap):
		case at == 0:
			z.note(finding.ContainerPrefix, z.of.Path, "kind", kindOf(gap), "bytes", strconv.Itoa(len(gap)))
		case at >= end && end > 0:
			z.trail(gap, at)
		default:
			if gaps == 0 {
				first = at
			}
			gaps += len(gap)
		}
		at = s.end
	}
	if gaps > 0 {
		z.note(finding.ContainerConflict, z.of.Path, "in", "gap", "at", strconv.Itoa(first), "bytes", strconv.Itoa(gaps))
	}
}

// honestGap knows the marks of a spanned archive that fitted one volume, and
// the record that strong encryption puts before the directory.
func honestGap(gap []byte) bool {
	return len(gap) == 4 && (string(gap) == sigDescriptor || string(gap) == "PK00") ||
		signed(gap, 0, sigExtraData, 8) && uint64(len(gap)) == 8+uint64(u32(gap[4:]))
}

// checkOverlap states that members share bytes: the mark of the bombs of
// Fifield (2019) and of archives that show two faces.
func (z *zipReader) checkOverlap() {
	slices.SortStableFunc(z.parts, func(a, b zipPart) int { return cmp.Compare(a.start, b.start) })
	end, shared, first := -1, 0, ""
	for _, p := range z.parts {
		if p.start < end {
			if shared == 0 {
				first = p.path
			}
			shared++
		}
		end = max(end, p.end)
	}
	if shared > 0 {
		z.note(finding.ContainerOverlap, first, "members", strconv.Itoa(shared))
	}
}
