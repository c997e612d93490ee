package filename

import (
	"slices"
	"strings"
	"testing"

	"sekisho/filter/display"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
)

func kinds(fs []finding.Finding) []finding.Kind {
	var out []finding.Kind
	for _, f := range fs {
		out = append(out, f.Kind)
	}
	return out
}

func named(source string, texts ...string) []entity.Name {
	var out []entity.Name
	for _, t := range texts {
		out = append(out, entity.Name{Text: t, Source: source})
	}
	return out
}

// check runs named cases of names from a mail's header.
func check(t *testing.T, tests []nameCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := kinds(Inspect("2", named("filename", tt.in))); !slices.Equal(got, tt.want) {
				t.Errorf("Inspect(%q) = %v, want %v", tt.in, got, tt.want)
			}
		})
	}
}

type nameCase struct {
	name, in string
	want     []finding.Kind
}

func is(kinds ...finding.Kind) []finding.Kind { return kinds }

func TestHonestNames(t *testing.T) {
	for _, name := range []string{
		"", "README", ".gitignore", "議事録.pdf", "見積書_2026.11.22_v1.2.pdf", "report.tar.gz", "data_2026-11.csv.gz",
		"readme.txt.pdf", "契約書案.docx.pdf", "契約書.docx.zip", "www.example.com.pdf", "example.co.jp_領収書.pdf",
		"chrome.exe.log", "setup.exe_の説明.txt", "Node.js入門.pdf", "ASP.NET移行計画.docx", "C++入門+演習.pdf",
		"No.3.資料.その2.確認用.pdf", "資料Ａ．別紙１.pdf", "２０２６年度予算（案）.xlsx", "ｾﾐﾅｰ案内.pdf",
		"カ\u3099イト\u3099フ\u3099ック.pdf", "達成率100%.xlsx", "100%25達成.xlsx", "Q&A集 #3 [改].pdf", "案1;案2.pdf",
		"O'Brien's CV.docx", "Smith, John - offer.pdf", "Meeting   notes.docx", "第３回　定例会議　議事録.docx",
		"【重要】【要返信】依頼書.docx", "11月22日〜25日の予定.xlsx", "INVOICE_0042.PDF", "氏名________.docx",
		"הדו\u05b9ח שנתי.docx", "\u200eדוח\u200e 2026.docx", "تقرير\u200f 2026.pdf", "تقرير الاجتماع.pdf", "گزارش\u200cها.pdf",
		"\u2068דוח\u2069.docx", "\u202bדוח שנתי\u202c.docx", "क्\u200dष.pdf", "👨\u200d👩\u200d👧_家族写真.jpg", "❤\ufe0f.pdf", "葛\U000e0100城市.pdf",
		"Re: 見積書.pdf", "Fwd: 10:30 の会議.eml", "検討中……案.docx", "議事録。", "Co., Ltd.", "dnešní zpráva.pdf", "отчёт.док",
		"見積書．ｐｄｆ", "long name " + strings.Repeat("資料", 100) + ".pdf", "notes.txt.html", "Ausfüllhilfe...pdf", "\x1b$B8+@Q=q\x1b(B.xlsx",
		"%E8%A6%8B%E7%A9%8D.pdf", "月次報告 (2).xlsx", "a\tb.pdf", "2026/11/22 資料.pdf",
		"Re: 第3回.会議.docx", "報告書\u3000最終版.pdf", "見積\u00a51,000.pdf", "A+B-C.pdf", "+AC4-.pdf", "結果は?.pdf", "何時?何分?.docx", "重要*必読*.pdf",
		"console.log", "aux入力.pdf", "nul_island.pdf", "com10.txt", "コンプライアンス.pdf", "Résumé.docx", "naïve.pdf", "データ.dét", "100%u.pdf", "12：30開始.pdf",
		"\u200fדוח.html", "Icon\uFFFD.pdf", "価格￥1000／個.pdf", "..メモ..pdf", "A/B 比較.pdf",
	} {
		t.Run(name, func(t *testing.T) {
			if got := Inspect("2", named("filename", name)); len(got) != 0 {
				t.Errorf("Inspect(%q) = %v, want nothing", name, got)
			}
		})
	}
}

func TestHonestMembers(t *testing.T) {
	for _, name := range []string{
		"docs/2026/議事録.pdf", `docs\議事録.pdf`, "MyApp.app/", "MyApp.app/Contents/Info.plist", "./a/b.txt", "Icon\r",
		"資料/見積書.docx/", "bin/setup.exe",
	} {
		t.Run(name, func(t *testing.T) {
			if got := Inspect("2", named("central", name)); len(got) != 0 {
				t.Errorf("Inspect(%q) = %v, want nothing", name, got)
			}
		})
	}
}

func TestReordered(t *testing.T) {
	check(t, []nameCase{
		{"RLO shows exe as pdf", "seikyu\u202efdp.exe", is(finding.NameReordered)},
		{"LRO", "a\u202dpdf.js", is(finding.NameReordered)},
		{"RLE round a decoy", "survey\u202b.pdf\u202c.js", is(finding.NameReordered, finding.NameDoubleExtension)},
		{"isolates", "survey\u202e\u2066fdp\u2069.js", is(finding.NameReordered)},
		{"a mark before a program", "תוכנית\u200f.exe", is(finding.NameReordered)},
		{"Arabic letter mark", "تقرير\u061c.scr", is(finding.NameReordered)},
		{"RLO in a document's name", "fdp\u202excod.pdf", is(finding.NameReordered)},
		{"embedding in a Latin name", "\u202breport.pdf\u202c", is(finding.NameReordered)},
		{"embedding moves the extension", "דוח\u202b2026.pdf", is(finding.NameReordered)},
		{"a mark before a page's name", "\u200fדף.html", nil},
		{"an isolate before a page's name", "\u2067fdp\u2069.html", is(finding.NameReordered)},
		{"a mark copied along passes", "\u200ereport.pdf", nil},
	})
}

func TestInvisible(t *testing.T) {
	check(t, []nameCase{
		{"ZWSP in the extension", "schedule.e\u200bxe", is(finding.NameInvisible)},
		{"soft hyphen before the dot", "schedule\u00ad.exe", is(finding.NameInvisible)},
		{"BOM at the end", "schedule.exe\ufeff", is(finding.NameInvisible)},
		{"tag characters", "schedule.pdf\U000e0065\U000e0078.exe", is(finding.NameInvisible, finding.NameDoubleExtension)},
		{"word joiner in a document's", "a.pd\u2060f", is(finding.NameInvisible)},
		{"ZWNJ in a Persian stem", "گزارش\u200cها\u200c.pdf", nil},
		{"ZWJ in a Latin stem at the dot", "report\u200d.pdf", is(finding.NameInvisible)},
		{"BOM before a title", "\ufeff議事録.txt", nil},
	})
}

func TestPadded(t *testing.T) {
	pad := func(s string, n int) string { return "請求書" + strings.Repeat(s, n) + ".exe" }
	cases := []nameCase{
		{"blanks, then more text", "report.pdf" + strings.Repeat(" ", 80) + "(1).exe", is(finding.NamePadded, finding.NameDoubleExtension)},
		{"dots", pad(".", 40), is(finding.NamePadded)},
		{"underscores", pad("_", 60), is(finding.NamePadded)},
		{"dots and blanks by turns", pad(". ", 20), is(finding.NamePadded)},
		{"documents hide too", "a" + strings.Repeat("\u3000", 30) + ".docx", is(finding.NamePadded)},
		{"two full-width blanks", "第３回\u3000\u3000議事録.docx", nil},
		{"a line to write on", "氏名____________.docx", nil},
		{"one blank before a program", "setup (2).exe", nil},
	}
	for _, blank := range []string{" ", "\u3000", "\u00a0", "\u2800", "\u3164", "\u115f", "\u1160", "\uffa0", "\u2003", "\u2009"} {
		cases = append(cases, nameCase{"blank " + codes(blank, display.IsBlank), pad(blank, 40), is(finding.NamePadded)})
	}
	check(t, cases)
}

func TestDoubled(t *testing.T) {
	check(t, []nameCase{
		{"pdf exe", "quotation.pdf.bat", is(finding.NameDoubleExtension)},
		{"dated", "order_form_2026.11.22_v1.2.xlsx.js", is(finding.NameDoubleExtension)},
		{"a blank between", "契約書.pdf .lnk", is(finding.NameDoubleExtension)},
		{"full-width decoy", "契約書．ｐｄｆ.exe", is(finding.NameDoubleExtension)},
		{"a copy's number after the decoy", "quotation.pdf(1).bat", is(finding.NameDoubleExtension)},
		{"full-width brackets after the decoy", "見積書.pdf（写し）.scr", is(finding.NameDoubleExtension)},
		{"a line after the decoy", "見積書.pdf-----.scr", is(finding.NameDoubleExtension)},
		{"words after the decoy", "見積書.pdfの見方.exe", nil},
		{"a longer word than the decoy", "setup.docview.exe", nil},
		{"a version after the decoy", "a.docx.1.scr", is(finding.NameDoubleExtension)},
		{"web page dressed as PDF", "invoice.pdf.html", is(finding.NameDoubleExtension)},
		{"nothing but extensions", ".pdf.exe", is(finding.NameDoubleExtension)},
		{"a library's name", "pdf.min.js", nil},
		{"a program with a version", "setup_v1.2.exe", nil},
		{"a stem of dots", "...exe", nil},
	})
}

func TestWindowsForms(t *testing.T) {
	check(t, []nameCase{
		{"dots and blanks", "meeting.vbs. . .", is(finding.NameTrailing)},
		{"no-break space", "meeting.vbs\u00a0", is(finding.NameTrailing)},
		{"quote", `meeting.vbs"`, is(finding.NameTrailing)},
		{"slash", "meeting.vbs/", is(finding.NameTrailing)},
		{"what Windows forbids", "meeting.vbs?", is(finding.NameTrailing)},
		{"a question", "これは何?.pdf", nil},
		{"a dot after a document's", "report.pdf.", nil},
		{"stream", "議事録.pdf:議事録.bat", is(finding.NameStream)},
		{"data stream", "議事録.bat::$DATA", is(finding.NameStream)},
		{"zone", "議事録.txt:Zone.Identifier", is(finding.NameStream)},
		{"class", "議事録.{00020810-0000-0000-C000-000000000046}", is(finding.NameClassID)},
		{"GUID in brackets is a number", "Export {00020810-0000-0000-C000-000000000046}.pdf", nil},
		{"parent", `..\..\Startup\見積書.exe`, is(finding.NamePath)},
		{"parent of a document", "../見積書.pdf", is(finding.NamePath)},
		{"drive", `C:\Users\a.pdf`, is(finding.NamePath)},
		{"drive without a folder", `c:a.exe`, is(finding.NamePath)},
		{"UNC", `\\host\share\a.pdf`, is(finding.NamePath)},
		{"folder dressed as a document", "report.pdf/医療費.exe", is(finding.NamePath)},
		{"colons at the end", "a.exe::", is(finding.NameTrailing)},
		{"a stream behind colons", "a.exe::$INDEX_ALLOCATION", is(finding.NameStream)},
		{"parent by yen signs", "..\u00a5..\u00a5Startup\u00a5a.exe", is(finding.NamePath)},
		{"parent by division slashes", "..\u2215a.pdf", is(finding.NamePath)},
		{"parent in escapes", "..%5c..%5ca.pdf", is(finding.NamePath)},
		{"full-width parent", "..＼a.pdf", is(finding.NamePath)},
		{"a device", "CON", is(finding.NameDevice)},
		{"a device with an extension", "nul.txt", is(finding.NameDevice)},
		{"a device with two", "aux.tar.gz", is(finding.NameDevice)},
		{"a device in a folder", `docs\com1.pdf`, is(finding.NameDevice)},
		{"a device by a superscript", "com\u00b9.txt", is(finding.NameDevice)},
		{"a device and blanks", "lpt9 .pdf", is(finding.NameDevice)},
		{"a bar within", "a.e|xe", is(finding.NameForbidden)},
		{"a question mark within", "a.e?xe", is(finding.NameForbidden)},
		{"angles within", "a.e<x>e", is(finding.NameForbidden)},
		{"a quote within", `a.v"bs`, is(finding.NameForbidden)},
		{"a colon within", "a.e:xe", is(finding.NameForbidden)},
		{"an unreadable byte within", "a.e\uFFFDxe", is(finding.NameForbidden)},
		{"long", strings.Repeat("資料", 150) + ".pdf", is(finding.NameLong)},
	})
}

func TestCharacters(t *testing.T) {
	check(t, []nameCase{
		{"full-width", "名簿．ｅｘｅ", is(finding.NameLookalike)},
		{"one-dot leader", "名簿\u2024exe", is(finding.NameLookalike)},
		{"two-dot leader", "名簿\u2025exe", is(finding.NameLookalike)},
		{"two-dot leader in a title", "第1回\u2025概要.pdf", nil},
		{"ideographic full stop", "名簿。exe", is(finding.NameLookalike)},
		{"Cyrillic", "契約書案.ехе", is(finding.NameLookalike)},
		{"Greek", "契約書案.εχε", nil}, // U+03B5 looks like no Latin e
		{"long s", "契約書案.j\u017f", is(finding.NameLookalike)},
		{"dotless i", "契約書案.p\u0131f", is(finding.NameLookalike)},
		{"Kelvin sign", "契約書案.ln\u212a", is(finding.NameLookalike)},
		{"Cyrillic document", "契約書案.рdf", is(finding.NameLookalike)},
		{"NUL", "survey.cmd\x00.pdf", is(finding.NameControl)},
		{"backspace", "invoice.pdf\x08.bat", is(finding.NameDoubleExtension, finding.NameControl)},
		{"C1", "invoice.b\u0085at", is(finding.NameControl)},
		{"an accent", "a.\u00e9xe", is(finding.NameLookalike)},
		{"a combining accent", "a.e\u0301xe", is(finding.NameLookalike)},
		{"a macron", "a.\u0113xe", is(finding.NameLookalike)},
		{"a multiplication sign", "a.e\u00d7e", is(finding.NameLookalike)},
		{"circled letters", "a.ⓔⓧⓔ", is(finding.NameLookalike)},
		{"mathematical letters", "a.\U0001d41e\U0001d431\U0001d41e", is(finding.NameLookalike)},
		{"an accented stem", "caf\u00e9.pdf", nil},
		{"UTF-7 dot", "meeting+AC4-vbs", is(finding.NameEscaped)},
		{"UTF-7 letter", "meeting.+AHY-bs", is(finding.NameEscaped)},
		{"old script's dot", "meeting%u002Evbs", is(finding.NameEscaped)},
		{"old script's wide dot", "meeting%uff0Evbs", is(finding.NameEscaped)},
		{"percent dot", "meeting%2Evbs", is(finding.NameEscaped)},
		{"percent twice", "meeting%252evbs", is(finding.NameEscaped)},
		{"entity", "meeting&#46;vbs", is(finding.NameEscaped)},
		{"literal NUL", "meeting.vbs%00.pdf", is(finding.NameEscaped)},
	})
}

func TestConflict(t *testing.T) {
	tests := []struct {
		name  string
		names []string
		want  []finding.Kind
	}{
		{"program and document", []string{"a.exe", "a.pdf"}, is(finding.NameConflict)},
		{"script in the second form", []string{"見積書.txt", "見積書.js"}, is(finding.NameConflict)},
		{"ASCII fallback", []string{"document.pdf", "医療費通知.pdf"}, nil},
		{"two documents", []string{"scan.pdf", "scan.tif"}, nil},
		{"a DOS name", []string{"setup.settingcontent-ms", "SETUP~1.SET"}, nil},
		{"one without extension", []string{"README", "README.txt"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := kinds(Inspect("2", named("filename", tt.names...))); !slices.Equal(got, tt.want) {
				t.Errorf("Inspect(%q) = %v, want %v", tt.names, got, tt.want)
			}
		})
	}
}

func TestBorrowedNames(t *testing.T) {
	tests := []struct {
		source, text string
		want         []string
	}{
		{"content-location", "https://www.example.com/", nil},
		{"content-location", "https://www.example.com/a/logo.png?x=evil.exe", []string{"png"}},
		{"content-location", "file:///C:/2673C891/setup.exe", []string{"exe"}},
		{"content-location", "cid:part1.exe", []string{"exe"}},
		{"content-description", "Mail from www.example.com", nil},
		{"content-description", "見積書.exe", []string{"exe"}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			if got := Extensions(named(tt.source, tt.text)); !slices.Equal(got, tt.want) {
				t.Errorf("Extensions(%s %q) = %q, want %q", tt.source, tt.text, got, tt.want)
			}
		})
	}
}

func TestExtensions(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"a.EXE", []string{"exe"}},
		{"README", nil},
		{"見積書_2026.11.22_v1.2.pdf", []string{"pdf"}},
		{`dir.d\a.exe. . "`, []string{"exe"}},
		{"a.pdf:b.bat", []string{"bat", "pdf"}},
		{"a.exe::$DATA", []string{"exe"}},
		{"a.exe:", []string{"exe"}},
		{"survey.cmd\x00.pdf", []string{"cmd", "pdf"}},
		{"a.e\u200bxe", []string{"exe"}},
		{"a．ｅｘｅ", []string{"exe"}},
		{"a.ехе", []string{"exe"}},
		{"a.LN\u212a", []string{"lnk"}},
		{"a.js\u202e", []string{"js"}},
		{"a%2Evbs", []string{"vbs"}},
		{"a.e|xe", []string{"exe", "e|xe"}},
		{"a.e\uFFFDxe", []string{"exe", "e\uFFFDxe"}},
		{"a.\u00e9xe", []string{"exe"}},
		{"a+AC4-exe", []string{"exe"}},
		{"A+B-C.pdf", []string{"pdf"}},
		{"a.vbs%00.pdf", []string{"pdf", "vbs"}},
		{strings.Repeat("a", 251) + ".exe" + strings.Repeat("b", 60) + ".pdf", []string{"exe", "pdf"}},
		{strings.Repeat("あ", 251) + ".exe" + strings.Repeat("b", 60) + ".pdf", []string{"exe", "pdf"}},
		{strings.Repeat("a", 200) + ".1." + strings.Repeat("b", 60) + ".pdf", []string{"pdf"}},
		{"a.exe/", []string{"exe"}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			if got := Extensions(named("filename", tt.in)); !slices.Equal(got, tt.want) {
				t.Errorf("Extensions(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestEvidence(t *testing.T) {
	got := Inspect("2/a.zip", named("central", "seikyu\u202efdp.exe"))
	want := []finding.Finding{finding.New(finding.NameReordered, "2/a.zip", "name", "seikyu\u202efdp.exe",
		"shown", "seikyuexe.pdf", "ext", "exe", "controls", "U+202E")}
	if len(got) != 1 || finding.Compare(got[0], want[0]) != 0 {
		t.Errorf("Inspect = %v, want %v", got, want)
	}
}

// TestSaved holds the name under which Windows keeps a file: evidence beside
// the name itself and what is shown of it.
func TestSaved(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "議事録.pdf", "議事録.pdf"},
		{"dots and blanks at the end", "a.exe. . ", "a.exe"},
		{"a stream", "a.exe::$DATA", "a.exe"},
		{"a named stream", "a.pdf:b.exe", "a.pdf"},
		{"a title's colon", "Re: 資料.pdf", "Re_ 資料.pdf"},
		{"forbidden characters", "a?b|c<d>.pdf", "a_b_c_d_.pdf"},
		{"a path", `..\..\Startup\a.exe`, "a.exe"},
		{"a drive", "c:a.exe", "a.exe"},
		{"a slash at the end", "a.exe/", "a.exe"},
		{"controls", "a\x00b.pdf", "a_b.pdf"},
		{"directions stay", "a\u202efdp.exe", "a\u202efdp.exe"},
		{"nothing but dots", "...", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := saved(tt.in); got != tt.want {
				t.Errorf("saved(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
	got := Inspect("2", named("filename", "a.exe. ."))
	if len(got) != 1 || got[0].Evidence["name"] != "a.exe. ." || got[0].Evidence["shown"] != "a.exe. ." || got[0].Evidence["saved"] != "a.exe" {
		t.Errorf("Inspect = %v, want the name as sent, as shown and as saved", got)
	}
}

func BenchmarkInspect(b *testing.B) {
	names := named("filename", "厚生年金徴収関係研修資料(150331厚生年金徴収支援G).lzh", "document.lzh")
	b.SetBytes(int64(len(names[0].Text) + len(names[1].Text)))
	b.ReportAllocs()
	for b.Loop() {
		Inspect("2", names)
	}
}

// FuzzInspect promises: same name, same answer; extensions are lower case
// without separators.
func FuzzInspect(f *testing.F) {
	for _, s := range []string{"a.pdf", "a\u202efdp.exe", "a.e\u200bxe", "..\\x:y.bat", "%00.", "دوح\u2067\u2069", ".", "..."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		names := named("filename", s, "x.pdf")
		if a, b := Inspect("1", names), Inspect("1", names); !slices.EqualFunc(a, b, same) {
			t.Fatalf("Inspect(%q): same name, two answers", s)
		}
		for _, ext := range Extensions(names) {
			if ext == "" || strings.ContainsAny(ext, "/\\\x00") {
				t.Fatalf("Extensions(%q) holds %q", s, ext)
			}
		}
	})
}

func same(a, b finding.Finding) bool { return finding.Compare(a, b) == 0 }
