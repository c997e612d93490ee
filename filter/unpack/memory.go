package unpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"

	"sekisho/filter/budget"
)

// What a decoder may keep in memory. A stream that asks for more is named, not
// opened: no honest mail needs it.
const (
	maxDictionary = 64 << 20
	zstdWindow    = 32 << 20
	zstdMemory    = 64 << 20
	bzip2Memory   = 4 << 20
	xzHeadSize    = 12 + 1024 // stream header and the longest block header
	zstdHeadSize  = 18        // the longest frame header
)

// strongShare is how much further than deflate the strong methods may swell:
// bzip2, LZMA and zstd pack an honest log of one line a second 350 times, and
// zeros seven thousand times and more.
const strongShare = 4

// allotShare is how many bytes of dictionary cost as much as one decoded byte:
// clearing memory is that much faster than unpacking. Without it twenty
// thousand tiny members could each ask for the largest dictionary. What is
// under allotFree costs no more than any member does.
const (
	allotShare = 4
	allotFree  = 4 << 20
)

// allot accounts for the memory that a decoder is about to ask for, and
// refuses what would pass the limit.
func (m *members) allot(n int64) error {
	cost := max(n-allotFree, 0) / allotShare
	if m.bud.Bytes()+cost > m.bud.Limits().Bytes {
		return m.bud.Exceed(budget.Bytes, m.of.Path)
	}
	return m.bud.Spend(m.of.Path, cost)
}

// zstdNeeds returns the window of the first frame (RFC 8878 §3.1.1.1); a
// frame that is to be skipped needs none.
func zstdNeeds(b []byte) int64 {
	const single = 1 << 5
	if len(b) < 6 || string(b[:4]) != "\x28\xb5\x2f\xfd" {
		return 0
	}
	if b[4]&single != 0 {
		return zstdContent(b)
	}
	base := int64(1) << (10 + b[5]>>3)
	return min(base+base/8*int64(b[5]&7), zstdWindow)
}

// zstdContent returns the size of the content of a frame that is its own
// window (RFC 8878 §3.1.1.1.4). Eight bytes of it mean more than we lend.
func zstdContent(b []byte) int64 {
	at := 5 + [4]int{0, 1, 2, 4}[b[4]&3] // behind the dictionary's number
	switch width := b[4] >> 6; {
	case width == 0 && at < len(b):
		return int64(b[at])
	case width == 1 && at+2 <= len(b):
		return int64(u16(b[at:])) + 256
	case width == 2 && at+4 <= len(b):
		return min(int64(u32(b[at:])), zstdWindow)
	}
	return zstdWindow
}

// head returns what is next in in, up to n bytes, and leaves it there.
func head(in *bytes.Reader, n int) []byte {
	b := make([]byte, min(in.Len(), n))
	_, _ = in.ReadAt(b, in.Size()-int64(in.Len())) // within its size
	return b
}

// openLZMA opens a raw LZMA stream; size is -1 where an end mark ends it.
func (m *members) openLZMA(in io.Reader, props byte, dict uint32, size int64) (io.Reader, error) {
	// A dictionary is never longer than what it holds.
	if size >= 0 {
		dict = uint32(min(int64(dict), max(size, lzma.MinDictCap)))
	}
	if dict > maxDictionary {
		return nil, errMethod
	}
	if err := m.allot(int64(dict)); err != nil {
		return nil, err
	}
	head := make([]byte, lzma.HeaderLen)
	head[0] = props
	binary.LittleEndian.PutUint32(head[1:], dict)
	binary.LittleEndian.PutUint64(head[5:], uint64(size))
	return lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(io.MultiReader(bytes.NewReader(head), in))
}

// xzDictionary returns the dictionary that the first block of an xz stream
// asks for (xz file format 1.2, 2.1.1 and 3.1); an empty stream asks for none.
func xzDictionary(b []byte) (int64, bool) {
	if len(b) < 13 {
		return 0, false
	}
	size := (int(b[12]) + 1) * 4
	if b[12] == 0 {
		return 0, true // the index: no block at all
	}
	if 12+size > len(b) {
		return 0, false
	}
	h := b[13 : 12+size]
	flags := h[0]
	h = h[1:]
	for _, bit := range []byte{0x40, 0x80} { // sizes of the block
		if flags&bit != 0 {
			_, n := binary.Uvarint(h)
			h = h[max(n, 0):]
		}
	}
	for range flags&3 + 1 {
		id, n := binary.Uvarint(h)
		if n <= 0 || len(h) < n+1 {
			return 0, false
		}
		props, more := int(h[n]), h[n+1:]
		if props > len(more) {
			return 0, false
		}
		if id == 0x21 && props == 1 {
			return lzma2Dictionary(more[0])
		}
		h = more[props:]
	}
	return 0, false
}

// lzma2Dictionary decodes the dictionary byte (xz file format 5.3.1).
func lzma2Dictionary(b byte) (int64, bool) {
	if b > 40 {
		return 0, false
	}
	return int64(2|b&1) << (b/2 + 11), true
}

// guarded opens a decoder at its first Read and turns its panic into an error:
// it may not be ours, and a broken member must not cost the whole message.
type guarded struct {
	open func() (io.Reader, error)
	r    io.Reader
}

func (g *guarded) Read(p []byte) (n int, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			n, err = 0, fmt.Errorf("decoder gave up: %v", fault)
		}
	}()
	if g.r == nil {
		if g.r, err = g.open(); err != nil {
			return 0, err
		}
	}
	return g.r.Read(p)
}
