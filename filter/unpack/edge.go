package unpack

import (
	"bytes"
	"strconv"

	"sekisho/filter/finding"
)

// trail states that data stands at at, behind a container's end, and yields
// it: some program will find a use for it. Padding has nothing to yield.
func (m *members) trail(data []byte, at int) {
	kind := kindOf(data)
	m.note(finding.ContainerTrailing, m.of.Path, "kind", kind, "at", strconv.Itoa(at), "bytes", strconv.Itoa(len(data)))
	if kind == "padding" {
		return
	}
	e, ok := m.next()
	if !ok {
		return
	}
	e.Reading = "trailing"
	body, err := m.lend(e.Path, data)
	e.Body, e.Size, e.Unread = body, int64(len(data)), err != nil
	m.yield(e)
}

// kinds are the beginnings by which we name stray data, for people; package
// filetype knows more and decides.
var kinds = []struct{ magic, kind string }{
	{"MZ", "pe"},
	{"\x7fELF", "elf"},
	{"#!", "script"},
	{"%PDF", "pdf"},
	{"GIF8", "gif"},
	{"\x89PNG", "png"},
	{"\xff\xd8\xff", "jpeg"},
	{"PK", "zip"},
	{"Rar!", "rar"},
	{"7z\xbc\xaf", "7z"},
	{"Cr24", "crx"},
}

func kindOf(data []byte) string {
	if len(bytes.Trim(data, "\x00\r\n \x1a")) == 0 {
		return "padding"
	}
	for _, k := range kinds {
		if bytes.HasPrefix(data, []byte(k.magic)) {
			return k.kind
		}
	}
	return "data"
}
