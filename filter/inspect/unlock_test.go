package inspect

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/key"
	"sekisho/filter/report"
	"sekisho/filter/testfile"

	"golang.org/x/text/encoding/japanese"
)

// mailOf writes a message of several parts, each with its header fields.
func mailOf(subject string, parts ...string) []byte {
	var b strings.Builder
	b.WriteString("From: sato@kanmon.example.jp\r\nTo: hr@hakone.example.jp\r\nSubject: " + subject + "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=k\r\n\r\n")
	for _, p := range parts {
		b.WriteString("--k\r\n" + p + "\r\n")
	}
	b.WriteString("--k--\r\n")
	return []byte(b.String())
}

func textPart(text string) string {
	return "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text
}

// lockedPart is an archive whose password is kanmon1024.
func lockedPart(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testfile.Root(t), "testdata/containers", file))
	if err != nil {
		t.Fatal(err)
	}
	return "Content-Type: application/octet-stream; name=\"" + filepath.Base(file) + "\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(b)
}

func sources(rep *report.Report) (out []string) {
	for _, f := range rep.Findings {
		if s := f.Evidence["source"]; f.Kind == finding.ContainerDecrypted && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func TestUnlock(t *testing.T) {
	const zip = "zip/infozip-zipcrypto.zip"
	jis, err := japanese.ISO2022JP.NewEncoder().String("解凍パスワードは「kanmon1024」です。")
	if err != nil {
		t.Fatal(err)
	}
	nested := "Content-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\nSubject: x\r\n\r\npassword: kanmon1024"
	tests := []struct {
		name string
		raw  []byte
		keys []key.Key
		want string // the source of the key, "" where it stays shut
	}{
		{"in the body, before the archive", mailOf("見積", textPart("パスワード：kanmon1024"), lockedPart(t, zip)), nil, key.Body},
		{"in a body behind the archive", mailOf("見積", lockedPart(t, zip), textPart("パスワード：kanmon1024")), nil, key.Body},
		{"in the subject", mailOf("=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte("PASS：kanmon1024"))+"?=", lockedPart(t, zip)), nil, key.Subject},
		{"in an HTML body", mailOf("x", "Content-Type: text/html\r\n\r\n<p>pass: <b>kanmon1024</b></p>", lockedPart(t, zip)), nil, key.Body},
		{"in ISO-2022-JP", mailOf("x", "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n"+jis, lockedPart(t, zip)), nil, key.Body},
		{"in an attached message", mailOf("x", lockedPart(t, zip), nested), nil, key.Body},
		{"in the operator's list", mailOf("x", textPart("hello"), lockedPart(t, zip)), []key.Key{{Text: "kanmon1024", Source: key.List}}, key.List},
		{"a 7z with hidden names", mailOf("x", lockedPart(t, "7z/7zip-hidden.7z"), textPart("PW=kanmon1024")), nil, key.Body},
		{"another password", mailOf("x", textPart("パスワード：hakone1024"), lockedPart(t, zip)), []key.Key{{Text: "x", Source: key.List}}, ""},
		{"no password", mailOf("x", textPart("パスワードは別途お送りします。"), lockedPart(t, zip)), nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rep := Run(Input{Kind: report.KindMail, Raw: tt.raw, Keys: tt.keys}, budget.New(budget.Default))
			if got := strings.Join(sources(rep), " "); got != tt.want {
				t.Fatalf("opened by %q, want %q; findings %v", got, tt.want, rep.Findings)
			}
			if shut := isLocked(rep); shut != (tt.want == "") || rep.Incomplete != shut {
				t.Errorf("locked %v, incomplete %v", shut, rep.Incomplete)
			}
			read := slices.ContainsFunc(rep.Entities, func(e report.Entity) bool {
				return e.Name == "report.txt" && e.Size == 9600 && !e.Encrypted && e.SHA256 != ""
			})
			if read != (tt.want != "") {
				t.Errorf("report.txt was read: %v", read)
			}
			if b, err := json.Marshal(rep); err != nil || tt.want == key.List && strings.Contains(string(b), "kanmon1024") {
				t.Errorf("the Report tells the password (%v): %s", err, b)
			}
		})
	}
}

// TestOffer: what a password mail tells the gate, and only where it asks.
func TestOffer(t *testing.T) {
	letter := mailOf("先ほどの件", textPart("解凍パスワードをお送りします。\r\n\r\nkanmon1024\r\n"))
	ask := func(raw []byte, offer bool) []string {
		return Run(Input{Kind: report.KindMail, Raw: raw, Offer: offer}, budget.New(budget.Default)).Passwords
	}
	if got := ask(letter, true); !slices.Contains(got, "kanmon1024") {
		t.Errorf("offered %q, want kanmon1024 among them", got)
	}
	if got := ask(letter, false); got != nil {
		t.Errorf("offered %q without being asked", got)
	}
	if got := ask(mailOf("議事録", textPart("お世話になっております。\r\nk8Df#2sL\r\n")), true); got != nil {
		t.Errorf("a letter that speaks of no password offers %q", got)
	}
}

// TestUnlockBounds: many words and a dear key derivation end with the budget,
// and what stays shut is said to be so.
func TestUnlockBounds(t *testing.T) {
	var words strings.Builder
	for i := range 200 {
		words.WriteString("password: guess" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + "\r\n")
	}
	limits := budget.Default
	limits.Tries = 64 << 20
	bud := budget.New(limits)
	rep := Run(Input{Kind: report.KindMail, Raw: mailOf("x", textPart(words.String()), lockedPart(t, "7z/7zip-aes.7z"))}, bud)
	if !isLocked(rep) || len(bud.Reached()) != 0 {
		t.Errorf("locked %v, limits reached %v", isLocked(rep), bud.Reached())
	}
	if bud.Tries() > 2*limits.Tries {
		t.Errorf("%d bytes of work on passwords, limit %d", bud.Tries(), limits.Tries)
	}
}
