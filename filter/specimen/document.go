package specimen

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Docx returns a Word document of one paragraph.
func Docx(text string) []byte {
	var plain bytes.Buffer
	must(xml.EscapeText(&plain, []byte(text)))
	const head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	const package2006 = "http://schemas.openxmlformats.org/package/2006/"
	const office2006 = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
	const word2006 = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
	const wordType = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
	return Zip(
		Member{Name: "[Content_Types].xml", Data: []byte(head + `<Types xmlns="` + package2006 + `content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/word/document.xml" ContentType="` + wordType + `"/></Types>`)},
		Member{Name: "_rels/.rels", Data: []byte(head + `<Relationships xmlns="` + package2006 + `relationships">` +
			`<Relationship Id="rId1" Type="` + office2006 + `" Target="word/document.xml"/></Relationships>`)},
		Member{Name: "word/document.xml", Data: []byte(head + `<w:document xmlns:w="` + word2006 + `"><w:body><w:p><w:r><w:t>` +
			plain.String() + `</w:t></w:r></w:p></w:body></w:document>`)},
	)
}

// PDF returns a document of one page that shows text where it is ASCII, and has
// it as its title in any case.
func PDF(text string) []byte {
	shown := ""
	if ascii(text) {
		shown = "BT /F1 12 Tf 72 720 Td (" + strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`).Replace(text) + ") Tj ET"
	}
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(shown), shown),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
		"<< /Title <FEFF" + utf16Hex(text) + "> >>",
	}
	var out bytes.Buffer
	out.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	table := "0000000000 65535 f \n"
	for i, o := range objects {
		table += fmt.Sprintf("%010d 00000 n \n", out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n%strailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n",
		len(objects)+1, table, len(objects)+1, start)
	return out.Bytes()
}

func utf16Hex(s string) string {
	var out strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&out, "%04X", u)
	}
	return out.String()
}

func ascii(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > '~' }) < 0 }

// ICS returns an invitation (RFC 5545, METHOD:REQUEST) from organizer to
// attendee, both plain addresses.
func ICS(summary, organizer, attendee string) []byte {
	return crlf(
		"BEGIN:VCALENDAR", "PRODID:-//Sekisho//specimen//EN", "VERSION:2.0", "METHOD:REQUEST",
		"BEGIN:VEVENT", "UID:20261201T0500Z-1@"+organizer[strings.IndexByte(organizer, '@')+1:],
		"DTSTAMP:20261122T010000Z", "DTSTART:20261201T050000Z", "DTEND:20261201T060000Z",
		"SUMMARY:"+summary, "ORGANIZER:mailto:"+organizer, "ATTENDEE;RSVP=TRUE:mailto:"+attendee,
		"SEQUENCE:0", "STATUS:CONFIRMED", "END:VEVENT", "END:VCALENDAR",
	)
}

func crlf(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n") }
