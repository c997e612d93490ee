package filter

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/mail"
	"sekisho/filter/rule"
	"sekisho/filter/testfile"
	"sekisho/rules"
)

func defaultJudge(t testing.TB) *Judge {
	t.Helper()
	set, err := rule.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	return &Judge{Rules: set, Inspect: InProcess(budget.Default, time.Minute), Internal: func(netip.Addr) bool { return false }}
}

func judgeRaw(t testing.TB, j *Judge, raw []byte) Judged {
	t.Helper()
	return j.Message(t.Context(), &mail.Message{Raw: raw, Size: int64(len(raw))})
}

// tally counts one technique.
type tally struct{ total, blocked, tagged int }

type evasion struct {
	File, Technique, Variant, Class string
	Expect                          []string
}

// TestCorpusEvasion states recall on must_block and false alarms on must_pass
// by technique, and fails below what the founding issue asks for.
func TestCorpusEvasion(t *testing.T) {
	dir := testfile.Corpus(t, "evasion")
	j := defaultJudge(t)
	by := map[string]*tally{}
	sum := map[string]*tally{}
	unopened := 0
	for _, e := range testfile.Manifest[evasion](t, dir) {
		raw, err := os.ReadFile(filepath.Join(dir, e.File))
		if err != nil {
			t.Fatal(err)
		}
		got := judgeRaw(t, j, raw)
		d := got.Verdict.Disposition
		for _, key := range []string{e.Class + " " + e.Technique, e.Class, e.Class + " family " + e.Technique[:1]} {
			m := by
			if !strings.Contains(key, " ") || strings.Contains(key, "family") {
				m = sum
			}
			if m[key] == nil {
				m[key] = &tally{}
			}
			m[key].total++
			switch {
			case !d.Delivers():
				m[key].blocked++
			case d.String() == "tag":
				m[key].tagged++
			}
		}
		if e.Class == "must_pass" && !d.Delivers() && got.Verdict.Rule() == "container-unopened" {
			unopened++ // asked for: what cannot be opened is not delivered
		}
		if e.Class == "must_block" && d.Delivers() || e.Class == "must_pass" && d.String() != "accept" || e.Class == "should_flag" && d.String() == "accept" {
			t.Logf("%s %s %s/%s: %s by %s; findings %s", e.Class, e.File, e.Technique, e.Variant, d, got.Verdict.Rule(), kindsOf(got))
		}
	}
	printTally(t, by)
	printTally(t, sum)
	check(t, sum["must_block"], 65)
	for _, f := range []string{"X", "T", "N", "L"} {
		check(t, sum["must_block family "+f], 90)
	}
	p := sum["must_pass"]
	t.Logf("honest mails blocked: %d of %d, of them %d for a container that this version does not open", p.blocked, p.total, unopened)
	if (p.blocked-unopened)*100 > p.total {
		t.Errorf("%d of %d honest mails were blocked, at most 1%% may be", p.blocked-unopened, p.total)
	}
}

func kindsOf(j Judged) string {
	var kinds []string
	for _, f := range j.Report.Findings {
		kinds = append(kinds, string(f.Kind))
	}
	return strings.Join(slices.Compact(kinds), " ")
}

func check(t *testing.T, got *tally, percent int) {
	t.Helper()
	if got.blocked*100 < got.total*percent {
		t.Errorf("blocked %d of %d, want at least %d%%", got.blocked, got.total, percent)
	}
}

func printTally(t *testing.T, m map[string]*tally) {
	t.Helper()
	for _, k := range slices.SortedFunc(maps.Keys(m), cmp.Compare[string]) {
		v := m[k]
		t.Logf("%-34s %4d mails  %4d blocked (%5.1f%%)  %4d tagged", k, v.total, v.blocked, 100*float64(v.blocked)/float64(v.total), v.tagged)
	}
}

// TestCorpusHonestMail: false quarantine over real honest mail, at most 0.1%.
func TestCorpusHonestMail(t *testing.T) {
	j := defaultJudge(t)
	total, blocked, ambiguous, tagged := 0, 0, 0, map[string]int{}
	for _, suite := range []string{"ham-spamassassin", "bounces-sisimai"} {
		eachTar(t, filepath.Join(testfile.Corpus(t, suite), suite+".tar.gz"), func(name string, raw []byte) {
			total++
			got := judgeRaw(t, j, raw)
			if slices.ContainsFunc(got.Report.Findings, func(f finding.Finding) bool { return strings.HasPrefix(string(f.Kind), "mime.") }) {
				ambiguous++
			}
			switch d := got.Verdict.Disposition; {
			case !d.Delivers():
				blocked++
				t.Logf("blocked %s: %s by %s; findings %s", name, d, got.Verdict.Rule(), kindsOf(got))
			case d.String() == "tag":
				tagged[got.Verdict.Rule()]++
			}
		})
	}
	t.Logf("%d honest mails: %d blocked, %d ambiguous, tagged by rule: %v", total, blocked, ambiguous, tagged)
	if ambiguous*100 > total {
		t.Errorf("%d of %d honest mails were found ambiguous, at most 1%% may be", ambiguous, total)
	}
	if blocked*1000 > total {
		t.Errorf("%d of %d honest mails were blocked, at most 0.1%% may be", blocked, total)
	}
}

func eachTar(t *testing.T, file string, use func(string, []byte)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", file, err))
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		use(h.Name, raw)
	}
}
