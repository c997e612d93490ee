package unpack

import (
	"errors"
	"hash/crc32"
	"io"

	"sekisho/filter/finding"
)

// Outlook packs the RTF body of an item in a form of LZ77 whose window begins
// filled with what most such bodies hold (MS-OXRTFCP).
const (
	lzfuHead   = 16
	lzfuPacked = 0x75465A4C // "LZFu"
	lzfuPlain  = 0x414C454D // "MELA"
	lzfuWindow = 4096
	lzfuPreset = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor " +
		"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)

// errLZFu is met where packed bytes end before their end mark.
var errLZFu = errors.New("compressed RTF is cut")

// lzfu unpacks as it is read.
type lzfu struct {
	in     []byte
	window [lzfuWindow]byte
	at     int // where the next byte goes in the window
	left   int // of the run that is being copied
	from   int // its next byte in the window
	flags  byte
	items  int // left under flags
	done   bool
}

func newLZFu(in []byte) *lzfu {
	z := &lzfu{in: in, at: len(lzfuPreset)}
	copy(z.window[:], lzfuPreset)
	return z
}

// Read fills p.
func (z *lzfu) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if z.left > 0 {
			p[n] = z.put(z.window[z.from])
			z.from, z.left, n = (z.from+1)%lzfuWindow, z.left-1, n+1
			continue
		}
		if z.done {
			return n, io.EOF
		}
		c, literal, err := z.item()
		if err != nil {
			return n, err
		}
		if literal {
			p[n] = z.put(c)
			n++
		}
	}
	return n, nil
}

func (z *lzfu) put(c byte) byte {
	z.window[z.at] = c
	z.at = (z.at + 1) % lzfuWindow
	return c
}

// item takes a literal or the next run.
func (z *lzfu) item() (c byte, literal bool, err error) {
	if z.items == 0 {
		if len(z.in) == 0 {
			return 0, false, errLZFu
		}
		z.flags, z.in, z.items = z.in[0], z.in[1:], 8
	}
	run := z.flags&1 != 0
	z.flags, z.items = z.flags>>1, z.items-1
	if !run {
		if len(z.in) == 0 {
			return 0, false, errLZFu
		}
		c, z.in = z.in[0], z.in[1:]
		return c, true, nil
	}
	if len(z.in) < 2 {
		return 0, false, errLZFu
	}
	v := int(z.in[0])<<8 | int(z.in[1])
	z.in = z.in[2:]
	z.from, z.left = v>>4, v&15+2
	if z.from == z.at {
		z.left, z.done = 0, true // a run from where nothing is written yet ends the data
	}
	return 0, false, nil
}

// rtf gives an item's RTF body, which stands compressed in packed, and the HTML
// that it wraps: Outlook keeps HTML so.
func (m *members) rtf(packed []byte) bool {
	e, ok := m.next()
	if !ok {
		return false
	}
	body, whole := m.unpackRTF(e.Path, packed)
	e.MediaType, e.Reading, e.Body, e.Size, e.Unread = "text/rtf", "body", body, int64(len(body)), !whole
	m.yield(e)
	html, ok := htmlInRTF(body)
	if !ok {
		return true
	}
	e, ok = m.next()
	if !ok || m.bud.Spend(e.Path, int64(len(html))) != nil {
		return false
	}
	e.MediaType, e.Reading, e.Charset, e.Body, e.Size = "text/html", "body", "utf-8", html, int64(len(html))
	m.yield(e)
	return true
}

// unpackRTF undoes the packing as far as that goes.
func (m *members) unpackRTF(path string, b []byte) (body []byte, whole bool) {
	broken := func() { m.note(finding.ContainerBroken, path, "record", "compressed RTF") }
	if len(b) < lzfuHead {
		broken()
		return b, false
	}
	size, kind, data := int64(u32(b))-(lzfuHead-4), u32(b[8:]), b[lzfuHead:]
	if size >= 0 && size < int64(len(data)) {
		data = data[:size] // padding follows
	}
	switch kind {
	case lzfuPlain:
		body, err := m.lend(path, data[:min(len(data), int(u32(b[4:])))])
		return body, err == nil
	case lzfuPacked:
		body, err := m.bud.Read(path, newLZFu(data), int64(len(data)))
		if err == nil && !lzfuSum(data, u32(b[12:])) {
			m.note(finding.ContainerChecksum, path, "record", "compressed RTF")
		}
		if errors.Is(err, errLZFu) {
			broken()
		}
		return body, err == nil
	}
	broken()
	return b, false
}

// lzfuSum compares the checksum: a CRC-32 that begins with zero and is not
// turned round at its end (MS-OXRTFCP §3.1.3.2).
func lzfuSum(data []byte, want uint32) bool {
	return ^crc32.Update(^uint32(0), crc32.IEEETable, data) == want
}
