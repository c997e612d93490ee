package rules

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sekisho/filter/filetype"
	"sekisho/filter/mail"
	"sekisho/filter/report"
	"sekisho/filter/rule"
	"sekisho/filter/verdict"
)

var update = flag.Bool("update", false, "write the list of rules into docs/rules.md")

// defender are the types of Microsoft Defender's common-attachment filter.
const defender = `ace ani apk app appx arj bat cab cmd com deb dex dll docm elf exe hta img iso jar jnlp kext lha lib
library lnk lzh macho msc msi msix msp mst pif ppa ppam reg rev scf scr sct sys uif vb vbe vbs vxd wsc wsf wsh xll
xz z`

// rspamd are the extensions that rspamd's mime_types module holds for bad.
const rspamd = `scr lnk exe jar com bat ace arj cab ade adp chm cmd cpl ins isp js jse lib mde msc msi msp mst nsh pif sct shb
sys vb vbe vbs vxd wsc wsh app asp bas cnt csh diagcab fxp gadget grp hlp hpj inf its jnlp ksh mad maf mag mam maq mar
mas mat mau mav maw mcf mda mdb mdt mdw mdz msh msh1 msh2 mshxml msh1xml msh2xml msu ops osd pcd pl plg prf prg
printerexport ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 pst reg scf shs theme url vbp vsmacros vsw webpnp website ws
xbap xll xnk`

// attachment judges a mail from outside with one file of this extension and
// of no known content.
func attachment(set *rule.Set, ext string) verdict.Verdict {
	name := "資料." + ext
	r := &report.Report{Kind: report.KindMail, Entities: []report.Entity{
		{Path: "1", Depth: 1, Types: []string{"text"}, Size: 10},
		{Path: "2", Depth: 1, Name: name, Names: []string{name}, Exts: []string{ext}, Size: 10},
	}}
	return set.Judge(rule.NewFacts(r, mail.Envelope{}, mail.Client{}, rule.Auth{}))
}

func TestPeersBlockListsAreCovered(t *testing.T) {
	set := load(t)
	archives, risky := values(t, set, "archive"), values(t, set, "risky")
	peers := append(strings.Fields(defender), strings.Fields(rspamd)...)
	if n := len(strings.Fields(defender)); n != 53 {
		t.Fatalf("the filter of Defender has %d types here, want 53", n)
	}
	for _, ext := range peers {
		want := verdict.Quarantine
		if slices.Contains(archives, ext) || slices.Contains(risky, ext) {
			want = verdict.Tag
		}
		if got := attachment(set, ext).Disposition; got != want {
			t.Errorf(".%s is %s, want %s", ext, got, want)
		}
	}
}

func TestHonestTypesPass(t *testing.T) {
	set := load(t)
	for _, ext := range strings.Fields(`pdf doc docx xls xlsx ppt pptx csv txt rtf odt jtd xdw dwg dxf jpg png gif tif heic
		mp4 eml ics vcf p7s asc html svg key pages dat bin xyz`) {
		if v := attachment(set, ext); v.Disposition != verdict.Accept {
			t.Errorf(".%s is %s by %s, want accept", ext, v.Disposition, v.Rule())
		}
	}
}

func TestTheForgedColleagueIsKept(t *testing.T) {
	r := &report.Report{Kind: report.KindMail, Header: report.Header{FromFields: 1,
		From: []report.Address{{Name: "総務部", Addr: "soumu@kansho.example.jp", Domain: "kansho.example.jp"}}}}
	failed := rule.Auth{Checked: true, SPF: "fail", DMARC: "fail", DMARCPolicy: "reject"}
	f := rule.NewFacts(r, mail.Envelope{MailFrom: "soumu@kansho.example.jp"}, mail.Client{}, failed)
	if v := load(t).Judge(f); v.Disposition != verdict.Quarantine || v.Rule() != "auth-dmarc-reject" {
		t.Errorf("Judge = %s by %s, want quarantine by auth-dmarc-reject", v.Disposition, v.Rule())
	}
	f.OwnDomains = []string{"kansho.example.jp"}
	if v := load(t).Judge(f); v.Rule() != "auth-own-domain" {
		t.Errorf("Judge = %s by %s, want auth-own-domain first", v.Disposition, v.Rule())
	}
}

// manual reads docs/rules.md from the folder above.
func manual(t *testing.T) string {
	t.Helper()
	text, err := fs.ReadFile(os.DirFS("../docs"), "rules.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const (
	begin = "<!-- rules: begin, kept by `go test ./rules -update` -->\n"
	end   = "<!-- rules: end -->\n"
)

// table is the list of default rules as the manual shows it.
func table(set *rule.Set) string {
	var b strings.Builder
	b.WriteString("| rule | then | severity | why |\n|---|---|---|---|\n")
	for _, r := range set.Rules() {
		then := r.Then.String()
		if r.Observe {
			then += " (observe)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.ID, then, r.Severity, r.Why)
	}
	b.WriteString("\n| list | values | what they have in common |\n|---|---|---|\n")
	for _, l := range set.Lists() {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", l.Name, len(l.Entries), l.Why)
	}
	return b.String()
}

func TestTheManualListsEveryRule(t *testing.T) {
	text, want := manual(t), begin+table(load(t))+end
	from, to := strings.Index(text, begin), strings.Index(text, end)
	if from < 0 || to < from {
		t.Fatalf("docs/rules.md lacks its markers %q and %q", begin, end)
	}
	if *update {
		text = text[:from] + want + text[to+len(end):]
		if err := os.WriteFile("../docs/rules.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := text[from : to+len(end)]; got != want {
		t.Error("docs/rules.md does not list the default rules as they are: run go test ./rules -update")
	}
}

var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The examples of the manual are local files, each laid over the default set.
func TestTheManualsExamplesLoadAndPass(t *testing.T) {
	examples := block.FindAllStringSubmatch(manual(t), -1)
	if len(examples) < 4 {
		t.Fatalf("%d examples in docs/rules.md: some are lost", len(examples))
	}
	for _, e := range examples {
		set, err := rule.Load(FS, fstest.MapFS{"example.yaml": {Data: []byte(e[1])}})
		if err != nil {
			t.Errorf("example does not load: %v\n%s", err, e[1])
			continue
		}
		for _, r := range set.Test(nil) {
			if !r.OK() {
				t.Errorf("example: %s, %q: got %s, want %s", r.Rule, r.Name, r.Got, r.Want)
			}
		}
	}
}

// Every type that runs or holds files has a place in the rules, and every
// type that a list names is one that filetype can find.
func TestTypeListsFollowFiletype(t *testing.T) {
	listed := map[string]bool{}
	set := load(t)
	for _, l := range set.Lists() {
		if !strings.HasSuffix(l.Name, "_type") {
			continue
		}
		for _, v := range values(t, set, l.Name) {
			listed[v] = true
		}
	}
	for _, known := range filetype.Types {
		if (known.Runs || known.Holds) && !listed[known.Name] {
			t.Errorf("type %q runs or holds files and is in no list", known.Name)
		}
		delete(listed, known.Name)
	}
	for v := range listed {
		t.Errorf("the lists name a type %q that filetype does not find", v)
	}
}
