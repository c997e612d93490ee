package unpack

import (
	"bytes"
	"io"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// lzmaHead is the header of a stream that LZMA Utils wrote: the properties,
// the dictionary, the size or none.
const lzmaHead = 13

func openLZMAAlone(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	return openStream(m, streamNames(e, ".lzma", ".tlz"), func() (io.Reader, error) {
		b := e.Body
		if len(b) < lzmaHead {
			return nil, io.ErrUnexpectedEOF
		}
		size := int64(-1)
		if n := u64(b[5:]); n <= 1<<62 {
			size = int64(n)
		}
		return m.openLZMA(bytes.NewReader(b[lzmaHead:]), b[0], u32(b[1:]), size)
	})
}
