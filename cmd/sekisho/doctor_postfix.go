package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"sekisho/filter/config"
)

// postfixRule is one setting of Postfix that bears on our promises.
type postfixRule struct {
	name string
	// good says whether value fits; otherwise hint tells what to write.
	good func(value string, cfg *config.Config) bool
	hint string
	// grave settings let mail through or lose it: fail instead of warn.
	grave bool
}

// postfixRules follow docs/postfix.md, which gives the reason of each.
var postfixRules = []postfixRule{
	{name: "smtpd_milters", hint: "smtpd_milters = inet:127.0.0.1:8896", grave: true,
		good: func(v string, cfg *config.Config) bool { return namesUs(v, cfg) }},
	{name: "non_smtpd_milters", hint: "also inspect locally submitted mail: non_smtpd_milters = $smtpd_milters",
		good: func(v string, cfg *config.Config) bool {
			return namesUs(v, cfg) || strings.Contains(v, "$smtpd_milters")
		}},
	{name: "milter_default_action", hint: "milter_default_action = tempfail: anything else lets mail through, or loses it, while the daemon is away", grave: true,
		good: func(v string, _ *config.Config) bool { return v == "tempfail" || v == "quarantine" }},
	{name: "milter_content_timeout", hint: "milter_content_timeout = 300s: it must exceed timeout.message by 30 s",
		good: func(v string, cfg *config.Config) bool {
			d, ok := postfixTime(v)
			return ok && d >= cfg.MessageTimeout+30*time.Second
		}},
	{name: "milter_protocol", hint: "milter_protocol = 6",
		good: func(v string, _ *config.Config) bool { return v == "6" }},
	{name: "smtpd_forbid_bare_newline", hint: "smtpd_forbid_bare_newline = yes: SMTP smuggling, CVE-2023-51764", grave: true,
		good: func(v string, _ *config.Config) bool { return v == "yes" || v == "normalize" || v == "reject" }},
	{name: "message_strip_characters", hint: `message_strip_characters = \0: milters see a header value only up to its first NUL, the reader sees all`,
		good: func(v string, _ *config.Config) bool { return strings.Contains(v, `\0`) }},
	{name: "message_size_limit", hint: "message_size_limit must be above 0 and at most limit.message, or large mail meets the rule message-oversize",
		good: func(v string, cfg *config.Config) bool {
			n, err := strconv.ParseInt(v, 10, 64)
			return err == nil && n > 0 && n <= cfg.MaxMessage
		}},
	{name: "queue_minfree", hint: "queue_minfree = twice message_size_limit: refuse mail before the disk is full",
		good: func(v string, _ *config.Config) bool {
			n, err := strconv.ParseInt(v, 10, 64)
			return err == nil && n > 0
		}},
}

// checkPostfix compares Postfix's settings with what we need of them.
func checkPostfix(ctx context.Context, cfg *config.Config, dir string) []check {
	if _, err := exec.LookPath("postconf"); err != nil {
		return []check{{Name: "postfix", Status: "skip", Detail: "postconf is not on this machine"}}
	}
	names := make([]string, len(postfixRules))
	for i, r := range postfixRules {
		names[i] = r.name
	}
	values, err := postconf(ctx, dir, names...)
	if err != nil {
		return []check{{"postfix", "fail", err.Error(), "run as a user who may read Postfix's configuration"}}
	}
	var out []check
	for _, r := range postfixRules {
		out = append(out, r.check(values, cfg))
	}
	return out
}

func (r postfixRule) check(values map[string]string, cfg *config.Config) check {
	v, known := values[r.name]
	k := check{Name: "postfix " + r.name, Status: "ok", Detail: v}
	switch {
	case !known:
		k.Status, k.Detail = "warn", "this Postfix does not know the setting"
	case !r.good(v, cfg):
		k.Status, k.Hint = "warn", r.hint
		if r.grave {
			k.Status = "fail"
		}
		if v == "" {
			k.Detail = "(empty)"
		}
	}
	return k
}

// namesUs says whether a milter list holds one of our addresses.
func namesUs(v string, cfg *config.Config) bool {
	for _, address := range cfg.Listen {
		if strings.Contains(v, address) || strings.Contains(v, strings.Replace(address, "127.0.0.1", "localhost", 1)) {
			return true
		}
	}
	return false
}

// postfixTime reads a time of Postfix: a number with s, m, h, d or w.
func postfixTime(v string) (time.Duration, bool) {
	unit := time.Second
	if n := len(v); n > 0 {
		switch v[n-1] {
		case 's':
			v = v[:n-1]
		case 'm':
			unit, v = time.Minute, v[:n-1]
		case 'h':
			unit, v = time.Hour, v[:n-1]
		case 'd':
			unit, v = 24*time.Hour, v[:n-1]
		case 'w':
			unit, v = 7*24*time.Hour, v[:n-1]
		}
	}
	var n int64
	if _, err := fmt.Sscanf(v, "%d", &n); err != nil {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
