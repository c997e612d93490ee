package unpack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
	"sekisho/filter/testfile"
)

// corpusRecord is a line of a suite's manifest.
type corpusRecord struct {
	File     string
	Kind     string
	Volumes  []string
	Password string
	Expected struct {
		Verdict   string
		SuiteSays string `json:"suite_says"`
		Members   []corpusMember
		// Names as another reader gives them, of all members.
		Libarchive []string `json:"names_libarchive"`
	}
}

type corpusMember struct {
	Name          string
	NameExtracted string `json:"name_extracted"`
	NameLegacy    string `json:"name_legacy"`
	Type          string
	Size          int64
	SHA256        string
	others        []string // names of another reader
}

// corpusMagics choose the types here: the suites are no test of filetype.
var corpusMagics = []struct {
	at    int
	magic string
	name  string
}{
	{0, "\x1f\x8b", "gzip"}, {0, "\x1f\x9d", "compress"}, {0, "BZh", "bzip2"}, {0, "\xfd7zXZ", "xz"},
	{0, "\x28\xb5\x2f\xfd", "zstd"}, {0, "\x04\x22\x4d\x18", "lz4"}, {0, "LZIP", "lzip"}, {0, "070", "cpio"},
	{0, "\xc7\x71", "cpio"}, {0, "\x71\xc7", "cpio"}, {0, "!<arch>\n", "ar"}, {0, "xar!", "xar"}, {0, "\x89LZO", "lzop"},
}

func corpusTypes(suite, name string, b []byte) []string {
	switch suite {
	case "rar", "lzh", "cab":
		return []string{suite}
	case "sevenzip":
		return []string{"7z"}
	case "iso-img":
		return []string{"iso"}
	}
	for _, m := range corpusMagics {
		if len(b) > m.at && bytes.HasPrefix(b[m.at:], []byte(m.magic)) {
			return []string{m.name}
		}
	}
	switch {
	case suite == "zip":
		return []string{suite}
	case strings.HasSuffix(name, ".lzma"):
		return []string{"lzma"}
	}
	if strings.HasSuffix(name, ".zst") && len(b) > 4 && b[0]&0xf0 == 0x50 {
		return []string{"zstd"} // begins with a skippable frame
	}
	if strings.HasSuffix(name, ".tar") {
		return []string{"tar"}
	}
	return nil
}

// corpusFile opens one file with all that is inside, as inspect would.
func corpusFile(suite, path, password string, b []byte) (got []*entity.Entity, found []finding.Finding, types []string) {
	bud := budget.New(budget.Default)
	bud.Confine()
	root := &entity.Entity{Path: "1", Depth: 1, Body: b, Names: []entity.Name{{Text: filepath.Base(path)}}}
	keys := key.NewRing()
	if password != "" {
		keys = key.NewRing(key.Key{Text: password, Source: "list"})
	}
	types = corpusTypes(suite, path, b)
	var open func(e *entity.Entity, types []string)
	open = func(e *entity.Entity, types []string) {
		_, fs := Unlock(e, types, keys, bud, func(m *entity.Entity) {
			h := sha256.Sum256(m.Body)
			c := *m
			c.Body, c.Charset = nil, hex.EncodeToString(h[:])
			got = append(got, &c)
			if suite == "tar-cpio-ar" && len(types) == 1 && types[0] != "tar" && len(m.Body) > 262 {
				inner := corpusTypes(suite, "inner.tar", m.Body)
				open(m, inner)
			}
		})
		found = append(found, fs...)
	}
	open(root, types)
	for _, r := range bud.Reached() {
		found = append(found, finding.New(finding.LimitReached, r.Path, "limit", string(r.What)))
	}
	return got, found, types
}

// plainName undoes the escapes and the cleaning of the labels' tools, which
// did not agree on separators.
func plainName(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+4 <= len(s) && s[i:i+2] == `\x` {
			if v, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	s = strings.ReplaceAll(b.String(), "\\", "/")
	return strings.TrimPrefix(strings.TrimPrefix(s, "./"), "/")
}

func (m corpusMember) named(e *entity.Entity) bool {
	for _, n := range e.Names {
		for _, want := range append([]string{m.Name, m.NameExtracted, m.NameLegacy}, m.others...) {
			if want == "" {
				continue
			}
			if w := plainName(want); strings.EqualFold(w, plainName(n.Text)) || w == plainName(string(n.Raw)) {
				return true
			}
		}
	}
	return len(e.Names) == 0
}

// has finds m among got: "" for found, else what was wrong.
func (m corpusMember) missing(got []*entity.Entity) string {
	why := "absent"
	for _, e := range got {
		switch {
		case m.Type == "symlink":
			if m.named(e) {
				return ""
			}
		case e.Charset == m.SHA256 && (e.Size == m.Size || e.Unread): // of a cut member, what is there
			if m.named(e) {
				return ""
			}
			why = fmt.Sprintf("named %q", e.Names)
		case m.named(e) && why == "absent":
			why = fmt.Sprintf("size %d, unread %v", e.Size, e.Unread)
		}
	}
	return why
}

func kindsOf(fs []finding.Finding) string {
	var out []string
	for _, f := range finding.Sort(fs) {
		s := string(f.Kind)
		if in := f.Evidence["in"]; in != "" {
			s += "=" + in
		}
		if len(out) == 0 || out[len(out)-1] != s {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

// corpusReadable says that a file is whole that no tool of the labels could
// read in full: zstd, brotli and lz4 in 7z, lzop joined, with every checksum right.
func corpusReadable(suite, name string) bool {
	name = strings.ToLower(name)
	seven := suite == "sevenzip" && (strings.Contains(name, "zstd") || strings.Contains(name, "brotli") || strings.Contains(name, "lz4"))
	return seven || strings.HasSuffix(name, ".lzo")
}

// corpusSuites say how much of each suite must be right, by format.
var corpusSuites = []struct {
	suite string
	least map[string]float64
}{
	{"zip", map[string]float64{"zip": 0.99}},
	{"lzh", map[string]float64{"lzh": 1}},
	{"cab", map[string]float64{"cab": 0.95}},
	{"iso-img", map[string]float64{"iso": 0.95}},
	{"rar", map[string]float64{"rar": 0.95}},
	{"sevenzip", map[string]float64{"7z": 0.98}},
	{"tar-cpio-ar", map[string]float64{"tar": 0.99, "gzip": 0.99, "cpio": 0.99, "ar": 0.95, "xz": 0.99, "zstd": 0.99, "lz4": 0.99, "lzip": 0.99, "compress": 0.99}},
	{"streams", map[string]float64{"gzip": 0.99, "xz": 0.99, "zstd": 0.99, "bzip2": 0.99, "compress": 0.99}},
}

func TestCorpus(t *testing.T) {
	for _, s := range corpusSuites {
		t.Run(s.suite, func(t *testing.T) { runSuite(t, testfile.Corpus(t, s.suite), s.suite, s.least) })
	}
}

func runSuite(t *testing.T, dir, suite string, least map[string]float64) {
	right, all := map[string]int{}, map[string]int{}
	for _, r := range testfile.Manifest[corpusRecord](t, dir) {
		format, ok, n := runCorpusFile(t, dir, suite, r)
		right[format] += ok
		all[format] += n
	}
	for format, n := range all {
		if n == 0 {
			continue
		}
		share := float64(right[format]) / float64(n)
		t.Logf("%s %s: %d of %d members, %.1f%%", suite, format, right[format], n, 100*share)
		if share < least[format] {
			t.Errorf("%s %s: recall %.3f, want %.3f", suite, format, share, least[format])
		}
	}
}

// beyond says that m cannot be had: a password is missing, or a limit stopped
// us and we said so.
func (m corpusMember) beyond(got []*entity.Entity, found []finding.Finding) bool {
	limited := slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Kind == finding.LimitReached })
	for _, e := range got {
		if m.named(e) && (e.Encrypted || e.Unread && limited && m.Size > budget.Default.RatioFloor) {
			return true
		}
	}
	return false
}

// oddName says that package filename has something to state.
func oddName(got []*entity.Entity) bool {
	return slices.ContainsFunc(got, func(e *entity.Entity) bool { return len(e.Name()) > 4096 })
}

// corpusSet reads a file and the volumes that belong to it, as inspect would
// put them together.
func corpusSet(t *testing.T, dir string, r corpusRecord) (all []byte) {
	files := []string{r.File}
	for _, v := range r.Volumes {
		files = append(files, filepath.Join(filepath.Dir(r.File), filepath.Base(v)))
	}
	if strings.HasSuffix(r.File, ".zip") || strings.HasSuffix(r.File, ".zipx") {
		files = append(files[1:], files[0])
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func runCorpusFile(t *testing.T, dir, suite string, r corpusRecord) (format string, right, all int) {
	b := corpusSet(t, dir, r)
	got, found, types := corpusFile(suite, r.File, r.Password, b)
	format = strings.Join(types, "+")
	name := filepath.Base(r.File)
	honest := corpusReadable(suite, name) || r.Expected.Verdict == "ok" || r.Expected.Verdict == "empty-or-only-dirs-links"
	if types != nil && len(found) == 0 && !oddName(got) && (!honest || r.Kind == "volume-continuation") {
		t.Errorf("%s: %s, and nothing found", name, r.Expected.Verdict)
	}
	if honest && r.Expected.SuiteSays != "" && len(found) == 0 {
		t.Logf("%s: %s, and nothing found", name, r.Expected.SuiteSays)
	}
	if honest && r.Expected.SuiteSays == "" && len(found) > 0 {
		t.Logf("%s: found %s", name, kindsOf(found))
	}
	if r.Expected.Verdict != "ok" || r.Kind == "volume-continuation" {
		return format, 0, 0 // counted with its set
	}
	for _, m := range r.Expected.Members {
		m.others = r.Expected.Libarchive
		if m.Type == "dir" {
			continue
		}
		if m.beyond(got, found) {
			t.Logf("%s: %q needs a password or more than a limit allows: %s", name, m.Name, kindsOf(found))
			continue
		}
		all++
		if why := m.missing(got); why != "" {
			t.Logf("%s: missed %q: %s: %s", name, m.Name, why, kindsOf(found))
			continue
		}
		right++
	}
	return format, right, all
}
