package unpack

import (
	"bytes"
	"strconv"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

const (
	arMagic = "!<arch>\n"
	arHead  = 60
)

// openAr reads an ar file, Debian packages among them, with the long names of
// GNU and of BSD (ar(5)).
func openAr(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	a := &arReader{members: newMembers(e, bud, yield)}
	if !bytes.HasPrefix(e.Body, []byte(arMagic)) {
		a.note(finding.ContainerBroken, e.Path, "record", "ar header")
		return a.found
	}
	for at := len(arMagic); at >= 0 && at < len(e.Body); {
		at = a.member(at)
	}
	return a.found
}

type arReader struct {
	*members
	long []byte // the table of long names
}

// member reads the member at at and returns where the next one is, -1 for the
// end.
func (a *arReader) member(at int) int {
	b := a.of.Body
	if at+arHead > len(b) || string(b[at+58:at+60]) != "`\n" {
		if rest := b[at:]; kindOf(rest) != "padding" {
			a.note(finding.ContainerBroken, a.of.Path, "record", "ar header", "at", strconv.Itoa(at))
			a.trail(rest, at)
		}
		return -1
	}
	head := b[at : at+arHead]
	size, err := strconv.ParseInt(strings.TrimSpace(string(head[48:58])), 10, 48)
	start := at + arHead
	broken := err != nil || size < 0 || size > int64(len(b)-start)
	if broken {
		size = int64(len(b) - start)
	}
	data := b[start : start+int(size)]
	next := start + int(size) + int(size&1)
	raw, data := a.name(strings.TrimRight(string(head[:16]), " "), data)
	switch raw {
	case "//":
		if a.long = data; bytes.Contains(data, []byte("`\n")) {
			// Its size takes in a member's header.
			a.note(finding.ContainerBroken, a.of.Path, "record", "name table")
			return start
		}
		return next
	case "/", "/SYM64/", "__.SYMDEF", "__.SYMDEF SORTED":
		return next
	}
	if !a.give(raw, data, broken) {
		return -1
	}
	return next
}

// name resolves a long name: "/123" points into GNU's table, "#1/20" says that
// the name stands before the data, as BSD has it.
func (a *arReader) name(field string, data []byte) (string, []byte) {
	if rest, bsd := strings.CutPrefix(field, "#1/"); bsd {
		if n, err := strconv.Atoi(rest); err == nil && n >= 0 && n <= len(data) {
			return strings.TrimRight(string(data[:n]), "\x00"), data[n:]
		}
		return field, data
	}
	if rest, gnu := strings.CutPrefix(field, "/"); gnu {
		return a.longName(field, rest), data
	}
	return strings.TrimSuffix(field, "/"), data
}

// longName looks rest up in the table; it must point at the start of a name.
func (a *arReader) longName(field, rest string) string {
	if rest == "" || rest == "/" || rest == "SYM64/" {
		return field
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 || n >= len(a.long) || n > 0 && a.long[n-1] != '\n' {
		a.note(finding.ContainerBroken, a.of.Path, "record", "name", "name", field)
		return field
	}
	name, _, _ := bytes.Cut(a.long[n:], []byte("\n"))
	return strings.TrimSuffix(string(name), "/")
}

func (a *arReader) give(raw string, data []byte, broken bool) bool {
	e, ok := a.next(decoded([]byte(raw), "header", false))
	if !ok {
		return false
	}
	if broken {
		a.note(finding.ContainerBroken, e.Path, "record", "data", "name", e.Name())
	}
	body, err := a.lend(e.Path, data)
	e.Body, e.Size, e.Unread = body, int64(len(data)), broken || err != nil
	a.yield(e)
	return true
}
