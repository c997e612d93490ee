package unpack

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

// shortest is the least base64 that is taken for a file: less is a word.
const shortest = 16

// openICS draws the files out of a calendar or an address card (RFC 5545
// §3.8.1.1, RFC 6350): values in base64, and data: URLs (RFC 2397). Programs
// save them under the name that a parameter gives.
func openICS(e *entity.Entity, bud *budget.Budget, yield func(*entity.Entity)) []finding.Finding {
	m := newMembers(e, bud, yield)
	for b := e.Body; len(b) > 0; {
		var line []byte
		if line, b = unfolded(b); len(line) < shortest {
			continue
		}
		i, packed, ok := inlineValue(line)
		if !ok {
			continue
		}
		body, err := decode64(packed)
		if err != nil && len(body) == 0 {
			continue
		}
		i.add(body)
		if bud.Spend(e.Path, int64(len(packed))) != nil || !m.give(&i, "inline") {
			break
		}
	}
	return m.found
}

// unfolded takes one content line off the front of b, its folds undone (RFC
// 5545 §3.1).
func unfolded(b []byte) (line, rest []byte) {
	joined := false
	for {
		end := bytes.IndexByte(b, '\n')
		part := b
		if end < 0 {
			b = nil
		} else {
			part, b = b[:end], b[end+1:]
		}
		part = bytes.TrimSuffix(part, []byte("\r"))
		if joined {
			part = part[min(1, len(part)):]
			line = append(line, part...)
		} else {
			line = part
		}
		if len(b) == 0 || b[0] != ' ' && b[0] != '\t' {
			return line, b
		}
		if !joined {
			line, joined = bytes.Clone(line), true
		}
	}
}

// inlineValue says whether a content line holds a file, and returns what its
// parameters say about it and its base64.
func inlineValue(line []byte) (i item, packed []byte, ok bool) {
	colon := outsideQuotes(line, ':')
	if colon < 0 {
		return i, nil, false
	}
	value := line[colon+1:]
	inBase64 := false
	for key, text := range parameters(string(line[:colon])) {
		switch strings.ToLower(key) {
		case "encoding":
			low := strings.ToLower(text)
			inBase64 = inBase64 || low == "b" || low == "base64"
		case "base64":
			inBase64 = true // vCard 2.1
		case "filename", "x-filename", "x-apple-filename", "x-orig-filename", "x-label", "label", "name":
			i.long = append(i.long, decoded([]byte(text), "filename", true))
		case "fmttype", "mediatype":
			i.media = strings.ToLower(text)
		}
	}
	const scheme = "data:"
	if len(value) > len(scheme) && strings.EqualFold(string(value[:len(scheme)]), scheme) {
		if head, data, found := bytes.Cut(value[len(scheme):], []byte(",")); found {
			media, coded := strings.CutSuffix(strings.ToLower(string(head)), ";base64")
			i.media, _, _ = strings.Cut(media, ";")
			if coded {
				return i, data, true
			}
		}
	}
	return i, value, inBase64
}

// parameters yields the parameters of a content line's head, quotes and
// percent coding undone.
func parameters(head string) func(func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		for head != "" {
			end := outsideQuotes([]byte(head), ';')
			one := head
			if end < 0 {
				head = ""
			} else {
				one, head = head[:end], head[end+1:]
			}
			key, value, _ := strings.Cut(one, "=")
			value = strings.Trim(value, `"`)
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
			if !yield(key, value) {
				return
			}
		}
	}
}

// outsideQuotes returns the index of the first c that is not in quotes, -1
// without one.
func outsideQuotes(b []byte, c byte) int {
	quoted := false
	for i, x := range b {
		switch {
		case x == '"':
			quoted = !quoted
		case x == c && !quoted:
			return i
		}
	}
	return -1
}

// decode64 decodes base64 as far as it goes, blanks and padding left out.
func decode64(b []byte) ([]byte, error) {
	clean := bytes.Map(func(r rune) rune {
		if r <= ' ' || r == '=' || r == '\\' {
			return -1
		}
		return r
	}, b)
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(out, clean)
	return out[:n], err
}
