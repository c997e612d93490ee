package unpack

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"unicode/utf16"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
)

const (
	szMagic = "7z\xbc\xaf\x27\x1c"
	szHead  = 32
)

// Marks of the parts of a 7z header (7zFormat.txt of the LZMA SDK).
const (
	szEnd          = 0x00
	szHeader       = 0x01
	szProperties   = 0x02
	szMore         = 0x03
	szStreams      = 0x04
	szFiles        = 0x05
	szPacked       = 0x06
	szUnpacked     = 0x07
	szSubStreams   = 0x08
	szSize         = 0x09
	szDigests      = 0x0a
	szFolder       = 0x0b
	szUnpackSize   = 0x0c
	szCount        = 0x0d
	szEmptyStream  = 0x0e
	szEmptyFile    = 0x0f
	szNames        = 0x11
	szAttributes   = 0x15
	szPackedHeader = 0x17
)

var (
	errSevenZip  = errors.New("header makes no sense")
	errEncrypted = errors.New("needs a password")
)

// sevenZip walks one 7z archive.
type sevenZip struct {
	*members
	b    []byte // from the signature on
	base int    // where it stands in the file
	keys *key.Ring
	lock szLock
}

// unlockSevenZip reads a 7z archive with a reader of our own: libraries believe
// the header's counts and dictionaries, and an archive of 73 bytes makes them
// ask for gigabytes.
func unlockSevenZip(e *entity.Entity, keys *key.Ring, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	s := &sevenZip{members: newMembers(e, bud, yield), keys: keys}
	if s.base = bytes.Index(e.Body, []byte(szMagic)); s.base < 0 || len(e.Body)-s.base < szHead {
		s.note(finding.ContainerBroken, e.Path, "record", "7z header")
		return s.found
	}
	s.b = e.Body[s.base:]
	if s.base > 0 {
		s.note(finding.ContainerPrefix, e.Path, "kind", kindOf(e.Body[:s.base]), "bytes", strconv.Itoa(s.base))
	}
	header, end, err := s.header()
	switch {
	case errors.Is(err, errEncrypted):
		e.Encrypted = true
		s.encrypted(e.Path, s.lock.locked, "method", "aes", "names", "hidden")
	case errors.Is(err, errMethod):
		s.note(finding.ContainerMethod, e.Path, "record", "header")
	case errors.Is(err, budget.ErrExceeded):
	case err != nil:
		s.note(finding.ContainerBroken, e.Path, "record", "7z header")
	case header != nil:
		s.read(header)
	}
	if err == nil && end < len(s.b) {
		s.trail(s.b[end:], s.base+end)
	}
	return s.found
}

// header returns the header, unpacked, and where the archive ends. An archive
// without files has none.
func (s *sevenZip) header() (h []byte, end int, err error) {
	offset, size := u64(s.b[12:]), u64(s.b[20:])
	if offset > uint64(len(s.b)-szHead) || size > uint64(len(s.b)-szHead)-offset {
		return nil, 0, io.ErrUnexpectedEOF
	}
	if sum(s.b[12:szHead]) != u32(s.b[8:]) {
		s.note(finding.ContainerChecksum, s.of.Path, "record", "start header")
	}
	start := szHead + int(offset)
	end = start + int(size)
	h = s.b[start:end]
	if len(h) == 0 {
		return nil, end, nil
	}
	if sum(h) != u32(s.b[28:]) {
		s.note(finding.ContainerChecksum, s.of.Path, "record", "header")
	}
	for range maxDirectories { // a packed header may hold a packed header
		if h[0] != szPackedHeader {
			return h, end, nil
		}
		p := &szParser{b: h[1:], limit: s.bud.Limits().Members}
		streams := p.streams()
		if p.err != nil || len(streams.folders) == 0 {
			return nil, end, cmpErr(p.err, errSevenZip)
		}
		if h, err = s.unpack(streams.folders[0]); err != nil {
			return nil, end, err
		}
		if len(h) == 0 {
			return nil, end, errSevenZip
		}
	}
	return nil, end, errSevenZip
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// read yields the members that the header names.
func (s *sevenZip) read(header []byte) {
	p := &szParser{b: header, limit: s.bud.Limits().Members}
	streams, files := p.header()
	if errors.Is(p.err, budget.ErrExceeded) {
		_ = s.bud.Exceed(budget.Members, s.of.Path) // remembered there
		return
	}
	if p.err != nil || len(files) == 0 && p.bare {
		s.note(finding.ContainerBroken, s.of.Path, "record", "7z header")
	}
	s.place(streams, files)
	names := map[string]bool{}
	for i := 0; i < len(files); {
		n := i + 1
		for n < len(files) && files[n].folder == files[i].folder {
			n++
		}
		if !s.give(streams, files[i:n], names) {
			return
		}
		i = n
	}
}

// place gives each file that has content its folder and its place in it.
func (s *sevenZip) place(streams szStreamsInfo, files []szFile) {
	folder, n, at := 0, 0, int64(0)
	for i := range files {
		f := &files[i]
		f.folder = -1
		if f.empty {
			continue
		}
		for folder < len(streams.folders) && n == len(streams.folders[folder].parts) {
			folder, n, at = folder+1, 0, 0
		}
		f.folder = folder
		if folder == len(streams.folders) {
			continue
		}
		f.szPart = streams.folders[folder].parts[n]
		f.at = at
		at += f.size
		n++
	}
	for ; folder < len(streams.folders); folder, n = folder+1, 0 {
		if n < len(streams.folders[folder].parts) {
			s.note(finding.ContainerConflict, s.of.Path, "in", "count") // content that no file has
			break
		}
	}
	// Files of one folder follow each other but for those without content.
	slices.SortStableFunc(files, func(a, b szFile) int { return a.folder - b.folder })
}

// give yields the files of one folder; false ends the walk.
func (s *sevenZip) give(streams szStreamsInfo, files []szFile, names map[string]bool) bool {
	var out []byte
	var err error
	var folder szFolderInfo
	switch number := files[0].folder; {
	case number >= len(streams.folders):
		err = errSevenZip
	case number >= 0:
		folder = streams.folders[number]
		out, err = s.unpack(folder)
	}
	for _, f := range files {
		e, ok := s.next(entity.Name{Text: f.name, Source: "header", Charset: f.charset()})
		if !ok {
			return false
		}
		if key := fold(e.Name()); names[key] && !f.dir {
			s.note(finding.ContainerDuplicate, e.Path, "name", e.Name())
		} else {
			names[key] = true
		}
		e.Size, e.Link, e.Dir = f.size, f.link, f.dir && f.size == 0
		if !f.empty {
			s.fill(e, f, out, err, folder)
		}
		s.leads(e)
		s.yield(e)
		if s.spent() {
			return false
		}
	}
	return true
}

// fill gives e its content, or states why it has none.
func (s *sevenZip) fill(e *entity.Entity, f szFile, out []byte, err error, folder szFolderInfo) {
	size := int64(len(out))
	start := min(f.at, size)
	e.Body = out[start:min(f.at+f.size, size)]
	whole := int64(len(e.Body)) == f.size && (err == nil || f.at+f.size <= size)
	if folder.locked() && !errors.Is(err, errEncrypted) {
		s.decrypted(e, "aes", s.lock.key)
	}
	switch {
	case errors.Is(err, errEncrypted):
		e.Encrypted, e.Body = true, nil
		s.encrypted(e.Path, s.lock.locked, "name", e.Name(), "method", "aes")
	case errors.Is(err, errMethod):
		e.Unread, e.Body = true, nil
		s.note(finding.ContainerMethod, e.Path, "method", folder.methods(), "name", e.Name())
	case !whole:
		e.Unread = true
		if !errors.Is(err, budget.ErrExceeded) {
			s.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
		}
	case f.checked && sum(e.Body) != f.crc:
		s.note(finding.ContainerChecksum, e.Path, "name", e.Name())
	}
}

// charset says how the name was written, "" for ASCII.
func (f szFile) charset() string {
	if ascii([]byte(f.name)) {
		return ""
	}
	return "utf-16le"
}

func szText(units []uint16) string {
	return string(utf16.Decode(units))
}
