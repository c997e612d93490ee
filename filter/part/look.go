package part

import (
	"bytes"
	"strings"
)

// LooksLikeMail says whether a loose file is a mail message by its content.
func LooksLikeMail(b []byte) bool {
	const lines, needed = 200, 2
	if wideLabel(b) != "" {
		b, _ = narrow(b[:min(len(b), 64<<10)])
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	b = bytes.TrimLeft(b, "\r\n")
	if bytes.IndexByte(b, '\n') < 0 {
		b = lineFeeds(b[:min(len(b), 64<<10)]) // as old Macintosh files end their lines
	}
	seen := map[string]bool{}
	fields, junk := 0, 0
	for pos, n := 0, 0; pos < len(b) && n < lines; n++ {
		line, next := lineAt(b, pos, len(b))
		if len(bytes.TrimRight(line, "\r")) == 0 {
			break
		}
		name, value, ok := splitField(line)
		switch {
		case ok && fieldName(name):
			fields++
			if telling(name, strings.ToLower(string(value)), b[next:]) {
				seen[name] = true
			}
		case line[0] == ' ' || line[0] == '\t' || n == 0 && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")):
		default:
			junk++
		}
		pos = next
	}
	return len(seen) >= needed && junk <= 1+fields/5
}

// OpensWithContent says that a header of content fields alone stands first: what
// is named as a message is opened as one for that.
func OpensWithContent(b []byte) bool {
	h := readHeader(b, 0, min(len(b), 64<<10), func([]byte) bool { return false })
	return mediaType(unfold(h.first("content-type"))) != "" && h.bodies[0] > 0 && len(h.odd) == 0
}

// fieldName says that a name is of the characters that mail's names have.
func fieldName(s string) bool {
	for i := range len(s) {
		if !keyByte(s[i]) {
			return false
		}
	}
	return true
}

// telling says that a field is one that mail has and other texts with colons
// lack, with a value that makes sense. rest is what follows the line.
func telling(name, value string, rest []byte) bool {
	v := strings.TrimSpace(value)
	if v == "" && len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		line, _ := lineAt(rest, 0, len(rest))
		v = strings.TrimSpace(strings.ToLower(string(line)))
	}
	switch name {
	case "from", "sender", "reply-to", "return-path", "to", "delivered-to", "x-original-to", "cc":
		return strings.Contains(v, "@") || name == "return-path" && v == "<>" || name == "from" && strings.HasPrefix(v, "<saved by")
	case "received":
		return strings.Contains(v, "from ") || strings.Contains(v, "by ") || strings.Contains(v, ";")
	case "message-id":
		return strings.Contains(v, "<") || strings.Contains(v, "@")
	case "mime-version":
		return strings.HasPrefix(v, "1.0")
	case "content-type":
		return strings.HasPrefix(v, "multipart/") && strings.Contains(v+string(rest[:min(len(rest), 200)]), "boundary") || strings.HasPrefix(v, "message/")
	case "content-transfer-encoding":
		_, ok := encodings[v]
		return ok && v != ""
	case "dkim-signature", "arc-seal", "authentication-results", "received-spf", "x-mailer", "list-unsubscribe":
		return true
	case "subject":
		return true
	}
	return false
}
