package unpack

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zlib"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// xarHead is the least header of an archive (xar 1.6).
const xarHead = 28

// xarFile is an element of the table of contents, which holds others where it
// is a folder.
type xarFile struct {
	Name string `xml:"name"`
	Type string `xml:"type"`
	Data *struct {
		Offset   int64 `xml:"offset"`
		Length   int64 `xml:"length"`
		Size     int64 `xml:"size"`
		Encoding struct {
			Style string `xml:"style,attr"`
		} `xml:"encoding"`
	} `xml:"data"`
}

// xar reads one archive, as the packages of macOS are.
type xar struct {
	*members
	heap []byte
}

// openXAR reads the table of contents, in XML, and the files in the heap
// behind it.
func openXAR(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	x := &xar{members: newMembers(e, bud, yield)}
	if len(e.Body) < xarHead {
		x.note(finding.ContainerBroken, e.Path, "record", "header")
		return x.found
	}
	at := int64(binary.BigEndian.Uint16(e.Body[4:]))
	size := int64(min(binary.BigEndian.Uint64(e.Body[8:]), 1<<40))
	packed := within(e.Body, at, size)
	toc, err := bud.Read(e.Path, &guarded{open: func() (io.Reader, error) { return zlib.NewReader(bytes.NewReader(packed)) }}, int64(len(packed)))
	x.heap = within(e.Body, at+size, int64(len(e.Body)))
	if errors.Is(err, budget.ErrExceeded) {
		return x.found
	}
	if walked := x.walk(xml.NewDecoder(bytes.NewReader(toc))); err != nil || walked != nil {
		x.note(finding.ContainerBroken, e.Path, "record", "table of contents")
	}
	return x.found
}

// walk goes through the elements, keeping the path of folders.
func (x *xar) walk(d *xml.Decoder) error {
	d.Strict = false
	var open []*xarFile
	for !x.spent() {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch {
			case t.Name.Local == "file":
				if len(open) > maxFolders {
					x.note(finding.ContainerConflict, x.of.Path, "in", "folder")
					return nil
				}
				open = append(open, &xarFile{})
			case len(open) > 0:
				if err := open[len(open)-1].take(d, t); err != nil {
					return err
				}
			}
		case xml.EndElement:
			if t.Name.Local == "file" && len(open) > 0 {
				if !x.give(open) {
					return nil
				}
				open = open[:len(open)-1]
			}
		}
	}
	return nil
}

// take keeps what an element says of the file that it stands in.
func (f *xarFile) take(d *xml.Decoder, t xml.StartElement) error {
	switch t.Name.Local {
	case "name":
		return d.DecodeElement(&f.Name, &t)
	case "type":
		return d.DecodeElement(&f.Type, &t)
	case "data":
		return d.DecodeElement(&f.Data, &t)
	}
	return d.Skip()
}

// give yields the innermost of the files that are open.
func (x *xar) give(open []*xarFile) bool {
	path, f := "", open[len(open)-1]
	for _, above := range open[:len(open)-1] {
		path = deeper(path + above.Name)
	}
	e, ok := x.next(entity.Name{Text: strings.ToValidUTF8(path+f.Name, "\uFFFD"), Source: "header", Charset: "utf-8"})
	if !ok {
		return false
	}
	e.Dir, e.Link = f.Type == "directory", f.Type == "symlink"
	if f.Data != nil {
		x.unpack(e, f)
	}
	x.yield(e)
	x.bud.Free(e.Body)
	return !x.spent()
}

func (x *xar) unpack(e *entity.Entity, f *xarFile) {
	e.Size = f.Data.Size
	data := within(x.heap, f.Data.Offset, f.Data.Length)
	body, err := x.bud.Read(e.Path, &guarded{open: func() (io.Reader, error) { return x.reader(f.Data.Encoding.Style, data) }}, int64(len(data))*strongShare)
	if err == nil && int64(len(body)) < f.Data.Size {
		err = io.ErrUnexpectedEOF
	}
	e.Body, e.Unread = body, err != nil
	switch {
	case err == nil, errors.Is(err, budget.ErrExceeded):
	case errors.Is(err, errMethod):
		x.note(finding.ContainerMethod, e.Path, "method", f.Data.Encoding.Style, "name", e.Name())
	default:
		x.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
}

// reader undoes the packing that a media type names; what it calls gzip is
// zlib.
func (x *xar) reader(style string, data []byte) (io.Reader, error) {
	in := bytes.NewReader(data)
	switch style {
	case "", "application/octet-stream":
		return in, nil
	case "application/x-gzip":
		return zlib.NewReader(in)
	case "application/x-bzip2":
		return bzip2.NewReader(in), x.allot(bzip2Memory)
	case "application/x-xz":
		return newXz(x.members, in)
	case "application/x-lzma":
		if len(data) < lzmaHead {
			return nil, io.ErrUnexpectedEOF
		}
		return x.openLZMA(bytes.NewReader(data[lzmaHead:]), data[0], u32(data[1:]), -1)
	}
	return nil, errMethod
}
