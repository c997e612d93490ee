// Package config reads the configuration file: few keys, safe when empty,
// checked before use.
//
// Every key, its default and its meaning stand in one table (keys.go), from
// which reading, `config show`, the hint for an unknown key and
// docs/configuration.md are made. Nothing outside this package has a default.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v4"
)

// DefaultFile is read when it is there and no other was named.
const DefaultFile = "/etc/sekisho/sekisho.yaml"

// Config is the configuration in force.
type Config struct {
	Listen       []string
	ListenRemote bool
	SocketMode   fs.FileMode

	MaxMessage     int64
	MaxHeader      int64
	MaxFields      int64
	MaxConnections int64

	ReadTimeout, WriteTimeout, IdleTimeout, DataTimeout time.Duration
	MessageTimeout, InspectTimeout                      time.Duration
	StopTimeout                                         time.Duration

	UnpackBytes, UnpackMember, UnpackMembers int64
	UnpackDepth, UnpackRatio                 int64

	SandboxMode, SandboxWorker     string
	SandboxWorkers, SandboxRecycle int64

	QuarantineDir, SpoolDir string
	QuarantineReserve       int64
	WhenUnhealthy           string
	SpoolOver               int64
	ReleaseSMTP             string

	Auth        bool
	AuthID      string
	DNSServers  []string
	AuthTimeout time.Duration
	DNSTimeout  time.Duration

	RuleDirs   []string
	OwnDomains []string
	Internal   []netip.Prefix

	Passwords                     []string
	PasswordFile, PasswordPairing string
	PasswordWork                  int64
	PasswordHold                  bool
	PasswordWindow                time.Duration

	SubjectPrefix string
	RejectContact string
	LogFormat     string
	MetricsListen string

	origin map[string]string
}

// Error is an operator's mistake: where, what, and what to do.
type Error struct {
	File string
	Line int
	Err  error
	Hint string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Default returns the configuration of an empty file.
func Default() *Config {
	c := &Config{origin: map[string]string{}}
	for _, k := range keys {
		if err := k.set(c, strings.Split(k.def, " ")); err != nil {
			panic("config: default of " + k.name + ": " + err.Error()) // our own bug, met by every test
		}
		c.origin[k.name] = "default"
	}
	return c
}

// Load reads a configuration file over the defaults. All mistakes of the file
// come back at once, joined.
func Load(file string) (*Config, error) {
	if err := trusted(file); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &Error{File: file, Err: cause(err), Hint: "name a readable file, or leave --config out to run with the defaults"}
	}
	return parse(file, data)
}

// parse reads data as the file's content.
func parse(file string, data []byte) (*Config, error) {
	c := Default()
	if len(strings.TrimSpace(stripComments(string(data)))) == 0 {
		return c, nil
	}
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		return nil, syntaxError(file, err)
	}
	root := &doc
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	r := reader{c: c, file: file, seen: map[string]int{}}
	r.mapping("", root)
	if len(r.errs) == 0 {
		r.errs = append(r.errs, c.check(file)...)
	}
	return c, errors.Join(r.errs...)
}

// stripComments empties lines that hold nothing but a comment, so that a file
// of comments alone counts as empty.
func stripComments(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// syntaxError gives a YAML error the shape of ours. The library gives the line
// within its text only.
func syntaxError(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if i := strings.Index(text, " at L"); i >= 0 {
		_, _ = fmt.Sscanf(text[i:], " at L%d", &line) // no number: line stays 0
	}
	if _, cause, ok := strings.Cut(text, ": "); ok && line > 0 {
		text = cause
	}
	return &Error{File: file, Line: line, Err: errors.New(text), Hint: "indent with blanks, never tabs; quote values that hold ': ' or begin with a sign"}
}

// reader walks the YAML tree and sets keys.
type reader struct {
	c    *Config
	file string
	seen map[string]int // key -> line
	errs []error
}

func (r *reader) fail(line int, hint, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: r.file, Line: line, Err: fmt.Errorf(format, args...), Hint: hint})
}

// mapping reads a block of keys; prefix is the dotted name of the block.
func (r *reader) mapping(prefix string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.fail(n.Line, "write 'key: value' lines", "%s: expected a block of keys", orTop(prefix))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name := strings.TrimPrefix(prefix+"."+k.Value, ".")
		switch key := find(name); {
		case key != nil:
			r.value(key, k.Line, v)
		case isBlock(name):
			r.mapping(name, v)
		default:
			r.fail(k.Line, nearest(name), "unknown key %q", name)
		}
	}
}

func orTop(prefix string) string {
	if prefix == "" {
		return "the file"
	}
	return prefix
}

func (r *reader) value(k *key, line int, v *yaml.Node) {
	if former, twice := r.seen[k.name]; twice {
		r.fail(line, "keep one of them", "%s is already set in line %d", k.name, former)
		return
	}
	r.seen[k.name] = line
	words, ok := scalars(v)
	if !ok || (len(words) != 1 && !k.list) {
		r.fail(line, "for example "+k.name+": "+k.example(), "%s: expected %s", k.name, k.kind)
		return
	}
	if err := k.set(r.c, words); err != nil {
		r.fail(line, "for example "+k.name+": "+k.example(), "%s: %w", k.name, err)
		return
	}
	r.c.origin[k.name] = fmt.Sprintf("%s:%d", r.file, line)
}

// scalars returns the words of a scalar or of a list of scalars.
func scalars(n *yaml.Node) ([]string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return []string{n.Value}, true
	case yaml.SequenceNode:
		words := []string{}
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return nil, false
			}
			words = append(words, c.Value)
		}
		return words, true
	}
	return nil, false // a mapping or an alias
}

// Check finds values that have the wrong form or do not go together. Load has
// done so for a file; it is for those who changed a key with Set.
func (c *Config) Check() error { return errors.Join(c.check("configuration")...) }

func (c *Config) check(file string) []error {
	var errs []error
	bad := func(key, hint, format string, args ...any) {
		place := c.origin[key]
		if place == "default" { // it is at odds with a key that stands in the file
			place = file
		}
		errs = append(errs, &Error{File: place, Err: fmt.Errorf(key+": "+format, args...), Hint: hint})
	}
	for _, f := range forms {
		if m := f.check(c); m != nil {
			bad(f.key, m.hint, "%s", m.what)
		}
	}
	if c.InspectTimeout >= c.MessageTimeout {
		bad("timeout.inspect", "the inspection must end before the whole message's deadline", "%v is not below timeout.message (%v)", c.InspectTimeout, c.MessageTimeout)
	}
	if c.AuthTimeout >= c.MessageTimeout {
		bad("auth.timeout", "DNS must end before the whole message's deadline", "%v is not below timeout.message (%v)", c.AuthTimeout, c.MessageTimeout)
	}
	if c.MaxHeader > c.MaxMessage {
		bad("limit.header", "the header is a part of the message", "is larger than limit.message")
	}
	return errs
}

// trusted refuses a configuration that others could have written: they would
// run the gate.
func trusted(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return &Error{File: file, Err: cause(err), Hint: "name a readable file, or leave --config out to run with the defaults"}
	}
	if !info.Mode().IsRegular() {
		return &Error{File: file, Err: errors.New("not a regular file"), Hint: "--config names one YAML file"}
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &Error{File: file, Err: fmt.Errorf("mode %04o lets others write it", info.Mode().Perm()), Hint: "chmod go-w " + file}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return &Error{File: file, Err: fmt.Errorf("owner %d is neither root nor the running user", st.Uid), Hint: "chown root " + file}
	}
	return nil
}

// cause takes the operation and path off a file error: the place names both.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Set changes one key as a command line flag does; origin names the flag.
func (c *Config) Set(name, origin string, words ...string) error {
	k := find(name)
	if k == nil {
		return fmt.Errorf("unknown key %q", name)
	}
	if err := k.set(c, words); err != nil {
		return &Error{File: origin, Err: err, Hint: "for example " + k.example()}
	}
	c.origin[name] = origin
	return nil
}

// Setting is one value in force and where it came from.
type Setting struct {
	Key, Value, Origin string
}

// Settings lists every key with its value and origin, in the manual's order.
func (c *Config) Settings() []Setting {
	out := make([]Setting, 0, len(keys))
	for _, k := range keys {
		out = append(out, Setting{k.name, k.get(c), c.origin[k.name]})
	}
	return out
}

// InternalClient says whether addr lies in a network that counts as inside.
func (c *Config) InternalClient(addr netip.Addr) bool {
	return slices.ContainsFunc(c.Internal, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}
