package config

import (
	"slices"
	"strings"
)

// bound are the keys, or with a dot at the end the blocks of keys, that a
// running daemon has built its sockets, spool and store with.
var bound = []string{
	"listen", "listen_remote", "socket_mode", "limit.", "spool.", "log.",
	"timeout.read", "timeout.write", "timeout.idle", "timeout.data", "timeout.message", "timeout.stop",
	"quarantine.dir", "quarantine.reserve", "sandbox.", "metrics.",
}

// needsRestart says that a reload does not change the key.
func needsRestart(name string) bool {
	return slices.ContainsFunc(bound, func(b string) bool {
		return name == b || strings.HasSuffix(b, ".") && strings.HasPrefix(name, b)
	})
}

// Unchanged names the keys in which newer differs from c, the configuration
// that a daemon was started with, and which a reload cannot change.
func (c *Config) Unchanged(newer *Config) []string {
	var out []string
	have := c.Settings()
	for i, s := range newer.Settings() {
		if s.Value != have[i].Value && needsRestart(s.Key) {
			out = append(out, s.Key)
		}
	}
	return out
}
