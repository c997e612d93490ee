package charset

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
)

func encode(t *testing.T, enc encoding.Encoding, s string) []byte {
	t.Helper()
	b, err := enc.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatalf("encoding %q: %v", s, err)
	}
	return b
}

// Business names as they stand in attachments; several hold characters whose
// CP932 form ends in 0x5C (表 ソ 能 十 予 申).
var businessNames = []string{
	"請求書.pdf", "見積書_2026.11.22_v1.2.pdf", "議事録（案）.docx", "会議資料一覧.xlsx",
	"予定表.xls", "ソフトウェア一覧.csv", "機能仕様書.doc", "十月度売上表.xlsx", "申込書.pdf",
	"厚生年金徴収関係研修資料(150331厚生年金徴収支援G).lzh", "医療費通知のお知らせ.lzh",
	"給付研究委員会オープンセミナーのご案内.lzh", "株式会社サンプル御中.zip", "ﾃﾞｰﾀ一覧.csv", "名簿.zip",
	"アンケート結果.txt", "出張報告書.doc", "お見積りの件.pdf", "テスト.txt", "データ.xls",
}

func TestGuessTellsJapaneseCharsetsApart(t *testing.T) {
	for _, name := range businessNames {
		for _, tt := range []struct {
			want string
			enc  encoding.Encoding
		}{
			{"cp932", japanese.ShiftJIS}, {"euc-jp", japanese.EUCJP}, {"iso-2022-jp", japanese.ISO2022JP}, {"utf-8", encoding.Nop},
		} {
			text, got := Guess(encode(t, tt.enc, name))
			if text != name || got != tt.want {
				t.Errorf("Guess(%s of %q) = %q, %q", tt.want, name, text, got)
			}
		}
	}
}

func TestGuess(t *testing.T) {
	tests := []struct{ name, in, text, charset string }{
		{"ASCII has no name", "report.pdf", "report.pdf", ""},
		{"nothing", "", "", ""},
		{"half-width kana alone", "\xbe\xb2\xb7\xad\xb3\xbc\xae.pdf", "ｾｲｷｭｳｼｮ.pdf", "cp932"},
		{"half-width kana with voicing", "\xc3\xde\xb0\xc0.xls", "ﾃﾞｰﾀ.xls", "cp932"},
		{"a French name is not kanji", "R\xe9sum\xe9.pdf", "Résumé.pdf", "windows-1252"},
		{"a German name is not half-width kana", "M\xfcller \xdcbersicht.doc", "Müller Übersicht.doc", "windows-1252"},
		{"kanji ending in a backslash byte", "\x95\x5c.exe", "表.exe", "cp932"},
		{"UTF-16 with a mark", "\xff\xfea\x00b\x00", "ab", "utf-16"},
		{"an escape without a text", "a\x1bb", "a\x1bb", ""},
		{"no charset fits", "\x81\xff\x81", "\uFFFD", "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, charset := Guess([]byte(tt.in))
			if text != tt.text || charset != tt.charset {
				t.Errorf("Guess(%q) = %q, %q, want %q, %q", tt.in, text, charset, tt.text, tt.charset)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, label, in, want string
		ok                    bool
	}{
		{"cp932", "cp932", "\x90\xbf\x8b\x81\x8f\x91", "請求書", true},
		{"upper case and blanks", " CP932 ", "\x95\x5c", "表", true},
		{"a label with a language", "shift_jis*ja", "\x83\x5c", "ソ", true},
		{"MS_Kanji", "MS_Kanji", "\x94\x5c", "能", true},
		{"x-sjis", "x-sjis", "\x8f\x5c", "十", true},
		{"windows-31j circled number of NEC", "windows-31j", "\x87\x40", "①", true},
		{"user-defined character", "cp932", "a\xf0\x40b", "a\ue000b", true},
		{"last user-defined character", "cp932", "\xf9\xfc", "\ue757", true},
		{"a lone lead byte", "cp932", "a\x81", "a\uFFFD", false},
		{"eucjp-win", "eucJP-win", "\xc0\xc1\xb5\xe1\xbd\xf1", "請求書", true},
		{"cp51932", "cp51932", "\xc0\xc1", "請", true},
		{"iso-2022-jp", "ISO-2022-JP", "\x1b$B@A5a=q\x1b(B.pdf", "請求書.pdf", true},
		{"iso-2022-jp left open at the end", "iso-2022-jp", "\x1b$B@A5a=q", "請求書", true},
		{"iso-2022-jp-ms with NEC characters", "iso-2022-jp-ms", "\x1b$B-!\x1b(B", "①", true},
		{"cp50221 with half-width kana by escape", "cp50221", "\x1b(ICG@\x1b(B", "ﾃﾇﾀ", true},
		{"cp50222 with half-width kana by shift", "cp50222", "\x0eCG@\x0f.txt", "ﾃﾇﾀ.txt", true},
		{"cp50220 with 8-bit kana", "cp50220", "\xc3\xc7\xc0", "ﾃﾇﾀ", true},
		{"JIS-Roman holds the extension", "iso-2022-jp", "\x1b$B@A\x1b(J.exe", "請.exe", true},
		{"JIS X 0212", "iso-2022-jp-1", "\x1b$(D0!\x1b(B", "丂", true},
		{"iso-2022-jp-2 with Korean", "iso-2022-jp-2", "\x1b$(C0!\x1b(B", "가", true},
		{"iso-2022-kr", "iso-2022-kr", "\x1b$)C\x0e0!\x0fa", "가a", true},
		{"escapes between letters", "iso-2022-jp", "e\x1b(Jx\x1b(Be", "exe", true},
		{"an unknown escape", "iso-2022-jp", "a\x1bZb", "a\uFFFDZb", false},
		{"ks_c_5601-1987", "ks_c_5601-1987", "\xb0\xa1", "가", true},
		{"gb2312 reads GBK", "GB2312", "\xc7\xeb\x95\x4c", "请昄", true},
		{"utf-7", "utf-7", "+MEI-.exe", "あ.exe", true},
		{"utf-7 of an ASCII letter", "unicode-1-1-utf-7", "a+AC4-exe", "a.exe", true},
		{"utf-7 plus sign", "utf-7", "1 +- 1", "1 + 1", true},
		{"utf-16 by mark", "utf-16", "\xff\xfe.\x00e\x00", ".e", true},
		{"utf-16 by its zeros", "utf-16", ".\x00e\x00", ".e", true},
		{"utf-16 is big-endian", "utf-16", "\x30\x42\x30\x44", "あい", true},
		{"utf-16le", "utf-16le", "\x42\x30", "あ", true},
		{"ANSI_X3.4-1968", "ANSI_X3.4-1968", "a.txt", "a.txt", true},
		{"ASCII that is not", "us-ascii", "\xe3\x81\x82", "あ", true},
		{"utf-8 with a mark", "utf-8", "\xef\xbb\xbfa", "a", true},
		{"overlong utf-8 is not a dot", "utf-8", "a\xc0\xaeexe", "a\uFFFD\uFFFDexe", false},
		{"latin 1", "iso-8859-1", "caf\xe9", "café", true},
		{"hz", "hz-gb-2312", "~{VP~}", "中", true},
		{"no such charset", "x-klingon", "abc", "abc", false},
		{"no such charset, 8 bits", "x-klingon", "\xff", "\uFFFD", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Decode([]byte(tt.in), tt.label)
			if got != tt.want || ok != tt.ok {
				t.Errorf("Decode(%q, %q) = %q, %v, want %q, %v", tt.in, tt.label, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestMislabelled(t *testing.T) {
	for _, name := range businessNames {
		sjis, euc := string(encode(t, japanese.ShiftJIS, name)), string(encode(t, japanese.EUCJP, name))
		for _, tt := range []struct {
			what, in, label string
			found           bool
		}{
			{"Shift_JIS is Shift_JIS", sjis, "shift_jis", false},
			{"EUC-JP is EUC-JP", euc, "euc-jp", false},
			{"UTF-8 is UTF-8", name, "utf-8", false},
			{"Shift_JIS under EUC-JP", sjis, "EUC-JP", true},
			{"EUC-JP under Shift_JIS", euc, "Shift_JIS", !strings.Contains(name, "ﾃﾞ")}, // half-width kana are kanji there
			{"UTF-8 under Shift_JIS", name, "CP932", true},
			{"UTF-8 under EUC-JP", name, "eucJP-win", true},
			{"UTF-8 under Latin 1", name, "ISO-8859-1", true},
		} {
			if text, found := Mislabelled([]byte(tt.in), tt.label); found != tt.found || found && text != name {
				t.Errorf("%s: Mislabelled(%q, %q) = %q, %v, want %q, %v", tt.what, tt.in, tt.label, text, found, name, tt.found)
			}
		}
	}
	for _, tt := range []struct{ in, label string }{
		{"caf\xe9 \xc3\xa9", "iso-8859-1"}, {"\xc3\xa9", "iso-8859-1"}, {"\xcb\xdf\xca\xc3", "shift_jis"}, {"plain", "euc-jp"}, {"", "shift_jis"},
		{"M\xfcller", "iso-8859-15"}, {"\xb6\xc5\xb6\xc5", "shift_jis"},
	} {
		if text, found := Mislabelled([]byte(tt.in), tt.label); found {
			t.Errorf("Mislabelled(%q, %q) = %q, want the label believed", tt.in, tt.label, text)
		}
	}
}

// FuzzDecode promises valid UTF-8 for any bytes under any label.
func FuzzDecode(f *testing.F) {
	for label := range aliases {
		f.Add([]byte("\x1b$B@A5a=q\x1b(B\x95\x5c+MEI-\x0e\x00"), label)
	}
	f.Fuzz(func(t *testing.T, b []byte, label string) {
		if s, _ := Decode(b, label); !utf8.ValidString(s) {
			t.Fatalf("Decode(%q, %q) = %q", b, label, s)
		}
		if s, found := Mislabelled(b, label); found && (!utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) && !utf8.Valid(b)) {
			t.Fatalf("Mislabelled(%q, %q) = %q", b, label, s)
		}
		if s, _ := Guess(b); !utf8.ValidString(s) {
			t.Fatalf("Guess(%q) = %q", b, s)
		}
	})
}

func BenchmarkGuessCP932(b *testing.B) {
	text, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(businessNames[9]))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Guess(text)
	}
}

// A label counts as straight only if its charset reads ASCII as ASCII.
func TestStraight(t *testing.T) {
	const plain = "see http://a.example/ +AGE- ~{<:Ky~} www.b.example"
	for label, read := range aliases {
		same := read([]byte(plain)) == plain
		if Straight(label) && !same {
			t.Errorf("Straight(%q) = true, but it reads %q as %q", label, plain, read([]byte(plain)))
		}
		if !Straight(label) && same && label != "utf-16" {
			t.Errorf("Straight(%q) = false, but it reads ASCII as it is", label)
		}
	}
}

// A long text is told by a part of it, wherever its first Japanese stands, and
// read as a whole.
func TestGuessOfLongTexts(t *testing.T) {
	line := "本日の会議の資料を送ります。ご確認ください。\r\n"
	ascii := strings.Repeat("plain words before it\n", 10000)
	for _, tt := range []struct {
		name, text, want string
		enc              encoding.Encoding
	}{
		{"cp932", strings.Repeat(line, 5000), "cp932", japanese.ShiftJIS},
		{"euc-jp behind ASCII", ascii + strings.Repeat(line, 5000), "euc-jp", japanese.EUCJP},
		{"cp932 in one line", strings.Repeat("請求書、", 50000), "cp932", japanese.ShiftJIS},
		{"one word at the end", ascii + "請求書", "cp932", japanese.ShiftJIS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if text, got := Guess(encode(t, tt.enc, tt.text)); got != tt.want || text != tt.text {
				t.Errorf("Guess = %q, %d bytes as they were: %v; want %q", got, len(text), text == tt.text, tt.want)
			}
		})
	}
	cut := append([]byte(strings.Repeat(line, 5000)), "\xe8\xab"...)
	if text, got := Guess(cut); got != "utf-8" || !strings.HasSuffix(text, "\n\uFFFD\uFFFD") && !strings.HasSuffix(text, "\n\uFFFD") {
		t.Errorf("Guess of UTF-8 cut within a character = %q, ending %q", got, text[len(text)-8:])
	}
}

// Every cell of JIS X 0208 reads as in EUC-JP, and a run that is not all pairs
// as it did without the table.
func TestEveryCellOfJIS(t *testing.T) {
	for hi := byte(0x21); hi <= 0x7e; hi++ {
		var run []byte
		for lo := byte(0x21); lo <= 0x7e; lo++ {
			run = append(run, hi, lo)
		}
		got, want := readJIS([]byte("\x1b$B"+string(run)+"\x1b(B")), readEUC(spread(run, 0, 2))
		if got != want {
			t.Errorf("row %d = %q, want %q", hi-0x20, got, want)
		}
	}
	for _, run := range []string{"0", "0 ", "0l0", " 0l", "0l\x800l", "\x7f0l"} {
		got, want := readJIS([]byte("\x1b$B"+run)), readEUC(spread([]byte(run), 0, 2))
		if got != want {
			t.Errorf("%q = %q, want %q", run, got, want)
		}
	}
}

func BenchmarkDecodeJIS(b *testing.B) {
	text := []byte(strings.Repeat("\x1b$B$$$D$b$*@$OC$K$J$C$F$*$j$^$9!#\x1b(B\r\n", 200))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Decode(text, "iso-2022-jp")
	}
}
