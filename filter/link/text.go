package link

import (
	"strings"
	"unicode/utf8"

	"sekisho/filter/finding"
)

// Text returns the bare URLs in a plain text, as mail programs make links of
// them, and what is to be said about them. path is the entity's.
func Text(path, text string) ([]Link, []finding.Finding) {
	c := newCollector(path)
	c.bare(text)
	return c.links, c.fs
}

// bare finds "scheme://..." and "www...." in text.
func (c *collector) bare(text string) {
	marks := newMarks(text)
	for from := 0; from < len(text) && !c.full; {
		start, ok := marks.next(from)
		if !ok {
			return
		}
		end := urlEnd(text, start)
		if url := trimURL(clipped(text[start:end])); len(url) > len("www.") {
			c.bareURL(url)
		}
		from = max(end, start+1)
	}
}

func (c *collector) bareURL(url string) {
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	if c.fresh(url, "") {
		t := parse(url, target{})
		t.bare = true
		c.keep(t, "")
	}
}

// marks remembers where each mark of a URL stands next, so that a text full
// of one kind is not searched again and again for the other.
type marks struct {
	text string
	at   [3]int
}

var urlMarks = [3]string{"://", "www.", "WWW."}

func newMarks(text string) *marks { return &marks{text: text, at: [3]int{-1, -1, -1}} }

// next returns where the next URL at or after from begins.
func (m *marks) next(from int) (start int, ok bool) {
	for {
		n := m.nearest(from)
		at := m.at[n]
		switch {
		case at == len(m.text):
			return 0, false
		case n == 0:
			return m.scheme(from, at), true
		case at == from || !schemeByte(m.text[at-1]) && m.text[at-1] != '/' && m.text[at-1] != '@':
			return at, true
		}
		from = at + 1
	}
}

// nearest brings every mark to its next place at or after from, and returns
// the one that comes first.
func (m *marks) nearest(from int) int {
	first := 0
	for n, mark := range urlMarks {
		if m.at[n] < from {
			i := strings.Index(m.text[from:], mark)
			if i < 0 {
				i = len(m.text) - from
			}
			m.at[n] = from + i
		}
		if m.at[n] < m.at[first] {
			first = n
		}
	}
	return first
}

// maxScheme bounds a scheme that is not one of the usual ones.
const maxScheme = 24

// scheme returns where the scheme before the "://" at end begins.
func (m *marks) scheme(from, end int) int {
	start := end
	for start > max(from, end-maxScheme) && schemeByte(m.text[start-1]) {
		start--
	}
	return knownScheme(m.text, start, end)
}

// knownScheme returns where within text[start:end] the scheme begins: Japanese
// and sloppy text runs into it without a blank ("URLhttps://...").
func knownScheme(text string, start, end int) int {
	word := strings.ToLower(text[start:end])
	for _, scheme := range []string{"https", "http", "ftps", "ftp", "file"} {
		if strings.HasSuffix(word, scheme) {
			return end - len(scheme)
		}
	}
	return start
}

func schemeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'
}

// urlEnd returns where the URL at start ends: at a blank, a bracket or quote,
// or at the first character beyond ASCII, since Japanese text follows without
// a blank. A host may begin beyond ASCII.
func urlEnd(text string, start int) int {
	host := strings.Index(text[start:min(len(text), start+maxScheme+len("://"))], "://")
	hostFrom := start
	if host >= 0 {
		hostFrom = start + host + len("://")
	}
	international := hostFrom < len(text) && text[hostFrom] >= utf8.RuneSelf
	for at := hostFrom; at < len(text); {
		r, n := rune(text[at]), 1
		if r >= utf8.RuneSelf {
			if r, n = utf8.DecodeRuneInString(text[at:]); !international || strings.ContainsRune("\u3000。、」』）】〉》\uFF1E", r) {
				return at
			}
		} else if r <= ' ' || strings.IndexByte("<>\"`{}|^\x7f", byte(r)) >= 0 {
			return at
		}
		international = international && r != '/' && r != '?'
		at += n
	}
	return len(text)
}

// trimURL drops the punctuation of the sentence round the URL.
func trimURL(url string) string {
	for url != "" {
		last := url[len(url)-1]
		open := strings.IndexByte(")]", last) >= 0 && strings.Count(url, opening[last]) < strings.Count(url, string(last))
		if !open && strings.IndexByte(".,;:!?'*_", last) < 0 {
			break
		}
		url = url[:len(url)-1]
	}
	return url
}

var opening = map[byte]string{')': "(", ']': "["}
