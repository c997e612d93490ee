package filename

import (
	"html"
	"slices"
	"strings"
	"unicode/utf8"

	"sekisho/filter/charset"
	"sekisho/filter/display"
	"sekisho/filter/entity"
)

// maxReadings bounds the readings of one name.
const maxReadings = 32

// Extensions returns the extensions that the names may have for some program:
// lower case, without dot, sorted, each once. They are as Windows would act on
// them: the last path component counts, streams, blanks, quotes, invisible and
// control characters are gone, look-alike letters are the letters they imitate.
func Extensions(names []entity.Name) []string {
	out := []string{}
	for _, n := range names {
		text := nameOf(n)
		for _, r := range readings(text) {
			if ext := effective(r); ext != "" {
				out = append(out, ext)
			}
		}
		out = append(out, cutExtensions(text)...)
		for _, r := range []string{shifted(text), permitted(text)} {
			if ext := effective(r); acting[ext] != "" {
				out = append(out, ext)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// readings returns the names that programs may take name for: as it stands,
// with escapes decoded, either half round a NUL or line end, file and stream.
func readings(name string) []string {
	out := []string{name}
	if u := unescape(name); u != name {
		out = append(out, u)
	}
	for _, r := range slices.Clone(out) {
		if strings.ContainsAny(r, "\x00\r\n") {
			out = append(out, strings.FieldsFunc(r, func(c rune) bool { return c == 0 || c == '\r' || c == '\n' })...)
		}
	}
	for _, r := range slices.Clone(out[:min(len(out), maxReadings)]) {
		if strings.ContainsRune(r, ':') {
			out = append(out, strings.Split(r, ":")...)
		}
	}
	return out[:min(len(out), maxReadings)]
}

// cutExtensions returns what a program with a fixed buffer is left with. An
// honest long name cut anywhere ends in anything: only what is acted on counts.
func cutExtensions(name string) []string {
	if len(name) <= maxKept {
		return nil
	}
	var out []string
	for _, cut := range []string{cutBytes(name), cutRunes(name)} {
		if ext := effective(cut); acting[ext] != "" {
			out = append(out, ext)
		}
	}
	return out
}

func cutBytes(name string) string {
	end := maxKept
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

func cutRunes(name string) string {
	n := 0
	for i := range name {
		if n == maxKept {
			return name[:i]
		}
		n++
	}
	return name
}

// effective returns the extension of name as Windows would act on it.
func effective(name string) string {
	_, _, ext := splitExt(trimTail(lastComponent(name)))
	return fold(ext)
}

// lastComponent returns what stands after the last separator, on Windows and
// elsewhere; separators at the very end name no further component.
func lastComponent(name string) string {
	name = strings.TrimRightFunc(name, func(r rune) bool { return r == '/' || r == '\\' || dropped(r) })
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

// trimTail removes what Windows or mail programs drop at the end of a name,
// and ":$DATA", NTFS's own name of a file's content.
func trimTail(name string) string {
	name = strings.TrimRightFunc(name, dropped)
	for cut := true; cut; {
		name, cut = cutData(name)
		name = strings.TrimRightFunc(name, dropped)
	}
	return name
}

func cutData(name string) (string, bool) {
	const data = ":$data"
	if len(name) < len(data) || !strings.EqualFold(name[len(name)-len(data):], data) {
		return name, false
	}
	return name[:len(name)-len(data)], true
}

// dropped says that Windows (dots, blanks) or mail programs (quotes, what
// cannot be seen) drop r at the end of a name.
func dropped(r rune) bool {
	return isDot(r) || display.IsBlank(r) || display.IsHidden(r) || strings.ContainsRune("\"'`\u2018\u2019\u201c\u201d:;,<>|?*", r)
}

// splitExt splits a component round its last dot, full-width and look-alike
// dots included: old unpackers turn these into the ASCII one.
func splitExt(base string) (stem, dot, ext string) {
	i := strings.LastIndexFunc(base, isDot)
	if i < 0 {
		return base, "", ""
	}
	_, n := utf8.DecodeRuneInString(base[i:])
	return base[:i], base[i : i+n], base[i+n:]
}

// unescape decodes percent and character references until nothing changes,
// at most three times: some clients decode a plain parameter, some twice.
func unescape(name string) string {
	for range 3 {
		next := html.UnescapeString(unpercent(name))
		if next == name {
			break
		}
		name = next
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// shifted decodes UTF-7, which old programs guess where nothing is declared.
func shifted(name string) string {
	if !strings.Contains(name, "+") || strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return name
	}
	if text, ok := charset.Decode([]byte(name), "utf-7"); ok {
		return text
	}
	return name
}

// unpercent decodes %XX, and %uXXXX as old scripts write it, and leaves every
// other percent sign alone.
func unpercent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0 {
			out = append(out, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
			continue
		}
		if r, ok := unicodeEscape(s[i:]); ok {
			out = utf8.AppendRune(out, r)
			i += len("uXXXX")
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// unicodeEscape reads %uXXXX at the front of s.
func unicodeEscape(s string) (r rune, ok bool) {
	if len(s) < len("%uXXXX") || s[1]|0x20 != 'u' {
		return 0, false
	}
	for i := 2; i < len("%uXXXX"); i++ {
		d := hexDigit(s[i])
		if d < 0 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// hexDigit returns the value of a hexadecimal digit, -1 for any other byte.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
