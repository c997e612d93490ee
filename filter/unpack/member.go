package unpack

import (
	"fmt"
	"hash/crc32"
	"strings"
	"unicode/utf8"

	"sekisho/filter/budget"
	"sekisho/filter/charset"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// maxRepeats bounds the findings of one kind from one container: a hundred
// prove the trick, a hundred thousand would only fill the Report.
const maxRepeats = 100

// maxShown is how much of a member's name its path keeps, in bytes.
const maxShown = 160

// members hands the members of one container to yield, keeps their paths
// apart and gathers the findings.
type members struct {
	of    *entity.Entity
	bud   *budget.Budget
	yield func(*entity.Entity)
	used  map[string]int
	seen  map[finding.Kind]int
	found []finding.Finding
}

func newMembers(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) *members {
	return &members{of: e, bud: bud, yield: yield, used: map[string]int{}, seen: map[finding.Kind]int{}}
}

// next makes the entity of one more member; ok is false when the budget has
// no room for it.
func (m *members) next(names ...entity.Name) (e *entity.Entity, ok bool) {
	e = &entity.Entity{Depth: m.of.Depth + 1}
	for _, n := range names {
		e.AddName(n)
	}
	e.Path = unused(m.used, m.of.Path+"/"+shown(e.Name()))
	return e, m.bud.Count(e.Path) == nil
}

// again makes a further reading of the member e.
func (m *members) again(e *entity.Entity, reading string) (*entity.Entity, bool) {
	more, ok := m.next(e.Names...)
	more.Reading = reading
	return more, ok
}

// note keeps a finding.
func (m *members) note(kind finding.Kind, path string, evidence ...string) {
	if m.seen[kind]++; m.seen[kind] <= maxRepeats {
		m.found = append(m.found, finding.New(kind, path, evidence...))
	}
}

// lend accounts for b, which needs no decoding, and returns as much of it as
// the budget allows.
func (m *members) lend(path string, b []byte) ([]byte, error) {
	limit := m.bud.Limits().Member
	if int64(len(b)) > limit {
		b = b[:limit]
		return b, m.bud.Exceed(budget.Member, path)
	}
	if err := m.bud.Spend(path, int64(len(b))); err != nil {
		return nil, err
	}
	return b, nil
}

// spent says that not one more byte may be decoded.
func (m *members) spent() bool { return m.bud.Bytes() > m.bud.Limits().Bytes }

// shown makes a name into one component of a path. '/' parts components; the
// name itself keeps it.
func shown(name string) string {
	name = strings.ReplaceAll(name, "/", "\\")
	if name == "" {
		return "unnamed"
	}
	if len(name) <= maxShown {
		return name
	}
	head, tail := name[:maxShown/2], name[len(name)-maxShown/2:]
	return strings.ToValidUTF8(head, "") + "…" + strings.ToValidUTF8(tail, "")
}

// unused returns path, or path with "#2", "#3" ... where it is taken, and
// takes it.
func unused(used map[string]int, path string) string {
	got := path
	for used[got] > 0 {
		used[path]++
		got = fmt.Sprintf("%s#%d", path, used[path])
	}
	used[got]++
	return got
}

// decoded makes a candidate name of raw bytes that claim no charset, or claim
// UTF-8.
func decoded(raw []byte, source string, isUTF8 bool) entity.Name {
	if ascii(raw) {
		return entity.Name{Text: string(raw), Source: source}
	}
	if isUTF8 && utf8.Valid(raw) {
		return entity.Name{Text: string(raw), Source: source, Charset: "utf-8"}
	}
	text, label := charset.Guess(raw)
	n := entity.Name{Text: text, Source: source, Charset: label}
	if text != string(raw) {
		n.Raw = append([]byte(nil), raw...)
	}
	return n
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func sum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

func crcUpdate(crc uint32, b []byte) uint32 { return crc32.Update(crc, crc32.IEEETable, b) }
