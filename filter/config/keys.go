package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// key is one line of the table: how a setting is named, read, shown and
// explained.
type key struct {
	name, kind, def, doc string
	list                 bool
	set                  func(*Config, []string) error
	get                  func(*Config) string
}

// example shows how a value is written.
func (k *key) example() string {
	if k.list {
		return "[" + strings.ReplaceAll(k.def, " ", ", ") + "]"
	}
	if k.def == "" {
		return `""`
	}
	return k.def
}

// keys is every setting, in the order of the manual.
var keys = []key{
	texts("listen", "inet:127.0.0.1:8896", "Addresses of the milter socket: `inet:HOST:PORT` or `unix:/PATH`.", func(c *Config) *[]string { return &c.Listen }),
	truth("listen_remote", "false", "Allow a TCP listener that is not on loopback. The milter protocol knows no passwords: put a firewall before it.", func(c *Config) *bool { return &c.ListenRemote }),
	mode("socket_mode", "0660", "File mode of a UNIX socket; its group should be Postfix's.", func(c *Config) *fs.FileMode { return &c.SocketMode }),

	size("limit.message", "128MiB", "Largest message that is inspected. A larger one gets the verdict of the rule `message-oversize`, never `clean`.", 1<<10, func(c *Config) *int64 { return &c.MaxMessage }),
	size("limit.header", "256KiB", "Largest message header; beyond it the message counts as oversize.", 1<<10, func(c *Config) *int64 { return &c.MaxHeader }),
	number("limit.fields", "2000", "Most header fields; beyond it the message counts as oversize.", 10, func(c *Config) *int64 { return &c.MaxFields }),
	number("limit.connections", "12000", "Most milter connections at one time; further ones wait.", 1, func(c *Config) *int64 { return &c.MaxConnections }),

	span("timeout.read", "30s", "Longest wait for the rest of a packet that has begun, and for the negotiation.", func(c *Config) *time.Duration { return &c.ReadTimeout }),
	span("timeout.write", "30s", "Longest wait for Postfix to take an answer.", func(c *Config) *time.Duration { return &c.WriteTimeout }),
	span("timeout.idle", "310s", "Longest wait between two packets outside the data; above Postfix's smtpd_timeout (300 s).", func(c *Config) *time.Duration { return &c.IdleTimeout }),
	span("timeout.data", "1h", "Longest wait between header and body packets: as long as Postfix's slowest client may take.", func(c *Config) *time.Duration { return &c.DataTimeout }),
	span("timeout.message", "30s", "From the end of data to the answer; then the sender is asked to try again. Postfix's milter_content_timeout must be longer.", func(c *Config) *time.Duration { return &c.MessageTimeout }),
	span("timeout.inspect", "20s", "Longest inspection of one message; then the finding `inspect.failed` is stated.", func(c *Config) *time.Duration { return &c.InspectTimeout }),
	span("timeout.stop", "35s", "Longest wait for messages under way when the daemon is stopped.", func(c *Config) *time.Duration { return &c.StopTimeout }),

	size("unpack.bytes", "512MiB", "Most decoded bytes of all parts and members of one message.", 1<<20, func(c *Config) *int64 { return &c.UnpackBytes }),
	size("unpack.member", "256MiB", "Most decoded bytes of one part or member.", 1<<20, func(c *Config) *int64 { return &c.UnpackMember }),
	number("unpack.members", "20000", "Most parts and members of one message.", 10, func(c *Config) *int64 { return &c.UnpackMembers }),
	number("unpack.depth", "16", "Most containers within containers.", 1, func(c *Config) *int64 { return &c.UnpackDepth }),
	number("unpack.ratio", "250", "Most that a member may swell (output to input), once it passes 64 MiB.", 10, func(c *Config) *int64 { return &c.UnpackRatio }),

	text("sandbox.mode", "on", "`on`: messages are opened in worker processes that are locked up (docs/security.md), and without that the program does not start. `off`: in this very process, which a hostile message may then end or take over.", func(c *Config) *string { return &c.SandboxMode }),
	text("sandbox.worker", "", "The worker program; empty: `sekisho-worker` beside the running program, then in libexec.", func(c *Config) *string { return &c.SandboxWorker }),
	number("sandbox.workers", "0", "How many workers inspect at one time; 0: one a processor. One more stands in reserve.", 0, func(c *Config) *int64 { return &c.SandboxWorkers }),
	number("sandbox.recycle", "1000", "After how many messages a worker is replaced; 1: a new one for each message.", 1, func(c *Config) *int64 { return &c.SandboxRecycle }),

	text("quarantine.dir", "/var/lib/sekisho/quarantine", "Where blocked messages are kept: a local disk, a folder of the service's own.", func(c *Config) *string { return &c.QuarantineDir }),
	size("quarantine.reserve", "64MiB", "Free space on the disk of `quarantine.dir` below which no mail is kept any more, so that its index can still be written.", 0, func(c *Config) *int64 { return &c.QuarantineReserve }),
	text("quarantine.when_unhealthy", "hold", "Where mail to be kept goes while the quarantine cannot be written to: `hold` to Postfix's hold queue, `defer` back to the sender with 451.", func(c *Config) *string { return &c.WhenUnhealthy }),
	text("spool.dir", "/var/lib/sekisho/spool", "Where large messages wait for their end, in files without a name.", func(c *Config) *string { return &c.SpoolDir }),
	size("spool.over", "1MiB", "Messages above this size go to the spool instead of memory.", 4<<10, func(c *Config) *int64 { return &c.SpoolOver }),
	text("release.smtp", "127.0.0.1:10026", "The smtpd of Postfix that takes released messages back, without this milter.", func(c *Config) *string { return &c.ReleaseSMTP }),

	truth("auth.enabled", "true", "Check SPF, DKIM and DMARC.", func(c *Config) *bool { return &c.Auth }),
	text("auth.id", "", "Our name in Authentication-Results (authserv-id); empty: the host's name.", func(c *Config) *string { return &c.AuthID }),
	texts("auth.dns", "", "DNS servers as `HOST:PORT`; empty: those of the system. A local validating resolver is best.", func(c *Config) *[]string { return &c.DNSServers }),
	span("auth.timeout", "8s", "Longest wait for all DNS answers of one message; then the result is `temperror`.", func(c *Config) *time.Duration { return &c.AuthTimeout }),
	span("auth.dns_timeout", "2s", "Longest wait for one DNS answer.", func(c *Config) *time.Duration { return &c.DNSTimeout }),

	texts("rules.dirs", "/etc/sekisho/rules.d", "Folders of local rule files, read over the built-in ones in this order; one that is missing is an error unless it is the default.", func(c *Config) *[]string { return &c.RuleDirs }),
	texts("own_domains", "", "Domains of this organisation: their name in From, from outside and not authenticated, is a forgery.", func(c *Config) *[]string { return &c.OwnDomains }),
	nets("internal", "", "Networks whose clients count as inside, as clients that logged in do: no sender authentication is asked of them, and rules may spare them. Loopback clients are spared the authentication in any case.", func(c *Config) *[]netip.Prefix { return &c.Internal }),

	secrets("password.list", "Passwords to try on encrypted attachments beside those that the message itself tells: those that you have agreed on with others.", func(c *Config) *[]string { return &c.Passwords }),
	text("password.file", "", "A file with more of them, one a line, readable by the service user only.", func(c *Config) *string { return &c.PasswordFile }),
	size("password.work", "512MiB", "Most work on the passwords of one message, in bytes hashed: forty tries on a 7z archive, a thousand on a zip with AES.", 1<<20, func(c *Config) *int64 { return &c.PasswordWork }),
	truth("password.hold", "false", "Keep mail from outside that holds something encrypted, unless its password is known, until it was opened and inspected (rule `container-encrypted-held`).", func(c *Config) *bool { return &c.PasswordHold }),
	text("password.pairing", "off", "`on`: kept mail that is encrypted and otherwise clean is opened with the password that the same sender's other mail tells, inspected, and released if it is clean. `off`: it waits for a reviewer.", func(c *Config) *string { return &c.PasswordPairing }),
	span("password.window", "24h", "How long the two mails may lie apart.", func(c *Config) *time.Duration { return &c.PasswordWindow }),

	text("tag.subject_prefix", "", "Text put before the subject of a tagged message; empty: only header fields are added.", func(c *Config) *string { return &c.SubjectPrefix }),
	text("reject.contact", "", "Whom a refused sender may ask, shown in the SMTP reply.", func(c *Config) *string { return &c.RejectContact }),
	text("log.format", "json", "`json` for machines or `text` for people, to standard error.", func(c *Config) *string { return &c.LogFormat }),
	text("metrics.listen", "", "Where Prometheus may read metrics, at `/metrics`: `inet:127.0.0.1:9896` or `unix:/PATH`, loopback only; empty: nowhere.", func(c *Config) *string { return &c.MetricsListen }),
}

func text(name, def, doc string, p func(*Config) *string) key {
	return key{name: name, kind: "text", def: def, doc: doc,
		set: func(c *Config, w []string) error { *p(c) = w[0]; return nil },
		get: func(c *Config) string { return *p(c) }}
}

func texts(name, def, doc string, p func(*Config) *[]string) key {
	return key{name: name, kind: "a list of texts", def: def, doc: doc, list: true,
		set: func(c *Config, w []string) error { *p(c) = words(w); return nil },
		get: func(c *Config) string { return strings.Join(*p(c), " ") }}
}

// secrets is texts that nobody is shown: only their number.
func secrets(name, doc string, p func(*Config) *[]string) key {
	k := texts(name, "", doc, p)
	k.get = func(c *Config) string {
		if n := len(*p(c)); n > 0 {
			return strconv.Itoa(n) + " not shown"
		}
		return ""
	}
	return k
}

// words drops empty words: the default of an empty list is one empty word.
func words(w []string) []string {
	var out []string
	for _, s := range w {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func truth(name, def, doc string, p func(*Config) *bool) key {
	return key{name: name, kind: "true or false", def: def, doc: doc,
		set: func(c *Config, w []string) error {
			switch w[0] {
			case "true":
				*p(c) = true
			case "false":
				*p(c) = false
			default:
				return fmt.Errorf("%q is neither true nor false", w[0])
			}
			return nil
		},
		get: func(c *Config) string { return strconv.FormatBool(*p(c)) }}
}

func number(name, def, doc string, least int64, p func(*Config) *int64) key {
	return key{name: name, kind: "a whole number", def: def, doc: doc,
		set: func(c *Config, w []string) error {
			n, err := strconv.ParseInt(w[0], 10, 64)
			if err != nil || n < least || n > 1<<40 {
				return fmt.Errorf("%q is not a whole number of at least %d", w[0], least)
			}
			*p(c) = n
			return nil
		},
		get: func(c *Config) string { return strconv.FormatInt(*p(c), 10) }}
}

func span(name, def, doc string, p func(*Config) *time.Duration) key {
	return key{name: name, kind: "a time with its unit, such as 30s or 5m", def: def, doc: doc,
		set: func(c *Config, w []string) error {
			d, err := time.ParseDuration(w[0])
			if err != nil || d <= 0 {
				return fmt.Errorf("%q is not a time with its unit", w[0])
			}
			*p(c) = d
			return nil
		},
		get: func(c *Config) string { return p(c).String() }}
}

func mode(name, def, doc string, p func(*Config) *fs.FileMode) key {
	return key{name: name, kind: "a file mode such as 0660", def: def, doc: doc,
		set: func(c *Config, w []string) error {
			n, err := strconv.ParseUint(strings.TrimPrefix(w[0], "0o"), 8, 12)
			if err != nil || n > 0o777 {
				return fmt.Errorf("%q is not an octal file mode", w[0])
			}
			*p(c) = fs.FileMode(n)
			return nil
		},
		get: func(c *Config) string { return fmt.Sprintf("%04o", *p(c)) }}
}

func nets(name, def, doc string, p func(*Config) *[]netip.Prefix) key {
	return key{name: name, kind: "a list of networks", def: def, doc: doc, list: true,
		set: func(c *Config, w []string) error {
			var out []netip.Prefix
			for _, s := range words(w) {
				n, err := netip.ParsePrefix(s)
				if err != nil {
					return fmt.Errorf("%q is not a network such as 192.0.2.0/24", s)
				}
				out = append(out, n.Masked())
			}
			*p(c) = out
			return nil
		},
		get: func(c *Config) string { return strings.Trim(fmt.Sprint(*p(c)), "[]") }}
}

// units of sizes; the larger first, so that "MiB" is not read as "B".
var units = []struct {
	name   string
	factor int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func size(name, def, doc string, least int64, p func(*Config) *int64) key {
	return key{name: name, kind: "a size with its unit, such as 64MiB", def: def, doc: doc,
		set: func(c *Config, w []string) error {
			n, err := parseSize(w[0])
			if err != nil {
				return err
			}
			if n < least {
				return fmt.Errorf("%q is less than the least sensible %s", w[0], showSize(least))
			}
			*p(c) = n
			return nil
		},
		get: func(c *Config) string { return showSize(*p(c)) }}
}

func parseSize(s string) (int64, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<50)/u.factor {
			break
		}
		return n * u.factor, nil
	}
	return 0, fmt.Errorf("%q is not a size with its unit (B, KiB, MiB, GiB)", s)
}

func showSize(n int64) string {
	for _, u := range units {
		if n%u.factor == 0 && n >= u.factor {
			return strconv.FormatInt(n/u.factor, 10) + u.name
		}
	}
	return "0B"
}

func find(name string) *key {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}

// isBlock says whether keys of the form name.x exist.
func isBlock(name string) bool {
	for _, k := range keys {
		if strings.HasPrefix(k.name, name+".") {
			return true
		}
	}
	return false
}

// nearest is the hint for an unknown key: the known one with the fewest
// letters changed, or where to find all.
func nearest(name string) string {
	best, least := "", 4
	for _, k := range keys {
		if d := distance(name, k.name); d < least {
			best, least = k.name, d
		}
	}
	if best == "" {
		return "'sekisho config show' lists all keys"
	}
	return "did you mean " + best + "?"
}

// distance is the Levenshtein distance of a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
