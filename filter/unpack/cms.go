package unpack

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// Tags of BER (X.690 §8.1) that stand in a content info.
const (
	berOctets   = 0x04
	berOID      = 0x06
	berSequence = 0x30
	berChunks   = 0x24 // an octet string in pieces
	berContent  = 0xa0
)

// berDepth bounds pieces within pieces; honest writers use one level.
const berDepth = 8

const cmsCompressed = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09"

// openCMS takes the content out of a signed or compressed S/MIME message (RFC
// 8551, RFC 5652 §5, RFC 3274). Signatures are not checked. One that stands
// apart from its content holds nothing.
func openCMS(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	kind, content, ok := cmsContent(e.Body)
	if !ok {
		m.note(finding.ContainerBroken, e.Path, "record", "content info")
		return m.found
	}
	if content == nil {
		return nil
	}
	inner, ok := m.next(cmsNames(e)...)
	if !ok {
		return m.found
	}
	var err error
	if kind == cmsCompressed {
		in := &guarded{open: func() (io.Reader, error) { return zlib.NewReader(bytes.NewReader(content)) }}
		inner.Body, err = bud.Read(inner.Path, in, int64(len(content)))
	} else {
		inner.Body, err = m.lend(inner.Path, content)
	}
	if err != nil {
		inner.Unread = true
		m.note(finding.ContainerBroken, inner.Path, "record", "content")
	}
	inner.Size = int64(len(inner.Body))
	if mimeEntity(inner.Body) {
		inner.MediaType = "message/rfc822"
	}
	yield(inner)
	return m.found
}

// cmsNames are the names of the content: those of the outer file without
// .p7m, since invoices are signed as invoice.pdf.p7m.
func cmsNames(e *entity.Entity) []entity.Name {
	var out []entity.Name
	for _, n := range e.Names {
		low := strings.ToLower(n.Text)
		for _, ext := range [...]string{".p7m", ".p7s", ".p7z"} {
			if strings.HasSuffix(low, ext) && strings.Contains(low[:len(low)-len(ext)], ".") {
				out = append(out, entity.Name{Text: n.Text[:len(n.Text)-len(ext)], Source: "outer", Charset: n.Charset})
			}
		}
	}
	return out
}

// mimeEntity says that content is a MIME entity, as S/MIME has it, and no bare
// file: a field of content stands near its start.
func mimeEntity(b []byte) bool {
	const header = 4 << 10
	low := bytes.ToLower(b[:min(len(b), header)])
	return bytes.HasPrefix(low, []byte("content-")) || bytes.Contains(low, []byte("\ncontent-"))
}

// cmsContent finds type and content of a content info; content is nil where
// the signature stands apart.
func cmsContent(b []byte) (kind string, content []byte, ok bool) {
	info, _, ok := berValue(b, berSequence)
	if !ok {
		return "", nil, false
	}
	oid, rest, ok := berValue(info, berOID)
	if !ok {
		return "", nil, false
	}
	outer, _, ok := berValue(rest, berContent)
	if !ok {
		return "", nil, false
	}
	data, _, ok := berValue(outer, berSequence)
	if !ok {
		return "", nil, false
	}
	// A version and algorithms stand before the content's own info.
	for len(data) > 0 {
		seq, rest, isSeq := berValue(data, berSequence)
		if isSeq {
			if _, inner, ok := berValue(seq, berOID); ok && len(inner) > 0 && inner[0] == berContent {
				content, ok := octets(inner)
				return string(oid), content, ok
			}
		}
		if rest == nil {
			if _, _, rest, ok = berNext(data); !ok {
				return string(oid), nil, false
			}
		}
		data = rest
	}
	return string(oid), nil, true
}

// octets takes the octet string out of the [0] of a content.
func octets(b []byte) ([]byte, bool) {
	outer, _, _ := berValue(b, berContent)
	tag, value, _, ok := berNext(outer)
	switch {
	case !ok:
		return nil, false
	case tag == berChunks:
		return chunks(value, 0), true
	}
	return value, true
}

// chunks joins the pieces of an octet string.
func chunks(b []byte, depth int) []byte {
	var out []byte
	for len(b) > 0 {
		tag, value, rest, ok := berNext(b)
		if !ok {
			break
		}
		switch {
		case tag == berOctets:
			out = append(out, value...)
		case tag == berChunks && depth < berDepth:
			out = append(out, chunks(value, depth+1)...)
		}
		b = rest
	}
	return out
}

// berValue returns the value of the element at the start of b, if it has the
// tag.
func berValue(b []byte, tag byte) (value, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != tag {
		return nil, nil, false
	}
	_, value, rest, ok = berNext(b)
	return value, rest, ok
}

// berNext takes one element off the front of b. One that is cut is given as far
// as it goes: what is there may be enough for its reader.
func berNext(b []byte) (tag byte, value, rest []byte, ok bool) {
	return berElement(b, 0)
}

func berElement(b []byte, depth int) (tag byte, value, rest []byte, ok bool) {
	if len(b) < 2 || depth > 2*berDepth {
		return 0, nil, nil, false
	}
	tag, n, at := b[0], int(b[1]), 2
	switch {
	case n == 0x80:
		value, rest = indefinite(b[2:], depth)
		return tag, value, rest, true
	case n > 0x84:
		return 0, nil, nil, false
	case n > 0x80:
		at += n & 0x0f
		if at > len(b) {
			return 0, nil, nil, false
		}
		n = 0
		for _, c := range b[2:at] {
			n = n<<8 | int(c)
		}
	}
	end := min(at+n, len(b))
	return tag, b[at:end], b[end:], true
}

// indefinite returns the elements up to the end mark (X.690 §8.1.5), or all.
func indefinite(b []byte, depth int) (value, rest []byte) {
	for at := 0; at < len(b); {
		if len(b)-at >= 2 && b[at] == 0 && b[at+1] == 0 {
			return b[:at], b[at+2:]
		}
		_, _, after, ok := berElement(b[at:], depth+1)
		if !ok {
			break
		}
		at = len(b) - len(after)
	}
	return b, nil
}
