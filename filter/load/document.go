package load

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"

	"golang.org/x/text/encoding/japanese"

	"sekisho/filter/specimen"
)

// file is a document with its name and media type.
type file struct {
	name, mediaType string
	data            []byte
}

var documentNames = []string{"会議資料", "見積書", "令和8年度予算案", "議事録", "report", "invoice_0612", "研修参加者一覧", "契約書(修正版)"}

const docxType = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

// document returns a docx, a PDF or a photograph of about n bytes.
func (c chance) document(n int) file {
	name := documentNames[c.IntN(len(documentNames))]
	switch c.IntN(4) {
	case 0:
		return file{name + ".pdf", "application/pdf", c.pdf(n)}
	case 1:
		return file{name + ".jpg", "image/jpeg", c.jpeg(n)}
	}
	return file{name + ".docx", docxType, c.docx(n)}
}

// docx returns a document of about n bytes: most of it a picture, the rest XML
// that deflate makes a fifth of.
func (c chance) docx(n int) []byte {
	picture := n * c.between(40, 90) / 100
	var text strings.Builder
	text.WriteString(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n<w:document><w:body>")
	for text.Len() < (n-picture)*5 {
		fmt.Fprintf(&text, `<w:p w:rsidR="00A%05X"><w:pPr><w:jc w:val="left"/></w:pPr><w:r><w:t>%s</w:t></w:r></w:p>`, c.IntN(100000), c.sentence(true))
	}
	text.WriteString("</w:body></w:document>")
	const types = `<?xml version="1.0"?><Types><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`
	const rels = `<?xml version="1.0"?><Relationships><Relationship Id="rId1" Target="word/document.xml"/></Relationships>`
	styles := "<w:styles>" + strings.Repeat(`<w:style w:type="paragraph"/>`, 400) + "</w:styles>"
	return specimen.Zip(
		specimen.Member{Name: "[Content_Types].xml", Data: []byte(types)},
		specimen.Member{Name: "_rels/.rels", Data: []byte(rels)},
		specimen.Member{Name: "word/document.xml", Data: []byte(text.String()), Method: "fast"},
		specimen.Member{Name: "word/styles.xml", Data: []byte(styles)},
		specimen.Member{Name: "word/media/image1.png", Data: append([]byte("\x89PNG\r\n\x1a\n"), c.noise(picture)...), Method: "fast"},
	)
}

// pdf returns a document whose streams are deflated.
func (c chance) pdf(n int) []byte {
	var out bytes.Buffer
	out.WriteString("%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
	for i := 1; out.Len() < n; i++ {
		var packed bytes.Buffer
		w := zlib.NewWriter(&packed)
		_, err := w.Write(c.mixture(24000, .3))
		must(err)
		must(w.Close())
		fmt.Fprintf(&out, "%d 0 obj\n<</Length %d/Filter/FlateDecode>>\nstream\n%s\nendstream\nendobj\n", i, packed.Len(), packed.Bytes())
	}
	out.WriteString("trailer\n<</Size 1/Root 1 0 R>>\nstartxref\n0\n%%EOF\n")
	return out.Bytes()
}

func (c chance) jpeg(n int) []byte {
	head := []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x48\x00\x48\x00\x00")
	return append(append(head, c.noise(n)...), 0xff, 0xd9)
}

// table returns about n bytes of CSV in the charset of Windows.
func (c chance) table(n int) []byte {
	var out strings.Builder
	for out.Len() < n {
		fmt.Fprintf(&out, "%d,%s,%d,2026/05/%02d\r\n", c.IntN(100000), documentNames[c.IntN(len(documentNames))], c.IntN(1000000), c.between(1, 28))
	}
	return inCP932(out.String())
}

func inCP932(s string) []byte {
	b, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(s))
	must(err)
	return b
}

// program returns a harmless program of about n bytes.
func (c chance) program(n int) []byte { return append(specimen.PE(), c.noise(n)...) }

// must states that making a mail in memory cannot fail.
func must(err error) {
	if err != nil {
		panic("load: " + err.Error())
	}
}
