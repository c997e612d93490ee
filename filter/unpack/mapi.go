package unpack

import (
	"bytes"
	"strconv"
	"strings"

	"sekisho/filter/charset"
	"sekisho/filter/entity"
)

// Properties of Outlook's items (MS-OXPROPS), as far as they name or hold
// what an item carries.
const (
	propBody          = 0x1000
	propRTF           = 0x1009
	propHTML          = 0x1013
	propDisplayName   = 0x3001
	propData          = 0x3701
	propShortName     = 0x3704
	propLongName      = 0x3707
	propMediaType     = 0x370E
	propTransportName = 0x370C
)

// Kinds of values (MS-OXCDATA §2.11.1).
const (
	kindString   = 0x001E
	kindUnicode  = 0x001F
	kindObject   = 0x000D
	kindBinary   = 0x0102
	kindMultiple = 0x1000
)

// property is one property of an item with its first value.
type property struct {
	id, kind uint16
	value    []byte
}

// text decodes a property that is a string; 8-bit ones are in the code page of
// the item.
func (p property) text(page uint32) entity.Name {
	if p.kind == kindUnicode {
		s, _ := charset.Decode(p.value[:len(p.value)&^1], "utf-16le")
		return entity.Name{Text: strings.ToValidUTF8(strings.TrimRight(s, "\x00"), "\uFFFD"), Source: "unicode", Charset: "utf-16le"}
	}
	return paged(p.value, page, "string")
}

// paged decodes an 8-bit name by the code page that the item states.
func paged(raw []byte, page uint32, source string) entity.Name {
	raw = bytes.TrimRight(raw, "\x00")
	if label := "cp" + strconv.FormatUint(uint64(page), 10); page != 0 && !ascii(raw) {
		if s, ok := charset.Decode(raw, label); ok {
			return entity.Name{Text: strings.ToValidUTF8(s, "\uFFFD"), Source: source, Charset: label, Raw: bytes.Clone(raw)}
		}
	}
	return decoded(raw, source, false)
}

// item is one thing that an Outlook item carries, as its properties come in.
type item struct {
	page   uint32
	long   []entity.Name
	short  []entity.Name
	shown  []entity.Name
	media  string
	bodies [][]byte
}

// take keeps what a property says about the item.
func (i *item) take(p property) {
	switch p.id {
	case propLongName, propTransportName:
		i.long = append(i.long, p.text(i.page))
	case propShortName:
		i.short = append(i.short, p.text(i.page))
	case propDisplayName:
		i.shown = append(i.shown, p.text(i.page))
	case propMediaType:
		i.media = strings.ToLower(p.text(i.page).Text)
	case propData:
		i.add(p.value)
	}
}

// add keeps content. What is there already is stored in two forms, as Outlook
// does itself.
func (i *item) add(b []byte) {
	for _, known := range i.bodies {
		if bytes.Equal(known, b) {
			return
		}
	}
	i.bodies = append(i.bodies, b)
}

// names are all names of the item, what Outlook shows first. Its display name
// need not be a file name and counts where there is no other.
func (i *item) names() []entity.Name {
	all := append(i.long, i.short...)
	if len(all) == 0 {
		return i.shown
	}
	return all
}

// give hands over every content of an item.
func (m *members) give(i *item, reading string) bool {
	for n, b := range i.bodies {
		e, ok := m.next(i.names()...)
		if !ok {
			return false
		}
		if e.MediaType, e.Reading = i.media, reading; n > 0 {
			e.Reading = "second-content"
		}
		body, err := m.lend(e.Path, b)
		e.Body, e.Size, e.Unread = body, int64(len(b)), err != nil
		m.yield(e)
	}
	return true
}
