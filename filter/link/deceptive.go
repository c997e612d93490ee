package link

import (
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// launching are the schemes that start a program, open a local or shared file,
// or carry their own content. Those that call, write, or open one's own chat
// or meeting are no harm.
var launching = map[string]bool{
	"file": true, "unc": true, "javascript": true, "vbscript": true, "jscript": true, "livescript": true, "data": true, "blob": true,
	"search": true, "search-ms": true, "jar": true, "mk": true, "its": true, "mhtml": true, "res": true, "shell": true, "hcp": true,
	"help": true, "wscript": true, "ldap": true, "ldaps": true, "smb": true, "cifs": true, "nfs": true, "dav": true, "davs": true,
	"ssh": true, "telnet": true, "rlogin": true, "tn3270": true, "rdp": true, "vnc": true, "tftp": true, "sftp": true, "view-source": true,
	"steam": true, "steamlink": true, "powershell": true, "cmd": true, "itms-services": true, "magnet": true, "ed2k": true,
	"applescript": true, "x-apple-helpbasic": true, "x-man-page": true, "microsoft-edge": true, "windowsdefender": true, "onenote-cmd": true,
	"intent": true, "android-app": true, "googlechrome": true, "googlechromes": true, "firefox": true, "x-safari-http": true, "x-safari-https": true,
	"local": true, "outlook": true, "stssync": true, "appv": true, "vscode": true,
}

// dangerous names the scheme of t if it is not for following, "" if it is.
func dangerous(t target) string {
	switch {
	case len(t.scheme) == 1:
		return "drive" // C:\...
	case t.scheme == "javascript" && idle(t.path):
		return ""
	case launching[t.scheme], strings.HasPrefix(t.scheme, "ms-"), strings.HasPrefix(t.scheme, "com.microsoft."):
		return t.scheme
	}
	return ""
}

// idle says that a script does nothing: it stands where a page wants a link
// without a target.
func idle(script string) bool {
	switch strings.TrimRight(strings.ToLower(strings.ReplaceAll(unpercent(script), " ", "")), ";") {
	case "", "false", "void(0)", "void0", "//", "returnfalse", "void('')":
		return true
	}
	return false
}

// deceptive names the way in which the address is written to be misread, ""
// if it is plain.
func deceptive(t target) string {
	if !special[t.scheme] || t.scheme == "file" || t.written == "" {
		return ""
	}
	for _, d := range []struct {
		form string
		is   func(target) bool
	}{
		{"user part", func(t target) bool { return t.user != "" }},
		{"escaped host", func(t target) bool { return strings.Contains(t.written, "%") }},
		{"direction", func(t target) bool { return strings.ContainsFunc(t.raw, steers) }},
		{"invisible character", func(t target) bool { return visible(t.written) != t.written }},
		{"number", oddNumber},
		{"compatibility form", compatible},
		{"slashes", func(t target) bool { return strings.Contains(t.slashes, `\`) || len(t.slashes) != 2 && t.slashes != "" }},
		{"mixed scripts", func(t target) bool { return anyLabel(t.host, mixed) }},
		{"look-alike script", func(t target) bool { return anyLabel(t.host, imitating) }},
		{"slash look-alike", slashLike},
		{"no dot", dotless},
	} {
		if d.is(t) {
			return d.form
		}
	}
	return ""
}

// oddNumber says that the host is an IPv4 address in another than its usual
// form.
func oddNumber(t target) bool {
	_, err := netip.ParseAddr(t.host)
	return err == nil && strings.TrimSuffix(t.written, ".") != t.host && !strings.HasPrefix(t.written, "[")
}

// compatible says that the host has full-width or other compatibility forms
// of ASCII characters. An ideographic full stop is what a Japanese keyboard
// writes, but no browser's bar shows it.
func compatible(t target) bool {
	for _, r := range t.written {
		if r >= 0xFF01 && r <= 0xFF5E || r == '\u3002' || r == '\uFF61' || r == '\u2024' || r >= 0x2460 && r <= 0x24FF || r >= 0x1D400 && r <= 0x1D7FF {
			return true
		}
	}
	return false
}

func dotless(t target) bool {
	return !t.bare && !strings.ContainsAny(t.host, ".:") && t.host != "localhost"
}

// anyLabel asks about each label of a host in its Unicode form.
func anyLabel(host string, is func(string) bool) bool {
	if !strings.Contains(host, "xn--") {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if u, err := idna.Punycode.ToUnicode(label); err == nil && u != label && is(u) {
			return true
		}
	}
	return false
}

// mixed says that a label mixes Latin, Greek, Cyrillic, Armenian or Cherokee
// letters with each other. Latin beside kanji and kana is Japanese (UTS #39
// §5.2, highly restrictive).
func mixed(label string) bool {
	n := 0
	for _, script := range []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Cherokee} {
		if strings.ContainsFunc(label, func(r rune) bool { return unicode.Is(script, r) }) {
			n++
		}
	}
	return n > 1
}

// latinLike are the Cyrillic and Greek letters that look like Latin ones.
const latinLike = "авеіјкмнорсѕтухһԁԛԝӏьгпѵүαβεικνορτυχγω"

// imitating says that every letter of a label in Cyrillic or Greek looks like
// a Latin one, so that the whole is read as Latin.
func imitating(label string) bool {
	other := false
	for _, r := range label {
		switch {
		case strings.ContainsRune(latinLike, r):
			other = true
		case r >= 0x80:
			return false
		}
	}
	return other
}

// slashLike says that the host goes on behind what looks like its end.
func slashLike(t target) bool {
	if anyLabel(t.host, slashed) {
		return true
	}
	return strings.ContainsFunc(t.written, func(r rune) bool {
		return r >= 0x80 && strings.ContainsRune("\u2044\u2215\u29f8\uff0f\u0589\uff1a\uff03\uff1f\uff20", r)
	})
}

// slashed says that a label begins with a top-level domain and a letter that
// passes for a slash: "com\u30ce..." looks like the end of a host.
func slashed(label string) bool {
	at := strings.IndexFunc(label, func(r rune) bool { return strings.ContainsRune("\u30ce\uff89\u4e36\u3033\u2f03\u30fd\u4e3f", r) })
	return at > 0 && endings[label[:at]]
}

// endings are the last labels of the hosts that are imitated so.
var endings = wordSet("com net org info biz jp co ne or go ac lg ed gr ad gov edu io")
