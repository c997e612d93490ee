package session

import (
	"bytes"
	"errors"
	"maps"
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
var stages = []milter.Code{
	milter.CodeConn, milter.CodeHelo, milter.CodeMail, milter.CodeRcpt, milter.CodeData, milter.CodeEOH, milter.CodeEOB,
}

// macros keeps the macros of every stage. They come in a packet ahead of the
// command that they belong to; a command without such a packet has none.
type macros struct {
	waiting map[milter.Code]map[string]string // whose command has not come yet
	said    map[milter.Code]map[string]string
}

// add reads a macro packet: the command's code, then names and values.
func (m *macros) add(data []byte) error {
	if len(data) == 0 || len(data) > maxMacroBytes {
		return errMacros
	}
	stage, rest := milter.Code(data[0]), data[1:]
	values := map[string]string{}
	for len(rest) > 0 && len(values) <= maxMacros {
		var name, value []byte
		name, rest, _ = bytes.Cut(rest, nul)
		value, rest, _ = bytes.Cut(rest, nul)
		values[strings.Trim(string(name), "{}")] = string(value)
	}
	if len(values) > maxMacros {
		return errMacros
	}
	if slices.Contains(stages, stage) {
		if m.waiting == nil {
			m.waiting = map[milter.Code]map[string]string{}
		}
		m.waiting[stage] = values
	}
	return nil
}

// reach puts the macros of a command in force.
func (m *macros) reach(stage milter.Code) {
	values, ok := m.waiting[stage]
	if !ok {
		delete(m.said, stage)
		return
	}
	delete(m.waiting, stage)
	if m.said == nil {
		m.said = map[milter.Code]map[string]string{}
	}
	m.said[stage] = values
}

// forgetMessage drops what belongs to a message; what was said of the
// connection and at HELO stays, and so do the macros that wait for MAIL: they
// are the next message's.
func (m *macros) forgetMessage() {
	for _, s := range stages[2:] {
		delete(m.said, s)
		if s != milter.CodeMail {
			delete(m.waiting, s)
		}
	}
}

// all returns every macro in force. What waits counts as well: an MTA that
// leaves out the command DATA may still send its macros.
func (m *macros) all() map[string]string {
	out := map[string]string{}
	for _, s := range stages {
		maps.Copy(out, m.said[s])
		maps.Copy(out, m.waiting[s])
	}
	return out
}
