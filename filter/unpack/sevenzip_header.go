package unpack

import (
	"sekisho/filter/budget"
)

// szPart is one file's share of a folder.
type szPart struct {
	size    int64
	crc     uint32
	checked bool
}

// szFile is one file of the header.
type szFile struct {
	szPart
	name             string
	empty, dir, link bool
	folder           int
	at               int64 // in what the folder unpacks to
}

// szCoder is one step of unpacking.
type szCoder struct {
	method  string
	props   []byte
	in, out int
}

// szFolderInfo is a run of coders over one or more packed streams.
type szFolderInfo struct {
	coders []szCoder
	binds  [][2]int // which input takes which output
	packed []int    // inputs that take packed streams
	sizes  []int64  // of each output
	crc    uint32
	sum    bool
	parts  []szPart
	data   []span // where the packed streams are, from the signature on
}

type szStreamsInfo struct{ folders []szFolderInfo }

// maxSZCoders bounds the steps of a folder, as 7-Zip does.
const maxSZCoders = 32

// szParser reads a header. After an error everything it gives is zero. No
// count is believed that the bytes left could not hold.
type szParser struct {
	b     []byte
	limit int  // of files
	bare  bool // streams were named and no folder for them
	err   error
}

func (p *szParser) fail() {
	if p.err == nil {
		p.err = errSevenZip
	}
	p.b = nil
}

func (p *szParser) byte() byte {
	if len(p.b) == 0 {
		p.fail()
		return 0
	}
	c := p.b[0]
	p.b = p.b[1:]
	return c
}

func (p *szParser) bytes(n int64) []byte {
	if n < 0 || n > int64(len(p.b)) {
		p.fail()
		return nil
	}
	out := p.b[:n]
	p.b = p.b[n:]
	return out
}

// number reads a number whose first byte tells by its leading ones how many
// bytes follow.
func (p *szParser) number() int64 {
	first := p.byte()
	n := 0
	for n < 8 && first&(0x80>>n) != 0 {
		n++
	}
	var v uint64
	for i, c := range p.bytes(int64(n)) {
		v |= uint64(c) << (8 * i)
	}
	if n < 7 {
		v |= uint64(first&(0x7f>>n)) << (8 * n)
	}
	if v > 1<<62 {
		p.fail()
		return 0
	}
	return int64(v)
}

// count reads a number of things of which each takes a byte at least.
func (p *szParser) count() int {
	n := p.number()
	if n > int64(len(p.b)) {
		p.fail()
		return 0
	}
	return int(n)
}

// flags reads n bits, the highest of each byte first.
func (p *szParser) flags(n int) []bool {
	out := make([]bool, 0, min(n, 8*len(p.b)))
	for i, c := range p.bytes(int64(n+7) / 8) {
		for k := 0; k < 8 && i*8+k < n; k++ {
			out = append(out, c&(0x80>>k) != 0)
		}
	}
	if len(out) < n {
		p.fail()
	}
	return out
}

// defined reads which of n values are there: all, or those marked.
func (p *szParser) defined(n int) []bool {
	if p.byte() == 0 {
		return p.flags(n)
	}
	if n > len(p.b) { // each takes four bytes
		p.fail()
		return nil
	}
	out := make([]bool, n)
	for i := range out {
		out[i] = true
	}
	return out
}

// digests reads the checksums of n things into those that set names.
func (p *szParser) digests(n int, set func(i int, crc uint32)) {
	for i, there := range p.defined(n) {
		if there {
			if b := p.bytes(4); b != nil {
				set(i, u32(b))
			}
		}
	}
}

// header reads the whole of a plain header.
func (p *szParser) header() (s szStreamsInfo, files []szFile) {
	if p.byte() != szHeader {
		p.fail()
	}
	for p.err == nil {
		switch p.byte() {
		case szEnd:
			return s, files
		case szProperties:
			for p.err == nil && p.number() != szEnd {
				p.bytes(p.number())
			}
		case szMore:
			p.streams()
		case szStreams:
			s = p.streams()
		case szFiles:
			files = p.files()
		default:
			p.fail()
		}
	}
	return s, files
}

// streams reads where packed streams are and how they unpack.
func (p *szParser) streams() (s szStreamsInfo) {
	var packed []span
	for p.err == nil {
		switch p.byte() {
		case szEnd:
			s.finish(p, packed)
			p.bare = len(s.folders) == 0
			return s
		case szPacked:
			packed = p.packed()
		case szUnpacked:
			s.folders = p.folders()
		case szSubStreams:
			p.subStreams(s.folders)
		default:
			p.fail()
		}
	}
	return szStreamsInfo{}
}

// finish gives each folder its packed streams, and its one part where no more
// was said.
func (s *szStreamsInfo) finish(p *szParser, packed []span) {
	for i := range s.folders {
		f := &s.folders[i]
		n := len(f.packed)
		if n > len(packed) {
			p.fail()
			return
		}
		f.data, packed = packed[:n], packed[n:]
		if f.parts == nil {
			f.parts = []szPart{{f.size(), f.crc, f.sum}}
		}
	}
}

// packed reads the places of the packed streams.
func (p *szParser) packed() (out []span) {
	at := p.number() + szHead
	n := p.count()
	for p.err == nil {
		switch p.byte() {
		case szEnd:
			return out
		case szSize:
			for range n {
				size := p.number()
				if p.err != nil || at > 1<<50 || size > 1<<50 {
					p.fail()
					return nil
				}
				out = append(out, span{int(at), int(at + size)})
				at += size
			}
		case szDigests:
			p.digests(n, func(int, uint32) {})
		default:
			p.fail()
		}
	}
	return nil
}

func (p *szParser) folders() (out []szFolderInfo) {
	if p.byte() != szFolder {
		p.fail()
	}
	n := p.count()
	if p.byte() != 0 { // the folders stand elsewhere: nobody writes that
		p.fail()
	}
	for range n {
		if p.err != nil {
			return nil
		}
		out = append(out, p.folder())
	}
	for p.err == nil {
		switch p.byte() {
		case szEnd:
			return out
		case szUnpackSize:
			for i := range out {
				for range out[i].outputs() {
					out[i].sizes = append(out[i].sizes, p.number())
				}
			}
		case szDigests:
			p.digests(len(out), func(i int, crc uint32) { out[i].crc, out[i].sum = crc, true })
		default:
			p.fail()
		}
	}
	return nil
}

func (f *szFolderInfo) outputs() (n int) {
	for _, c := range f.coders {
		n += c.out
	}
	return n
}

// folder reads how the coders of a folder are tied together.
func (p *szParser) folder() (f szFolderInfo) {
	n := p.count()
	ins := 0
	for range n {
		if len(f.coders) == maxSZCoders {
			p.fail()
			return f
		}
		c := p.coder()
		f.coders = append(f.coders, c)
		ins += c.in
	}
	outs := f.outputs()
	if outs == 0 || ins < outs-1 || ins > 4*maxSZCoders || outs > 4*maxSZCoders {
		p.fail()
		return f
	}
	bound := map[int]bool{}
	for range outs - 1 {
		b := [2]int{int(p.number()), int(p.number())}
		f.binds = append(f.binds, b)
		bound[b[0]] = true
	}
	rest := ins - (outs - 1)
	if rest == 1 {
		for i := range ins {
			if !bound[i] {
				f.packed = append(f.packed, i)
			}
		}
		if len(f.packed) != 1 {
			p.fail()
		}
		return f
	}
	for range rest {
		f.packed = append(f.packed, int(p.number()))
	}
	return f
}

func (p *szParser) coder() (c szCoder) {
	const complexCoder, hasProps = 0x10, 0x20
	flags := p.byte()
	c.method, c.in, c.out = string(p.bytes(int64(flags&15))), 1, 1
	if c.method == "" { // 7-Zip takes no number for the number zero
		c.method = szCopy
	}
	if flags&complexCoder != 0 {
		c.in, c.out = int(min(p.number(), 1<<10)), int(min(p.number(), 1<<10))
	}
	if flags&hasProps != 0 {
		c.props = p.bytes(p.number())
	}
	return c
}

// size is that of the output that no coder takes.
func (f *szFolderInfo) size() int64 {
	if i := f.last(); i >= 0 && i < len(f.sizes) {
		return f.sizes[i]
	}
	return 0
}

// last returns the output that no coder takes, -1 for none.
func (f *szFolderInfo) last() int {
	taken := map[int]bool{}
	for _, b := range f.binds {
		taken[b[1]] = true
	}
	for i := range f.outputs() {
		if !taken[i] {
			return i
		}
	}
	return -1
}

// subStreams reads how the output of each folder is parted into files.
func (p *szParser) subStreams(folders []szFolderInfo) {
	kind := p.byte()
	if kind == szCount {
		for i := range folders {
			folders[i].parts = make([]szPart, p.countFiles())
		}
		kind = p.byte()
	} else {
		for i := range folders {
			folders[i].parts = make([]szPart, 1)
		}
	}
	for i := range folders {
		f := &folders[i]
		left := f.size()
		for k := range f.parts {
			if last := k == len(f.parts)-1; last {
				f.parts[k].size = max(left, 0)
			} else if kind == szSize {
				f.parts[k].size = p.number()
				left -= f.parts[k].size
			}
		}
		if len(f.parts) == 1 && f.sum {
			f.parts[0].crc, f.parts[0].checked = f.crc, true
		}
	}
	if kind == szSize {
		kind = p.byte()
	}
	for ; p.err == nil && kind != szEnd; kind = p.byte() {
		if kind != szDigests {
			p.fail()
			return
		}
		var open []*szPart
		for i := range folders {
			for k := range folders[i].parts {
				if part := &folders[i].parts[k]; !part.checked {
					open = append(open, part)
				}
			}
		}
		p.digests(len(open), func(i int, crc uint32) { open[i].crc, open[i].checked = crc, true })
	}
}

// countFiles reads a number of files, which take no bytes of their own.
func (p *szParser) countFiles() int {
	n := p.number()
	if p.limit -= int(min(n, 1<<30)); p.limit < 0 {
		p.err, p.b = budget.ErrExceeded, nil
		return 0
	}
	return int(n)
}

func (p *szParser) files() []szFile {
	p.limit += 1 << 20 // what folders hold are the same files
	n := p.number()
	if limit := int64(p.limit - 1<<20); n > int64(p.limit) || n > max(limit, int64(len(p.b))) {
		p.err, p.b = budget.ErrExceeded, nil
		return nil
	}
	files := make([]szFile, n)
	var hollow []int // files without content
	for p.err == nil {
		kind := p.number()
		if kind == szEnd {
			break
		}
		q := &szParser{b: p.bytes(p.number())}
		switch kind {
		case szEmptyStream:
			for i, empty := range q.flags(len(files)) {
				if files[i].empty = empty; empty {
					files[i].dir = true
					hollow = append(hollow, i)
				}
			}
		case szEmptyFile:
			for k, file := range q.flags(len(hollow)) {
				files[hollow[k]].dir = !file
			}
		case szNames:
			q.names(files)
		case szAttributes:
			q.attributes(files)
		}
		if q.err != nil {
			p.fail()
		}
	}
	return files
}

func (p *szParser) names(files []szFile) {
	if p.byte() != 0 {
		p.fail()
	}
	for i := range files {
		var units []uint16
		for {
			b := p.bytes(2)
			if b == nil {
				return
			}
			v := u16(b)
			if v == 0 {
				break
			}
			units = append(units, v)
		}
		files[i].name = szText(units)
	}
}

// attributes reads Windows' attributes, with the Unix mode in their high half.
func (p *szParser) attributes(files []szFile) {
	const folder, unix = 0x10, 0x8000
	there := p.defined(len(files))
	if p.byte() != 0 {
		p.fail()
	}
	for i, set := range there {
		if !set {
			continue
		}
		b := p.bytes(4)
		if b == nil {
			return
		}
		attr := u32(b)
		files[i].dir = files[i].dir || files[i].empty && attr&folder != 0
		files[i].link = attr&unix != 0 && attr>>16&modeType == modeLink
	}
}
