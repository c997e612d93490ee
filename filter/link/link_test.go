package link

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sekisho/filter/finding"
)

func kinds(fs []finding.Finding) []finding.Kind {
	var out []finding.Kind
	for _, f := range fs {
		out = append(out, f.Kind)
	}
	return out
}

func is(kinds ...finding.Kind) []finding.Kind { return kinds }

func anchor(href, shown string) string {
	return `<p>ご案内<a href="` + href + `">` + shown + `</a></p>`
}

func TestMismatch(t *testing.T) {
	const bank, evil = "https://www.bank.example.jp/", "https://login.example.net/x"
	tests := []struct {
		name, in string
		want     []finding.Kind
	}{
		{"plain", anchor(evil, bank), is(finding.LinkMismatch)},
		{"no scheme", anchor(evil, "www.bank.example.jp"), is(finding.LinkMismatch)},
		{"a bare host", anchor(evil, "bank.example.jp/mypage"), is(finding.LinkMismatch)},
		{"split by tags", anchor(evil, "https://www.b<b>ank</b>.example.<i>jp</i>/"), is(finding.LinkMismatch)},
		{"split by a comment", anchor(evil, "https://www.b<!-- a -->ank.example.jp/"), is(finding.LinkMismatch)},
		{"entities", anchor("&#104;ttps&#58;//login.example.net/x", bank), is(finding.LinkMismatch)},
		{"invisible characters", anchor(evil, "https://www.ba\u200bnk.exam\u00adple.jp/"), is(finding.LinkMismatch)},
		{"full-width", anchor(evil, "ｈｔｔｐｓ：／／ｗｗｗ．ｂａｎｋ．ｅｘａｍｐｌｅ．ｊｐ／"), is(finding.LinkMismatch)},
		{"override", anchor(evil, "\u202e/pj.elpmaxe.knab.www//:sptth"), is(finding.LinkMismatch)},
		{"an override within isolates", anchor(evil, "\u2066\u202e/pj.elpmaxe.knab.www//:sptth\u202c\u2069"), is(finding.LinkMismatch)},
		{"isolates round an address", anchor(evil, "\u2067"+bank+"\u2069"), is(finding.LinkMismatch)},
		{"bdo", anchor(evil, `<bdo dir="rtl">/pj.elpmaxe.knab.www//:sptth</bdo>`), is(finding.LinkMismatch)},
		{"hidden words between", anchor(evil, `https://www.ba<span style="display: none">zz</span>nk.example.jp/`), is(finding.LinkMismatch)},
		{"site in front", anchor("https://www.bank.example.jp.files.example.org/x", bank), is(finding.LinkMismatch)},
		{"upper case", `<A HREF="HTTPS://LOGIN.EXAMPLE.NET/X">` + bank + `</A>`, is(finding.LinkMismatch)},
		{"tab within", anchor("ht\ttps://login.exa\nmple.net/x", bank), is(finding.LinkMismatch)},
		{"no scheme in the target", anchor("//login.example.net/x", bank), is(finding.LinkMismatch)},
		{"base", `<base href="https://login.example.net/">` + anchor("/x", bank), is(finding.LinkMismatch)},
		{"never closed", `<a href="` + evil + `">` + bank, is(finding.LinkMismatch)},
		{"among words", anchor(evil, "こちら（https://www.bank.example.jp/）から"), is(finding.LinkMismatch)},
		{"rewritten by a gateway", anchor("https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Flogin.example.net&amp;data=1", bank), is(finding.LinkMismatch)},
		{"another mailbox", anchor("mailto:info@example.net", "info@bank.example.jp"), is(finding.LinkMismatch)},
		{"a form's button", `<form action="` + evil + `"><input type="submit" value="` + bank + `"></form>`, is(finding.LinkMismatch)},
		{"for Outlook only", `<!--[if mso]>` + anchor(evil, bank) + `<![endif]-->`, is(finding.LinkMismatch)},
		{"an open redirect of the shown site", anchor("https://www.bank.example.jp/go?url=https%3A%2F%2Flogin.example.net%2Fx", bank), is(finding.LinkMismatch)},
		{"an open redirect without a scheme", anchor("https://www.bank.example.jp/go?next=//login.example.net/x", bank), is(finding.LinkMismatch)},
		{"a base behind the link", anchor("x", bank) + `<base href="https://login.example.net/">`, is(finding.LinkMismatch)},
		{"a base and an empty target", `<BASE href="https://login.example.net/">` + anchor("", bank), is(finding.LinkMismatch)},
		{"only the first base counts", `<base href="https://login.example.net/"><base href="` + bank + `">` + anchor("/x", bank), is(finding.LinkMismatch)},
		{"an address in place of a picture", anchor(evil, `<img alt="`+bank+`" src="cid:1">`), is(finding.LinkMismatch)},
		{"an address over an area", `<map><area href="` + evil + `" alt="` + bank + `"></map>`, is(finding.LinkMismatch)},
		{"a picture for a button", `<form action="` + evil + `"><input type="image" alt="` + bank + `"></form>`, is(finding.LinkMismatch)},
		{"a button outside its form", `<form id="f" action="` + evil + `"></form><input form="f" type="submit" value="` + bank + `">`, is(finding.LinkMismatch)},
		{"blanks in the shown address", anchor(evil, "https : // www . bank . example . jp"), is(finding.LinkMismatch)},
		{"a scheme shown in part", anchor(evil, "ttps://www.bank.example.jp/"), is(finding.LinkMismatch)},
		{"a shown user part", anchor(evil, "https://www.bank.example.jp@net"), is(finding.LinkMismatch)},
		{"a true address made small", anchor(evil, `<span style="font-size:0pt">https://login.example.net/</span>`+bank), is(finding.LinkMismatch)},
		{"a true address moved away", anchor(evil, `<span style="position: absolute; left: -9999px">https://login.example.net/</span>`+bank), is(finding.LinkMismatch)},
		{"a true address hidden by a class", anchor(evil, `<span class="h">https://login.example.net/</span><span>`+bank+`</span>`), is(finding.LinkMismatch)},
		{"override by style", anchor(evil, `<span style="unicode-bidi:bidi-override;direction:rtl">/pj.elpmaxe.knab.www//:sptth</span>`), is(finding.LinkMismatch)},

		{"same", anchor(bank, bank), nil},
		{"a page that returns to itself", anchor("https://www.bank.example.jp/login?next=https%3A%2F%2Fwww.bank.example.jp%2Fhome", bank), nil},
		{"a shown redirect", anchor("https://www.bank.example.jp/go?url=https://login.example.net/", "https://www.bank.example.jp/go?url=https://login.example.net/"), nil},
		{"where the reader came from", anchor("https://www.bank.example.jp/?ref=https%3A%2F%2Fnews.example.net%2F", bank), nil},
		{"a way back behind words", anchor("https://id.example.com/?continue=https%3A%2F%2Fwww.bank.example.jp%2F", "ログイン"), nil},
		{"a logo with its site's name", anchor("https://click.example.net/c", `<img alt="www.example.co.jp">`), nil},
		{"a base of one's own", `<base href="https://www.bank.example.jp/">` + anchor("/x", bank), nil},
		{"styled in two halves", anchor(bank, `<span class="a">https://www.bank.</span><span class="b">example.jp/</span>`), nil},
		{"styled, in pieces of one site", anchor(bank, `<b class="a">https://www.bank.example.jp</b><i>/info.html?v=1.2.3</i>`), nil},
		{"same site", anchor("https://info.example.co.jp/x", "https://www.example.co.jp/x"), nil},
		{"another scheme", anchor("https://portal.example.jp/a", "http://portal.example.jp/a"), nil},
		{"port", anchor("https://www.bank.example.jp:443/x", bank), nil},
		{"case", anchor("HTTPS://WWW.BANK.EXAMPLE.JP", bank), nil},
		{"IDN", anchor("https://xn--wgv71a119e.example.jp/", "https://日本語.example.jp/"), nil},
		{"IDN, the same name", anchor("https://xn--wgv71a119e.jp/", "https://日本語.jp/"), nil},
		{"a counter under words", anchor("https://click.example.net/c?u=https%3A%2F%2Fwww.example.co.jp", "詳細はこちら"), nil},
		{"a counter under an image", anchor("https://click.example.net/c", `<img src="https://www.example.co.jp/a.png" alt="ロゴ">`), nil},
		{"a file's name", anchor("https://click.example.net/c", "No.3.5 資料.pdf"), nil},
		{"words with dots", anchor("https://click.example.net/c", "Node.js と ASP.NET の違い"), nil},
		{"a name with a dot", anchor("https://click.example.net/c", "ASP.NET"), nil},
		{"a brand", anchor("https://click.example.net/c", "Booking.com"), nil},
		{"a portal's name", anchor("https://click.example.net/c", "Yahoo!Japan"), nil},
		{"mail", anchor("mailto:info@www.bank.example.jp", "info@www.bank.example.jp"), nil},
		{"mail under a link", anchor("https://click.example.net/c", "taro@example.co.jp"), nil},
		{"telephone", anchor("tel:0300000000", "03-0000-0000"), nil},
		{"place in the page", anchor("#top", "www.example.jp"), nil},
		{"the address stands outside", bank + ` は <a href="https://click.example.net/c">こちら</a>`, nil},
		{"rewritten by a gateway, honest", anchor("https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Fwww.bank.example.jp%2F&amp;data=1", bank), nil},
		{"urldefense", anchor("https://urldefense.com/v3/__https://www.bank.example.jp/__;!!abc$", bank), nil},
		{"a style's text", `<style>a{background:url(https://a.example.com/)}</style>` + anchor(bank, bank), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, fs := HTML("1", tt.in); !slices.Equal(kinds(fs), tt.want) {
				t.Errorf("HTML(%q) = %v, want %v", tt.in, fs, tt.want)
			}
		})
	}
}

func TestMismatchEvidence(t *testing.T) {
	_, fs := HTML("1", anchor("https://c.example.net/?u=https%3A%2F%2Fwww.example.co.jp%2F", "https://www.example.co.jp/"))
	want := map[string]string{"shown": "https://www.example.co.jp/", "target": "https://c.example.net/?u=https%3A%2F%2Fwww.example.co.jp%2F",
		"shown_site": "example.co.jp", "target_site": "example.net", "redirect": "yes"}
	if len(fs) != 1 || !reflect.DeepEqual(fs[0].Evidence, want) {
		t.Errorf("HTML = %v, want evidence %v", fs, want)
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		name, href string
		want       []finding.Kind
	}{
		{"search", "search-ms:query=a&crumb=location:\\\\host\\share", is(finding.LinkScheme)},
		{"troubleshooter", "ms-msdt:/id PCWDiagnostic", is(finding.LinkScheme)},
		{"Office", "ms-word:ofe|u|https://host.example.net/a.docm", is(finding.LinkScheme)},
		{"file", "file://host.example.org/share/doc.lnk", is(finding.LinkScheme, finding.LinkProgram)},
		{"share", `\\host.example.org\share\doc.txt`, is(finding.LinkScheme)},
		{"drive", `C:\Windows\notepad.txt`, is(finding.LinkScheme)},
		{"data", "data:text/html;base64,PHNjcmlwdD4=", is(finding.LinkScheme)},
		{"script", "javascript:alert(1)", is(finding.LinkScheme)},
		{"script with a line end", "java\nscript:alert(1)", is(finding.LinkScheme)},
		{"a browser's own scheme", "googlechrome://login.example.net/x", is(finding.LinkScheme)},
		{"an Android intent", "intent://login.example.net/#Intent;scheme=https;end", is(finding.LinkScheme)},
		{"idle script", "javascript:void(0);", nil},
		{"idle frame", "javascript:false", nil},
		{"mail", "mailto:a@example.jp", nil},
		{"telephone", "tel:+81-3-0000-0000", nil},
		{"part", "cid:part1@example.jp", nil},
		{"meeting", "zoommtg://example.zoom.us/join?confno=1", nil},
		{"Notes", "Notes://server/4925/x", nil},
		{"blank page", "about:blank", nil},

		{"user part", "https://www.city.example.lg.jp@login.example.net/x", is(finding.LinkDeceptive)},
		{"octal", "http://0300.0250.0.1/", is(finding.LinkDeceptive)},
		{"hexadecimal", "http://0xc0a80001/", is(finding.LinkDeceptive)},
		{"one number", "http://3232235521/", is(finding.LinkDeceptive)},
		{"short", "http://192.11010049/", is(finding.LinkDeceptive)},
		{"plain number", "http://192.0.2.1/", nil},
		{"IPv6", "http://[2001:db8::1]/", nil},
		{"escaped host", "https://%6cogin.example.net/", is(finding.LinkDeceptive)},
		{"full-width host", "https://ｌｏｇｉｎ．example.net/", is(finding.LinkDeceptive)},
		{"ideographic full stop", "https://login。example。net/", is(finding.LinkDeceptive)},
		{"invisible in host", "https://log\u200bin.example.net/", is(finding.LinkDeceptive)},
		{"mixed scripts", "https://www.bаnk.example.net/", is(finding.LinkDeceptive)},
		{"mixed scripts in Punycode", "https://xn--bnk-5cd.example.net/", is(finding.LinkDeceptive)},
		{"all Cyrillic that looks Latin", "https://www.сосо.example.net/", is(finding.LinkDeceptive)},
		{"Russian", "https://почта.example.ru/", nil},
		{"Japanese", "https://日本語ドメインtest.example.jp/", nil},
		{"backslashes", `https:\\login.example.net\x`, is(finding.LinkDeceptive)},
		{"a fraction slash in the host", "https://www.bank.example.jp\u2044.login.example.net/", is(finding.LinkDeceptive)},
		{"a kana that looks like a slash", "https://www.bank.example.com\u30celogin.example.net/", is(finding.LinkDeceptive)},
		{"the kana in a Japanese name", "https://お茶\u30ce水.example.jp/", nil},
		{"the kana behind a Latin word", "https://book\u30ce森.example.jp/", nil},
		{"an override in the path", "https://login.example.net/\u202efdp.html", is(finding.LinkDeceptive)},
		{"a mark in a Hebrew path", "https://www.example.co.il/\u05d3\u05d5\u05d7\u200f", nil},
		{"three slashes", "https:///login.example.net/x", is(finding.LinkDeceptive)},
		{"no dot", "http://intra/", is(finding.LinkDeceptive)},
		{"an @ in the path", "https://www.example.jp/@taro", nil},

		{"program", "https://files.example.org/d/setup.exe", is(finding.LinkProgram)},
		{"archive in a query's path", "https://files.example.org/d/%E8%B3%87%E6%96%99.lzh?dl=1", is(finding.LinkProgram)},
		{"escaped extension", "https://files.example.org/setup%2Eexe", is(finding.LinkProgram)},
		{"named in the query", "https://files.example.org/get?file=a.iso", is(finding.LinkProgram)},
		{"document", "https://www.example.jp/docs/annual.pdf", nil},
		{"page", "https://www.example.jp/a.html", nil},
		{"folder", "https://www.example.jp/v1.2/", nil},
		{"host at the end of a path", "https://www.example.jp/r/www.example.com", nil},
		{"a program's page", "https://www.example.jp/cgi-bin/board.exe?no=1", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := anchor(strings.ReplaceAll(tt.href, "&", "&amp;"), "資料")
			if _, fs := HTML("1", in); !slices.Equal(kinds(fs), tt.want) {
				t.Errorf("HTML(%q) = %v, want %v", in, fs, tt.want)
			}
		})
	}
}

func TestElements(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"anchor", anchor("https://a.example.jp/", "x"), "https://a.example.jp/"},
		{"map", `<map><area href="https://a.example.jp/"></map>`, "https://a.example.jp/"},
		{"form", `<form action="https://a.example.jp/"></form>`, "https://a.example.jp/"},
		{"button", `<button formaction="https://a.example.jp/">送信</button>`, "https://a.example.jp/"},
		{"refresh", `<meta http-equiv="Refresh" content="0; URL='https://a.example.jp/'">`, "https://a.example.jp/"},
		{"for Outlook only", `<!--[if mso]><v:roundrect href="https://a.example.jp/"></v:roundrect><![endif]-->`, "https://a.example.jp/"},
		{"frame", `<iframe src="https://a.example.jp/"></iframe>`, "https://a.example.jp/"},
		{"object", `<object data="https://a.example.jp/"></object>`, "https://a.example.jp/"},
		{"refresh with a blank", `<meta http-equiv="refresh" content="0 https://a.example.jp/">`, "https://a.example.jp/"},
		{"refresh with a comma", `<meta http-equiv="refresh" content="0.5, url=https://a.example.jp/">`, "https://a.example.jp/"},
		{"reload", `<meta http-equiv="refresh" content="300">`, ""},
		{"animated", `<svg><a><animate attributeName="href" values="https://a.example.jp/;"/>x</a></svg>`, "https://a.example.jp/"},
		{"animated colour", `<svg><animate attributeName="fill" values="red;blue"/></svg>`, ""},
		{"style sheet", `<link href="https://a.example.jp/a.css">`, ""},
		{"SVG", `<svg><a xlink:href="https://a.example.jp/">x</a></svg>`, "https://a.example.jp/"},
		{"bare", `<p>https://a.example.jp/ を見る</p>`, "https://a.example.jp/"},
		{"image", `<img src="https://a.example.jp/x.png">`, ""},
		{"comment", `<!-- <a href="https://a.example.jp/">x</a> -->`, ""},
		{"place", `<a href="#x">x</a>`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			links, _ := HTML("1", tt.in)
			got := ""
			for _, l := range links {
				got += l.URL
			}
			if got != tt.want {
				t.Errorf("HTML(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestLinkFields(t *testing.T) {
	links, _ := HTML("1", anchor("HTTPS://Files.Example.CO.JP:8443/d/A.LZH?x#y", "<b>資料</b>\n 一式"))
	want := []Link{{URL: "HTTPS://Files.Example.CO.JP:8443/d/A.LZH?x#y", Shown: "資料 一式", Scheme: "https",
		Host: "files.example.co.jp", Site: "example.co.jp", Ext: "lzh"}}
	if !reflect.DeepEqual(links, want) {
		t.Errorf("HTML = %+v, want %+v", links, want)
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"nothing", "議事録を送ります。", nil},
		{"plain", "see https://www.example.jp/a?b=c&d=e now", []string{"https://www.example.jp/a?b=c&d=e"}},
		{"Japanese follows", "資料はhttps://www.example.jp/a.pdfをご覧ください", []string{"https://www.example.jp/a.pdf"}},
		{"full stop follows", "https://www.example.jp/a。次に", []string{"https://www.example.jp/a"}},
		{"in corner brackets", "「https://www.example.jp/」", []string{"https://www.example.jp/"}},
		{"in angle brackets", "<https://www.example.jp/>", []string{"https://www.example.jp/"}},
		{"end of a sentence", "See https://www.example.jp/a.", []string{"https://www.example.jp/a"}},
		{"brackets of its own", "(https://www.example.jp/a_(b))", []string{"https://www.example.jp/a_(b)"}},
		{"without scheme", "www.example.jp/a へ", []string{"http://www.example.jp/a"}},
		{"capitals", "HTTP://WWW.EXAMPLE.JP/", []string{"HTTP://WWW.EXAMPLE.JP/"}},
		{"runs into the word", "URLhttps://www.example.jp/", []string{"https://www.example.jp/"}},
		{"IDN", "https://日本語.jp/a を", []string{"https://日本語.jp/a"}},
		{"twice", "https://a.example.jp https://a.example.jp", []string{"https://a.example.jp"}},
		{"two", "https://a.example.jp\nhttps://b.example.jp", []string{"https://a.example.jp", "https://b.example.jp"}},
		{"an example of a server", "http://yourserver/", []string{"http://yourserver/"}},
		{"mail is no link", "taro@www.example.jp", nil},
		{"Markdown", "[https://www.bank.example.jp/](https://login.example.net/)", []string{"https://www.bank.example.jp/", "https://login.example.net/"}},
		{"one's own share", `\\fileserver\資料\a.xlsx と \\192.168.0.5\share`, nil},
		{"an escape", `\\n と \\d+\.jp`, nil},
		{"part of a word", "awww.example.jp", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			links, fs := Text("1", tt.in)
			var got []string
			for _, l := range links {
				got = append(got, l.URL)
			}
			if !slices.Equal(got, tt.want) || len(fs) > 0 {
				t.Errorf("Text(%q) = %q, %v, want %q", tt.in, got, fs, tt.want)
			}
		})
	}
}

func TestTextFindings(t *testing.T) {
	_, fs := Text("1", "資料: https://files.example.org/d/notice.lzh\n共有 file://host/a.txt\n")
	if got, want := kinds(fs), is(finding.LinkProgram, finding.LinkScheme); !slices.Equal(got, want) {
		t.Errorf("Text = %v, want %v", got, want)
	}
}

func TestBody(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"a host with a path", "firestorage.jp/download/abc から", []string{"http://firestorage.jp/download/abc"}},
		{"Japanese round it", "資料はfiles.example.com/a.exeです", []string{"http://files.example.com/a.exe"}},
		{"with its scheme, once", "https://a.example.com/x/y", []string{"https://a.example.com/x/y"}},
		{"with www., once", "www.example.com/x/y", []string{"http://www.example.com/x/y"}},
		{"at the end of a sentence", "(example.co.jp/form.zip).", []string{"http://example.co.jp/form.zip"}},
		{"a date", "2026/11/22 と 11.22/23", nil},
		{"alternatives", "and/or, Node.js/Express, ASP.NET/MVC, README.md/LICENSE", nil},
		{"a path", "src/main.rs/x.go と ./lib.so/x と /etc/a.com/x", nil},
		{"a mailbox", "taro@example.com/foo", nil},
		{"a host alone", "example.com にて", nil},
		{"a type", "application/vnd.ms-excel, text/plain", nil},
		{"a version", "curl/8.5.0 nginx/1.2", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			links, _ := Body("1", tt.in)
			var got []string
			for _, l := range links {
				got = append(got, l.URL)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Body(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestPasswordForm(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []finding.Kind
	}{
		{"a password for a stranger", `<form action="https://login.example.net/x"><input type="password"></form>`, is(finding.LinkForm)},
		{"two fields, one address", `<form action="https://login.example.net/x"><input type="password"><input type="PASSWORD "></form>`, is(finding.LinkForm)},
		{"a field outside its form", `<form id="f" action="https://login.example.net/x"></form><input form="f" type="password">`, is(finding.LinkForm)},
		{"by the base", `<base href="https://login.example.net/"><form action="x"><input type="password"></form>`, is(finding.LinkForm)},
		{"a survey", `<form action="https://survey.example.jp/x"><input type="text"><input type="submit" value="送信"></form>`, nil},
		{"a form that stays in its page", `<form action=""><input type="password"></form>`, nil},
		{"a field without a form", `<input type="password">`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, fs := HTML("1", tt.in); !slices.Equal(kinds(fs), tt.want) {
				t.Errorf("HTML(%q) = %v, want %v", tt.in, fs, tt.want)
			}
		})
	}
}

func TestTextShares(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []finding.Kind
	}{
		{"a foreign share", `資料 \\files.example.org\share\a.txt です`, is(finding.LinkScheme)},
		{"by its address", `\\203.0.113.5\s\a.lnk`, is(finding.LinkScheme, finding.LinkProgram)},
		{"a file beyond ASCII", "https://files.example.org/資料.exe を開く", is(finding.LinkProgram)},
		{"a sentence behind", "https://www.example.jp/をsetup.exeで開く", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, fs := Text("1", tt.in); !slices.Equal(kinds(fs), tt.want) {
				t.Errorf("Text(%q) = %v, want %v", tt.in, fs, tt.want)
			}
		})
	}
}

func TestSite(t *testing.T) {
	tests := []struct{ host, want string }{
		{"www.example.co.jp", "example.co.jp"}, {"WWW.Example.COM.", "example.com"}, {"www.city.example.lg.jp", "example.lg.jp"},
		{"192.0.2.1", "192.0.2.1"}, {"[2001:db8::1]", "[2001:db8::1]"}, {"localhost", "localhost"}, {"co.jp", "co.jp"},
		{"a.github.io", "a.github.io"}, {"", ""}, {"..", "."},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			if got := Site(tt.host); got != tt.want {
				t.Errorf("Site(%q) = %q, want %q", tt.host, got, tt.want)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	var b strings.Builder
	for i := range maxLinks + 5 {
		b.WriteString("https://a.example.jp/" + strconv.Itoa(i) + "\n")
	}
	links, fs := Text("1", b.String())
	if len(links) != maxLinks || !slices.Equal(kinds(fs), is(finding.LimitReached)) {
		t.Errorf("Text = %d links, %v, want %d and one limit", len(links), kinds(fs), maxLinks)
	}
}

func newsletter() string {
	row := `<tr><td style="padding:0">今月のお知らせ <a href="https://click.example.net/c/a81f?u=https%3A%2F%2Fwww.example.co.jp%2F1">詳細はこちら</a> &nbsp;https://www.example.co.jp/</td></tr>`
	return "<html><body><table>" + strings.Repeat(row, 500) + "</table></body></html>"
}

func BenchmarkHTML(b *testing.B) {
	in := newsletter()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		HTML("1", in)
	}
}

func BenchmarkText(b *testing.B) {
	in := strings.Repeat("資料は https://www.example.jp/a.pdf をご覧ください。www.example.jp\n", 2000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		Text("1", in)
	}
}

// FuzzHTML promises: same text, same answer; links within the limit, each
// once; a link's site is a tail of its host.
func FuzzHTML(f *testing.F) {
	for _, s := range []string{anchor("https://a.example/", "www.b.example"), "<base href=//x><a href=\\\\y>", "http://0x7f.1:@[::]", "<bdo dir=rtl>", "a://www.\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		links, fs := HTML("1", s)
		again, _ := HTML("1", s)
		if !reflect.DeepEqual(links, again) {
			t.Fatal("same text, two answers")
		}
		if len(links) > maxLinks || len(fs) > 5*maxLinks+2 {
			t.Fatalf("%d links, %d findings", len(links), len(fs))
		}
		seen := map[Link]bool{}
		for _, l := range links {
			if seen[l] || !strings.HasSuffix(l.Host, l.Site) && l.Site != strings.TrimRight(l.Host, ".") {
				t.Fatalf("link %+v", l)
			}
			seen[l] = true
		}
		Text("1", s)
		bodies, _ := Body("1", s)
		texts, _ := Text("1", s)
		if len(bodies) < len(texts) {
			t.Fatalf("Body finds %d links, Text %d", len(bodies), len(texts))
		}
	})
}
