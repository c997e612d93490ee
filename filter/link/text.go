package link

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"sekisho/filter/finding"
)

// Text returns the bare URLs in a plain text, as mail programs make links of
// them, and what is to be said about them. path is the entity's.
func Text(path, text string) ([]Link, []finding.Finding) {
	c := newCollector(path)
	c.bare(text)
	c.shares(text)
	return c.links, c.fs
}

// bare finds "scheme://..." and "www...." in text.
func (c *collector) bare(text string) {
	raw := []byte(text)
	for from := 0; from < len(text) && !c.full; {
		start, ok := urlStart(text, raw, from)
		if !ok {
			return
		}
		end := urlEnd(text, start)
		if i := strings.Index(text[start:end], "]("); i > 0 {
			end = start + i // Markdown: the text, then where it leads
		}
		c.fileBehind(text, start, end)
		if url := trimURL(clipped(text[start:end])); len(url) > len("www.") {
			c.bareURL(url)
		}
		from = max(end, start+1)
	}
}

// fileBehind states a file whose name goes on beyond ASCII: some programs end
// the link before it, others do not.
func (c *collector) fileBehind(text string, start, end int) {
	if end == len(text) || text[end] < utf8.RuneSelf {
		return
	}
	word := text[start:min(len(text), start+maxText)]
	if i := strings.IndexAny(word, " \t\r\n<>\"\u3000"); i >= 0 {
		word = word[:i]
	}
	path, _, _ := strings.Cut(word, "?")
	if !files[extension(path)] {
		return
	}
	if t := parse(word, target{}); fileExt(t) != "" && c.fresh(word, "") {
		t.bare = true
		c.keep(t, "")
	}
}

// shares finds the paths of foreign shares, of which Outlook makes links. A
// host without a dot, or with an address of private use, is the writer's own.
func (c *collector) shares(text string) {
	for from := 0; !c.full; {
		i := strings.Index(text[from:], `\\`)
		if i < 0 {
			return
		}
		start := from + i
		end := start + strings.IndexAny(text[start:]+" ", " \t\r\n<>\"\u3000")
		from = max(end, start+2)
		t := parse(clipped(text[start:end]), target{})
		if t.scheme != "unc" || !strings.Contains(t.host, ".") || own(t.host) || !hostLike(t.host) || start > 0 && text[start-1] == ':' {
			continue
		}
		if c.fresh(t.raw, "") {
			t.bare = true
			c.keep(t, "")
		}
	}
}

// own says that an address is of private use or of this machine.
func own(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast())
}

// hostLike says that host has a suffix of the public list or is an address:
// two backslashes are also an escape, and a line break in TeX.
func hostLike(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	suffix, managed := publicsuffix.PublicSuffix(host)
	return managed && suffix != host && !strings.ContainsAny(host, `\{}$^_|`)
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

// maxScheme bounds a scheme that is not one of the usual ones.
const maxScheme = 24

// schemeStart returns where the scheme before the "://" at end begins.
func schemeStart(text string, from, end int) int {
	start := end
	for start > max(from, end-maxScheme) && schemeByte(text[start-1]) {
		start--
	}
	return knownScheme(text, start, end)
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
