package link

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// target is an address as a browser reads it.
type target struct {
	raw string
	// clean is raw without what the URL parser drops: blanks round it, tabs
	// and line ends within.
	clean  string
	scheme string
	user   string
	// written is the host as it stands, host its ASCII form.
	written, host string
	path, query   string
	slashes       string // what stood between scheme and host
	// bare says that the address stood in text, where "http://server/" is
	// an example more often than a link.
	bare bool
}

// special are the schemes that have a host and take \ for /.
var special = map[string]bool{"http": true, "https": true, "ftp": true, "ws": true, "wss": true, "file": true}

// parse reads raw, relative to base.
func parse(raw string, base target) target {
	t := target{raw: raw, clean: strip(raw)}
	rest := t.clean
	switch scheme, after, ok := cutScheme(t.clean); {
	case ok:
		t.scheme, rest = scheme, after
		if !special[scheme] {
			t.path = rest
			return t
		}
	case strings.HasPrefix(rest, `\\`):
		t.scheme = "unc"
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, `/\`), strings.HasPrefix(rest, `\/`):
		t.scheme = base.schemeOr("https")
	default:
		return t.relative(base)
	}
	t.authority(rest)
	return t
}

// strip does what the URL standard does first: controls and blanks round the
// address and tabs and line ends within it are dropped.
func strip(raw string) string {
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' || r == '\u3000' || r == '\u00a0' })
	if strings.ContainsAny(raw, "\t\n\r") {
		raw = lineEnds.Replace(raw)
	}
	return raw
}

var lineEnds = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// cutScheme splits off the scheme, in lower case.
func cutScheme(s string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(s, ":")
	if !ok || scheme == "" {
		return "", s, false
	}
	for i, r := range scheme {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", r)) {
			return "", s, false
		}
	}
	return strings.ToLower(scheme), rest, true
}

func (t target) schemeOr(scheme string) string {
	if t.scheme != "" {
		return t.scheme
	}
	return scheme
}

// relative completes an address without scheme and host from the base.
func (t target) relative(base target) target {
	t.scheme, t.host, t.written = base.scheme, base.host, base.written
	t.splitPath(t.clean)
	return t
}

// authority reads user, host and port, then the path. A browser skips any
// number of slashes of either kind, and the last @ ends the user part.
func (t *target) authority(rest string) {
	after := strings.TrimLeft(rest, `/\`)
	t.slashes = rest[:len(rest)-len(after)]
	if t.scheme == "file" && len(t.slashes) > 2 { // no host: a local path
		t.splitPath(after)
		return
	}
	end := strings.IndexAny(after, `/\?#`)
	if end < 0 {
		end = len(after)
	}
	host := after[:end]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		t.user, host = host[:at], host[at+1:]
	}
	t.written = dropPort(host)
	t.host = ascii(t.written)
	t.splitPath(after[end:])
}

func dropPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}

func (t *target) splitPath(s string) {
	s, _, _ = strings.Cut(s, "#")
	t.path, t.query, _ = strings.Cut(s, "?")
}

// hosts maps a host as browsers do (UTS #46), but never refuses one: what
// cannot be mapped stands as it was, in lower case.
var hosts = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// ascii returns the host's ASCII form; numbers that a browser takes for an
// IPv4 address as that address.
func ascii(written string) string {
	host := strings.TrimSuffix(unpercent(written), ".")
	mapped, err := hosts.ToASCII(visible(host))
	if err != nil {
		mapped = strings.ToLower(norm.NFKC.String(visible(host)))
	}
	mapped = strings.TrimSuffix(strings.ReplaceAll(mapped, "。", "."), ".")
	if addr, ok := number(mapped); ok {
		return addr
	}
	return mapped
}

// number reads the IPv4 address that a host in one to four numbers stands
// for: octal, hexadecimal, short forms (WHATWG URL §3.5).
func number(host string) (string, bool) {
	parts := strings.Split(host, ".")
	if host == "" || len(parts) > 4 {
		return "", false
	}
	addr := uint64(0)
	for i, part := range parts {
		n, err := strconv.ParseUint(numeral(part), 0, 64)
		last := i == len(parts)-1
		if err != nil || strings.ContainsAny(part, "_bBo") && !isHex(part) || !last && n > 255 || last && n >= 1<<(8*(5-len(parts))) {
			return "", false
		}
		if last {
			addr |= n
		} else {
			addr |= n << (8 * (3 - i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(addr >> 24), byte(addr >> 16), byte(addr >> 8), byte(addr)}).String(), true
}

func isHex(part string) bool { return strings.HasPrefix(strings.ToLower(part), "0x") }

// numeral spells a number of the URL standard in Go's way: a lone 0x is zero.
func numeral(part string) string {
	if strings.EqualFold(part, "0x") {
		return "0"
	}
	return part
}

func (t target) site() string {
	if t.host == "" {
		return ""
	}
	return Site(t.host)
}

// ext returns the extension of the last component of the path.
func (t target) ext() string {
	if !special[t.scheme] && t.scheme != "unc" && t.scheme != "" {
		return ""
	}
	return extension(t.path)
}

// extension returns what stands after the last dot of a path's last component,
// in lower case, "" if it is no word of at most sixteen letters.
func extension(path string) string {
	path = strings.TrimRight(unpercent(path), " .\u3000")
	path = path[strings.LastIndexAny(path, `/\:`)+1:]
	path, _, _ = strings.Cut(path, ";") // RFC 3986 §3.3: parameters of a segment
	path, _, _ = strings.Cut(path, "\x00")
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 || len(path)-dot > 17 {
		return ""
	}
	ext := strings.ToLower(visible(norm.NFKC.String(path[dot+1:])))
	if strings.ContainsFunc(ext, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
		return ""
	}
	return ext
}

// unpercent decodes %XX and leaves every other percent sign alone.
func unpercent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}
