package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	passkey "sekisho/filter/key"
)

// malformed is what is wrong with a value, and what to write instead.
type malformed struct{ what, hint string }

// forms says for each key whose value has a form of its own whether it has it.
// A daemon that would refuse the value at its start, or put a broken header
// into mail, must be told of by `config check`.
var forms = []struct {
	key   string
	check func(c *Config) *malformed
}{
	{"listen", func(c *Config) *malformed { return all(c.Listen, c.listenForm) }},
	{"release.smtp", func(c *Config) *malformed { return hostPort(c.ReleaseSMTP) }},
	{"auth.dns", func(c *Config) *malformed { return all(c.DNSServers, addressPort) }},
	{"auth.id", func(c *Config) *malformed { return oneWord(c.AuthID) }},
	{"quarantine.dir", func(c *Config) *malformed { return folder(c.QuarantineDir) }},
	{"spool.dir", func(c *Config) *malformed { return folder(c.SpoolDir) }},
	{"own_domains", func(c *Config) *malformed { return all(c.OwnDomains, domain) }},
	{"tag.subject_prefix", func(c *Config) *malformed { return oneLine(c.SubjectPrefix) }},
	{"reject.contact", func(c *Config) *malformed { return oneLine(c.RejectContact) }},
	{"log.format", func(c *Config) *malformed { return oneOf(c.LogFormat, "json", "text") }},
	{"sandbox.mode", func(c *Config) *malformed { return oneOf(c.SandboxMode, "on", "off") }},
	{"password.list", func(c *Config) *malformed { return all(c.Passwords, secret) }},
	{"password.file", func(c *Config) *malformed { return fileName(c.PasswordFile) }},
	{"password.pairing", func(c *Config) *malformed { return oneOf(c.PasswordPairing, "off", "on") }},
	{"quarantine.when_unhealthy", func(c *Config) *malformed { return oneOf(c.WhenUnhealthy, "hold", "defer") }},
}

// all returns the first mistake among values.
func all(values []string, check func(string) *malformed) *malformed {
	for _, v := range values {
		if m := check(v); m != nil {
			return m
		}
	}
	return nil
}

// listenForm knows the same forms as the session, which opens the socket.
func (c *Config) listenForm(address string) *malformed {
	kind, rest, _ := strings.Cut(address, ":")
	switch {
	case kind == "unix" && strings.HasPrefix(rest, "/"):
		return nil
	case kind != "inet":
		return &malformed{fmt.Sprintf("%q is no milter socket", address), "write inet:127.0.0.1:8896 or unix:/run/sekisho/milter.sock"}
	}
	if port, host, ok := strings.Cut(rest, "@"); ok {
		rest = net.JoinHostPort(host, port)
	}
	if m := hostPort(rest); m != nil {
		return m
	}
	if at, err := netip.ParseAddrPort(rest); err == nil && !at.Addr().IsLoopback() && !c.ListenRemote {
		return &malformed{fmt.Sprintf("%q is not a loopback address", address),
			"the milter protocol knows no passwords: put a firewall before it and set listen_remote: true"}
	}
	return nil
}

func hostPort(s string) *malformed {
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || n == 0 || host == "" {
		return &malformed{fmt.Sprintf("%q is not HOST:PORT", s), "for example 127.0.0.1:10026"}
	}
	return nil
}

// addressPort asks for an address: a name server cannot be asked for its own
// address.
func addressPort(s string) *malformed {
	if _, err := netip.ParseAddrPort(s); err != nil {
		return &malformed{fmt.Sprintf("%q is not ADDRESS:PORT", s), "for example 127.0.0.1:53 or [::1]:53"}
	}
	return nil
}

func folder(s string) *malformed {
	if s == "" || filepath.Clean(s) == "/" {
		return &malformed{fmt.Sprintf("%q is no folder of our own", s), "name a folder that nothing else uses"}
	}
	return nil
}

// secret refuses what no key ring takes; it is not shown.
func secret(s string) *malformed {
	if len(s) > passkey.Longest || strings.ContainsFunc(s, unicode.IsControl) {
		return &malformed{fmt.Sprintf("a password is longer than %d bytes or holds a control character", passkey.Longest), "write one password an entry"}
	}
	return nil
}

func fileName(s string) *malformed {
	if s != "" && !filepath.IsAbs(s) {
		return &malformed{fmt.Sprintf("%q is not a whole path", s), "for example /etc/sekisho/passwords"}
	}
	return nil
}

func domain(s string) *malformed {
	if s == "" || strings.ContainsAny(s, "@:/ \t\r\n") || strings.Trim(s, ".") != s {
		return &malformed{fmt.Sprintf("%q is not a domain", s), "write it as it stands behind the @: example.jp"}
	}
	return nil
}

func oneWord(s string) *malformed {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == ';' }) {
		return &malformed{fmt.Sprintf("%q is not one word", s), "a host name, such as mx.example.jp"}
	}
	return nil
}

// oneLine refuses what would end a header line or an SMTP reply and begin
// another.
func oneLine(s string) *malformed {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return &malformed{fmt.Sprintf("%q holds a control character", s), "write it in one line"}
	}
	return nil
}

func oneOf(s string, words ...string) *malformed {
	for _, w := range words {
		if s == w {
			return nil
		}
	}
	return &malformed{fmt.Sprintf("%q is neither %s", s, strings.Join(words, " nor ")), strings.Join(words, " or ")}
}
