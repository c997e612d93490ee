package load

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/flate"
)

// Floor measures the processor time a message that nobody who looks at all
// content can do without: to decode each attachment, to hash it, and to
// inflate and hash every member of its zips, all of it once. What it cannot
// open counts as nothing, so the floor is never too high.
func Floor(mails []Mail) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f := floor{budget: floorBytes}
	before, err := threadTime()
	if err != nil {
		return 0, err
	}
	for _, m := range mails {
		f.mail(m.Raw)
	}
	after, err := threadTime()
	return (after - before) / time.Duration(max(1, len(mails))), err
}

// floorBytes bounds what bombs may cost.
const floorBytes = 4 << 30

func threadTime() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &used); err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}

// floor keeps its buffers from one mail to the next.
type floor struct {
	decoded  []byte
	inflater io.ReadCloser
	budget   int
}

func (f *floor) mail(raw []byte) {
	for part := range bytes.SplitSeq(raw, []byte("\r\n--")) {
		head, body, _ := bytes.Cut(part, []byte("\r\n\r\n"))
		if !bytes.Contains(head, []byte("base64")) {
			continue
		}
		if n := base64.StdEncoding.DecodedLen(len(body)); n > len(f.decoded) {
			f.decoded = make([]byte, n)
		}
		n, err := base64.StdEncoding.Decode(f.decoded, body)
		if err == nil {
			f.file(f.decoded[:n], 0)
		}
	}
}

const floorDepth = 8

// file hashes b and goes into it if it is a zip.
func (f *floor) file(b []byte, depth int) {
	sha256.Sum256(b)
	if !bytes.HasPrefix(b, []byte("PK\x03\x04")) || depth > floorDepth {
		return
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	z.RegisterDecompressor(zip.Deflate, f.inflate)
	for _, m := range z.File {
		f.member(m, depth)
	}
}

func (f *floor) member(m *zip.File, depth int) {
	size := int(min(m.UncompressedSize64, 1<<30))
	if f.budget -= size; f.budget < 0 {
		return
	}
	r, err := m.Open()
	if err != nil {
		return
	}
	ext := strings.ToLower(path.Ext(m.Name))
	if ext != ".zip" && ext != ".docx" {
		// Hashed as it comes: nothing else need be kept of it.
		_, _ = io.Copy(sha256.New(), r)
		return
	}
	inner := make([]byte, size)
	if _, err := io.ReadFull(r, inner); err == nil {
		f.file(inner, depth+1)
	}
}

// inflate lends the one inflater there is.
func (f *floor) inflate(r io.Reader) io.ReadCloser {
	if f.inflater == nil {
		f.inflater = flate.NewReader(r)
		return f.inflater
	}
	if err := f.inflater.(flate.Resetter).Reset(r, nil); err != nil {
		return flate.NewReader(r)
	}
	return f.inflater
}
