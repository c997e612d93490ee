package unpack

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Of ECMA-119: where volume descriptors begin, what kinds there are, and the
// flags of a directory record.
const (
	isoSector  = 2048
	isoFirst   = 16
	isoPrimary = 1
	isoJoliet  = 2 // a supplementary descriptor, Joliet by its escape sequence
	isoEnd     = 255
	isoRecord  = 33 // of a directory, without name

	isoDir  = 1 << 1
	isoMore = 1 << 7 // the file goes on in the next record
)

// Bounds on what an image may lead us through.
const (
	maxISODescriptors = 64
	maxISODepth       = 64 // of folders; the standard allows 8
	maxISOExtents     = 4096
)

// isoView is one of the trees of names that an image may hold. Windows shows
// the first of them that there is.
type isoView int

const (
	viewUDF isoView = iota
	viewJoliet
	viewRockRidge
	viewPrimary
	isoViews
)

var isoViewNames = [isoViews]string{"udf", "joliet", "rock-ridge", "primary"}

// isoExtent is a run of bytes of the image.
type isoExtent struct{ at, size int64 }

// isoFile is one file, with its name in each view.
type isoFile struct {
	extents []isoExtent
	size    int64
	names   [isoViews]entity.Name
	inline  []byte // UDF keeps small files in their entry
	link    bool
	method  string // of packing that we do not undo
}

// iso walks the trees of an image and unites them by the place of a file's
// data.
type iso struct {
	*members
	b     []byte // the image, as sectors of 2048 bytes
	block int64
	files []*isoFile
	known map[string][]*isoFile // by place, in the order they were met
	views [isoViews]bool
	end   int64 // of the volume
}

// openISO reads images of optical disks: ECMA-119 with Joliet and Rock Ridge
// (IEEE P1282), and UDF (ECMA-167, OSTA UDF 2.60). Boot records are left.
func openISO(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	i := &iso{members: newMembers(e, bud, yield), known: map[string][]*isoFile{}}
	if !i.load(e.Body) {
		return i.found
	}
	i.readDescriptors()
	i.readUDF()
	if i.views == [isoViews]bool{} {
		i.note(finding.ContainerBroken, e.Path, "record", "volume descriptor")
		return i.found
	}
	for _, f := range i.files {
		if !i.give(f) {
			return i.found
		}
	}
	if i.end > 0 && i.end < int64(len(i.b)) && kindOf(i.b[i.end:]) != "padding" {
		i.trail(i.b[i.end:], int(i.end))
	}
	return i.found
}

// load takes the sectors out of a raw image, which keeps 16 bytes before and
// 288 behind each (ECMA-130), or 24 in CD-ROM XA.
func (i *iso) load(b []byte) bool {
	const raw = 2352
	i.b = b
	for _, skip := range []int{16, 24} {
		if at := isoFirst*raw + skip + 1; at+5 > len(b) || string(b[at:at+5]) != "CD001" {
			continue
		}
		n := len(b) / raw
		if i.bud.Spend(i.of.Path, int64(n)*isoSector) != nil {
			return false
		}
		i.b = make([]byte, 0, n*isoSector)
		for s := range n {
			i.b = append(i.b, b[s*raw+skip:s*raw+skip+isoSector]...)
		}
		return true
	}
	return true
}

// cut returns the bytes of an extent, fewer where the image ends.
func (i *iso) cut(x isoExtent) []byte {
	size := int64(len(i.b))
	if x.at < 0 || x.size < 0 || x.at > size {
		return nil
	}
	return i.b[x.at : x.at+min(x.size, size-x.at)]
}

func (i *iso) readDescriptors() {
	for n := range maxISODescriptors {
		d := i.cut(isoExtent{int64(isoFirst+n) * isoSector, isoSector})
		if len(d) < isoSector || string(d[1:6]) != "CD001" || d[0] == isoEnd {
			return
		}
		i.block = int64(u16(d[128:]))
		if i.block == 0 {
			i.block = isoSector
		}
		root := d[156 : 156+isoRecord+1]
		switch {
		case d[0] == isoPrimary:
			i.end = max(i.end, int64(u32(d[80:]))*i.block)
			i.readTree(root, viewPrimary)
		case d[0] == isoJoliet && d[88] == '%' && d[89] == '/':
			i.readTree(root, viewJoliet)
		case d[0] == isoJoliet: // names in some other charset
			i.readTree(root, viewPrimary)
		}
	}
}

// isoFolder is a folder to be read.
type isoFolder struct {
	isoExtent
	path  string
	ridge string // path in Rock Ridge
	depth int
	moved bool // named where it is not: Rock Ridge moves what is too deep
}

// extent is where a directory record says its data is.
func (i *iso) extent(r []byte) isoExtent {
	return isoExtent{(int64(u32(r[2:])) + int64(r[1])) * i.block, int64(u32(r[10:]))}
}

// readTree gathers the files of one view, each folder once.
func (i *iso) readTree(root []byte, view isoView) {
	i.views[view] = true
	seen := map[int64]bool{}
	count := map[string]int{}
	skip := 0
	for todo := []isoFolder{{isoExtent: i.extent(root)}}; len(todo) > 0; {
		f := todo[0]
		todo = todo[1:]
		if f.moved && seen[f.at] {
			continue
		}
		if seen[f.at] || f.depth > maxISODepth {
			i.note(finding.ContainerConflict, i.of.Path, "in", "folder", "name", f.path)
			continue
		}
		seen[f.at] = true
		data := i.cut(f.isoExtent)
		if int64(len(data)) < f.size {
			i.note(finding.ContainerBroken, i.of.Path, "record", "folder", "name", f.path)
		}
		if i.bud.Spend(i.of.Path, int64(len(data))) != nil {
			return
		}
		todo = append(todo, i.readFolder(f, data, view, count, &skip)...)
	}
}

// readFolder reads the records of one folder and returns the folders in it.
// skip is how many bytes stand before Rock Ridge's fields, -1 where there are
// none.
func (i *iso) readFolder(f isoFolder, data []byte, view isoView, count map[string]int, skip *int) (more []isoFolder) {
	var open *isoFile
	for at := 0; at+isoRecord < len(data); {
		n := int(data[at])
		if n == 0 {
			at = (at/isoSector + 1) * isoSector
			continue
		}
		r := data[at:min(at+n, len(data))]
		at += n
		if len(r) <= isoRecord || isoRecord+int(r[32]) > len(r) {
			i.note(finding.ContainerBroken, i.of.Path, "record", "folder", "name", f.path)
			continue
		}
		raw := r[isoRecord : isoRecord+int(r[32])]
		var ridge rockRidge
		if view != viewJoliet {
			ridge = i.readRidge(r, len(raw), f.path == "" && string(raw) == "\x00", skip)
		}
		x := i.extent(r)
		switch flags := r[25]; {
		case string(raw) == "\x00" || string(raw) == "\x01":
		case flags&isoDir != 0:
			if more = append(more, f.inner(x, isoText(raw, view).Text, ridge.text())); ridge.packed {
				i.note(finding.ContainerConflict, i.of.Path, "in", "folder", "name", f.path)
			}
		case ridge.folder > 0:
			moved := f.inner(isoExtent{ridge.folder * i.block, i.folderSize(ridge.folder)}, isoText(raw, view).Text, ridge.text())
			moved.moved = true
			more = append(more, moved)
		case open != nil:
			open.extents, open.size = append(open.extents, x), open.size+x.size
			if flags&isoMore == 0 || len(open.extents) > maxISOExtents {
				open = nil
			}
		default:
			file := i.file(x, f.path, raw, view, count)
			file.link = file.link || ridge.link
			if len(ridge.name) > 0 {
				i.views[viewRockRidge] = true
				file.name(viewRockRidge, f.ridge, decoded(ridge.name, "", true))
			}
			if ridge.packed || r[26] != 0 {
				file.method = map[bool]string{true: "zisofs", false: "interleaved"}[ridge.packed]
			}
			if flags&isoMore != 0 {
				open = file
			}
		}
	}
	return more
}

// inner is a folder within f.
func (f isoFolder) inner(x isoExtent, name, ridge string) isoFolder {
	return isoFolder{x, f.path + name + "/", f.ridge + cmp.Or(ridge, name) + "/", f.depth + 1, false}
}

// folderSize is the size of a relocated folder, which stands in its own first
// record.
func (i *iso) folderSize(block int64) int64 {
	r := i.cut(isoExtent{block * i.block, isoRecord + 1})
	if len(r) <= isoRecord {
		return 0
	}
	return int64(u32(r[10:]))
}

// file returns the file whose data is at x: the same one for every view, and
// another one for each time that one view names it.
func (i *iso) file(x isoExtent, folder string, raw []byte, view isoView, count map[string]int) *isoFile {
	key := fmt.Sprint(x.at, " ", x.size)
	n := isoText(raw, view)
	if x.size == 0 { // such a file has no place
		key = strings.ToLower(n.Text)
	}
	f := i.met(key, count)
	if f.extents == nil {
		f.extents, f.size = []isoExtent{x}, x.size
	}
	f.name(view, folder, n)
	return f
}

// met returns the file of a key that a view meets for the n-th time.
func (i *iso) met(key string, count map[string]int) *isoFile {
	n := count[key]
	if count[key]++; n < len(i.known[key]) {
		return i.known[key][n]
	}
	f := &isoFile{}
	i.known[key] = append(i.known[key], f)
	i.files = append(i.files, f)
	return f
}

// name keeps the name of a view; its folder is written in the first view.
func (f *isoFile) name(view isoView, folder string, n entity.Name) {
	n.Source, n.Text = isoViewNames[view], folder+n.Text
	f.names[view] = n
}

// isoText decodes the name of a record: UTF-16 in Joliet, else bytes. The
// version behind ';' is no part of it, nor the dot of an empty extension.
func isoText(raw []byte, view isoView) entity.Name {
	n := decoded(raw, "", false)
	if view == viewJoliet {
		units := make([]uint16, 0, len(raw)/2)
		for b := raw; len(b) >= 2; b = b[2:] {
			units = append(units, binary.BigEndian.Uint16(b))
		}
		n = entity.Name{Text: string(utf16.Decode(units)), Charset: "utf-16be", Raw: bytes.Clone(raw)}
	}
	if at := strings.LastIndexByte(n.Text, ';'); at >= 0 {
		if _, err := strconv.Atoi(n.Text[at+1:]); err == nil {
			n.Text = n.Text[:at]
		}
	}
	if view == viewPrimary {
		n.Text = strings.TrimSuffix(n.Text, ".")
	}
	return n
}

// give yields one file.
func (i *iso) give(f *isoFile) bool {
	var names []entity.Name
	for _, n := range f.names {
		if n.Text != "" {
			names = append(names, n)
		}
	}
	e, ok := i.next(names...)
	if !ok {
		return false
	}
	e.Link = f.link
	i.compare(f, e)
	e.Size = f.size
	if f.link {
		i.yield(e)
		return true
	}
	body, whole := i.content(f)
	switch {
	case f.method != "":
		i.note(finding.ContainerMethod, e.Path, "method", f.method, "name", e.Name())
	case !whole:
		i.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
	var err error
	e.Body, err = i.lend(e.Path, body)
	e.Unread = err != nil || !whole || f.method != ""
	i.yield(e)
	return !i.spent()
}

// content joins the extents of a file.
func (i *iso) content(f *isoFile) (b []byte, whole bool) {
	switch {
	case f.inline != nil:
		b = f.inline
	case len(f.extents) == 1:
		b = i.cut(f.extents[0])
	default:
		if f.size > i.bud.Limits().Member {
			return nil, false
		}
		for _, x := range f.extents {
			b = append(b, i.cut(x)...)
		}
	}
	return b[:min(int64(len(b)), f.size)], int64(len(b)) >= f.size
}

// compare states that a file is missing from the view that Windows shows.
func (i *iso) compare(f *isoFile, e *entity.Entity) {
	first := slices.Index(i.views[:], true)
	if f.names[first].Text == "" {
		i.note(finding.ContainerHidden, e.Path, "name", e.Name(), "view", isoViewNames[first])
	}
}

// rockRidge is what the fields behind a record's name say.
type rockRidge struct {
	name   []byte
	link   bool
	packed bool  // by zisofs
	folder int64 // where a relocated folder is
}

func (r rockRidge) text() string { return decoded(r.name, "", true).Text }

// readRidge reads the fields of Rock Ridge, with those that they lead to. The
// first record of the root tells how many bytes stand before them.
func (i *iso) readRidge(r []byte, name int, root bool, skip *int) (out rockRidge) {
	at := isoRecord + name
	at += at % 2
	if at > len(r) {
		return out
	}
	use := r[at:]
	if root && len(use) >= 7 && string(use[:2]) == "SP" && use[4] == 0xbe && use[5] == 0xef {
		*skip = int(use[6])
	}
	use = use[min(*skip, len(use)):]
	for range maxISODescriptors { // areas that a record is continued in
		var next isoExtent
		for len(use) >= 4 && int(use[2]) >= 4 && int(use[2]) <= len(use) {
			field := use[:use[2]]
			use = use[use[2]:]
			if string(field[:2]) == "CE" && len(field) >= 28 {
				next = isoExtent{int64(u32(field[4:]))*i.block + int64(u32(field[12:])), int64(u32(field[20:]))}
				continue
			}
			out.take(field)
		}
		if next.size == 0 || i.bud.Spend(i.of.Path, min(next.size, isoSector)) != nil {
			return out
		}
		next.size = min(next.size, isoSector)
		use = i.cut(next)
	}
	return out
}

// take takes one field.
func (r *rockRidge) take(field []byte) {
	switch string(field[:2]) {
	case "NM":
		if len(field) > 5 && field[4]&6 == 0 && len(r.name) < maxCABName {
			r.name = append(r.name, field[5:]...)
		}
	case "SL":
		r.link = true
	case "ZF":
		r.packed = true
	case "CL":
		if len(field) >= 8 {
			r.folder = int64(u32(field[4:]))
		}
	}
}
