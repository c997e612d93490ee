package filetype

import "bytes"

var offices = []Type{
	{Name: "ole", Holds: true, Match: isOLE},
	{Name: "msi", Runs: true, Holds: true, Match: rootClass("\x84\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46", "\x86\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46", "\x82\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46")},
	{Name: "msg", Holds: true, Match: isMSG},
	looking("ooxml", plain, member(contentTypes)),
	looking("ooxml-macro", runs, isOOXMLMacro), // zip.go
	looking("docx", plain, member(under("word/"))),
	looking("xlsx", plain, member(under("xl/"))),
	looking("pptx", plain, member(under("ppt/"))),
	looking("xps", plain, member(isName("fixeddocseq.fdseq"))),
	looking("odf", plain, isODF),
	looking("epub", plain, isEPUB),
	runsAndHolds(looking("jar", runs, isJAR)),
	runsAndHolds(looking("apk", runs, member(isName("androidmanifest.xml")))),
	{Name: "rtf", Holds: true, Match: starts("{\\rt", "\xef\xbb\xbf{\\rt")},
	// MS-ONESTORE §2.3.1: the file's class, of a section and of a notebook.
	{Name: "onenote", Runs: true, Holds: true, Match: starts(
		"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3",
		"\xa1\x2f\xff\x43\xd9\xef\x76\x4c\x9e\xe2\x10\xea\x57\x22\x76\x5f")},
	{Name: "access", Runs: true, Match: isAccess},
	{Name: "pst", Holds: true, Match: starts("!BDN")},
}

func isOLE(b []byte) bool { return at(b, 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") }

// rootEntry returns the directory entry of the root storage (MS-CFB §2.6).
func rootEntry(b []byte) []byte {
	if !isOLE(b) || len(b) < 512 {
		return nil
	}
	shift := u16(b, 30)
	if shift < 7 || shift > 20 {
		return nil
	}
	offset := (u32(b, 48) + 1) << shift
	if offset < 0 || offset > len(b)-128 {
		return nil
	}
	return b[offset:]
}

// rootClass returns a matcher of compound files whose root is of a class.
func rootClass(classes ...string) func([]byte) bool {
	return func(b []byte) bool {
		root := rootEntry(b)
		for _, c := range classes {
			if at(root, 80, c) {
				return true
			}
		}
		return false
	}
}

// isMSG matches an Outlook item by its class or by the storage that maps its
// named properties (MS-OXMSG §2.2.3).
func isMSG(b []byte) bool {
	return messageClass(b) || rootEntry(b) != nil && bytes.Contains(head(rootEntry(b), 16<<10), []byte(nameid))
}

const nameid = "_\x00_\x00n\x00a\x00m\x00e\x00i\x00d\x00_\x00v\x00e\x00r\x00s\x00i\x00o\x00n\x00"

var messageClass = rootClass("\x0b\x0d\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46")

// isJAR matches a Java archive: a manifest, or classes.
func isJAR(l *look) bool { return jarPart(l) && !isODF(l) }

// runsAndHolds marks a type that starts something and holds files too.
func runsAndHolds(t Type) Type {
	t.Runs, t.Holds = true, true
	return t
}

var jarPart = member(func(name string) bool {
	return name == "meta-inf/manifest.mf" || len(name) > 6 && name[len(name)-6:] == ".class"
})

func isAccess(b []byte) bool {
	return at(b, 4, "Standard Jet DB\x00") || at(b, 4, "Standard ACE DB\x00")
}
