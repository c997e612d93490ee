// Package filetype tells what bytes are, by the bytes alone.
//
// Every type that matches is named: a file that two programs can open in two
// ways is two things at once. What a name claims is compared afterwards, by
// Mismatch. The package opens no container, decodes no document and judges
// nothing.
//
// The signatures follow the formats' own documents (PE/COFF, MS-SHLLINK,
// MS-CFB, APPNOTE 6.3, ISO 32000, ECMA-119, WHATWG MIME Sniffing and others,
// named beside each matcher). A format whose mark is two or three common bytes
// is left out or checked further: a false name costs more than none.
package filetype

import "slices"

// Type is one kind of content.
type Type struct {
	Name string
	// Runs says that opening the file starts something.
	Runs bool
	// Holds says that the file holds others.
	Holds bool
	Match func([]byte) bool
	// told is Match for the formats that are text, given the opening of it;
	// seen is Match for those that need more than bytes.
	told func(*opening) bool
	seen func(*look) bool
}

// look is one file being identified, with what several types ask of it and
// costs enough to be worked out once.
type look struct {
	b     []byte
	text  *opening    // nil if it is no text
	boxes *bool       // what boxed said
	zip   *[]zipEntry // what entries said
}

func newLook(b []byte) *look { return &look{b: b, text: open(b)} }

// boxed says that b is of a format that honestly holds archives as they are:
// an archive's mark inside is a member and no second face of the file. In text
// from end to end a mark is a word.
func (l *look) boxed() bool {
	if l.boxes == nil {
		boxed := container(l.b) || l.text != nil && isText(tail(l.b, sampled))
		l.boxes = &boxed
	}
	return *l.boxes
}

func (t *Type) is(l *look) bool {
	switch {
	case t.seen != nil:
		return t.seen(l)
	case t.told != nil:
		return l.text != nil && t.told(l.text)
	}
	return t.Match(l.b)
}

// looking builds a type that is told by a look.
func looking(name string, does int, seen func(*look) bool) Type {
	match := func(b []byte) bool { return seen(newLook(b)) }
	return Type{Name: name, Runs: does == runs, Holds: does == holds, Match: match, seen: seen}
}

// Identify returns the names of all types that b matches, in the order of
// Types; none for bytes that nobody knows.
func Identify(b []byte) []string {
	out := []string{}
	l := newLook(b)
	for i := range Types {
		if Types[i].is(l) {
			out = append(out, Types[i].Name)
		}
	}
	if l.text != nil {
		openings.Put(l.text)
	}
	return out
}

// Polyglot says that types hold two formats of which neither contains nor
// explains the other. A program with an archive behind it is how
// self-extracting archives are made and no polyglot here.
func Polyglot(types []string) bool {
	left := slices.DeleteFunc(slices.Clone(types), func(t string) bool { return explained(t, types) })
	sfx := slices.Contains(left, "pe") || slices.Contains(left, "dos-mz") || slices.Contains(left, "ne") ||
		slices.Contains(left, "elf") || slices.Contains(left, "script-shebang")
	if sfx {
		left = slices.DeleteFunc(left, func(t string) bool { return selfExtracting[t] })
	}
	return len(left) > 1
}

// selfExtracting are the containers that programs carry behind themselves.
var selfExtracting = set("zip", "7z", "rar", "lzh", "cab", "arj", "ace", "jar", "gzip", "xz", "bzip2", "iso", "squashfs")

// explained says that t is only the wrapping, or a weaker word, of another
// type in types. That something is text or XML says nothing more.
func explained(t string, types []string) bool {
	if t == "text" || t == "xml" {
		return true
	}
	for _, other := range types {
		if other != t && slices.Contains(wraps[other], t) {
			return true
		}
	}
	return false
}

// wraps names, for each type, the types that its honest files match as well.
var wraps = map[string][]string{
	"docx": zipOffice, "xlsx": zipOffice, "pptx": zipOffice, "ooxml": {"zip"}, "ooxml-macro": {"ooxml", "docx", "xlsx", "pptx", "zip"},
	"odf": {"zip"}, "epub": {"zip", "odf"}, "jar": {"zip"}, "apk": {"zip", "jar", "dex"}, "xps": {"zip", "ooxml"},
	"msi": {"ole"}, "msg": {"ole"}, "deb": {"ar"}, "pe": {"dos-mz"},
	"udf": {"iso", "disk-image"}, "iso": {"disk-image"}, "vhd": {"disk-image"}, "dmg": {"disk-image"},
	"svg": {"xml", "html", "text"}, "xml": {"text", "html"}, "html": {"text"}, "hta": {"html", "text", "xml", "script-wsh"},
	"mht": {"eml", "html", "text", "xml"}, "eml": {"text", "html", "ics", "vcf"}, "ics": {"text"}, "vcf": {"text"},
	"rtf": {"text"}, "ps": {"text"}, "pdf": {"text"}, "webloc": {"xml", "text"}, "library-ms": {"xml", "text"},
	"search-ms": {"xml", "text"}, "settingcontent-ms": {"xml", "text"}, "jnlp": {"xml", "text"}, "msc": {"xml", "text"},
	"url": {"text"}, "scf": {"text"}, "desktop": {"text"}, "iqy": {"text"}, "rdp": {"text"}, "theme": {"text"},
	"script-shebang": {"text", "html", "script-php"}, "script-batch": {"text", "script-wsh", "html", "script-powershell"},
	"script-registry": {"text"}, "script-encoded": {"text", "html"}, "script-wsh": {"text"}, "script-powershell": {"text", "script-wsh"},
	"script-wsf": {"text", "xml", "script-wsh", "html"}, "script-sct": {"text", "xml", "script-wsh", "html"},
	"script-php": {"text", "html", "xml"}, "script-inf": {"text"}, "pkcs7-signed": {"pkcs7"}, "pkcs7-enveloped": {"pkcs7"}, "pkcs7-compressed": {"pkcs7"},
	"binhex": {"text"},
}

var zipOffice = []string{"zip", "ooxml"}

func set(words ...string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, w := range words {
		out[w] = true
	}
	return out
}
