package link

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"sekisho/filter/finding"
)

// Body returns what Text returns, and the addresses without a scheme of which
// mail programs of today make links too: "example.jp/form.zip". It is for the
// texts of a message, of which there are few: a path in a program's source
// looks the same.
func Body(path, text string) ([]Link, []finding.Finding) {
	c := newCollector(path)
	c.bare(text)
	c.shares(text)
	c.hosts(text)
	return c.links, c.fs
}

// maxHost is the longest host (RFC 1035 §2.3.4).
const maxHost = 253

// hosts finds hosts of a public suffix with a path behind them.
func (c *collector) hosts(text string) {
	for from := 0; !c.full; {
		i := strings.IndexByte(text[from:], '/')
		if i < 0 {
			return
		}
		slash := from + i
		from = slash + 1
		start := hostStart(text, slash)
		if start == slash || !hostEnds(text[start:slash]) {
			continue
		}
		end := urlEnd("http://"+text[start:min(len(text), start+maxText)], 0) - len("http://")
		from = max(from, start+end)
		c.bareURL(trimURL(text[start : start+end]))
	}
}

// hostStart returns where the host before the slash begins, slash itself where
// what stands there is part of another address, a path or a mailbox.
func hostStart(text string, slash int) int {
	start := slash
	for start > 0 && slash-start <= maxHost && schemeByte(text[start-1]) && text[start-1] != '+' {
		start--
	}
	if start > 0 && strings.IndexByte("/@:%=&?#_~\\", text[start-1]) >= 0 {
		return slash
	}
	return start
}

// hostEnds says that host is written as one and ends in a suffix that a
// registry manages. A suffix that is a file's extension more often does not
// count: "main.rs/x" is a path.
func hostEnds(host string) bool {
	dot := strings.LastIndexByte(host, '.')
	if dot <= 0 || len(host)-dot < 3 || strings.HasPrefix(host, ".") || strings.Contains(host, "..") || words[strings.ToLower(host[dot+1:])] {
		return false
	}
	host = strings.ToLower(host)
	suffix, managed := publicsuffix.PublicSuffix(host)
	return managed && suffix != host
}
