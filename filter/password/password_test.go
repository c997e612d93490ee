package password

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func words(text string) (strong, weak []string) {
	found, _ := Find(text)
	for _, f := range found {
		if f.Weak {
			weak = append(weak, f.Text)
		} else {
			strong = append(strong, f.Text)
		}
	}
	return strong, weak
}

// TestFind: the word is among those with a label, and near their front.
func TestFind(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a colon", "パスワード:k8Df#2sL", "k8Df#2sL"},
		{"a full-width colon", "パスワード：k8Df#2sL", "k8Df#2sL"},
		{"to unpack", "解凍パスワード： k8Df#2sL", "k8Df#2sL"},
		{"to unpack, short", "解凍PW：k8Df#2sL", "k8Df#2sL"},
		{"to read", "閲覧パスワード　＝　k8Df#2sL", "k8Df#2sL"},
		{"to open, with a purpose in brackets", "パスワード（見積書用）：k8Df#2sL", "k8Df#2sL"},
		{"within a sentence, no blank", "添付ファイルのパスワードはkanmon1024です。", "kanmon1024"},
		{"within a sentence, corner brackets", "パスワードは「kanmon1024」となります。", "kanmon1024"},
		{"double corner brackets", "パスワードは『kanmon 1024』です", "kanmon 1024"},
		{"a label in brackets", "【パスワード】kanmon1024", "kanmon1024"},
		{"a label between squares, the word below", "■パスワード■\n\n  kanmon1024\n", "kanmon1024"},
		{"the next line", "先ほどお送りしたファイルのパスワードをお知らせします。\n\nkanmon1024\n\nよろしくお願いいたします。", "kanmon1024"},
		{"the next line after a promise", "パスワードは以下の通りです。\n----------\nkanmon1024\n----------", "kanmon1024"},
		{"full-width letters", "ＰＡＳＳ：ｋａｎｍｏｎ１０２４", "kanmon1024"},
		{"full-width letters that are meant", "パスワード：ｋａｎｍｏｎ", "ｋａｎｍｏｎ"},
		{"half-width kana", "ﾊﾟｽﾜｰﾄﾞ:kanmon1024", "kanmon1024"},
		{"kanji in the password", "解凍パスワード：関所1024", "関所1024"},
		{"kanji in quotes", "パスワードは「箱根の関所」です。", "箱根の関所"},
		{"before the label", "kanmon1024 がパスワードです。", "kanmon1024"},
		{"short label", "PW:kanmon1024", "kanmon1024"},
		{"short label, equals", "pw=kanmon1024", "kanmon1024"},
		{"short label, blank", "PASS kanmon1024", "kanmon1024"},
		{"an arrow", "パスワード⇒kanmon1024", "kanmon1024"},
		{"English", "The password is kanmon1024.", "kanmon1024"},
		{"English, a purpose between", "The password to open the file is: Kan-Mon_1024!", "Kan-Mon_1024!"},
		{"English, quoted", `Use the password "two words" to open it.`, "two words"},
		{"English, in a line of its own", "Here is the password for the archive I sent:\n\nkanmon1024\n\nRegards", "kanmon1024"},
		{"an @ in it", "password: P@ssw0rd", "P@ssw0rd"},
		{"four digits", "パスワードは1234です", "1234"},
		{"the short Japanese word", "パス：kanmon1024", "kanmon1024"},
		{"a key", "解凍の鍵は kanmon1024 です", "kanmon1024"},
		{"an English key", "Key: kanmon1024", "kanmon1024"},
		{"Chinese", "解压密码：kanmon1024", "kanmon1024"},
		{"quoted reply", "> パスワード: kanmon1024", "kanmon1024"},
		{"CRLF", "パスワード：kanmon1024\r\n以上", "kanmon1024"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			strong, _ := words(tt.text)
			if at := slices.Index(strong, tt.want); at < 0 || at > 7 {
				t.Errorf("Find(%q) = %q, want %q among the first", tt.text, strong, tt.want)
			}
			if _, labelled := Find(tt.text); !labelled {
				t.Errorf("Find(%q) saw no label", tt.text)
			}
		})
	}
}

// TestFindNothing: honest texts that speak of something else.
func TestFindNothing(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"a passport", "海外出張のためパスポートの写しをお送りください。"},
		{"a bypass", "国道のバイパス工事について"},
		{"a keyboard", "The keyboard and the pinboard are monkey business."},
		{"a passenger", "The passenger compartment of the compass."},
		{"prose", "いつもお世話になっております。\n見積書をお送りします。\nよろしくお願いいたします。"},
		{"nothing", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strong, weak := words(tt.text); len(strong)+len(weak) > 0 {
				t.Errorf("Find(%q) = %q, %q", tt.text, strong, weak)
			}
			if _, labelled := Find(tt.text); labelled {
				t.Errorf("Find(%q) saw a label", tt.text)
			}
		})
	}
}

func TestFindWeak(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"alone in its line", "先ほどの件です。\n\nk8Df#2sL\n\n山田", []string{"k8Df#2sL"}},
		{"digits alone", "20481024\n", []string{"20481024"}},
		{"an address", "yamada@kanmon.example.jp\n", nil},
		{"a word", "Regards\n", nil},
		{"a rule", "----------\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strong, weak := words(tt.text); !slices.Equal(weak, tt.want) || len(strong) > 0 {
				t.Errorf("Find(%q) = %q, %q, want %q", tt.text, strong, weak, tt.want)
			}
		})
	}
}

func TestHTML(t *testing.T) {
	for _, tt := range []struct{ name, page, want string }{
		{"a bold word", "<html><title>password: no</title><style>p{}</style><p>パスワード：<b>kan&amp;mon</b></p>", "kan&mon"},
		{"a table", "<table><tr><td>解凍パスワード</td><td> kanmon1024 </td></tr></table>", "kanmon1024"},
		{"line breaks", "パスワードは次の通りです。<br>\r\n<br>kanmon1024<br>", "kanmon1024"},
		{"letters parted by tags", "password: <span>kan</span><span>mon</span>", "kanmon"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			strong, _ := words(HTML(tt.page))
			if !slices.Contains(strong, tt.want) || slices.Contains(strong, "no") {
				t.Errorf("of %q: %q, want %q", tt.page, strong, tt.want)
			}
		})
	}
}

// FuzzFind: bounded, typed by a person, and taken from the text: every word
// stands in it, but for the width of its letters.
func FuzzFind(f *testing.F) {
	f.Add("パスワード：k8Df#2sL\nＰＡＳＳ「ｋａｎｍｏｎ」\n<b>pw</b>=1")
	f.Fuzz(func(t *testing.T, text string) {
		found, _ := Find(text)
		if len(found) > maxStrong+maxWeak {
			t.Fatalf("%d words", len(found))
		}
		folded := string(newLine(text).folded)
		for _, w := range found {
			if len(w.Text) > maxWord || !utf8.ValidString(w.Text) || strings.ContainsAny(w.Text, "\r\n\x00") {
				t.Fatalf("%q is no password", w.Text)
			}
			if !strings.Contains(text, w.Text) && !strings.Contains(folded, w.Text) {
				t.Fatalf("%q does not stand in the text", w.Text)
			}
		}
		if again, _ := Find(text); !slices.Equal(again, found) {
			t.Fatal("same text, two answers")
		}
		HTML(text)
	})
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("いつもお世話になっております。見積書をお送りしますのでご確認ください。\n", 100) + "解凍パスワード：k8Df#2sL\n"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Find(text)
	}
}
