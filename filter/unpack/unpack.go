// Package unpack draws the members out of containers: archives, compressed
// streams, self-extractors.
//
// It reads memory and yields memory: no member is ever written anywhere, so a
// name may be as hostile as it likes. It neither judges members nor opens what
// it has yielded; inspect walks on. Where two archivers could understand the
// same bytes differently, both readings are yielded (entity.Reading) and the
// difference is a finding. Declared sizes are compared, never trusted: all
// decoding runs to its own end within the budget.
//
// Each yielded member is counted in the budget here. A member that a limit cut
// short is yielded with Unread set; which limit it was stands in
// budget.Reached.
//
// It follows PKWARE's APPNOTE 6.3.10 (zip), POSIX.1-2017 pax and the GNU tar
// manual (tar), RFC 1951 (deflate), RFC 1952 (gzip), RFC 8878 (zstd), the xz
// and lzip format documents, and for what real archivers do differently the
// construction types of "My ZIP isn't your ZIP" (USENIX Security 2025).
package unpack

import (
	"slices"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
)

// Opens says whether members can be drawn out; else the format is only named.
func (f Format) Opens() bool { return f.open != nil || f.unlock != nil }

// Walk opens e.Body as every container that types, names of package filetype,
// say it may be, hands each member to yield and returns what was odd. A
// member's Body is only lent: it may be a part of e.Body. opened is false when
// no type is a container that is opened here.
func Walk(e *entity.Entity, types []string, bud *budget.Budget, yield func(*entity.Entity)) (opened bool, findings []finding.Finding) {
	return Unlock(e, types, nil, bud, yield)
}

// Unlock is Walk with passwords: what one of keys opens is yielded open, and
// container.decrypted says where that key came from.
func Unlock(e *entity.Entity, types []string, keys *key.Ring, bud *budget.Budget, yield func(*entity.Entity)) (opened bool, findings []finding.Finding) {
	if bud.Enter(e.Path, e.Depth) != nil {
		return false, nil
	}
	w := walk{of: e, used: map[string]int{}, yield: yield}
	for _, f := range Formats {
		if !slices.Contains(types, f.Name) || f.is != "" && slices.Contains(types, f.is) {
			continue
		}
		if !f.Opens() || f.confined && !bud.Confined() {
			findings = append(findings, finding.New(finding.ContainerUnopened, e.Path, "type", f.Name))
			continue
		}
		opened = true
		if f.unlock != nil {
			findings = append(findings, f.unlock(e, keys, bud, w.take)...)
			continue
		}
		findings = append(findings, f.open(e, bud, w.take)...)
	}
	return opened, findings
}

// walk keeps paths apart when the same bytes are opened as several containers.
type walk struct {
	of    *entity.Entity
	used  map[string]int
	yield func(*entity.Entity)
}

func (w *walk) take(m *entity.Entity) {
	m.Path = unused(w.used, m.Path)
	w.yield(m)
}
