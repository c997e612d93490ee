// Package inspect walks the tree of things in a message or file, asks each
// reader, spends the budget and fills the Report.
//
// It knows no rule and no clock: it states facts, and the same bytes give the
// same Report. A reader that panics, a limit that is reached or content that
// could not be read becomes a finding; nothing is passed over in silence.
package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/filename"
	"sekisho/filter/filetype"
	"sekisho/filter/finding"
	"sekisho/filter/key"
	"sekisho/filter/part"
	"sekisho/filter/report"
	"sekisho/filter/unpack"
)

// Input is what is to be inspected.
type Input struct {
	Kind string // report.KindMail or report.KindFile
	Name string // of a file
	// SHA256 is the digest of Raw, "" where nobody has computed it yet. It is
	// believed: hashing a message costs as much as decoding it.
	SHA256 string
	Raw    []byte
	// Keys are passwords to try beside those that the message itself tells.
	Keys []key.Key
	// Offer asks for the passwords that the message tells (Report.Passwords).
	Offer bool
}

// Run inspects in as what it is said to be.
func Run(in Input, bud *budget.Budget) *report.Report {
	defer bud.Close()
	if in.SHA256 == "" {
		in.SHA256 = digest(in.Raw)
	}
	return unlocked(in, bud)
}

// walkOnce walks in with keys, and returns the texts it met as well.
func walkOnce(in Input, bud *budget.Budget, keys *key.Ring) (*report.Report, *heard) {
	w := newWalk(in, bud)
	w.keys = keys
	if in.Kind == report.KindFile {
		return w.file(in), &w.heard
	}
	return w.mail(in), &w.heard
}

// Mail inspects raw as a message.
func Mail(raw []byte, bud *budget.Budget) *report.Report {
	return Run(Input{Kind: report.KindMail, Raw: raw}, bud)
}

// File inspects b as a loose file called name.
func File(name string, b []byte, bud *budget.Budget) *report.Report {
	return Run(Input{Kind: report.KindFile, Name: name, Raw: b}, bud)
}

func (w *walk) mail(in Input) *report.Report {
	raw := in.Raw
	root := &entity.Entity{Body: raw, Size: int64(len(raw)), MediaType: "message/rfc822"}
	w.rep.Entities = append(w.rep.Entities, w.describe(root, []string{"eml"}))
	w.guard("part", "", func() { w.message(root) })
	w.guard("volumes", "", w.join)
	return w.finish()
}

func (w *walk) file(in Input) *report.Report {
	b := in.Raw
	base := path.Base(strings.ReplaceAll(in.Name, `\`, "/"))
	root := &entity.Entity{Path: base, Body: b, Size: int64(len(b))}
	root.AddName(entity.Name{Text: strings.ToValidUTF8(base, "\uFFFD"), Source: "file"})
	w.entity(root)
	w.guard("volumes", "", w.join)
	return w.finish()
}

// Failed is the Report of an input whose inspection could not be done or did
// not end in time: it says so and nothing else.
func Failed(kind string, size int64, digest, cause string) *report.Report {
	return &report.Report{Schema: report.Schema, Kind: kind, Size: size, SHA256: digest, Incomplete: true,
		Entities: []report.Entity{{Size: size, SHA256: digest, Unread: true}},
		Findings: []finding.Finding{finding.New(finding.InspectFailed, "", "cause", cause)}}
}

// walk is the state of one inspection.
type walk struct {
	rep *report.Report
	bud *budget.Budget
	// above are the messages that the walk is in, outermost first.
	above [][]byte
	keys  *key.Ring
	heard heard
	volumeState
}

// within says whether e repeats a message that it stands in: a reading that
// takes a message for its own part would otherwise lead down for ever.
func (w *walk) within(e *entity.Entity) bool {
	return slices.ContainsFunc(w.above, func(b []byte) bool { return bytes.Equal(b, e.Body) })
}

func newWalk(in Input, bud *budget.Budget) *walk {
	return &walk{bud: bud, rep: &report.Report{Schema: report.Schema, Kind: in.Kind, Size: int64(len(in.Raw)), SHA256: in.SHA256}}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// digest returns the digest of e; that of the input is known already.
func (w *walk) digest(e *entity.Entity) string {
	if e.Depth == 0 && e.Size == w.rep.Size {
		return w.rep.SHA256
	}
	return digest(e.Body)
}

// guard runs one reader. A panic in it is our bug, but the mail's author chose
// the bytes: the fact is stated, and the rest of the tree is still read.
func (w *walk) guard(reader, at string, read func()) {
	defer func() {
		if r := recover(); r != nil {
			w.state(finding.New(finding.InspectFailed, at, "cause", "panic", "reader", reader))
		}
	}()
	read()
}

// state keeps findings.
func (w *walk) state(fs ...finding.Finding) {
	w.rep.Findings = append(w.rep.Findings, fs...)
	if len(w.rep.Findings) > report.MaxFindings {
		w.rep.Findings = finding.Sort(w.rep.Findings)
	}
	if len(w.rep.Findings) > report.MaxFindings {
		w.rep.Findings = w.rep.Findings[:report.MaxFindings]
		_ = w.bud.Exceed("findings", "") // remembered in the budget, stated by finish
	}
}

// message reads e as a message and visits its parts.
func (w *walk) message(e *entity.Entity) {
	if w.bud.Enter(e.Path, e.Depth) != nil || w.within(e) {
		return
	}
	w.above = append(w.above, e.Body)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	m := part.Walk(e.Body, e.Path, e.Depth, w.bud, w.entity)
	w.state(m.Findings...)
	w.heard.add(said{text: m.Header.Subject, source: key.Subject})
	if e.Depth == 0 {
		w.rep.Header = header(m.Header)
	}
	w.state(authorship(e.Path, m.Header)...)
}

// entity visits one node: it is named, typed and hashed, then opened.
func (w *walk) entity(e *entity.Entity) {
	types := w.types(e)
	at := len(w.rep.Entities)
	w.rep.Entities = append(w.rep.Entities, w.describe(e, types))
	first := len(w.rep.Findings)
	for _, d := range detectors {
		w.guard(d.name, e.Path, func() { w.state(d.see(e, types)...) })
	}
	w.links(e, types)
	w.open(e, types)
	w.settle(at, e.Path, first)
	w.keepVolume(e, first)
}

func (w *walk) types(e *entity.Entity) (types []string) {
	if e.Dir || len(e.Body) == 0 {
		return nil
	}
	w.guard("filetype", e.Path, func() { types = filetype.Identify(e.Body) })
	return types
}

// open goes into messages and containers.
func (w *walk) open(e *entity.Entity, types []string) {
	if e.Dir || len(e.Body) == 0 {
		return
	}
	if isMessage(e, types) {
		w.guard("part", e.Path, func() { w.message(e) })
	}
	if !w.container(types) || w.bud.Enter(e.Path, e.Depth+1) != nil {
		return
	}
	w.guard("unpack", e.Path, func() {
		_, fs := unpack.Unlock(e, types, w.keys, w.bud, w.member)
		w.state(fs...)
	})
}

// member visits a member of a container and the files that stand encoded within
// it: package part has looked for those in body parts only.
func (w *walk) member(e *entity.Entity) {
	w.entity(e)
	if e.Dir || e.Encrypted {
		return
	}
	w.guard("part", e.Path, func() {
		w.state(part.Inline(e, func(f *entity.Entity) bool {
			if w.bud.Count(f.Path) != nil || w.bud.Spend(f.Path, f.Size) != nil || w.bud.Enter(f.Path, f.Depth) != nil {
				return false
			}
			w.entity(f)
			return true
		})...)
	})
}

// container says whether some type may hold members, so that depth is only
// spent on those.
func (w *walk) container(types []string) bool {
	return slices.ContainsFunc(types, func(t string) bool {
		return slices.ContainsFunc(filetype.Types, func(k filetype.Type) bool { return k.Name == t && k.Holds })
	})
}

// isMessage says whether some program would open e as a message. A nameless
// text part that quotes a header is shown as the text it is.
func isMessage(e *entity.Entity, types []string) bool {
	if part.IsMail(e) {
		return true
	}
	nameless := len(e.Names) == 0 && strings.HasPrefix(e.MediaType+"text/", "text/")
	return !nameless && slices.Contains(types, "eml") && part.LooksLikeMail(e.Body)
}

// unread are the findings after which an entity's content was not fully seen.
var unread = []finding.Kind{finding.ContainerUnopened, finding.ContainerMethod, finding.ContainerBroken,
	finding.ContainerVolume, finding.InspectFailed}

// settle marks the entity at index i by what was found at its path since.
func (w *walk) settle(i int, at string, first int) {
	for _, f := range w.rep.Findings[min(first, len(w.rep.Findings)):] {
		if f.Path == at && slices.Contains(unread, f.Kind) {
			w.rep.Entities[i].Unread = true
		}
		if f.Path == at && f.Kind == finding.ContainerEncrypted {
			w.rep.Entities[i].Encrypted = true
		}
	}
}

// describe turns an entity into its line of the Report.
func (w *walk) describe(e *entity.Entity, types []string) report.Entity {
	out := report.Entity{Path: e.Path, Depth: e.Depth, Name: e.Name(), Names: []string{}, Exts: []string{}, Types: []string{},
		MediaType: e.MediaType, Disposition: e.Disposition, Reading: e.Reading, Size: e.Size,
		Encrypted: e.Encrypted, Unread: e.Unread, Dir: e.Dir, Link: e.Link}
	for _, n := range e.Names {
		out.Names = append(out.Names, n.Text)
		if n.Raw != nil && strings.ContainsRune(n.Text, utf8.RuneError) {
			if out.Raw == nil {
				out.Raw = map[string]string{}
			}
			out.Raw[n.Text] = hex.EncodeToString(n.Raw[:min(len(n.Raw), maxRaw)])
		}
	}
	w.guard("filename", e.Path, func() { out.Exts = append(out.Exts, filename.Extensions(e.Names)...) })
	out.Types = append(out.Types, types...)
	if !e.Encrypted && !e.Dir {
		out.SHA256 = w.digest(e)
	}
	return out
}

// maxRaw bounds the undecoded bytes of one name that a Report carries.
const maxRaw = 1 << 10

// finish states the limits that were met, sorts, and decides completeness.
func (w *walk) finish() *report.Report {
	for _, r := range w.bud.Reached() {
		w.rep.Findings = append(w.rep.Findings, finding.New(finding.LimitReached, r.Path, "limit", string(r.What)))
	}
	r := w.rep
	r.Findings = finding.Sort(r.Findings)
	r.Incomplete = slices.ContainsFunc(r.Findings, func(f finding.Finding) bool {
		return f.Kind == finding.LimitReached || f.Kind == finding.InspectFailed
	})
	for _, e := range r.Entities {
		r.Incomplete = r.Incomplete || e.Encrypted || e.Unread
		if (e.Unread || e.Encrypted) && !explained(r.Findings, e.Path) {
			r.Findings = append(r.Findings, finding.New(finding.InspectIncomplete, e.Path))
		}
	}
	r.Findings = finding.Sort(r.Findings)
	return r
}

// explained says whether a finding at the path, or a limit anywhere, tells
// why content is missing there.
func explained(fs []finding.Finding, at string) bool {
	return slices.ContainsFunc(fs, func(f finding.Finding) bool { return f.Path == at || f.Kind == finding.LimitReached })
}
