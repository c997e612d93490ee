package unpack

import (
	"bytes"
	"errors"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

const (
	lzipHead = 6
	lzipTail = 20 // checksum, size of the data, size of the member
)

var errLzip = errors.New("not lzip")

// lzipFile reads the members of an lzip file one after the other (lzip manual,
// "File format").
type lzipFile struct {
	m    *members
	rest []byte
	in   *bytes.Reader
	r    io.Reader
	crc  uint32
}

func newLzip(m *members, b []byte) (io.Reader, error) {
	f := &lzipFile{m: m, rest: b}
	return f, f.begin()
}

// begin opens the member at the start of rest.
func (f *lzipFile) begin() (err error) {
	b := f.rest
	if len(b) < lzipHead+lzipTail || string(b[:4]) != "LZIP" || b[4] != 1 {
		return errLzip
	}
	dict := int64(1) << (b[5] & 0x1f)
	dict -= dict / 16 * int64(b[5]>>5)
	if dict > maxDictionary {
		return errMethod
	}
	f.in = bytes.NewReader(b[lzipHead:])
	props := lzma.Properties{LC: 3, LP: 0, PB: 2}
	f.r, err = f.m.openLZMA(f.in, props.Code(), uint32(dict), -1)
	f.crc = 0
	return err
}

func (f *lzipFile) Read(p []byte) (int, error) {
	for {
		n, err := f.r.Read(p)
		f.crc = crcUpdate(f.crc, p[:n])
		if err == io.EOF {
			err = f.finish()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// finish checks the trailer and goes on to the next member, if there is one.
func (f *lzipFile) finish() error {
	at := len(f.rest) - f.in.Len()
	if f.in.Len() < lzipTail {
		return io.ErrUnexpectedEOF
	}
	if u32(f.rest[at:]) != f.crc {
		return errLzip
	}
	if f.rest = f.rest[at+lzipTail:]; len(f.rest) == 0 {
		return io.EOF
	}
	return f.begin()
}
