package filetype

import "bytes"

var documents = []Type{
	{Name: "pdf", Match: isPDF},
	{Name: "ps", Match: starts("%!PS", "\x04%!PS", "\xc5\xd0\xd3\xc6")},
	{Name: "djvu", Match: starts("AT&TFORM")},
	{Name: "docuworks", Match: starts("\x60\x0e\x82\x01")},
	{Name: "dwg", Match: isDWG},
	{Name: "wordperfect", Match: starts("\xffWPC")},
	{Name: "wri", Match: starts("\x31\xbe\x00\x00\x00\xab")},
	{Name: "works", Match: starts("\xff\x00\x02\x00\x04\x04\x05\x54\x02\x00")},
	textual("pgp", plain, begins("-----begin pgp")),
	{Name: "sqlite", Match: starts("SQLite format 3\x00")},
	{Name: "font", Match: starts("\x00\x01\x00\x00\x00", "OTTO", "wOFF", "wOF2", "ttcf")},
}

// isPDF matches a header within the first 1,024 bytes, as readers accept it
// (ISO 32000-1 annex H.3, note 13); one within a container's first member is
// that member's.
func isPDF(b []byte) bool {
	if at(b, 0, "%PDF-") {
		return true
	}
	area := head(b, 1024)
	for {
		i := bytes.Index(area, []byte("%PDF-"))
		if i < 0 {
			return false
		}
		if len(area) > i+5 && area[i+5] >= '0' && area[i+5] <= '9' {
			return !quoted(b) && !container(b)
		}
		area = area[i+5:]
	}
}

// quoted says that a mark within b stands in a text that speaks of it: a true
// PDF has objects behind the mark.
func quoted(b []byte) bool {
	return isText(b) && !bytes.Contains(b, []byte(" obj"))
}

// isDWG matches "AC10" and two digits of AutoCAD's versions.
func isDWG(b []byte) bool {
	return at(b, 0, "AC10") && len(b) > 128 && b[4] >= '0' && b[4] <= '9' && b[5] >= '0' && b[5] <= '9'
}
