package unpack

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/ulikunitz/xz/lzma"

	"sekisho/filter/budget"
)

// Methods of 7z that are more than a way of packing.
const (
	szAES  = "\x06\xf1\x07\x01"
	szBCJ2 = "\x03\x03\x01\x1b"
	szCopy = "\x00"
)

// szMethods open the ways of packing by their numbers. Others are only named.
var szMethods = map[string]func(s *sevenZip, in *bytes.Reader, props []byte, size int64) (io.Reader, error){
	"\x21":         szLZMA2,
	"\x03\x01\x01": szLZMA,
	"\x03\x04\x01": szPPMd,
	"\x04\x01\x08": func(_ *sevenZip, in *bytes.Reader, _ []byte, _ int64) (io.Reader, error) {
		return flate.NewReader(in), nil
	},
	"\x04\x01\x09": func(_ *sevenZip, in *bytes.Reader, _ []byte, _ int64) (io.Reader, error) {
		return newInflate64(in), nil
	},
	"\x04\x02\x02": func(s *sevenZip, in *bytes.Reader, _ []byte, _ int64) (io.Reader, error) {
		return bzip2.NewReader(in), s.allot(bzip2Memory)
	},
	"\x04\xf7\x11\x01": func(s *sevenZip, in *bytes.Reader, _ []byte, _ int64) (io.Reader, error) {
		return newZstd(s.members, in)
	},
	"\x04\xf7\x11\x02": szBrotli,
	"\x04\xf7\x11\x04": szLz4,
}

func szLZMA(s *sevenZip, in *bytes.Reader, props []byte, size int64) (io.Reader, error) {
	if len(props) < 5 {
		return nil, errSevenZip
	}
	return s.openLZMA(in, props[0], u32(props[1:]), size)
}

func szLZMA2(s *sevenZip, in *bytes.Reader, props []byte, size int64) (io.Reader, error) {
	if len(props) < 1 {
		return nil, errSevenZip
	}
	dict, ok := lzma2Dictionary(props[0])
	if dict = min(dict, max(size, lzma.MinDictCap)); !ok || dict > maxDictionary {
		return nil, errMethod
	}
	if err := s.allot(dict); err != nil {
		return nil, err
	}
	return lzma.Reader2Config{DictCap: int(dict)}.NewReader2(in)
}

// methods names the coders of a folder for people.
func (f *szFolderInfo) methods() string {
	var out []string
	for _, c := range f.coders {
		out = append(out, hex.EncodeToString([]byte(c.method)))
	}
	return strings.Join(out, " ")
}

// unpack returns what a folder unpacks to; what came before an error counts.
func (s *sevenZip) unpack(f szFolderInfo) ([]byte, error) {
	for _, c := range f.coders {
		_, packs := szMethods[c.method]
		_, filters := szFilters[c.method]
		if !packs && !filters && c.method != szCopy && c.method != szBCJ2 && c.method != szAES {
			return nil, errMethod
		}
	}
	if f.locked() {
		return s.unlock(f)
	}
	return s.unpackOpen(f)
}

// unpackOpen is unpack without a password, or with the one being tried.
func (s *sevenZip) unpackOpen(f szFolderInfo) ([]byte, error) {
	last := f.last()
	if last < 0 || last >= len(f.sizes) {
		return nil, errSevenZip
	}
	return s.output(&f, last, 0)
}

// output returns what the given output of a folder's coders gives.
func (s *sevenZip) output(f *szFolderInfo, out, depth int) ([]byte, error) {
	if depth > maxSZCoders || out >= len(f.sizes) {
		return nil, errSevenZip
	}
	in, coder := 0, -1
	for i, at := 0, 0; i < len(f.coders); i++ {
		if at += f.coders[i].out; out < at {
			coder = i
			break
		}
		in += f.coders[i].in
	}
	if coder < 0 || f.coders[coder].out != 1 {
		return nil, errMethod
	}
	c := f.coders[coder]
	var inputs [][]byte
	var failed error
	for i := range c.in {
		b, err := s.input(f, in+i, depth)
		if errors.Is(err, errUntried) {
			return nil, err
		}
		if err != nil {
			failed = err
		}
		inputs = append(inputs, b)
	}
	got, err := s.code(c, inputs, f.sizes[out])
	return got, cmpErr(err, failed)
}

// input returns what one input of the coders takes: another's output, or a
// packed stream.
func (s *sevenZip) input(f *szFolderInfo, in, depth int) ([]byte, error) {
	for _, b := range f.binds {
		if b[0] == in {
			return s.output(f, b[1], depth+1)
		}
	}
	i := slices.Index(f.packed, in)
	if i < 0 || i >= len(f.data) {
		return nil, errSevenZip
	}
	d := f.data[i]
	if d.end > len(s.b) {
		return s.b[min(d.start, len(s.b)):], io.ErrUnexpectedEOF
	}
	return s.b[d.start:d.end], nil
}

// code runs one coder over its inputs.
func (s *sevenZip) code(c szCoder, inputs [][]byte, size int64) ([]byte, error) {
	if c.method == szBCJ2 {
		if len(inputs) != 4 {
			return nil, errSevenZip
		}
		return s.bcj2(inputs, size)
	}
	if len(inputs) != 1 {
		return nil, errMethod
	}
	in := inputs[0]
	if c.method == szAES {
		return s.decrypt(c, in, size)
	}
	if c.method == szCopy {
		return s.lend(s.of.Path, in[:min(int64(len(in)), size)])
	}
	if filter := szFilters[c.method]; filter != nil {
		// The packed bytes belong to the message: a filter changes a copy.
		out, err := s.bud.Read(s.of.Path, bytes.NewReader(in[:min(int64(len(in)), size)]), -1)
		filter(out, c.props)
		return out, err
	}
	open := szMethods[c.method]
	r := &guarded{open: func() (io.Reader, error) {
		r, err := open(s, bytes.NewReader(in), c.props, size)
		if err != nil {
			return nil, err
		}
		return io.LimitReader(r, size), nil
	}}
	out, err := s.bud.Read(s.of.Path, r, int64(len(in))*strongShare)
	if err == nil && int64(len(out)) < size {
		err = io.ErrUnexpectedEOF
	}
	return out, err
}

// bcj2 joins the four streams into which BCJ2 parts a program: the bytes, the
// targets of calls and of jumps, and a range code that tells which are which.
func (s *sevenZip) bcj2(in [][]byte, size int64) ([]byte, error) {
	if err := s.bud.Spend(s.of.Path, min(size, int64(len(in[0])+len(in[1])+len(in[2])))); err != nil {
		return nil, err
	}
	if size > s.bud.Limits().Member {
		return nil, s.bud.Exceed(budget.Member, s.of.Path)
	}
	main, call, jump, code := in[0], in[1], in[2], rangeCode{in: in[3], width: 1<<32 - 1}
	for range 5 {
		code.value = code.value<<8 | uint32(code.byte())
	}
	var odds [258]uint16
	for i := range odds {
		odds[i] = 1 << 10
	}
	var out []byte
	before := byte(0)
	for int64(len(out)) < size {
		if len(main) == 0 {
			return out, io.ErrUnexpectedEOF
		}
		c := main[0]
		main = main[1:]
		out = append(out, c)
		far := before == 0x0f && c&0xf0 == 0x80
		p := &odds[257]
		switch {
		case c == 0xe8:
			p = &odds[before]
		case c == 0xe9:
			p = &odds[256]
		}
		before = c
		if c&0xfe != 0xe8 && !far || int64(len(out)) == size || !code.bit(p) {
			continue
		}
		from := &jump
		if c == 0xe8 {
			from = &call
		}
		if len(*from) < 4 {
			return out, io.ErrUnexpectedEOF
		}
		target := binary.BigEndian.Uint32(*from) - uint32(len(out)+4)
		*from = (*from)[4:]
		out = binary.LittleEndian.AppendUint32(out, target)
		before = byte(target >> 24)
	}
	return out[:min(int64(len(out)), size)], nil
}

// rangeCode is the adaptive binary code of LZMA.
type rangeCode struct {
	in           []byte
	width, value uint32
}

func (r *rangeCode) byte() (c byte) {
	if len(r.in) > 0 {
		c, r.in = r.in[0], r.in[1:]
	}
	return c
}

func (r *rangeCode) bit(p *uint16) (set bool) {
	bound := r.width >> 11 * uint32(*p)
	if r.value < bound {
		r.width = bound
		*p += (1<<11 - *p) >> 5
	} else {
		r.width, r.value = r.width-bound, r.value-bound
		*p -= *p >> 5
		set = true
	}
	if r.width < 1<<24 {
		r.width <<= 8
		r.value = r.value<<8 | uint32(r.byte())
	}
	return set
}
