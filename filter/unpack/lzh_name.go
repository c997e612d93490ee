package unpack

import (
	"bytes"
	"strings"
	"unicode/utf16"

	"sekisho/filter/charset"
	"sekisho/filter/entity"
)

// lzhSeparator parts directories in headers. It is no part of any character
// in Shift_JIS, unlike the backslash, which is the second byte of 表 and 予.
const lzhSeparator = 0xff

// modeLink is the Unix mode of a symbolic link, under modeType.
const (
	modeType = 0o170000
	modeLink = 0o120000
)

// isLink says that the member is a symbolic link, whose name is "name|target".
func (h *lzhHeader) isLink() bool {
	return h.method == "-lhd-" && h.mode&modeType == modeLink
}

// names are all names of the member, the one that a Windows archiver of today
// would take first.
func (h *lzhHeader) names() []entity.Name {
	var names []entity.Name
	if len(h.wideName)+len(h.wideDir) > 0 {
		names = append(names, h.wide())
	}
	names = append(names, h.narrow()...)
	if lower := strings.ToLower(names[0].Text); h.fromDOS() && names[0].Charset == "" && strings.ToUpper(lower) == names[0].Text {
		names = append(names, entity.Name{Text: lower, Source: "lower-case"})
	}
	for i, n := range names {
		if h.isLink() {
			names[i].Text, _, _ = strings.Cut(n.Text, "|")
		}
		if cut, _, found := strings.Cut(n.Text, "\x00"); found { // where C programs end
			names = append(names, entity.Name{Text: cut, Source: n.Source, Charset: n.Charset, Raw: n.Raw})
		}
	}
	return names
}

// fromDOS says that the header was made where names have no small letters:
// LHA for UNIX and lhasa extract such names in small ones.
func (h *lzhHeader) fromDOS() bool {
	return h.system == 0 || h.system == ' ' || h.system == 'M' || h.system == 'a' || h.system == '2'
}

// narrow are the names in bytes: with the extended headers, and of the header
// proper alone.
func (h *lzhHeader) narrow() []entity.Name {
	if len(h.name)+len(h.dir) == 0 {
		return h.readings(h.base, "header")
	}
	own := h.name
	if len(own) == 0 {
		own = h.base
	}
	names := h.readings(append(directory(h.dir, lzhSeparator), own...), "extended")
	if len(h.base) > 0 && len(h.name) > 0 {
		names = append(names, h.readings(h.base, "header")...)
	}
	return names
}

// directory returns a copy of dir that ends in a separator: LHA for Amiga 1.22
// leaves it off.
func directory(dir []byte, separator byte) []byte {
	out := bytes.Clone(dir)
	if len(out) > 0 && !bytes.ContainsRune([]byte("/\\\xff"), rune(out[len(out)-1])) && out[len(out)-1] != separator {
		out = append(out, separator)
	}
	return out
}

// readings decodes raw in the codepage that the header names and in the one
// that the bytes look like.
func (h *lzhHeader) readings(raw []byte, source string) []entity.Name {
	plain := bytes.ReplaceAll(raw, []byte{lzhSeparator}, []byte{'/'})
	guessed := decoded(plain, source, false)
	guessed.Text = strings.ReplaceAll(guessed.Text, "\\", "/")
	if guessed.Text != string(raw) {
		guessed.Raw = bytes.Clone(raw)
	}
	label := codepageLabel(h.codepage)
	if guessed.Charset == "" || label == "" || label == guessed.Charset {
		return []entity.Name{guessed}
	}
	text, ok := charset.Decode(plain, label)
	named := entity.Name{Text: strings.ReplaceAll(text, "\\", "/"), Source: source, Charset: label, Raw: guessed.Raw}
	if !ok {
		return []entity.Name{guessed, named}
	}
	return []entity.Name{named, guessed}
}

// codepageLabel is the charset of a Windows code page number.
func codepageLabel(page uint32) string {
	switch page {
	case 932:
		return "cp932"
	case 936:
		return "gbk"
	case 949:
		return "euc-kr"
	case 950:
		return "big5"
	case 1251:
		return "windows-1251"
	case 1252:
		return "windows-1252"
	case 20932, 51932:
		return "euc-jp"
	case 65001:
		return "utf-8"
	}
	return ""
}

// wide is the name in UTF-16, its directory too where that is given so.
func (h *lzhHeader) wide() entity.Name {
	dir := utf16Text(h.wideDir)
	if dir == "" && len(h.dir) > 0 {
		dir = h.readings(h.dir, "")[0].Text
	}
	if dir != "" && !strings.HasSuffix(dir, "/") {
		dir += "/"
	}
	name := utf16Text(h.wideName)
	if name == "" {
		narrow := *h
		narrow.dir = nil
		name = narrow.narrow()[0].Text
	}
	return entity.Name{Text: dir + name, Source: "utf-16", Charset: "utf-16le", Raw: append(bytes.Clone(h.wideDir), h.wideName...)}
}

func utf16Text(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		if v := u16(b); v != 0xffff {
			units = append(units, v)
		} else {
			units = append(units, '/')
		}
	}
	return strings.ReplaceAll(string(utf16.Decode(units)), "\\", "/")
}

// disagree says that two names of one member show different files. It takes
// two habits for honest: '_' or '?' for what the old charset lacks, and a
// short DOS name with '~'.
func disagree(a, b string) bool {
	if alias(a, b) || alias(b, a) {
		return false
	}
	long, short := []rune(strings.ToLower(last(a))), []rune(strings.ToLower(last(b)))
	if len(long) != len(short) {
		return true
	}
	for i, r := range long {
		if r != short[i] && (!lossy(short[i]) || r < 0x80) {
			return true
		}
	}
	return false
}

func lossy(r rune) bool { return r == '_' || r == '?' || r == '\ufffd' }

// alias says that short is the DOS name of a file with long's extension.
func alias(long, short string) bool {
	long, short = strings.ToLower(last(long)), strings.ToLower(last(short))
	ext := func(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }
	return strings.Contains(short, "~") && len(short) <= 12 && ext(long) == ext(short)
}

// last is the last component of a name, a directory's own name included.
func last(name string) string {
	name = strings.TrimSuffix(name, "/")
	return name[strings.LastIndexByte(name, '/')+1:]
}
