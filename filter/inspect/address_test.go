package inspect

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"sekisho/filter/entity"
	"sekisho/filter/link"
)

// The links of a text are found in whatever charset it is, declared or not,
// though most of it is not converted.
func TestLinksInEveryCharset(t *testing.T) {
	text := strings.Repeat("会議の資料です。\r\n", 400) + "詳細はhttps://a.example/資料へ\r\n" + strings.Repeat("以上、表示能力。\r\n", 400) + "www.b.example をご覧ください"
	want := []string{"https://a.example/", "http://www.b.example"}
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	tests := []struct {
		name, label string
		enc         encoding.Encoding
	}{
		{"utf-8", "utf-8", encoding.Nop},
		{"utf-8 without a label", "", encoding.Nop},
		{"utf-8 under a wrong label", "iso-2022-jp", encoding.Nop},
		{"cp932", "cp932", japanese.ShiftJIS},
		{"cp932 without a label", "", japanese.ShiftJIS},
		{"euc-jp", "euc-jp", japanese.EUCJP},
		{"euc-jp without a label", "", japanese.EUCJP},
		{"iso-2022-jp", "iso-2022-jp", japanese.ISO2022JP},
		{"iso-2022-jp without a label", "", japanese.ISO2022JP},
		{"utf-16 with a mark", "", utf16},
		{"utf-16 by its label", "utf-16", utf16},
		{"utf-16le by its label", "utf-16le", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
		{"gb18030", "gb18030", simplifiedchinese.GB18030},
		{"a label that nobody knows", "x-klingon", encoding.Nop},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.enc.NewEncoder().Bytes([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := urlsOf(&entity.Entity{Body: b, Charset: tt.label}); !slices.Equal(got, want) {
				t.Errorf("links = %q, want %q", got, want)
			}
		})
	}
}

// Links of ASCII text that a charset spells in other bytes are found too.
func TestLinksUnderOtherLetters(t *testing.T) {
	ebcdic, err := charmap.CodePage037.NewEncoder().String("see http://a.example/ now")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, label, body, want string }{
		{"UTF-7", "utf-7", "see http+ADo-//a.example/ now", "http://a.example/"},
		{"shifts within the mark", "hz-gb-2312", "see http:~\n//a.example/ now", "http://a.example/"},
		{"EBCDIC", "cp037", ebcdic, "http://a.example/"},
		{"escapes within the mark", "iso-2022-jp", "see http:\x1b(B//a.example/ now", "http://a.example/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := urlsOf(&entity.Entity{Body: []byte(tt.body), Charset: tt.label}); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("links = %q, want %q", got, tt.want)
			}
		})
	}
}

// A charset that may be read word by word gives the same links so, whatever the
// bytes.
func FuzzAddressed(f *testing.F) {
	for _, enc := range []encoding.Encoding{japanese.ShiftJIS, japanese.EUCJP, korean.EUCKR, traditionalchinese.Big5} {
		b, _ := enc.NewEncoder().Bytes([]byte("資料は\r\nhttps://a.example/ へ\nwww.b.example\n"))
		f.Add(b, "cp932")
	}
	f.Add([]byte("\x81\nhttp\x81://\x81\x3a//a\nwww.\xe0.example"), "gb18030")
	f.Add([]byte("\xbb\xf1\n\xa7www.0"), "932")
	f.Fuzz(func(t *testing.T, b []byte, label string) {
		e := &entity.Entity{Body: b, Charset: label}
		whole, _ := link.Text("", text(b, label))
		if got, want := urlsOf(e), urls(whole); len(got) != len(want) {
			t.Fatalf("links of the words of %q in %q: %q, of the whole %q", b, label, got, want)
		}
	})
}

func urlsOf(e *entity.Entity) []string {
	found, _ := link.Text("", text(addressed(e), e.Charset))
	return urls(found)
}

func urls(links []link.Link) (out []string) {
	for _, l := range links {
		out = append(out, l.URL)
	}
	return out
}
