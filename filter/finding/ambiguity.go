package finding

// Ambiguity is one way in which programs disagree about the structure of the
// same bytes.
type Ambiguity struct {
	// Family names the specimens that show it, in filter/inspect/ambiguity_test.go.
	Family string
	Kind   Kind
	// What differs, and which programs do so.
	What, Programs string
}

// Ambiguities is the closed list for mime.* and text.encoded-file. What is known of
// the programs is from Ullrich's "MIME is broken" (2022), Zhang and others'
// "Inbox Invasion" (CCS 2024), CVE-2024-28054, and our own tests against Python's
// email, Go's mime and Postfix.
var Ambiguities = []Ambiguity{
	{"field-twice", MimeConflict, "A field that may stand once stands twice, with other content.", "Thunderbird, Outlook and Apple Mail take the first, mutt and MIME-tools the last."},
	{"boundary-twice", MimeBoundary, "Several boundaries are declared and in use.", "Most clients take the first parameter, MIME-tools and Apple Mail the last."},
	{"boundary-notation", MimeBoundary, "The boundary is written in RFC 2231's form, in encoded words, in half quotes or with a comment, beside another reading that is in use.", "Thunderbird reads RFC 2231, Outlook honours comments, Apple Mail and mutt neither."},
	{"boundary-guessed", MimeBoundary, "No boundary is declared that is in use; the body shows one.", "Lenient clients split at what looks like one, Python and Go show no part."},
	{"delimiter-goes-on", MimeBoundary, "A delimiter line goes on behind its boundary.", "Readers that compare the beginning of the line, as RFC 2046 §5.1.1 has it, split there; Python and Go do not."},
	{"delimiter-in-line", MimeBoundary, "A delimiter stands behind a blank, a byte order mark, NUL or text.", "Readers that trim lines or search for the boundary split there."},
	{"delimiter-of-ended", MimeBoundary, "The delimiter of an inner multipart stands behind the end of the outer one.", "Readers that search for the inner boundary to the end of the message split there."},
	{"line-ends", MimeBoundary, "Lines of structure end in bare CR or LF CR.", "Python takes a bare CR for a line end, Postfix and Go do not."},
	{"refolded", MimeBoundary, "A line is longer than 998 bytes; Postfix breaks it after it was judged.", "Before and behind Postfix's SMTP client."},
	{"encoding-unclear", MimeEncoding, "The transfer encoding has a comment, quotes, a list or a word of no meaning.", "Thunderbird and mutt take the first word, Outlook and Apple Mail none."},
	{"encoding-several", MimeEncoding, "Two fields declare two encodings.", "Thunderbird, Outlook and Apple Mail take the first, mutt the last."},
	{"encoding-missing", MimeEncoding, "A file is in base64 and no field says so.", "Lenient readers guess, others save the text."},
	{"encoding-within", MimeEncoding, "What base64 gives is base64 again.", "Programs that undo each encoding they meet."},
	{"encoding-of-multipart", MimeEncoding, "A multipart stands under base64 or quoted-printable.", "RFC 2045 forbids it; some decode, all others look for delimiters in the encoded text."},
	{"base64-padding", MimeEncoding, "Data follows the padding of base64.", "mutt stops, Thunderbird and Apple Mail go on, Go breaks off."},
	{"base64-junk", MimeEncoding, "Lines that are none stand between those of base64.", "Decoders by letter and by line give different bytes."},
	{"part-after-close", MimeUndeclared, "A part stands behind the closing delimiter.", "Readers by search show it, readers by the standard do not."},
	{"part-outside", MimeUndeclared, "A part stands in the preamble or epilogue.", "Readers that take any header for a part."},
	{"multipart-in-leaf", MimeUndeclared, "A text holds delimiters and files though it is declared as no multipart.", "Readers that go by the body."},
	{"delimiter-encoded", MimeUndeclared, "A delimiter stands under quoted-printable within a part.", "Readers that decode before they part."},
	{"field-in-fold", MimeMalformed, "A field of content stands in a fold or behind a bare CR of another.", "Clients that unfold late see it, others take it for text of the other field."},
	{"colon", MimeMalformed, "A field's colon is missing, stands behind a blank, or in the line below.", "Exchange repairs it, Python and Go end the header or refuse the mail."},
	{"header-interrupted", MimeMalformed, "A line without a colon, a blank or an empty line stands within a header.", "Thunderbird reads on, Python and Outlook on the web end the header."},
	{"header-unended", MimeMalformed, "No empty line parts header and body.", "Some take the first line without a colon for the body, some for junk."},
	{"header-not-first", MimeMalformed, "Empty lines stand before the header.", "Thunderbird reads the header, Python takes all for the body."},
	{"not-indented", MimeMalformed, "A parameter goes on in a line that is not indented.", "Exchange repairs it, others end the field."},
	{"two-byte-mail", MimeMalformed, "A message is stored in UTF-16.", "Windows programs open it, others see no header."},
	{"control", MimeControl, "A header holds NUL, a bare CR or another control byte.", "C programs stop at NUL, others drop it or go on."},
	{"fragment", MimePartial, "A message is one of several fragments.", "Outlook Express joins them, others show each."},
	{"external", MimeExternal, "The content is elsewhere.", "Old clients offer to fetch it, others show the header."},
	{"file-in-text", TextEncodedFile, "A file stands in text as uuencode, xxencode, yEnc or BinHex.", "Outlook and Thunderbird make an attachment of it, webmail shows text."},
}
