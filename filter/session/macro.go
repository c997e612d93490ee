package session

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-milter"
)

// maxMacros bounds the macros of one stage, maxMacroBytes their text. Postfix
// sends about ten.
const (
	maxMacros     = 64
	maxMacroBytes = 16 << 10
)

var errMacros = errors.New("too many macros")

// stages in the order in which they come; a later one's value wins.
var stages = [...]milter.Code{
	milter.CodeConn, milter.CodeHelo, milter.CodeMail, milter.CodeRcpt, milter.CodeData, milter.CodeEOH, milter.CodeEOB,
}

// ofMessage is the first stage that belongs to one message.
const ofMessage = 2

// macro is one name and what it stands for.
type macro struct{ name, value string }

// macros keeps the macros of every stage, by the stage's place in stages. They
// come in a packet ahead of the command that they belong to; a command without
// such a packet has none. The slices are used again and again: Postfix sends
// macros ahead of each header field even.
type macros struct {
	waiting   [len(stages)][]macro // whose command has not come yet
	isWaiting [len(stages)]bool
	said      [len(stages)][]macro
}

// add reads a macro packet: the command's code, then names and values.
func (m *macros) add(data []byte) error {
	if len(data) == 0 || len(data) > maxMacroBytes || bytes.Count(data[1:], nul) > 2*maxMacros {
		return errMacros
	}
	place := slices.Index(stages[:], milter.Code(data[0]))
	if place < 0 {
		return nil
	}
	values, rest := m.waiting[place][:0], string(data[1:])
	for rest != "" {
		var name, value string
		name, rest, _ = strings.Cut(rest, "\x00")
		value, rest, _ = strings.Cut(rest, "\x00")
		values = append(values, macro{strings.Trim(name, "{}"), value})
	}
	m.waiting[place], m.isWaiting[place] = values, true
	return nil
}

// reach puts the macros of a command in force.
func (m *macros) reach(stage milter.Code) {
	place := slices.Index(stages[:], stage)
	if !m.isWaiting[place] {
		m.said[place] = m.said[place][:0]
		return
	}
	m.said[place], m.waiting[place] = m.waiting[place], m.said[place][:0]
	m.isWaiting[place] = false
}

// forgetSaid drops what was said by a client.
func (m *macros) forgetSaid() {
	for place := range stages {
		m.said[place] = m.said[place][:0]
	}
}

// forgetMessage drops what belongs to a message; what was said of the
// connection and at HELO stays, and so do the macros that wait for MAIL: they
// are the next message's.
func (m *macros) forgetMessage() {
	for place, s := range stages {
		if place < ofMessage {
			continue
		}
		m.said[place] = m.said[place][:0]
		if s != milter.CodeMail {
			m.waiting[place], m.isWaiting[place] = m.waiting[place][:0], false
		}
	}
}

// all returns every macro in force. What waits counts as well: an MTA that
// leaves out the command DATA may still send its macros.
func (m *macros) all() map[string]string {
	out := make(map[string]string, 2*len(stages))
	for place := range stages {
		for _, one := range m.said[place] {
			out[one.name] = one.value
		}
		if !m.isWaiting[place] {
			continue
		}
		for _, one := range m.waiting[place] {
			out[one.name] = one.value
		}
	}
	return out
}
