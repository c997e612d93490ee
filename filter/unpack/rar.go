package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/nwaples/rardecode/v2"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
)

const rarMagic = "Rar!\x1a\x07"

// rarClearShare is how many bytes of dictionary cost as much as one decoded
// byte: the library clears all of it before each member that is not solid.
const rarClearShare = 32

// rarServices are the service records that hold nothing of the sender's:
// recovery data, owners, permissions, signatures.
var rarServices = map[string]bool{"RR": true, "ACL": true, "UO": true, "UOW": true, "AV": true, "NTACL": true}

// rar walks one RAR archive by headers that we read ourselves. The decoder is
// a library's: it is handed one run of members at a time, behind headers that
// we have written, and runs only where the process is confined.
type rar struct {
	*members
	b     []byte // from the signature on
	base  int    // where it stands in the file
	five  bool
	names map[string]bool
	same  map[string][]byte // contents that later links name
	index *rarIndex
	dict  uint64 // the largest dictionary so far
	lock  rarLock
	stop  bool
}

// unlockRAR reads RAR 1.5 to 7. One volume of several is read as far as it goes.
func unlockRAR(e *entity.Entity, keys *key.Ring, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	r := &rar{members: newMembers(e, bud, yield), names: map[string]bool{}, same: map[string][]byte{}, lock: rarLock{keys: keys}}
	if r.base = findRAR(e.Body); r.base < 0 {
		r.note(finding.ContainerBroken, e.Path, "record", "rar header")
		return r.found
	}
	if r.base > 0 {
		r.note(finding.ContainerPrefix, e.Path, "kind", kindOf(e.Body[:r.base]), "bytes", strconv.Itoa(r.base))
	}
	r.b = e.Body[r.base:]
	limit := bud.Limits().Members
	switch {
	case bytes.HasPrefix(r.b, []byte(rarMagic5)):
		r.five, r.index = true, walkRAR5(r.b, limit)
	case bytes.HasPrefix(r.b, []byte(rarMagic4)):
		r.index = walkRAR4(r.b, limit)
	default:
		r.note(finding.ContainerMethod, e.Path, "record", "rar header")
		return r.found
	}
	end := r.index.end
	if r.index.joined > 0 && bud.Spend(e.Path, int64(len(r.b))) == nil {
		r.b = r.index.merge(r.b)
	}
	r.unlock()
	r.state()
	r.give()
	if r.lock.headers {
		return r.found // where it ends is not known of what came
	}
	r.index.end = end
	// A volume is padded to the size of the others.
	if rest := e.Body[r.base:][min(r.index.end, len(e.Body)-r.base):]; len(rest) > 0 && (kindOf(rest) != "padding" || !r.index.volume) {
		r.trail(rest, r.base+r.index.end)
	}
	return r.found
}

// state states what the headers say of the archive as a whole.
func (r *rar) state() {
	for _, f := range r.index.faults {
		at := strconv.Itoa(r.base + f.at)
		if f.conflict != "" {
			r.note(finding.ContainerConflict, r.of.Path, "in", f.conflict, "at", at)
		} else {
			r.note(finding.ContainerBroken, r.of.Path, "record", f.record, "at", at)
		}
	}
	if r.index.volume {
		r.note(finding.ContainerVolume, r.of.Path, "type", "rar")
	}
	if r.index.hidden {
		r.of.Encrypted = true
		r.encrypted(r.of.Path, r.lock.locked, "method", "aes", "names", "hidden")
	}
}

// give yields the members: a run of solid ones at a time, then what service
// records hold.
func (r *rar) give() {
	var own, services []rarFile
	for _, f := range r.index.files {
		switch {
		case f.reading == "":
			own = append(own, f)
		case !rarServices[f.names[0].Text]:
			services = append(services, f)
		}
	}
	for i := 0; i < len(own) && !r.stop; {
		n := i + 1
		for n < len(own) && own[n].solid {
			n++
		}
		r.giveRun(own[i:n])
		i = n
	}
	for i := range services {
		if r.stop {
			return
		}
		services[i].solid = false
		r.giveRun(services[i : i+1])
	}
}

// giveRun yields a member and the solid ones that need it.
func (r *rar) giveRun(run []rarFile) {
	d := &rarDecoder{r: r, run: run}
	for i := range run {
		f := &run[i]
		e, ok := r.next(f.names...)
		if !ok {
			r.stop = true // the budget remembers
			return
		}
		r.describe(e, f)
		r.fill(e, f, d, i)
		r.yield(e)
		if r.spent() {
			r.stop = true
			return
		}
	}
}

// describe gives e what its header says, and states what is odd about it.
func (r *rar) describe(e *entity.Entity, f *rarFile) {
	e.Size, e.Dir, e.Link, e.Reading = max(f.size, 0), f.dir && f.packed == 0, f.isLink, f.reading
	if f.reading == "" && len(e.Names) > 1 && namesPart(e.Names[0].Text, e.Names[1].Text) {
		r.note(finding.ContainerConflict, e.Path, "in", "name", "name", e.Names[0].Text, "other", e.Names[1].Text)
	}
	if f.reading == "quick-open" {
		r.note(finding.ContainerHidden, e.Path, "name", e.Name())
	}
	if e.Dir || f.reading != "" {
		return
	}
	if key := fold(e.Name()); r.names[key] {
		r.note(finding.ContainerDuplicate, e.Path, "name", e.Name())
	} else {
		r.names[key] = true
	}
}

// namesPart says that two spellings of one name part company.
func namesPart(full, plain string) bool {
	return extsPart(full, plain) || ascii([]byte(full)) && ascii([]byte(plain)) && full != plain
}

// extsPart says that two forms of a name differ in what they make of the file.
// The plain one has '?' or '_' where the maker's charset lacks a letter.
func extsPart(full, plain string) bool {
	a, b := strings.ToLower(path.Ext(full)), strings.ToLower(path.Ext(plain))
	return a != b && !strings.ContainsAny(b, "?_")
}

// fill gives e its content, or states why it has none.
func (r *rar) fill(e *entity.Entity, f *rarFile, d *rarDecoder, i int) {
	if f.unlocked || r.lock.headers && !e.Dir {
		r.decrypted(e, "aes", r.lock.key)
	}
	switch {
	case e.Dir:
	case f.isLink && f.link != "" && outside(e.Name(), f.link):
		r.note(finding.ContainerLink, e.Path, "name", e.Name(), "target", f.link)
	case f.isLink && f.sameAs:
		body, known := r.same[f.link]
		r.lendTo(e, body)
		e.Link = !known
	case f.isLink && f.packed == 0:
	case f.isLink && f.method == 0 && !f.locked:
		r.stored(e, f)
		r.leads(e)
	case f.locked:
		e.Encrypted = true
		r.encrypted(e.Path, r.lock.locked, "name", e.Name(), "method", "aes")
	case f.before || f.after:
		e.Unread = true
		r.note(finding.ContainerVolume, e.Path, "type", "rar")
	case f.method > 5:
		e.Unread = true
		r.note(finding.ContainerMethod, e.Path, "method", decimal(uint64(f.method)), "name", e.Name())
	case f.method == 0:
		r.stored(e, f)
	case !r.bud.Confined():
		e.Unread = true
		r.note(finding.ContainerUnopened, e.Path, "type", "rar")
	default:
		body, err := d.read(e.Path, i)
		e.Body = body
		r.judge(e, f, err)
	}
	if e.Body != nil && r.linked(f) {
		r.same[f.names[0].Text] = e.Body
	}
}

// linked says that some later link names f.
func (r *rar) linked(f *rarFile) bool {
	for i := range r.index.files {
		if l := &r.index.files[i]; l.sameAs && l.link == f.names[0].Text {
			return true
		}
	}
	return false
}

func (r *rar) lendTo(e *entity.Entity, b []byte) {
	body, err := r.lend(e.Path, b)
	e.Body, e.Size, e.Unread = body, int64(len(b)), err != nil
}

// stored lends a member that is not packed.
func (r *rar) stored(e *entity.Entity, f *rarFile) {
	b := r.b[f.data.start:f.data.end]
	r.lendTo(e, b)
	switch {
	case e.Unread:
	case uint64(len(b)) < f.packed:
		r.judge(e, f, io.ErrUnexpectedEOF)
	case f.checked && sum(b) != f.crc:
		r.judge(e, f, rardecode.ErrBadFileChecksum)
	}
}

// judge states what went wrong with the content of e.
func (r *rar) judge(e *entity.Entity, f *rarFile, err error) {
	switch {
	case err == nil:
		e.Size = int64(len(e.Body))
	case errors.Is(err, rardecode.ErrBadFileChecksum):
		e.Size = int64(len(e.Body))
		r.note(finding.ContainerChecksum, e.Path, "name", e.Name())
	case errors.Is(err, budget.ErrExceeded):
		e.Unread = true
	case errors.Is(err, errMethod), errors.Is(err, rardecode.ErrDictionaryTooLarge), errors.Is(err, rardecode.ErrUnsupportedDecoder),
		errors.Is(err, rardecode.ErrUnknownDecoder):
		e.Unread = true
		r.note(finding.ContainerMethod, e.Path, "method", decimal(uint64(f.version))+"/"+decimal(uint64(f.method)), "name", e.Name())
	default:
		e.Unread = true
		r.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
}

// rarDecoder draws a run of members out of the library, which must see them in
// their order.
type rarDecoder struct {
	r    *rar
	run  []rarFile
	lib  *rardecode.Reader
	seen int // members that the library has come to
	err  error
}

// read returns the content of the member at i of the run.
func (d *rarDecoder) read(at string, i int) ([]byte, error) {
	if d.lib == nil && d.err == nil {
		d.err = d.open(at)
	}
	for d.err == nil && d.seen <= i {
		d.err = unharmed(func() error {
			_, err := d.lib.Next()
			return err
		})
		d.seen++
	}
	if d.err != nil {
		return nil, noEOF(d.err)
	}
	f := &d.run[i]
	body, err := d.r.bud.Read(at, &guarded{open: func() (io.Reader, error) { return d.lib, nil }}, int64(f.data.end-f.data.start)*strongShare)
	if err != nil && !errors.Is(err, rardecode.ErrBadFileChecksum) {
		d.err = err // what follows goes on with this dictionary
	}
	return body, err
}

// open hands the run to the library. Its dictionary is charged before it is
// made; more than all members hold is needed by none.
func (d *rarDecoder) open(at string) error {
	var window, total uint64
	for i := range d.run {
		f := &d.run[i]
		window = max(window, f.window)
		if total += uint64(f.size); f.size < 0 {
			total = window
		}
	}
	if window = min(window, max(total, 1<<18)); window > maxDictionary {
		return errMethod
	}
	if d.r.dict = max(d.r.dict, window); d.r.bud.Spend(at, int64(d.r.dict/rarClearShare)) != nil {
		return budget.ErrExceeded
	}
	parts := []io.Reader{bytes.NewReader(d.r.head(len(d.run) > 1))}
	for i := range d.run {
		f := d.run[i]
		f.window = window
		parts = append(parts, bytes.NewReader(d.r.header(f)), bytes.NewReader(d.r.b[f.data.start:f.data.end]))
	}
	return unharmed(func() (err error) {
		d.lib, err = rardecode.NewReader(io.MultiReader(parts...), rardecode.MaxDictionarySize(maxDictionary))
		return err
	})
}

// head writes a signature and a main header.
func (r *rar) head(solid bool) []byte {
	if !r.five {
		return rarHead4(solid)
	}
	b := []byte{3, rar5Main, 0, 0}
	if solid {
		b[3] = rar5MainSolid
	}
	return append([]byte(rarMagic5), append([]byte{byte(sum(b)), byte(sum(b) >> 8), byte(sum(b) >> 16), byte(sum(b) >> 24)}, b...)...)
}

func (r *rar) header(f rarFile) []byte {
	if r.five {
		return rarHeader5(f)
	}
	return rarHeader4(f)
}

// unharmed turns the panic of a decoder into an error.
func unharmed(do func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("decoder gave up: %v", fault)
		}
	}()
	return do()
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
