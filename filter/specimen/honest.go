package specimen

import "strings"

// Honest are business mails that must be delivered as they are.
func Honest() []Case {
	return append(plainMails(), attachedMails()...)
}

func honest(name string, m MailSpec, truth string) Case {
	m.Date = dateToday
	return attack(name, m, m.Subject, truth, "accept")
}

func plainMails() []Case {
	return []Case{
		honest("plain-iso-2022-jp", MailSpec{
			From: partner, To: yamada, Subject: "打ち合わせ日程のご相談", Charset: ISO2022JP,
			Text: "山田様\n\nいつもお世話になっております。鈴木です。\n次回の打ち合わせは12月1日(火)14時でいかがでしょうか。\n",
		}, "Japanese text in ISO-2022-JP"),
		honest("plain-shift-jis", MailSpec{
			From: partner, To: soumu, Subject: "年末年始休業のお知らせ", Charset: ShiftJIS,
			Text: "お取引先各位\n\n誠に勝手ながら、12月29日から1月4日まで休業いたします。\n",
		}, "Japanese text in Shift_JIS"),
		honest("plain-english", MailSpec{
			From: english, To: yamada, Subject: "Delivery schedule for order 4711",
			Text: "Dear Mr Yamada,\n\nyour order will be shipped on 1 December.\nTracking: https://www.vendor.example.com/orders/4711\n\nKind regards,\nAlice\n",
		}, "English text with a link to the sender's own site"),
		newsletter(),
		honest("calendar-invite", MailSpec{
			From: partner, To: yamada, Subject: "定例会議", Charset: UTF8,
			Text: "定例会議のご案内です。\n", Calendar: ICS("定例会議", partner.Addr, yamada.Addr),
		}, "an invitation"),
		honest("signed", MailSpec{
			From: english, To: soumu, Subject: "Signed order confirmation", Signed: true,
			Text: "Please find our confirmation. This mail is signed.\n",
		}, "a mail in the shape of S/MIME"),
	}
}

// newsletter has what newsletters have: words and pictures that link to a
// service which counts clicks.
func newsletter() Case {
	const track = "https://click.mailer.example.net/c/"
	return honest("newsletter", MailSpec{
		From: Mailbox{"製品ニュース", "news@vendor.example.com"}, To: yamada, Subject: "【製品ニュース】11月号", Charset: UTF8,
		Text: "製品ニュース 11月号\n\n新製品のご紹介: " + track + "a1\n配信停止: " + track + "z9\n",
		HTML: "<html><body><h1>製品ニュース 11月号</h1>\n<p><a href=\"" + track + "a1\">新製品のご紹介</a></p>\n" +
			"<p><a href=\"" + track + "a2\"><img src=\"https://img.mailer.example.net/11.png\" alt=\"キャンペーン\"></a></p>\n" +
			"<p><a href=\"" + track + "z9\">配信停止はこちら</a></p></body></html>\n",
		Extra: []string{"List-Unsubscribe: <" + track + "z9>", "Precedence: bulk"},
	}, "a newsletter whose links go through a tracker")
}

func attachedMails() []Case {
	minutes := Docx("議事録。出席者は山田、鈴木。")
	quote := PDF("御見積書 2026年11月22日")
	return []Case{
		attached("docx-rfc2047", ISO2022JP, Attachment{Name: "議事録.docx", Naming: NameRFC2047, Type: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", Data: minutes}),
		attached("pdf-version-name", UTF8, Attachment{Name: "見積書_2026.11.22_v1.2.pdf", Type: "application/pdf", Data: quote}),
		attached("pdf-raw-name", ShiftJIS, Attachment{Name: "御見積書.pdf", Naming: NameRaw, Type: "application/pdf", Data: quote}),
		attached("zip-of-documents", UTF8, Attachment{Name: "資料一式.zip", Type: "application/zip", Data: Zip(
			Member{Name: "議事録.docx", Raw: cp932("議事録.docx"), Data: minutes},
			Member{Name: "見積書.pdf", Raw: cp932("見積書.pdf"), Data: quote},
		)}),
		attached("lzh-of-documents", ISO2022JP, Attachment{Name: "研修資料.lzh", Naming: NameRFC2047, Data: LZH(
			Member{Name: "議事録.docx", Data: minutes, Level: 1},
			Member{Name: "はじめに.txt", Data: cp932(strings.Repeat("研修資料の説明です。\r\n", 40)), Level: 2},
		)}),
	}
}

func attached(name, charset string, a Attachment) Case {
	return honest(name, MailSpec{
		From: partner, To: yamada, Subject: "資料送付の件", Charset: charset,
		Text:        "山田様\n\nお世話になっております。資料をお送りしますので、ご確認をお願いいたします。\n",
		Attachments: []Attachment{a},
	}, "an honest attachment: "+a.Name)
}
