package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"

	"sekisho/filter"
	"sekisho/filter/budget"
	"sekisho/filter/inspect"
	"sekisho/filter/mail"
	"sekisho/filter/quarantine"
	"sekisho/filter/record"
)

// surfaces prints one mail everywhere that a person reads of it: scan as a tree
// and as JSON, the quarantine's list and entry, the log as JSON and as text.
func surfaces(t *testing.T, raw string) map[string]string {
	t.Helper()
	rep := inspect.Mail([]byte(raw), budget.New(budget.Default))
	judged := filter.Judged{Report: rep}
	it := quarantine.Item{Subject: rep.Header.Subject, Raw: rep.Header.Raw, Findings: rep.Findings}
	if len(rep.Header.From) > 0 {
		it.From, it.FromName = rep.Header.From[0].Addr, rep.Header.From[0].Name
	}
	out := map[string]string{}
	for name, print := range map[string]func(*bytes.Buffer) error{
		"scan":             func(b *bytes.Buffer) error { return printTree(b, scanned{file: "a.eml", judged: judged}) },
		"scan --json":      func(b *bytes.Buffer) error { return printJSON(b, scanLine(scanned{file: "a.eml", judged: judged})) },
		"quarantine show":  func(b *bytes.Buffer) error { return printItem(b, it, nil) },
		"quarantine list":  func(b *bytes.Buffer) error { return printItems(b, []quarantine.Item{it}, false) },
		"the log":          func(b *bytes.Buffer) error { return logged(b, "json", judged) },
		"the log for eyes": func(b *bytes.Buffer) error { return logged(b, "text", judged) },
	} {
		var b bytes.Buffer
		if err := print(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.String()
	}
	return out
}

func logged(b *bytes.Buffer, format string, j filter.Judged) error {
	record.New(b, format, time.Now).Judged(record.Judgement{Message: &mail.Message{}, Report: j.Report})
	return nil
}

func encoded(t *testing.T, enc encoding.Encoding, s string) string {
	t.Helper()
	b, err := enc.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestJapaneseIsShownEverywhere sends subject, author and attachment in each
// charset and form of Japanese mail: every surface shows them as text.
func TestJapaneseIsShownEverywhere(t *testing.T) {
	const plain = "予定表ソ能ｶﾅ"
	word := func(label, b string) string {
		return "=?" + label + "?B?" + base64.StdEncoding.EncodeToString([]byte(b)) + "?="
	}
	sjis, euc, jis := encoded(t, japanese.ShiftJIS, plain), encoded(t, japanese.EUCJP, plain), encoded(t, japanese.ISO2022JP, plain)
	vendor := plain + "①髙﨑"
	tests := []struct{ name, field, want string }{
		{"ISO-2022-JP", word("ISO-2022-JP", jis), plain},
		{"ISO-2022-JP, raw", jis, plain},
		{"ISO-2022-JP, cut within a character", word("ISO-2022-JP", jis[:6]) + "\r\n " + word("ISO-2022-JP", jis[6:]), plain},
		{"Shift_JIS", word("Shift_JIS", sjis), plain},
		{"Shift_JIS, raw", sjis, plain},
		{"Shift_JIS with vendors' characters", word("windows-31j", encoded(t, japanese.ShiftJIS, vendor)), vendor},
		{"Shift_JIS with vendors' characters, raw", encoded(t, japanese.ShiftJIS, vendor), vendor},
		{"EUC-JP", word("EUC-JP", euc), plain},
		{"EUC-JP, raw", euc, plain},
		{"UTF-8", word("UTF-8", vendor), vendor},
		{"UTF-8, raw", vendor, vendor},
		{"UTF-8, cut within a character", word("UTF-8", plain[:4]) + "\r\n " + word("UTF-8", plain[4:]), plain},
		{"Shift_JIS labelled UTF-8", word("UTF-8", sjis), plain},
		{"Shift_JIS labelled ISO-2022-JP", word("ISO-2022-JP", sjis), plain},
		{"Shift_JIS labelled EUC-JP", word("EUC-JP", sjis), plain},
		{"EUC-JP labelled Shift_JIS", word("Shift_JIS", euc), plain},
		{"UTF-8 labelled Shift_JIS", word("Shift_JIS", plain), plain},
		{"UTF-8 labelled ISO-8859-1", word("ISO-8859-1", plain), plain},
		{"UTF-8 labelled US-ASCII", word("US-ASCII", plain), plain},
		{"an unknown label", word("x-mystery", sjis), plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := "From: \"" + tt.field + "\" <a@x.jp>\r\nSubject: " + tt.field + "\r\nContent-Type: application/pdf\r\n" +
				"Content-Disposition: attachment; filename=\"" + tt.field + ".pdf\"\r\n\r\n%PDF-1.4\n"
			for surface, text := range surfaces(t, raw) {
				want := 3 // author, subject, name
				switch surface {
				case "quarantine show":
					want = 2
				case "quarantine list":
					want = 1
				}
				if got := strings.Count(text, tt.want); got < want {
					t.Errorf("%s shows %q %d times, want %d: %s", surface, tt.want, got, want, text)
				}
			}
		})
	}
}

// TestUndecodedIsShownInHex asks that bytes without a meaning are kept for the
// reviewer, where their text says U+FFFD.
func TestUndecodedIsShownInHex(t *testing.T) {
	const broken = "\x81\xff\x81\x90\xbf"
	raw := "From: \"" + broken + "\" <a@x.jp>\r\nSubject: " + broken + "\r\nContent-Type: application/pdf\r\n" +
		"Content-Disposition: attachment; filename=\"" + broken + ".pdf\"\r\n\r\n%PDF-1.4\n"
	for surface, text := range surfaces(t, raw) {
		if strings.Contains(text, "\x81") || surface != "quarantine list" && !strings.Contains(text, hex.EncodeToString([]byte(broken))) {
			t.Errorf("%s lacks the bytes %x: %s", surface, broken, text)
		}
	}
	honest := "From: a@x.jp\r\nSubject: =?UTF-8?Q?=EF=BF=BD?= caf\xc3\xa9\r\n\r\nx\n"
	if text := surfaces(t, honest)["scan"]; strings.Contains(text, "bytes of from") {
		t.Errorf("an ASCII field is shown in hexadecimal: %s", text)
	}
}

// TestNothingHiddenIsPrinted asks that no surface lets through what a terminal
// or an eye would act on.
func TestNothingHiddenIsPrinted(t *testing.T) {
	const trick = "\u202efdp.exe\u200b\u0085\x1b[2J"
	raw := "From: \"" + trick + "\" <a@x.jp>\r\nSubject: " + trick + "\r\nContent-Type: application/pdf\r\n" +
		"Content-Disposition: attachment; filename=\"" + trick + "\"\r\n\r\n%PDF-1.4\n"
	for surface, text := range surfaces(t, raw) {
		if strings.ContainsAny(text, "\u202e\u200b\u0085\x1b") {
			t.Errorf("%s prints what is hidden: %q", surface, text)
		}
		if !strings.Contains(strings.ToUpper(text), "202E") {
			t.Errorf("%s does not tell of U+202E: %q", surface, text)
		}
	}
}
