package unpack

import (
	"bytes"
	"errors"
	"io"
	"math"
	"sort"
	"strconv"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// zipClaim is one way to read the bytes of a member.
type zipClaim struct {
	reading      string
	start        int
	method       uint16
	packed, size uint64
	crc          uint32
	flags        uint16
	blind        bool // sizes and checksum stand behind the data only
	loose        bool // ending cleanly where it should is proof enough
}

// zipResult is what a claim led to. fits says that it proved itself.
type zipResult struct {
	body []byte
	used int // packed bytes read
	err  error
	fits bool
	// drawn bodies can be given back to the budget.
	drawn bool
}

func claim(reading string, start int, r *zipRecord) zipClaim {
	return zipClaim{
		reading: reading, start: start, method: r.method, packed: r.packed, size: r.size, crc: r.crc,
		flags: r.flags,
	}
}

// claims returns the ways in which archivers would read m, the usual one
// first. A header whose place holds none is taken at its central word.
func (z *zipReader) claims(m *zipMember) []zipClaim {
	if m.at < 0 {
		return nil
	}
	l := m.local
	if l == nil {
		l = readLocal(z.body, m.at)
	}
	first := claim("", l.end, m.main())
	if m.main() == m.local && l.has(flagDescriptor) && l.crc == 0 {
		z.seekDescriptor(&first)
	}
	out := []zipClaim{first}
	for _, c := range m.central {
		out = appendClaim(out, claim("central-directory", l.end, c))
		out = appendClaim(out, claim("central-name-length", l.end-len(l.name)+len(c.name), c))
	}
	if m.local != nil && !(l.has(flagDescriptor) && l.packed == 0) {
		out = appendClaim(out, claim("local-header", l.end, l))
	}
	return relabelled(z.overrun(out))
}

// overrun adds the reading of unzip and unar for a stored member whose size
// runs past the end of the file: it goes as far as the next record.
func (z *zipReader) overrun(out []zipClaim) []zipClaim {
	c := out[0]
	if c.method != methodStored || c.packed <= uint64(max(len(z.body)-c.start, 0)) {
		return out
	}
	end := min(next(z.marks.locals, c.start, len(z.body)), next(z.marks.centrals, c.start, len(z.body)))
	data := z.body[min(c.start, end):end]
	if i := bytes.Index(data, []byte(sigDescriptor)); i >= 0 {
		data = data[:i]
	}
	c.reading, c.packed, c.size = "until-next-record", uint64(len(data)), uint64(len(data))
	return appendClaim(out, c)
}

// appendClaim keeps c unless it reads the same bytes in the same way.
func appendClaim(out []zipClaim, c zipClaim) []zipClaim {
	for _, o := range out {
		if o.start == c.start && o.method == c.method && (o.packed == c.packed || zipMethods[c.method].ends) {
			return out
		}
	}
	return append(out, c)
}

// relabelled adds the readings that only their checksum can prove: the
// "zombie" (CVE-2026-0866), whose deflated data is labelled as stored and the
// reverse, and the stored member whose two sizes differ.
func relabelled(out []zipClaim) []zipClaim {
	for _, c := range out {
		if c.method != methodDeflate {
			more := c
			more.reading, more.method, more.loose = "deflate-as-stored", methodDeflate, c.method == methodStored
			out = appendClaim(out, more)
		}
		if c.method != methodStored || c.packed != c.size {
			more := c
			more.reading, more.method, more.packed = "stored", methodStored, c.size
			out = appendClaim(out, more)
		}
	}
	return out
}

// seekDescriptor finds the sizes of a member that no central header tells of:
// they stand behind its data, before the next record.
func (z *zipReader) seekDescriptor(c *zipClaim) {
	c.blind = true
	end := min(next(z.marks.locals, c.start, len(z.body)), next(z.marks.centrals, c.start, len(z.body)))
	data := z.body[min(c.start, end):end]
	for at := 0; ; at += 4 {
		i := bytes.Index(data[at:], []byte(sigDescriptor))
		if i < 0 {
			break
		}
		if at += i; at+12 <= len(data) && u32(data[at+8:]) == uint32(at) {
			c.packed, c.size = uint64(at), uint64(at)
			return
		}
	}
	if n := len(data) - 12; n >= 0 && u32(data[n+4:]) == uint32(n) {
		data = data[:n]
	}
	c.packed, c.size = uint64(len(data)), uint64(len(data))
}

// next returns the first of marks at or after at, else end.
func next(marks []int, at, end int) int {
	if i := sort.SearchInts(marks, at); i < len(marks) {
		return marks[i]
	}
	return end
}

var errMethod = errors.New("method is not known")

// decode follows c to the true end of its data.
func (z *zipReader) decode(path string, c zipClaim) zipResult {
	src := z.body[min(c.start, len(z.body)):]
	method := zipMethods[c.method]
	short := false
	if !method.ends {
		short = c.packed > uint64(len(src))
		src = src[:min(c.packed, uint64(len(src)))]
	}
	r := z.run(path, method, src, c)
	if r.err == nil && short {
		r.err = io.ErrUnexpectedEOF
	}
	// Bytes after a checksum proved right are no less ours for a bad end.
	r.fits = r.err == nil && (c.blind || sum(r.body) == c.crc || c.loose && uint64(r.used) == c.packed && r.used > 0)
	return r
}

func (z *zipReader) run(path string, method zipMethod, src []byte, c zipClaim) (r zipResult) {
	switch {
	case z.spent():
		return zipResult{err: budget.ErrExceeded}
	case c.method == methodStored:
		r.body, r.err = z.lend(path, src)
		r.used = len(src)
		return r
	case c.method == methodDeflate:
		return z.deflated(path, src, c)
	case method.open == nil:
		return zipResult{err: errMethod, used: len(src)}
	}
	in := bytes.NewReader(src)
	packed := c.within(src)
	if method.strong {
		packed *= strongShare
	}
	r.body, r.err = z.bud.ReadSized(path, &guarded{open: func() (io.Reader, error) { return method.open(z, in, c) }}, packed, int64(min(c.size, math.MaxInt32)))
	r.drawn = true
	if r.used = len(src); method.ends {
		r.used -= in.Len()
	}
	return r
}

// within is how many bytes of src the claim may be about.
func (c zipClaim) within(src []byte) int64 {
	if c.blind {
		return int64(len(src))
	}
	return int64(min(c.packed, uint64(len(src))))
}

// deflated inflates what src begins with.
func (z *zipReader) deflated(path string, src []byte, c zipClaim) (r zipResult) {
	z.inflate.reset(src)
	r.body, r.err = z.bud.Draw(path, &z.inflate, c.within(src), int64(min(c.size, math.MaxInt32)))
	r.used, r.drawn = z.inflate.used(), true
	return r
}

// readContent decodes m and yields it, in every reading that proves itself.
func (z *zipReader) readContent(m *zipMember, e *entity.Entity) {
	e.Size = int64(min(m.main().size, math.MaxInt64))
	claims := z.claims(m)
	if len(claims) == 0 {
		e.Unread = true
		z.settlePart(e.Path, 0, 0)
		z.yield(e)
		return
	}
	first := z.decode(e.Path, claims[0])
	end := claims[0].start + first.used
	if lock := m.lock(); lock != "" && !(first.fits && len(first.body) > 0) {
		z.free(first)
		z.settlePart(e.Path, m.at, z.yieldLocked(m, e, claims, lock))
		z.veil(claims[0], z.parts[len(z.parts)-1].end)
		return
	}
	others := z.others(e.Path, claims, first)
	end = z.clipStored(m, claims[0], end)
	z.judge(m, e, claims[0], first)
	end += z.descriptor(m, e, end, first)
	z.settlePart(e.Path, m.at, end)
	if first.err != nil {
		z.veil(claims[0], end)
	}
	z.yieldReadings(e, claims, first, others)
	z.free(first)
	for _, r := range others {
		z.free(r)
	}
}

// veil remembers that the data of c, up to end, was not unpacked.
func (z *zipReader) veil(c zipClaim, end int) { z.opaque.add(c.start, end) }

// free gives a body back once its readers are done with it.
func (z *zipReader) free(r zipResult) {
	if r.drawn {
		z.bud.Free(r.body)
	}
}

// others decodes the further claims that may show another content: all when
// the first does not fit, else those that name another method.
func (z *zipReader) others(path string, claims []zipClaim, first zipResult) map[int]zipResult {
	out := map[int]zipResult{}
	for i, c := range claims[1:] {
		if errors.Is(first.err, budget.ErrExceeded) || first.fits && !c.longer(claims[0]) && (c.method == claims[0].method || c.loose || c.reading == "stored") {
			continue
		}
		r := z.decode(path, c)
		if r.fits && !bytes.Equal(r.body, first.body) {
			out[i+1] = r
		} else {
			z.free(r)
		}
	}
	return out
}

// longer says that c takes more bytes as they stand than first does: a second
// content with the same beginning.
func (c zipClaim) longer(first zipClaim) bool {
	return c.method == methodStored && first.method == methodStored && c.packed > first.packed && !c.loose && c.reading != "stored"
}

// clipStored makes a stored member end at the least size that a header names,
// so that what stands behind it is looked for as well.
func (z *zipReader) clipStored(m *zipMember, c zipClaim, end int) int {
	if c.method != methodStored || c.blind {
		return end
	}
	for _, r := range m.records() {
		if r == m.local && r.has(flagDescriptor) && r.packed == 0 {
			continue
		}
		end = c.start + int(min(r.packed, uint64(end-c.start)))
	}
	return end
}

func (z *zipReader) yieldReadings(e *entity.Entity, claims []zipClaim, first zipResult, others map[int]zipResult) {
	if e.Body = first.body; first.body != nil || first.err == nil {
		e.Size = int64(len(first.body))
	}
	e.Unread = first.err != nil
	z.leads(e)
	e.Dir = e.Dir && len(first.body) == 0
	z.yield(e)
	for i := range claims {
		r, ok := others[i]
		if !ok {
			continue
		}
		more, room := z.again(e, claims[i].reading)
		if !room {
			z.full = true
			return
		}
		more.Body, more.Size, more.Link = r.body, int64(len(r.body)), e.Link
		z.yield(more)
	}
}

// judge states what the content proves wrong.
func (z *zipReader) judge(m *zipMember, e *entity.Entity, c zipClaim, r zipResult) {
	if z.faulty(e, c, r) {
		return
	}
	if !c.blind && (uint64(r.used) != c.packed || uint64(len(r.body)) != c.size) {
		z.note(finding.ContainerConflict, e.Path, "in", "size",
			"declared", sizes(m.main()), "true", strconv.Itoa(r.used)+"/"+strconv.Itoa(len(r.body)))
	}
	if m.main().has(flagEncrypted) && (m.local == nil || m.local.has(flagEncrypted)) {
		z.note(finding.ContainerConflict, e.Path, "in", "encryption", "true", "none")
	}
}

// faulty states what is wrong with the content; true when it ends early.
func (z *zipReader) faulty(e *entity.Entity, c zipClaim, r zipResult) bool {
	switch {
	case r.err == errMethod:
		z.note(finding.ContainerMethod, e.Path, "method", methodName(c.method), "name", e.Name())
	case errors.Is(r.err, budget.ErrExceeded):
	case r.err != nil:
		z.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	case !r.fits:
		z.note(finding.ContainerChecksum, e.Path, "name", e.Name())
	}
	return r.err != nil
}

// descriptor returns the length of the data descriptor at at, and states that
// it is missing or says something else than the data.
func (z *zipReader) descriptor(m *zipMember, e *entity.Entity, at int, r zipResult) int {
	if m.local == nil || !m.local.has(flagDescriptor) || r.err != nil {
		return 0
	}
	d, n := z.body[min(at, len(z.body)):], 0
	if signed(d, 0, sigDescriptor, 16) {
		d, n = d[4:], 4
	}
	right := len(d) >= 4 && u32(d) == sum(r.body)
	size := uint64(len(r.body))
	// Without its signature the descriptor of stored data cannot be found by
	// those who read from the front.
	if n == 0 && m.main().method == methodStored && size > 0 && m.local.packed == 0 {
		z.note(finding.ContainerConflict, e.Path, "in", "descriptor")
	}
	switch {
	case right && len(d) >= 20 && u64(d[4:]) == uint64(r.used) && u64(d[12:]) == size:
		return n + 20
	case right && len(d) >= 12 && u32(d[4:]) == uint32(r.used) && u32(d[8:]) == uint32(size):
		return n + 12
	case n == 0 && (size == 0 || m.local.packed > 0):
		return 0 // some writers set the flag and have no need of it
	}
	z.note(finding.ContainerConflict, e.Path, "in", "descriptor")
	if n == 4 {
		return 16
	}
	return 0
}

// lock names the encryption that m claims, "" for none.
func (m *zipMember) lock() string {
	for _, r := range m.records() {
		switch {
		case r.method == methodAES:
			return "aes"
		case r.has(flagEncrypted) && (r.has(flagStrong) || r.has(flagMasked)):
			return "strong"
		case r.has(flagEncrypted):
			return "zipcrypto"
		}
	}
	return ""
}
