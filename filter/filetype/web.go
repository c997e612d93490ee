package filetype

import "bytes"

// texts are the textual formats: of the web, of mail, of notes.
var texts = []Type{
	textual("html", plain, isHTML),
	textual("svg", plain, tells("<svg ", "<svg>", "<svg\n", "<svg\r", "<svg\t", "<!doctype svg", ":svg ")),
	textual("xml", plain, begins("<?xml")),
	looking("mht", holds, isMHT),
	textual("eml", holds, isMail),
	textual("ics", holds, begins("begin:vcalendar")),
	textual("vcf", holds, begins("begin:vcard")),
	{Name: "pkcs7-signed", Holds: true, Match: pkcs7("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")},
	{Name: "pkcs7-enveloped", Match: pkcs7("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03")},
	{Name: "pkcs7-compressed", Holds: true, Match: pkcs7("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09")},
	{Name: "pkcs7", Match: pkcs7("\x2a\x86\x48\x86\xf7\x0d\x01\x07", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09")},
	{Name: "tnef", Holds: true, Match: starts("\x78\x9f\x3e\x22")},
	textual("binhex", holds, tells("(this file must be converted with binhex")),
	looking("text", plain, func(l *look) bool { return l.text != nil }),
}

// openTags are what the WHATWG sniffing standard §7.1 takes for HTML at the
// start of a text; script and iframe also further on, since browsers run them
// wherever they stand.
var openTags = []string{
	"<!doctype html", "<html", "<head", "<script", "<iframe", "<h1", "<div", "<font", "<table", "<a ", "<style",
	"<title", "<b>", "<body", "<br", "<p>", "<p ", "<!--", "<meta", "<form", "<img", "<center", "<object", "<embed",
}

func isHTML(t *opening) bool {
	for _, tag := range openTags {
		if t.begins(tag) {
			return true
		}
	}
	return t.holds("<html", "<!doctype html", "<body") && bytes.IndexByte(t.b, '<') < 512 && !isMail(t)
}

// headers says that text begins with mail header fields, and returns them up
// to the empty line.
func headers(text []byte) (fields []byte, ok bool) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	name, _, colon := bytes.Cut(line, []byte(":"))
	if !colon && !at(line, 0, "from ") || len(name) > 60 && !at(line, 0, "from ") {
		return nil, false
	}
	end := len(text)
	for _, empty := range []string{"\n\n", "\n\r\n"} {
		if i := bytes.Index(text, []byte(empty)); i >= 0 {
			end = min(end, i)
		}
	}
	return text[:end], true
}

// isMail matches a message by two header fields that any has (RFC 5322 §3.6).
func isMail(t *opening) bool {
	fields, ok := headers(t.b)
	if !ok {
		return false
	}
	n := 0
	for _, f := range [...]string{"\nfrom:", "\nto:", "\ndate:", "\nsubject:", "\nreceived:", "\nmessage-id:", "\nmime-version:", "\nreturn-path:", "\ncontent-type:"} {
		if at(fields, 0, f[1:]) || t.may(f) && bytes.Contains(fields, []byte(f)) {
			n++
		}
	}
	return n >= 2
}

// isMHT matches a web archive (RFC 2557): a message of related parts. Word
// finds it behind other bytes as well (JPCERT/CC 2023, MalDoc in PDF).
func isMHT(l *look) bool {
	b, text := l.b, []byte(nil)
	if l.text != nil {
		text = l.text.b
	}
	if text == nil && at(b, 0, "%PDF") || isPDF(b) {
		i := lineBegins(head(b, 256<<10), "mime-version:")
		if i < 0 {
			return false
		}
		text = lower(head(b[i:min(len(b), 256<<10)], 16<<10))
	}
	fields, ok := headers(text)
	return ok && bytes.Contains(fields, []byte("mime-version:")) && bytes.Contains(fields, []byte("multipart/related")) &&
		!bytes.Contains(fields, []byte("\nreceived:"))
}

// lineBegins returns where a line after the first begins with word, in small
// letters or capitals; -1 if none does.
func lineBegins(b []byte, word string) int {
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		if from += i + 1; len(b)-from >= len(word) && string(lower(b[from:from+len(word)])) == word {
			return from
		}
	}
}

// pkcs7 returns a matcher of DER or BER content infos of a type (RFC 5652 §3).
func pkcs7(oids ...string) func([]byte) bool {
	return func(b []byte) bool {
		if len(b) < 16 || b[0] != 0x30 {
			return false
		}
		start := 2
		if b[1] > 0x80 && b[1] < 0x85 {
			start += int(b[1] & 0x0f)
		}
		for _, oid := range oids {
			if at(b, start, "\x06") && at(b, start+2, oid) {
				return true
			}
		}
		return false
	}
}
