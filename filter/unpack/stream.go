package unpack

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/mholt/archives"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// maxApart bounds the streams of one gzip file that are also yielded each for
// itself. Block gzip joins thousands; a decoy needs two.
const maxApart = 8

// gzipStream is one stream of several that make up a gzip file.
type gzipStream struct {
	name []byte
	span // in the output
}

func openGzip(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	g := &gzipFile{members: newMembers(e, bud, yield)}
	first, _ := gzipName(e.Body)
	names := streamNames(e, ".gz", ".tgz")
	if len(first) > 0 {
		names = append([]entity.Name{decoded(first, "header", false)}, names...)
	}
	m, ok := g.next(names...)
	if !ok {
		return g.found
	}
	body, err := bud.Draw(m.Path, g, int64(len(e.Body)), gzipSize(e.Body))
	m.Body, m.Size = body, int64(len(body))
	m.Unread = g.judge(m, err)
	yield(m)
	g.yieldApart(m)
	bud.Free(body)
	if rest := e.Body[g.end:]; err == nil && len(rest) > 0 {
		g.trail(rest, g.end)
	}
	return g.found
}

// gzipFile reads all streams of a file as one, as gunzip does, and remembers
// where each began.
type gzipFile struct {
	*members
	inflate inflater
	inside  bool
	crc     uint32 // of the open stream
	streams []gzipStream
	end     int // where the last whole stream ended
}

var errChecksum = errors.New("checksum is wrong")

// Fill is budget.Filler's.
func (g *gzipFile) Fill(out []byte, room int) (int, error) {
	for {
		if !g.inside {
			if err := g.begin(len(out)); err != nil {
				return 0, err
			}
		}
		s := &g.streams[len(g.streams)-1]
		// A stream looks back at its own bytes only.
		n, err := g.inflate.Fill(out[s.start:], room)
		g.crc = crcUpdate(g.crc, out[len(out):len(out)+n])
		if s.end = len(out) + n; err == io.EOF {
			g.inside, err = false, g.finish(s)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// begin opens the next stream, whose bytes begin at in the output. What follows
// the first and is none is no error: it is trailing data.
func (g *gzipFile) begin(at int) error {
	rest := g.of.Body[g.end:]
	if len(g.streams) > 0 && !bytes.HasPrefix(rest, []byte(gzipMagic)) {
		return io.EOF
	}
	head, ok := gzipHead(rest)
	if !ok {
		return errGzip
	}
	g.inflate.reset(rest[head:])
	g.end += head
	name, _ := gzipName(rest)
	g.inside, g.crc = true, 0
	g.streams = append(g.streams, gzipStream{name, span{at, at}})
	return nil
}

// finish checks the trailer of the open stream (RFC 1952 §2.3.1).
func (g *gzipFile) finish(s *gzipStream) error {
	const trailer = 8
	g.end += g.inflate.used()
	rest := g.of.Body[g.end:]
	if len(rest) < trailer {
		return io.ErrUnexpectedEOF
	}
	if u32(rest) != g.crc || u32(rest[4:]) != uint32(s.end-s.start) {
		return errChecksum
	}
	g.end += trailer
	return nil
}

// noEOF keeps an early end from passing for a clean one.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

const gzipMagic = "\x1f\x8b\x08"

// gzipSize is the size that the last stream declares for itself.
func gzipSize(b []byte) int64 {
	if len(b) < 4 {
		return 0
	}
	return int64(u32(b[len(b)-4:]))
}

var errGzip = errors.New("not gzip")

// gzipHead returns the length of the header (RFC 1952 §2.3), whose own checksum
// nobody checks.
func gzipHead(b []byte) (n int, ok bool) {
	const fixed, sum, extra, named, comment = 10, 1 << 1, 1 << 2, 1 << 3, 1 << 4
	if len(b) < fixed || string(b[:3]) != gzipMagic {
		return 0, false
	}
	n = fixed
	if b[3]&extra != 0 {
		if len(b) < n+2 {
			return 0, false
		}
		n += 2 + int(u16(b[n:]))
	}
	for _, flag := range []byte{named, comment} {
		if b[3]&flag == 0 {
			continue
		}
		end := bytes.IndexByte(b[min(n, len(b)):], 0)
		if end < 0 {
			return 0, false
		}
		n += end + 1
	}
	if b[3]&sum != 0 {
		n += 2
	}
	return n, n <= len(b)
}

// judge states what went wrong and returns whether content is missing.
func (g *gzipFile) judge(m *entity.Entity, err error) (unread bool) {
	switch {
	case err == nil:
		return false
	case errors.Is(err, errChecksum):
		g.note(finding.ContainerChecksum, m.Path, "name", m.Name())
	case !errors.Is(err, budget.ErrExceeded):
		g.note(finding.ContainerBroken, m.Path, "record", "data", "name", m.Name())
	}
	return true
}

// yieldApart yields the second stream and those behind it for themselves:
// some readers see the first only, and what they hide may be a file.
func (g *gzipFile) yieldApart(whole *entity.Entity) {
	if len(g.streams) < 2 || len(g.streams) > maxApart {
		return
	}
	for i, s := range g.streams[1:] {
		m, ok := g.next(decoded(s.name, "header", false))
		if !ok {
			return
		}
		m.Reading = "stream-" + strconv.Itoa(i+2)
		part := whole.Body[min(s.start, len(whole.Body)):min(s.end, len(whole.Body))]
		body, err := g.lend(m.Path, part)
		m.Body, m.Size, m.Unread = body, int64(len(part)), err != nil
		g.yield(m)
	}
}

// gzipName returns the name of the header (RFC 1952 §2.3), which klauspost's
// reader would give as Latin-1.
func gzipName(b []byte) (name []byte, ok bool) {
	const extra, named = 1 << 2, 1 << 3
	if len(b) < 10 || b[3]&named == 0 {
		return nil, false
	}
	flags := b[3]
	b = b[10:]
	if flags&extra != 0 {
		if len(b) < 2 || len(b) < 2+int(u16(b)) {
			return nil, false
		}
		b = b[2+int(u16(b)):]
	}
	return cutName(b)
}

func cutName(b []byte) ([]byte, bool) {
	name, _, ok := bytes.Cut(b, []byte{0})
	return name, ok
}

// streamNames derives the name of what e unpacks to from e's own names:
// "a.tar.gz" holds "a.tar", and so does "a.tgz". suffix is the plain one.
func streamNames(e *entity.Entity, suffix, tarred string) []entity.Name {
	var names []entity.Name
	for _, n := range e.Names {
		base := n.Text[strings.LastIndexByte(n.Text, '/')+1:]
		lower := strings.ToLower(base)
		switch {
		case strings.HasSuffix(lower, suffix) && len(base) > len(suffix):
			base = base[:len(base)-len(suffix)]
		case strings.HasSuffix(lower, tarred) && len(base) > len(tarred):
			base = base[:len(base)-len(tarred)] + ".tar"
		}
		names = append(names, entity.Name{Text: base, Source: "derived", Charset: n.Charset})
	}
	return names
}

// openStream draws out the one member of a compressed stream of a strong
// method; gzip has a reader of its own.
func openStream(m *members, names []entity.Name, open func() (io.Reader, error)) []finding.Finding {
	e, ok := m.next(names...)
	if !ok {
		return m.found
	}
	body, err := m.bud.Read(e.Path, &guarded{open: open}, int64(len(m.of.Body))*strongShare)
	e.Body, e.Size, e.Unread = body, int64(len(body)), err != nil
	switch {
	case err == nil, errors.Is(err, budget.ErrExceeded):
	case errors.Is(err, errMethod), errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		m.note(finding.ContainerMethod, e.Path, "name", e.Name())
	default:
		m.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
	m.yield(e)
	m.bud.Free(body)
	return m.found
}

func openBzip2(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	return openStream(m, streamNames(e, ".bz2", ".tbz2"), func() (io.Reader, error) {
		return bzip2.NewReader(bytes.NewReader(e.Body)), m.allot(bzip2Memory)
	})
}

func openXz(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	return openStream(m, streamNames(e, ".xz", ".txz"), func() (io.Reader, error) {
		return newXz(m, bytes.NewReader(e.Body))
	})
}

func openZstd(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	return openStream(m, streamNames(e, ".zst", ".tzst"), func() (io.Reader, error) {
		return newZstd(m, bytes.NewReader(e.Body))
	})
}

// openLz4 needs no look at what the frame declares: its blocks end at 4 MiB.
func openLz4(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	return openStream(m, streamNames(e, ".lz4", ".tlz4"), func() (io.Reader, error) {
		return archives.Lz4{}.OpenReader(bytes.NewReader(e.Body))
	})
}

func openLzip(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	return openStream(m, streamNames(e, ".lz", ".tlz"), func() (io.Reader, error) {
		return newLzip(m, e.Body)
	})
}

func openCompress(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	return openStream(m, streamNames(e, ".z", ".taz"), func() (io.Reader, error) {
		return newLZW(e.Body)
	})
}
