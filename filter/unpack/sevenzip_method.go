package unpack

import (
	"bytes"
	"io"

	"github.com/mholt/archives"
)

// szFrame is the head that builds of 7-Zip with more methods put before each
// piece of a stream, so that several processors can unpack it: a frame that
// zstd and lz4 skip, with the length of what follows.
const (
	szFrame     = "\x50\x2a\x4d\x18"
	szFrameHead = 16
)

// szBrotli opens brotli in pieces, or as one stream. Its window ends at
// 16 MiB.
func szBrotli(s *sevenZip, in *bytes.Reader, _ []byte, _ int64) (io.Reader, error) {
	if err := s.allot(16 << 20); err != nil {
		return nil, err
	}
	if string(head(in, 4)) != szFrame {
		return archives.Brotli{}.OpenReader(in)
	}
	return &szPieces{in: in}, nil
}

// szPieces reads one piece of brotli after the other.
type szPieces struct {
	in *bytes.Reader
	r  io.Reader
}

func (p *szPieces) Read(out []byte) (int, error) {
	for {
		if p.r == nil {
			if p.in.Len() == 0 {
				return 0, io.EOF
			}
			if err := p.next(); err != nil {
				return 0, err
			}
		}
		n, err := p.r.Read(out)
		if err == io.EOF {
			p.r, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (p *szPieces) next() error {
	var h [szFrameHead]byte
	if _, err := io.ReadFull(p.in, h[:]); err != nil || string(h[:4]) != szFrame || string(h[12:14]) != "BR" {
		return errSevenZip
	}
	r, err := archives.Brotli{}.OpenReader(io.LimitReader(p.in, int64(u32(h[8:]))))
	p.r = r
	return err
}

// szLz4 opens lz4, whose frames are read on one behind the other and whose
// blocks end at 4 MiB.
func szLz4(_ *sevenZip, in *bytes.Reader, _ []byte, _ int64) (io.Reader, error) {
	return archives.Lz4{}.OpenReader(in)
}
