package unpack

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// cpioForm is one of the ways in which cpio writes a header (cpio(5)).
type cpioForm struct {
	magic string
	head  int // bytes before the name
	align int // of name and data
	read  func(b []byte, order binary.ByteOrder) (h cpioHead, ok bool)
	order binary.ByteOrder
}

type cpioHead struct {
	mode, name, size int64
	sum              int64 // of all bytes, -1 where the form has none
}

var cpioForms = []cpioForm{
	{magic: "070701", head: 110, align: 4, read: readNewc},
	{magic: "070702", head: 110, align: 4, read: readCRC},
	{magic: "070707", head: 76, align: 1, read: readOdc},
	{magic: "\xc7\x71", head: 26, align: 2, read: readOldCpio, order: binary.LittleEndian},
	{magic: "\x71\xc7", head: 26, align: 2, read: readOldCpio, order: binary.BigEndian},
}

func readNewc(b []byte, _ binary.ByteOrder) (h cpioHead, ok bool) {
	return numbers(b, 16, [3]int{14, 94, 54}, 8)
}

// readCRC reads the form whose last field is the sum of all bytes.
func readCRC(b []byte, order binary.ByteOrder) (h cpioHead, ok bool) {
	if h, ok = readNewc(b, order); !ok {
		return h, false
	}
	total, err := strconv.ParseInt(string(b[102:110]), 16, 48)
	h.sum = total
	return h, err == nil
}

// readOdc reads the octal form; its size has eleven digits.
func readOdc(b []byte, _ binary.ByteOrder) (h cpioHead, ok bool) {
	if h, ok = numbers(b, 8, [3]int{18, 59, 65}, 6); !ok {
		return h, false
	}
	size, err := strconv.ParseInt(string(b[65:76]), 8, 48)
	h.size = size
	return h, err == nil
}

func readOldCpio(b []byte, order binary.ByteOrder) (cpioHead, bool) {
	return cpioHead{
		sum: -1, mode: int64(order.Uint16(b[6:])), name: int64(order.Uint16(b[20:])),
		size: int64(order.Uint16(b[22:]))<<16 | int64(order.Uint16(b[24:])),
	}, true
}

// numbers reads mode, length of the name and size from three places.
func numbers(b []byte, base int, at [3]int, width int) (h cpioHead, ok bool) {
	h.sum = -1
	for i, to := range []*int64{&h.mode, &h.name, &h.size} {
		v, err := strconv.ParseInt(string(b[at[i]:at[i]+width]), base, 48)
		if err != nil {
			return h, false
		}
		*to = v
	}
	return h, true
}

func openCpio(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	c := &cpioReader{members: newMembers(e, bud, yield)}
	for at := 0; at >= 0; {
		at = c.member(at)
	}
	return c.found
}

type cpioReader struct{ *members }

// member reads the member at at and returns where the next one is, -1 for the
// end.
func (c *cpioReader) member(at int) int {
	b := c.of.Body[at:]
	f, h, ok := cpioHeader(b)
	if !ok {
		c.note(finding.ContainerBroken, c.of.Path, "record", "cpio header", "at", strconv.Itoa(at))
		return c.resume(at)
	}
	end := f.head + int(h.name)
	name := bytes.TrimRight(b[f.head:end], "\x00")
	start := min(roundUp(end, f.align), len(b))
	if string(name) == "TRAILER!!!" {
		if rest := b[start:]; kindOf(rest) != "padding" {
			c.trail(rest, at+start)
		}
		return -1
	}
	size := min(h.size, int64(len(b)-start))
	if !c.give(name, h, b[start:start+int(size)]) || size < h.size {
		return -1
	}
	return at + min(roundUp(start+int(size), f.align), len(b))
}

// resume returns where a header in text form stands behind a bad one.
func (c *cpioReader) resume(at int) int {
	b := c.of.Body
	for at++; at < len(b); at++ {
		i := bytes.Index(b[at:], []byte("07070"))
		if i < 0 {
			break
		}
		at += i
		if _, _, ok := cpioHeader(b[at:]); ok {
			return at
		}
	}
	return -1
}

func cpioHeader(b []byte) (cpioForm, cpioHead, bool) {
	for _, f := range cpioForms {
		if len(b) < f.head || !bytes.HasPrefix(b, []byte(f.magic)) {
			continue
		}
		h, ok := f.read(b, f.order)
		return f, h, ok && h.name > 0 && h.size >= 0 && h.name <= int64(len(b)-f.head)
	}
	return cpioForm{}, cpioHead{}, false
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

func (c *cpioReader) give(name []byte, h cpioHead, data []byte) bool {
	names := []entity.Name{decoded(name, "header", false)}
	if head, _, both := bytes.Cut(name, []byte{0}); both {
		names = append(names, decoded(head, "header", false)) // C programs end it at NUL
	}
	e, ok := c.next(names...)
	if !ok {
		return false
	}
	if len(e.Names) > 1 {
		c.note(finding.ContainerConflict, e.Path, "in", "name", "name", e.Names[0].Text, "other", e.Names[1].Text)
	}
	e.Dir, e.Link = h.mode&0o170000 == 0o040000, h.mode&0o170000 == 0o120000
	body, err := c.lend(e.Path, data)
	cut := int64(len(data)) < h.size
	if cut {
		c.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
	e.Body, e.Size, e.Unread = body, int64(len(data)), cut || err != nil
	const typeMask, regular = 0o170000, 0o100000 // others have no sum
	if h.sum >= 0 && h.mode&typeMask == regular && h.size > 0 && !e.Unread && total(data) != uint32(h.sum) {
		c.note(finding.ContainerChecksum, e.Path, "name", e.Name())
	}
	c.leads(e)
	c.yield(e)
	return true
}

func total(b []byte) (sum uint32) {
	for _, c := range b {
		sum += uint32(c)
	}
	return sum
}
