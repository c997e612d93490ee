package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/nwaples/rardecode/v2"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

const rarMagic = "Rar!\x1a\x07"

// rarClearShare is how many bytes of dictionary cost as much as one decoded
// byte: the library clears all of it before each member that is not solid.
const rarClearShare = 32

// rar walks one RAR archive. The decoder is a library's, so that it runs only
// where the process is confined.
type rar struct {
	*members
	b     []byte
	r     *rardecode.Reader
	names map[string]bool
	dict  int64 // the largest dictionary so far
}

// openRAR reads RAR 1.5 to 7. One volume of several is read as far as it goes.
func openRAR(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	r := &rar{members: newMembers(e, bud, yield), names: map[string]bool{}}
	at := bytes.Index(e.Body, []byte(rarMagic))
	if at < 0 {
		r.note(finding.ContainerBroken, e.Path, "record", "rar header")
		return r.found
	}
	if at > 0 {
		r.note(finding.ContainerPrefix, e.Path, "kind", kindOf(e.Body[:at]), "bytes", strconv.Itoa(at))
	}
	if r.b = e.Body[at:]; r.allot(maxDictionary) != nil {
		return r.found
	}
	err := unharmed(func() (err error) {
		r.r, err = rardecode.NewReader(bytes.NewReader(r.b), rardecode.MaxDictionarySize(maxDictionary))
		return err
	})
	for err == nil {
		err = r.member()
	}
	if !errors.Is(err, io.EOF) {
		r.explain(e, e.Path, err)
	}
	return r.found
}

// unharmed turns the panic of a decoder into an error.
func unharmed(do func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("decoder gave up: %v", fault)
		}
	}()
	return do()
}

// member yields the next member; an error ends the walk, io.EOF without
// complaint.
func (r *rar) member() error {
	var h *rardecode.FileHeader
	err := unharmed(func() (err error) {
		h, err = r.r.Next()
		return err
	})
	if err != nil {
		return err
	}
	e, ok := r.next(rarName(h))
	if !ok {
		return io.EOF // the budget remembers
	}
	e.Size, e.Dir, e.Link = h.UnPackedSize, h.IsDir, h.LinkType != 0
	if key := fold(e.Name()); r.names[key] && !e.Dir {
		r.note(finding.ContainerDuplicate, e.Path, "name", e.Name())
	} else {
		r.names[key] = true
	}
	r.dict = max(r.dict, min(h.UnPackedSize, maxDictionary))
	switch {
	case h.Encrypted:
		e.Encrypted = true
		r.note(finding.ContainerEncrypted, e.Path, "name", e.Name(), "method", "aes")
	case !e.Dir && !e.Link:
		err = r.read(e, h)
	}
	r.yield(e)
	if r.spent() || errors.Is(err, rardecode.ErrMultiVolume) {
		return io.EOF
	}
	return r.bud.Spend(e.Path, r.dict/rarClearShare)
}

// read draws the content of a member.
func (r *rar) read(e *entity.Entity, h *rardecode.FileHeader) error {
	packed := min(max(h.PackedSize, 0), int64(len(r.b)))
	body, err := r.bud.Read(e.Path, &guarded{open: func() (io.Reader, error) { return r.r, nil }}, packed*strongShare)
	e.Body = body
	switch {
	case err == nil:
		e.Size = int64(len(body))
	case errors.Is(err, rardecode.ErrBadFileChecksum):
		e.Size = int64(len(body))
		r.note(finding.ContainerChecksum, e.Path, "name", e.Name())
	default:
		r.explain(e, e.Path, err)
	}
	return err
}

// explain states why content is missing at a path.
func (r *rar) explain(e *entity.Entity, path string, err error) {
	e.Unread = true
	switch {
	case errors.Is(err, budget.ErrExceeded):
	case errors.Is(err, rardecode.ErrArchiveEncrypted), errors.Is(err, rardecode.ErrArchivedFileEncrypted), errors.Is(err, rardecode.ErrBadPassword):
		e.Encrypted, e.Unread = true, false
		r.note(finding.ContainerEncrypted, path, "method", "aes", "names", "hidden")
	case errors.Is(err, rardecode.ErrMultiVolume), errors.Is(err, rardecode.ErrFileNameRequired):
		r.note(finding.ContainerVolume, path, "type", "rar")
	case errors.Is(err, rardecode.ErrDictionaryTooLarge), errors.Is(err, rardecode.ErrUnsupportedDecoder), errors.Is(err, rardecode.ErrUnknownDecoder),
		errors.Is(err, rardecode.ErrUnknownVersion):
		r.note(finding.ContainerMethod, path, "method", err.Error())
	default:
		r.note(finding.ContainerBroken, path, "record", "data")
	}
}

// rarName decodes a name, which old archives keep in the maker's charset. An
// older version of a file is told from the newest as WinRAR does it.
func rarName(h *rardecode.FileHeader) entity.Name {
	n := decoded([]byte(h.Name), "header", utf8.ValidString(h.Name))
	if h.Version > 0 {
		n.Text += ";" + strconv.Itoa(h.Version)
	}
	return n
}
