package unpack

import (
	"bytes"
	"compress/bzip2"
	"io"
	"strconv"

	"github.com/klauspost/compress/zstd"
	"github.com/mholt/archives"
)

// Methods of APPNOTE 4.4.5 that the code names.
const (
	methodStored  = 0
	methodDeflate = 8
	methodLZMA    = 14
	methodAES     = 99
)

// zipMethod is one way of packing. ends says that the data tells its own end,
// so that sizes are not needed to read it; strong, that it may swell more.
type zipMethod struct {
	name   string
	ends   bool
	strong bool
	open   func(z *zipReader, in *bytes.Reader, c zipClaim) (io.Reader, error)
}

// zipMethods are the methods by number; those without open are only named, but
// for stored and deflate, which need no reader.
var zipMethods = map[uint16]zipMethod{
	0:  {name: "stored"},
	1:  {name: "shrink", open: openShrink},
	2:  {name: "reduce-1"},
	3:  {name: "reduce-2"},
	4:  {name: "reduce-3"},
	5:  {name: "reduce-4"},
	6:  {name: "implode", open: openImplode},
	8:  {name: "deflate", ends: true},
	9:  {name: "deflate64", ends: true, open: openDeflate64},
	10: {name: "dcl-implode"},
	12: {name: "bzip2", strong: true, open: openZipBzip2},
	14: {name: "lzma", strong: true, open: openZipLZMA},
	19: {name: "lz77"},
	20: {name: "zstd-old", strong: true, open: openZipZstd},
	93: {name: "zstd", strong: true, open: openZipZstd},
	94: {name: "mp3"},
	95: {name: "xz", strong: true, open: openZipXz},
	96: {name: "jpeg"},
	97: {name: "wavpack"},
	98: {name: "ppmd", strong: true, open: openZipPPMd},
}

func methodName(m uint16) string {
	if name := zipMethods[m].name; name != "" {
		return name
	}
	return strconv.Itoa(int(m))
}

func openDeflate64(_ *zipReader, in *bytes.Reader, _ zipClaim) (io.Reader, error) {
	return newInflate64(in), nil
}

func openZipBzip2(z *zipReader, in *bytes.Reader, _ zipClaim) (io.Reader, error) {
	return bzip2.NewReader(in), z.allot(bzip2Memory)
}

// openZipLZMA reads the header of APPNOTE 5.8.8: version, length of the
// properties, properties.
func openZipLZMA(z *zipReader, in *bytes.Reader, c zipClaim) (io.Reader, error) {
	var h [9]byte
	if _, err := io.ReadFull(in, h[:]); err != nil {
		return nil, err
	}
	if u16(h[2:]) != 5 {
		return nil, errMethod
	}
	size := int64(-1)
	if c.flags&flagEOS == 0 {
		size = int64(c.size)
	}
	return z.openLZMA(in, h[4], u32(h[5:]), size)
}

func openZipZstd(z *zipReader, in *bytes.Reader, _ zipClaim) (io.Reader, error) {
	return newZstd(z.members, in)
}

func openZipXz(z *zipReader, in *bytes.Reader, _ zipClaim) (io.Reader, error) {
	return newXz(z.members, in)
}

// newZstd opens a zstd stream with its window held down.
func newZstd(m *members, in *bytes.Reader) (io.Reader, error) {
	if err := m.allot(zstdNeeds(head(in, zstdHeadSize))); err != nil {
		return nil, err
	}
	return zstd.NewReader(in, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(zstdMemory),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
}

// newXz opens an xz stream after a look at the dictionary it asks for.
func newXz(m *members, in *bytes.Reader) (io.Reader, error) {
	dict, ok := xzDictionary(head(in, xzHeadSize))
	if !ok || dict > maxDictionary {
		return nil, errMethod
	}
	if err := m.allot(dict); err != nil {
		return nil, err
	}
	return archives.Xz{}.OpenReader(in)
}
