// Package filename finds the ways in which a file name misleads its reader.
//
// It opens nothing and judges nothing: it takes every name that some mail
// program or unpacker would show and returns findings. Its tables know only
// what a disguise needs: the extensions that are acted on (a disguise hides
// them) and those of documents (a disguise shows them). What is blocked is
// written in rules.
//
// It follows UAX #15 (NFKC) and the file naming rules of Windows (MS-FSCC
// §2.1.5); what a name looks like package display knows. It does not report
// full-width or look-alike characters in the stem, which are ordinary in
// Japanese names.
package filename

import (
	"slices"
	"strings"

	"sekisho/filter/display"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// maxKept is the longest file name that NTFS, ext4 and APFS keep.
const maxKept = 255

// candidate is one name with what every detector asks of it.
type candidate struct {
	path   string
	text   string
	source string
	// base is the last path component without what Windows or mail
	// programs drop at its end.
	base string
	// stem and ext are base round its last dot; ext as written.
	stem, ext string
	dot       string
	// folded is ext as Windows would act on it.
	folded string
}

// detectors are asked in this order about every candidate name.
var detectors = []func(candidate) (finding.Finding, bool){
	reordered, invisible, padded, doubled, trailing, stream,
	classID, lookalike, control, pathed, escaped, forbidden, device, long,
}

// Inspect finds the disguises of each candidate name of the entity at path,
// and the conflict between names that end in different extensions.
func Inspect(path string, names []entity.Name) []finding.Finding {
	var out []finding.Finding
	for _, n := range names {
		c := newCandidate(path, n)
		for _, detect := range detectors {
			if f, ok := detect(c); ok {
				out = append(out, f)
			}
		}
	}
	if f, ok := conflict(path, names); ok {
		out = append(out, f)
	}
	return out
}

func newCandidate(path string, n entity.Name) candidate {
	c := candidate{path: path, text: nameOf(n), source: n.Source}
	c.base = trimTail(lastComponent(c.text))
	c.stem, c.dot, c.ext = splitExt(c.base)
	c.folded = fold(c.ext)
	return c
}

// nameOf returns the file name that n stands for. A location (RFC 2557) is a
// URL, of which the last component of the path may become a name; a
// description is prose, in which ".com" ends a host and not a program.
func nameOf(n entity.Name) string {
	text := display.Bounded(n.Text)
	switch n.Source {
	case "content-location":
		return locationName(text)
	case "content-description":
		if effective(text) == "com" {
			return ""
		}
	}
	return text
}

func locationName(url string) string {
	if end := strings.IndexAny(url, "?#"); end >= 0 {
		url = url[:end]
	}
	if _, rest, ok := strings.Cut(url, "://"); ok {
		_, url, _ = strings.Cut(rest, "/")
	}
	if _, last, ok := strings.Cut(lastComponent(url), ":"); ok {
		return last // cid:..., mid:...
	}
	return lastComponent(url)
}

// found builds the finding of one kind about c.
func (c candidate) found(kind finding.Kind, more ...string) (finding.Finding, bool) {
	evidence := []string{"name", c.text, "shown", display.Shown(c.text), "ext", c.folded}
	if kept := saved(c.text); kept != c.text {
		evidence = append(evidence, "saved", kept)
	}
	return finding.New(kind, c.path, append(evidence, more...)...), true
}

// acts says that the extension of c, as Windows reads it, is acted on.
func (c candidate) acts() bool { return acting[c.folded] != "" }

// none is a detector's answer when it saw nothing.
func none() (finding.Finding, bool) { return finding.Finding{}, false }

// long finds names that no file system keeps whole: what is cut off decides
// what the file is.
func long(c candidate) (finding.Finding, bool) {
	if len([]rune(c.text)) <= maxKept {
		return none()
	}
	return c.found(finding.NameLong)
}

// conflict finds candidate names that end in different extensions of which
// one is acted on. Two documents' extensions harm nobody, and an 8.3 name cuts
// its extension honestly.
func conflict(path string, names []entity.Name) (finding.Finding, bool) {
	var exts []string
	anyActs := false
	for _, n := range names {
		c := newCandidate(path, n)
		if c.folded != "" && !slices.ContainsFunc(exts, func(e string) bool { return sameExt(e, c.folded) }) {
			exts = append(exts, c.folded)
			anyActs = anyActs || c.acts()
		}
	}
	if len(exts) < 2 || !anyActs {
		return none()
	}
	return newCandidate(path, names[0]).found(finding.NameConflict,
		"exts", strings.Join(exts, " "), "names", joined(names))
}

// sameExt says that two extensions are one: alike, or one cut to the three
// letters of a DOS name.
func sameExt(a, b string) bool {
	return a == b || len(a) == 3 && strings.HasPrefix(b, a) || len(b) == 3 && strings.HasPrefix(a, b)
}

func joined(names []entity.Name) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = n.Source + "=" + display.Bounded(n.Text)
	}
	return strings.Join(texts, " | ")
}
