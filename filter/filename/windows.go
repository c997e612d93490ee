package filename

import (
	"slices"
	"strings"

	"sekisho/filter/display"
	"sekisho/filter/finding"
)

// trailing finds characters after an extension that is acted on which Windows
// or mail programs remove: the name they leave is another.
func trailing(c candidate) (finding.Finding, bool) {
	tail := c.text[strings.LastIndex(c.text, c.base)+len(c.base):]
	if !fromMail(c.source) {
		tail = strings.TrimRight(tail, `/\`) // an archive's way to name a folder
	}
	if !c.acts() || strings.TrimFunc(tail, display.IsHidden) == "" {
		return none()
	}
	if _, named := stream(c); named && strings.ContainsRune(tail, ':') {
		return none()
	}
	return c.found(finding.NameTrailing, "removed", tail)
}

// stream finds the name of an NTFS stream. A colon alone is honest: titles
// ("Re: 資料.pdf") and times of day come from systems that allow it.
func stream(c candidate) (finding.Finding, bool) {
	parts := strings.Split(dropDrive(c.text), ":")
	for i, part := range parts[1:] {
		if streamName(parts[i], part) {
			return c.found(finding.NameStream, "stream", part)
		}
	}
	return none()
}

// streamName says that what stands after a colon reads as a stream of file.
func streamName(file, name string) bool {
	if strings.HasPrefix(name, "$") || strings.EqualFold(name, "Zone.Identifier") {
		return true
	}
	ext := effective(file)
	known := acting[ext] != "" || documents[ext]
	return name != "" && !display.IsBlank(rune(name[0])) && (known || acting[effective(name)] != "")
}

func dropDrive(name string) string {
	if hasDrive(name) {
		return name[2:]
	}
	return name
}

// hasDrive says that name begins with a drive letter: "C:\", "c:x".
func hasDrive(name string) bool {
	return len(name) > 2 && name[1] == ':' && name[2] != ' ' && name[2] != ':' &&
		(name[0]|0x20) >= 'a' && (name[0]|0x20) <= 'z'
}

// classID finds a class identifier in place of the extension of any
// component: Explorer gives the file that class and hides the identifier.
func classID(c candidate) (finding.Finding, bool) {
	for _, part := range components(c.text) {
		_, _, ext := splitExt(trimTail(part))
		if isGUID(display.Visible(ext)) {
			return c.found(finding.NameClassID, "class", ext)
		}
	}
	return none()
}

// isGUID says that s is {8-4-4-4-12} hexadecimal digits.
func isGUID(s string) bool {
	const shape = "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}"
	if len(s) != len(shape) {
		return false
	}
	for i := range len(s) {
		if shape[i] == 'x' && hexDigit(s[i]) < 0 || shape[i] != 'x' && s[i] != shape[i] {
			return false
		}
	}
	return true
}

func components(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' })
}

// control finds control characters. The designations of ISO-2022-JP pass: old
// mailers send such names raw, and whether they were decoded is no disguise.
func control(c candidate) (finding.Finding, bool) {
	name := designations.Replace(c.text)
	if name == "Icon\r" || strings.HasSuffix(name, "/Icon\r") { // the Finder's own file
		return none()
	}
	if !strings.ContainsFunc(name, display.IsControl) {
		return none()
	}
	in := "stem"
	if strings.ContainsFunc(designations.Replace(c.ext), display.IsControl) {
		in = "extension"
	}
	return c.found(finding.NameControl, "controls", codes(name, display.IsControl), "in", in)
}

var designations = strings.NewReplacer("\x1b$B", "", "\x1b$@", "", "\x1b(B", "", "\x1b(J", "", "\x1b(I", "", "\x1b$(D", "")

// pathed finds names that lead out of the folder they are saved in, and
// folders that pass for the file. Plain folders are how archives are made.
func pathed(c candidate) (finding.Finding, bool) {
	form := leaves(c.text)
	if form == "" && strings.ContainsAny(lastTrimmed(c.text), `/\`) {
		form = folderTrick(c)
	}
	if form == "" {
		return none()
	}
	return c.found(finding.NamePath, "form", form)
}

// leaves says in which way name leaves its folder, "" if it does not.
func leaves(name string) string {
	switch {
	case strings.HasPrefix(name, `\\`), strings.HasPrefix(name, "//"):
		return "unc"
	case hasDrive(name) && (name[2] == '/' || name[2] == '\\' || acting[effective(name)] != ""):
		return "drive"
	case strings.HasPrefix(name, "/"), strings.HasPrefix(name, `\`):
		return "rooted"
	}
	if climbs(name) || strings.Contains(name, "..") && climbs(separators.Replace(name)) {
		return "parent"
	}
	if decoded := unescape(name); decoded != name && climbs(decoded) {
		return "parent"
	}
	return ""
}

// climbs says that a component of name is the folder above.
func climbs(name string) bool { return slices.Contains(components(name), "..") }

// separators are the characters that code pages turn into a separator: the yen
// sign is the backslash of CP932, the won sign that of CP949.
var separators = strings.NewReplacer("\u00a5", `\`, "\u20a9", `\`, "\uffe5", `\`, "\uff3c", `\`, "\u2216", `\`, "\ufe68", `\`,
	"\uff0f", "/", "\u2044", "/", "\u2215", "/")

// folderTrick says what is wrong with the folders before an extension that is
// acted on, in a mail's own name any folder at all.
func folderTrick(c candidate) string {
	if !c.acts() {
		return ""
	}
	parts := components(c.text)
	for _, part := range parts[:len(parts)-1] {
		if documents[effective(part)] {
			return "document folder"
		}
	}
	if fromMail(c.source) {
		return "folder"
	}
	return ""
}

// fromMail says that a name stood in the header of a body part.
func fromMail(source string) bool {
	switch strings.TrimRight(source, "*") {
	case "filename", "name", "content-description":
		return true
	}
	return false
}

// lastTrimmed is name without separators at its end.
func lastTrimmed(name string) string { return strings.TrimRight(name, `/\`) }

// escaped finds escapes that give the name another extension once decoded.
func escaped(c candidate) (finding.Finding, bool) {
	for _, decoded := range []string{unescape(c.text), shifted(c.text)} {
		if decoded == c.text {
			continue
		}
		for _, r := range readings(decoded) {
			ext := effective(r)
			if ext != c.folded && (acting[ext] != "" || documents[ext]) {
				return c.found(finding.NameEscaped, "decoded", decoded, "decoded-ext", ext)
			}
		}
	}
	return none()
}

// forbidden finds an extension that only comes about when a program drops what
// Windows forbids in names, or bytes that it cannot read.
func forbidden(c candidate) (finding.Finding, bool) {
	kept := permitted(c.text)
	if kept == c.text || c.acts() {
		return none()
	}
	ext := effective(kept)
	if ext == c.folded || acting[ext] == "" {
		return none()
	}
	return c.found(finding.NameForbidden, "dropped", kept, "dropped-ext", ext)
}

// permitted is name without what Windows forbids and without what no charset
// could read.
func permitted(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("<>\"|?*:\uFFFD", r) {
			return -1
		}
		return r
	}, name)
}

// device finds the names that Windows keeps for devices, with any extension.
func device(c candidate) (finding.Finding, bool) {
	stem, _, _ := strings.Cut(lastComponent(c.text), ".")
	if len(stem) > maxDevice {
		return none()
	}
	stem = display.Visible(trimTail(stem))
	if !devices[strings.ToLower(strings.TrimRight(stem, " "))] {
		return none()
	}
	return c.found(finding.NameDevice, "device", stem)
}

// maxDevice bounds a device's name with what is dropped from it.
const maxDevice = 64

// devices are the reserved names (MS-FSCC §2.1.5.2 and Naming Files). CP1252's
// superscript digits count as digits.
var devices = set("con", "prn", "aux", "nul", "conin$", "conout$",
	"com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "com\u00b9", "com\u00b2", "com\u00b3",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "lpt\u00b9", "lpt\u00b2", "lpt\u00b3")

// saved returns the name under which Windows keeps a file that mail programs
// save as name: the last component without stream and without dots and blanks
// at its end, forbidden characters and controls as Outlook replaces them.
func saved(name string) string {
	name = strings.TrimRight(name, `/\`)
	name = dropDrive(name[strings.LastIndexAny(name, `/\`)+1:])
	if file, stream, ok := strings.Cut(name, ":"); ok && streamName(file, stream) {
		name = file
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune("<>:\"|?*", r) {
			return '_'
		}
		return r
	}, strings.TrimRight(name, " ."))
}
