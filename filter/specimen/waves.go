package specimen

import "strings"

// Case is one mail of the demonstration with what is known about it.
type Case struct {
	Name  string
	From  string // envelope
	To    string
	Raw   []byte
	Shown string // what the victim would have seen
	Truth string // what it was
	Want  string // the disposition by the default rules
}

// The people of the demonstration. kansho.example.jp is the organisation that
// is defended; all domains are reserved ones.
var (
	soumu    = Mailbox{"総務部", "soumu@kansho.example.jp"}
	yamada   = Mailbox{"山田 太郎", "yamada@kansho.example.jp"}
	stranger = Mailbox{"竹村", "takemura@freemail.example.com"}
	partner  = Mailbox{"鈴木 花子", "suzuki.h@partner.example.co.jp"}
	english  = Mailbox{"Alice Baker", "alice@vendor.example.com"}
)

// mailDates are the days of the four waves, and of all other mails.
const (
	dateWave1 = "Fri, 08 May 2015 10:28:00 +0900"
	dateWave2 = "Mon, 18 May 2015 09:42:00 +0900"
	dateWave3 = "Mon, 18 May 2015 14:05:00 +0900"
	dateWave4 = "Wed, 20 May 2015 11:20:00 +0900"
	dateToday = "Sun, 22 Nov 2026 10:00:00 +0900"
)

// Attacks are mails that must not reach the reader unmarked: the four waves
// that reached the Japan Pension Service in May 2015 (after its report of
// 20 August 2015), with a harmless program, and the disguises seen since.
func Attacks() []Case {
	return append(waves(), disguises()...)
}

func waves() []Case {
	return []Case{
		attack("wave-1-link", MailSpec{
			From: stranger, To: soumu, Subject: "「厚生年金基金制度の見直しについて（試案）」に関する意見", Date: dateWave1, Charset: ISO2022JP,
			Text: "総務部御中\n\n標記の件につきまして、意見をまとめましたのでお送りします。\n" +
				"ファイルが大きいため、下記よりダウンロードしてご覧ください。\n\nhttps://firestorage.jp/download/0123456789abcdef0123456789abcdef01234567\n\n竹村\n",
		}, "a link to an opinion paper", "a link to commercial online storage, where a program waits", "tag"),
		attack("wave-2-lzh", MailSpec{
			From: stranger, To: yamada, Subject: "給付研究委員会オープンセミナーのご案内", Date: dateWave2, Charset: ISO2022JP,
			Text:        "各位\n\n標記セミナーのご案内をお送りします。詳細は添付ファイルをご覧ください。\n",
			Attachments: []Attachment{lzhAttachment("給付研究委員会オープンセミナーのご案内", NameRFC2047, 0)},
		}, "給付研究委員会オープンセミナーのご案内.lzh", "a program in an LZH archive", quarantine),
		attack("wave-3-lzh", MailSpec{
			From: stranger, To: yamada, Subject: "厚生年金徴収関係研修資料", Date: dateWave3, Charset: ISO2022JP,
			Text:        "お世話になっております。\n\n研修資料をお送りしますので、ご査収ください。\n",
			Attachments: []Attachment{lzhAttachment("厚生年金徴収関係研修資料(150331厚生年金徴収支援G)", NameRFC2231, 1)},
		}, "厚生年金徴収関係研修資料(150331厚生年金徴収支援G).lzh", "a program in an LZH archive", quarantine),
		attack("wave-4-lzh", MailSpec{
			From: Mailbox{"健康保険組合運営事務局", "kenpo@freemail.example.com"}, To: soumu, Subject: "【医療費通知】", Date: dateWave4, Charset: ShiftJIS,
			Text:        "各位\n\n医療費のお知らせをお送りします。添付ファイルをご確認ください。\n",
			Attachments: []Attachment{lzhAttachment("医療費通知のお知らせ", NameRaw, 2)},
		}, "医療費通知のお知らせ.lzh", "a program in an LZH archive", quarantine),
	}
}

const quarantine = "quarantine"

// lzhAttachment is an LZH archive of that name with a program of that name.
func lzhAttachment(name string, naming Naming, level int) Attachment {
	return Attachment{Name: name + ".lzh", Naming: naming, Data: LZH(Member{Name: name + ".exe", Data: PE(), Level: level})}
}

func disguises() []Case {
	invoice := []struct {
		name       string
		attachment Attachment
		shown      string
		truth      string
	}{
		{"name-rlo", Attachment{Name: "請求書_\u202efdp.scr", Data: PE()}, "請求書_rcs.pdf", "a screen saver, its name turned round by U+202E"},
		{"name-double-extension", Attachment{Name: "見積書.pdf.exe", Naming: NameRFC2047, Data: PE()}, "見積書.pdf", "a program with two extensions"},
		{"name-80-blanks", Attachment{Name: "御見積書.docx" + strings.Repeat(" ", 80) + ".exe", Data: PE()}, "御見積書.docx", "a program, its extension behind 80 blanks"},
		{"name-wide-blanks", Attachment{Name: "会議資料.pdf" + strings.Repeat("\u3000", 40) + ".exe", Data: PE()}, "会議資料.pdf", "a program, its extension behind 40 ideographic blanks"},
		{"program-as-pdf", Attachment{Name: "納品書.pdf", Type: "application/pdf", Data: PE()}, "納品書.pdf", "a program under the name of a PDF"},
		{"zip-in-zip", Attachment{Name: "資料一式.zip", Data: zipInZip()}, "資料一式.zip", "a screen saver in a zip in a zip"},
		{"zip-encrypted", Attachment{Name: "給与明細.zip", Data: EncryptedZip("kansho2026", Member{Name: "salary.exe", Data: PE()})}, "給与明細.zip, password in the text", "a program in an encrypted zip, its name readable"},
		{"shortcut-in-zip", Attachment{Name: "議事録.zip", Data: Zip(Member{Name: "議事録.pdf.lnk", Data: LNK(`..\Windows\System32\notepad.exe`)})}, "議事録.pdf", "a shortcut that starts a program"},
	}
	var cases []Case
	for _, v := range invoice {
		cases = append(cases, attack(v.name, MailSpec{
			From: stranger, To: yamada, Subject: "資料送付のご連絡", Date: dateToday, Charset: UTF8,
			Text:        "山田様\n\nお世話になっております。添付の資料をご確認ください。\n(パスワードが必要な場合: kansho2026)\n",
			Attachments: []Attachment{v.attachment},
		}, v.shown, v.truth, quarantine))
	}
	return append(cases, falseLink(), spoofed())
}

func zipInZip() []byte {
	inner := Zip(Member{Name: "お知らせ.scr", Data: PE()})
	return Zip(Member{Name: "資料.zip", Data: inner, Method: "store"})
}

func falseLink() Case {
	return attack("link-false", MailSpec{
		From: stranger, To: yamada, Subject: "【重要】アカウントの確認", Date: dateToday, Charset: UTF8,
		Text: "下記よりご確認ください。\nhttps://login.bank.example.jp/\n",
		HTML: "<html><body><p>下記よりご確認ください。</p>\n" +
			"<p><a href=\"http://login.collect.example.net/bank/\">https://login.bank.example.jp/</a></p></body></html>\n",
	}, "https://login.bank.example.jp/", "a link to login.collect.example.net", "tag")
}

// spoofed comes from a client that the domain's SPF record does not name.
func spoofed() Case {
	return attack("own-domain", MailSpec{
		From: soumu, To: yamada, Subject: "パスワード変更のお願い", Date: dateToday, Charset: ISO2022JP,
		Text: "各位\n\n総務部です。本日中にパスワードの変更をお願いします。\n",
	}, "a mail of our own 総務部", "a foreign client that uses our domain; SPF and DMARC fail", quarantine)
}

func attack(name string, m MailSpec, shown, truth, want string) Case {
	m.MessageID = name + "@" + m.From.Addr[strings.IndexByte(m.From.Addr, '@')+1:]
	return Case{Name: name, From: m.From.Addr, To: m.To.Addr, Raw: Mail(m), Shown: shown, Truth: truth, Want: want}
}
