package inspect

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"

	"sekisho/filter/budget"
)

// in returns s in an encoding, or fails the test.
func in(t *testing.T, enc encoding.Encoding, s string) string {
	t.Helper()
	out, err := enc.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func word(label, b string) string {
	return "=?" + label + "?B?" + base64.StdEncoding.EncodeToString([]byte(b)) + "?="
}

func percented(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// TestNamesInEveryCharset sends one name in each charset, coding and mixture of
// them that mailers and attackers write: it is read as meant, first of all
// readings, and its extension is among those that rules see.
func TestNamesInEveryCharset(t *testing.T) {
	const plain, vendor = "予定表ソ能.exe", "予定表ソ能①髙﨑.exe"
	sjis, euc, jis := in(t, japanese.ShiftJIS, plain), in(t, japanese.EUCJP, plain), in(t, japanese.ISO2022JP, plain)
	sjisVendor := in(t, japanese.ShiftJIS, vendor)
	tests := []struct{ name, params, want string }{
		{"raw UTF-8", `filename="` + plain + `"`, plain},
		{"raw Shift_JIS", `filename="` + sjis + `"`, plain},
		{"raw Shift_JIS, unquoted", `filename=` + sjis, plain},
		{"raw EUC-JP", `filename="` + euc + `"`, plain},
		{"raw ISO-2022-JP", `filename="` + jis + `"`, plain},
		{"raw, vendors' characters", `filename="` + sjisVendor + `"`, vendor},
		{"a word in ISO-2022-JP", `filename="` + word("ISO-2022-JP", jis) + `"`, plain},
		{"a word in Shift_JIS", `filename="` + word("Shift_JIS", sjisVendor) + `"`, vendor},
		{"a word in EUC-JP", `filename="` + word("EUC-JP", euc) + `"`, plain},
		{"a bare word", `filename=` + word("UTF-8", plain), plain},
		{"UTF-8 cut within a character", `filename="` + word("UTF-8", plain[:4]) + "\r\n " + word("UTF-8", plain[4:]) + `"`, plain},
		{"Shift_JIS cut within a character", `filename="` + word("Shift_JIS", sjis[:3]) + " " + word("Shift_JIS", sjis[3:]) + `"`, plain},
		{"ISO-2022-JP cut within its state", `filename="` + word("ISO-2022-JP", jis[:6]) + "\r\n " + word("ISO-2022-JP", jis[6:]) + `"`, plain},
		{"Shift_JIS labelled UTF-8", `filename="` + word("UTF-8", sjis) + `"`, plain},
		{"Shift_JIS labelled ISO-2022-JP", `filename="` + word("ISO-2022-JP", sjis) + `"`, plain},
		{"Shift_JIS labelled EUC-JP", `filename="` + word("EUC-JP", sjis) + `"`, plain},
		{"EUC-JP labelled Shift_JIS", `filename="` + word("Shift_JIS", euc) + `"`, plain},
		{"EUC-JP labelled US-ASCII", `filename="` + word("US-ASCII", euc) + `"`, plain},
		{"UTF-8 labelled Shift_JIS", `filename="` + word("Shift_JIS", plain) + `"`, plain},
		{"UTF-8 labelled ISO-2022-JP", `filename="` + word("ISO-2022-JP", plain) + `"`, plain},
		{"UTF-8 labelled ISO-8859-1", `filename="` + word("ISO-8859-1", plain) + `"`, plain},
		{"an unknown label", `filename="` + word("x-mystery", sjis) + `"`, plain},
		{"UTF-7", `filename="=?UTF-7?Q?+TohbmohoML2A/Q-+AC4-exe?="`, plain},
		{"RFC 2231, UTF-8", `filename*=UTF-8''` + percented(plain), plain},
		{"RFC 2231, Shift_JIS", `filename*=Shift_JIS'ja'` + percented(sjis), plain},
		{"RFC 2231, ISO-2022-JP", `filename*=iso-2022-jp''` + percented(jis), plain},
		{"RFC 2231, Shift_JIS labelled UTF-8", `filename*=UTF-8''` + percented(sjis), plain},
		{"RFC 2231, UTF-8 labelled Shift_JIS", `filename*=Shift_JIS''` + percented(plain), plain},
		{"RFC 2231, no label", `filename*=''` + percented(sjis), plain},
		{"RFC 2231, UTF-16", `filename*=UTF-16BE''%4E%88%5B%9A%88%68%30%BD%80%FD%00.%00e%00x%00e`, plain},
		{"RFC 2231 in pieces, cut within a character", `filename*0*=cp932''` + percented(sjis[:3]) + `; filename*1*=` + percented(sjis[3:]), plain},
		{"RFC 2231 round an encoded word", `filename*=UTF-8''` + word("UTF-8", plain), plain},
		{"an encoded word in RFC 2231's pieces", `filename*0="` + word("UTF-8", plain)[:20] + `"; filename*1="` + word("UTF-8", plain)[20:] + `"`, plain},
		{"percent in a plain parameter", `filename="` + percented(sjis) + `"`, plain},
		{"an escape between the letters", `filename="` + word("iso-2022-jp", "a.e\x1b(Bx\x1b(Je") + `"`, "a.exe"},
		{"full-width in ISO-2022-JP", `filename="` + word("iso-2022-jp", "a\x1b$B!%#e#x#e\x1b(B") + `"`, "a．ｅｘｅ"},
		{"a byte that no charset has", "filename=\"=?UTF-8?Q?a.e=FFxe?=\"", "a.e\uFFFDxe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := "From: a@x.jp\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; " + tt.params + "\r\n\r\nhello"
			e := Mail([]byte(raw), budget.New(budget.Default)).Entities[1]
			if !slices.Contains(e.Names, tt.want) || !slices.Contains(e.Exts, "exe") {
				t.Errorf("Mail(%q): names %q, extensions %q, want %q and exe", tt.params, e.Names, e.Exts, tt.want)
			}
		})
	}
}

// TestHonestNamesInEveryCharset asks that the same ways of writing make no
// finding of a document's name.
func TestHonestNamesInEveryCharset(t *testing.T) {
	for _, name := range []string{"予定表ソ能.pdf", "見積書_2026.11.22_v1.2.pdf", "報告書\u3000最終版.pdf", "第３回（案）.docx", "ｾﾐﾅｰ案内.xlsx"} {
		sjis, jis := in(t, japanese.ShiftJIS, name), in(t, japanese.ISO2022JP, name)
		for _, params := range []string{
			`filename="` + sjis + `"`, `filename="` + jis + `"`, `filename="` + name + `"`, `filename="` + word("ISO-2022-JP", jis) + `"`,
			`filename="` + word("Shift_JIS", sjis[:3]) + "\r\n " + word("Shift_JIS", sjis[3:]) + `"`, `filename="` + word("UTF-8", sjis) + `"`,
			`filename="` + word("ISO-2022-JP", sjis) + `"`, `filename="` + word("Shift_JIS", name) + `"`, `filename*=UTF-8''` + percented(name),
			`filename="document.pdf"; filename*=UTF-8''` + percented(name[:len(name)-4]+".pdf"),
		} {
			raw := "From: a@x.jp\r\nTo: b@x.jp\r\nContent-Disposition: attachment; " + params + "\r\n\r\nhello"
			for _, f := range Mail([]byte(raw), budget.New(budget.Default)).Findings {
				if strings.HasPrefix(string(f.Kind), "name.") {
					t.Errorf("Mail(%q) states %s %q", params, f.Kind, f.Evidence)
				}
			}
		}
	}
}
