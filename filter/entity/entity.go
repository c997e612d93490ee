// Package entity holds the tree of things in a message: body parts, members
// of archives, members of those, each with every name and every reading.
//
// The term is RFC 2045's §2.4, widened to any member drawn out of a container.
// The package is words only: readers fill entities, nothing here opens one.
package entity

// Name is one candidate file name. Mail programs and archivers disagree about
// which of several names counts, so all are kept.
type Name struct {
	// Text is the decoded name, always valid UTF-8; bytes that no charset
	// explains stand as U+FFFD.
	Text string
	// Source says where the name stood: "filename", "filename*", "name",
	// "name*", "content-location", "central", "local", "unicode-path",
	// "header", "extended" ...
	Source string
	// Charset is the one that Text was decoded with, lower case, "" when the
	// name is ASCII.
	Charset string
	// Raw are the bytes as they stood, nil where Text holds them unchanged.
	Raw []byte
}

// Entity is one node of the tree: a body part, an attached message, a member
// of an archive, or the input itself.
type Entity struct {
	// Path is the way here from the input, components parted by '/':
	// "2/notice.lzh/form.exe". Body parts are numbered as in IMAP ("2.1").
	// It is shown, never used as a file name.
	Path string
	// Depth is 0 for the input, 1 for its parts or members, and so on.
	Depth int
	// Names are all candidate names, the most likely one first; duplicates
	// by Text are left out.
	Names []Name
	// Reading names the way of understanding the bytes that led here, ""
	// for the plain one: "undeclared-base64", "local-header" ...
	Reading string
	// MediaType is the declared type in lower case ("text/html"), "" when
	// none was declared. Nothing may trust it.
	MediaType string
	// Charset is the declared charset, lower case.
	Charset string
	// Disposition is "attachment", "inline" or "".
	Disposition string
	// ContentID is the part's Content-ID without angle brackets.
	ContentID string
	// Body are the decoded bytes. They belong to the walk that handed the
	// entity over and are gone when its callback returns.
	Body []byte
	// Size is the size in bytes: of Body, or as declared when Unread.
	Size int64
	// Encrypted says that the content needs a password.
	Encrypted bool
	// Unread says that the content could not be had, wholly or in part: a
	// finding at the same path says why.
	Unread bool
	// Dir says that a member is a directory, Link that it is a link.
	Dir, Link bool
}

// Name returns the most likely name, "" where there is none.
func (e *Entity) Name() string {
	if len(e.Names) == 0 {
		return ""
	}
	return e.Names[0].Text
}

// AddName keeps n as a further candidate unless its Text is empty or already
// known.
func (e *Entity) AddName(n Name) {
	if n.Text == "" {
		return
	}
	for _, known := range e.Names {
		if known.Text == n.Text {
			return
		}
	}
	e.Names = append(e.Names, n)
}
