package specimen

// Pair are the two mails of PPAP, as honest offices in Japan send them every
// day: documents in an encrypted zip, then the password in a mail of its own.
// With evil the archive holds a program under a name that says nothing.
func Pair(evil bool) (archive, letter Case) {
	const password = "kansho-2026#7"
	from, to := Mailbox{"佐藤", "sato@partner.example"}, Mailbox{"総務", "soumu@kansho.example.jp"}
	content := Member{Name: "見積書.csv", Data: []byte("品名,数量,単価\r\n用紙,10,480\r\n")}
	id, text := "pair-clean", "見積書をお送りします。パスワードは別途お送りします。\n"
	if evil {
		content = Member{Name: "見積書.dat", Data: PE()}
		id, to = "pair-program", Mailbox{"経理", "keiri@kansho.example.jp"}
	}
	first := MailSpec{From: from, To: to, Subject: "見積書の送付", Date: "Mon, 23 Nov 2026 09:00:00 +0900", MessageID: id + "@partner.example",
		Charset: ISO2022JP, Text: text, Attachments: []Attachment{{Name: "見積書.zip", Data: EncryptedZip(password, content)}}}
	second := MailSpec{From: from, To: to, Subject: "Re: 見積書の送付", Date: "Mon, 23 Nov 2026 09:01:00 +0900", MessageID: id + "-letter@partner.example",
		Charset: ISO2022JP, Text: "先ほどお送りしたファイルのパスワードは以下の通りです。\n\n" + password + "\n"}
	archive = Case{Name: id, From: from.Addr, To: to.Addr, Raw: Mail(first), Want: "quarantine"}
	letter = Case{Name: id + "-letter", From: from.Addr, To: to.Addr, Raw: Mail(second), Want: "accept"}
	return archive, letter
}
