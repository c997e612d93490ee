package load

import (
	"fmt"
	"math"
	"strings"

	"sekisho/filter/specimen"
)

// spread returns the i-th of n sizes from lo to hi, evenly on a logarithmic
// scale, as the sizes of mail are.
func spread(i, n, lo, hi int) int {
	return int(float64(lo) * math.Exp((float64(i)+.5)/float64(n)*math.Log(float64(hi)/float64(lo))))
}

// spec returns a mail without content yet.
func (c chance) spec(inJapanese bool) specimen.MailSpec {
	n := c.Uint32()
	m := specimen.MailSpec{From: specimen.Mailbox{Name: "Alice Smith", Addr: fmt.Sprintf("sender%d@example.net", c.between(1, 500))},
		To: specimen.Mailbox{Addr: "user@example.jp"}, Subject: c.sentence(inJapanese), Date: "Mon, 01 Jun 2026 09:00:00 +0900",
		MessageID: fmt.Sprintf("%08x@example.net", n), Extra: c.trace(n)}
	if inJapanese {
		m.From.Name, m.Charset = "山田太郎", specimen.UTF8
		if c.odds(.4) {
			m.Charset = specimen.ISO2022JP
		}
	}
	return m
}

// trace are header fields that a real mail brings from its way.
func (c chance) trace(n uint32) []string {
	sum := strings.Repeat("A1b2C3d4", 8)
	return []string{
		fmt.Sprintf("Received: from mail%d.example.net (mail%d.example.net [192.0.2.%d])\r\n\tby mx.example.jp (Postfix) with ESMTPS id %X\r\n\tfor <user@example.jp>; Mon,  1 Jun 2026 09:00:00 +0900 (JST)", n%9, n%9, n%250, n),
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=s1;\r\n\th=from:to:subject:date:message-id; bh=" + sum[:43] + "=;\r\n\tb=" + sum + "\r\n\t " + sum,
		"X-Mailer: Microsoft Outlook 16.0",
	}
}

// text is a mail of plain text, HTML or both, of about n bytes.
func (c chance) text(n int) []byte {
	inJapanese := c.odds(.65)
	m := c.spec(inJapanese)
	m.Text = c.prose(n, inJapanese)
	if c.odds(.5) {
		m.Text = c.prose(n*35/100, inJapanese)
		m.HTML = c.html(n*65/100, inJapanese)
	}
	return specimen.Mail(m)
}

// html returns about n bytes of paragraphs, some with a link or a picture.
func (c chance) html(n int, inJapanese bool) string {
	var out strings.Builder
	out.WriteString("<html><head><style>p{margin:0 0 8px}</style></head><body>\n")
	for out.Len() < n {
		words := c.sentence(inJapanese)
		switch page := c.IntN(10000); c.IntN(8) {
		case 0:
			fmt.Fprintf(&out, "<p><a href=\"https://www.example.co.jp/news/%d\">https://www.example.co.jp/news/%d</a> %s</p>\n", page, page, words)
		case 1:
			fmt.Fprintf(&out, "<table border=\"0\"><tr><td>%s</td><td><img src=\"https://img.example.co.jp/%d.png\" alt=\"\"></td></tr></table>\n", words, page)
		default:
			fmt.Fprintf(&out, "<p class=\"c\">%s</p>\n", words)
		}
	}
	return out.String() + "</body></html>\n"
}

// with is a mail with attachments.
func (c chance) with(files ...file) []byte {
	inJapanese := c.odds(.65)
	m := c.spec(inJapanese)
	m.Text = c.prose(c.between(500, 3000), inJapanese)
	for _, f := range files {
		m.Attachments = append(m.Attachments, specimen.Attachment{Name: f.name, Type: f.mediaType, Data: f.data})
	}
	return specimen.Mail(m)
}

// texts are n short mails: about 3 KB each once they are encoded.
func texts(n int) []Mail {
	c := newChance(3)
	out := make([]Mail, n)
	for i := range out {
		out[i] = Mail{"text", c.text(c.between(1000, 2000))}
	}
	return out
}

// office returns blocks of a hundred mails in a fixed disorder.
func office(blocks int) []Mail {
	c := newChance(1)
	var out []Mail
	for block := range blocks {
		for i := range 70 {
			out = append(out, Mail{"text", c.text(spread(i, 70, 1600, 26000) / 2)})
		}
		for i := range 20 {
			out = append(out, Mail{"document", c.documents(spread(i, 20, 36000, 720000))})
		}
		for i := range 8 {
			out = append(out, Mail{"zip", c.zipped(spread(i, 8, 72000, 3600000))})
		}
		out = append(out, Mail{"lzh", c.lzh()}, Mail{"attack", c.attack(block)})
	}
	c.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// documents is a mail of one to three documents of n bytes together.
func (c chance) documents(n int) []byte {
	count := 1
	if n > 100000 {
		count = []int{1, 1, 1, 2, 3}[c.IntN(5)]
	}
	var files []file
	for range count {
		files = append(files, c.document(n/count))
	}
	return c.with(files...)
}

// zipped is a mail of one zip of documents.
func (c chance) zipped(n int) []byte {
	count := min(12, 1+n/150000)
	members := []specimen.Member{{Name: "資料/一覧.csv", Data: c.table(20000)}}
	for i := range count {
		d := c.document(n / count)
		members = append(members, specimen.Member{Name: fmt.Sprintf("資料/%02d_%s", i, d.name), Data: d.data, Method: "fast"})
	}
	return c.with(file{"資料一式.zip", "application/zip", specimen.Zip(members...)})
}

func (c chance) lzh() []byte {
	return c.with(file{"資料.lzh", "application/x-lzh", specimen.LZH(
		specimen.Member{Name: "一覧.csv", Data: c.table(60000), Level: 1},
		specimen.Member{Name: "お知らせ.txt", Data: inCP932(c.prose(20000, true)), Level: 1},
	)})
}

// attack is a mail that no gateway should deliver.
func (c chance) attack(i int) []byte {
	exe := c.program(60000)
	name := "医療費通知のお知らせ.exe"
	if i%2 == 0 {
		return c.with(file{"医療費通知のお知らせ.zip", "application/zip", specimen.Zip(specimen.Member{Name: name, Data: exe})})
	}
	return c.with(file{"医療費通知のお知らせ.lzh", "application/x-lzh", specimen.LZH(specimen.Member{Name: name, Data: exe, Level: 1})})
}

// archives are n mails of zips within zips within a zip, 1 to 10 MB.
func archives(n int) []Mail {
	c := newChance(2)
	out := make([]Mail, n)
	for i := range out {
		// A fixed disorder of sizes, so that a prefix stands for all.
		size := spread(i*7%n, n, 1<<20, 10<<20)
		out[i] = Mail{"archive", c.threeDeep(size)}
	}
	return out
}

func (c chance) threeDeep(n int) []byte {
	var inner []specimen.Member
	piece := max(150000, n/9)
	for got := 0; got < n*97/100; {
		members := []specimen.Member{{Name: "原稿/本文.txt", Data: []byte(c.prose(piece*4, true)), Method: "fast"},
			{Name: "原稿/一覧.csv", Data: c.table(piece / 2), Method: "fast"}}
		if len(inner)%2 == 1 {
			d := c.document(piece)
			members = []specimen.Member{{Name: "原稿/" + d.name, Data: d.data, Method: "fast"}}
		}
		packed := specimen.Zip(members...)
		got += len(packed)
		inner = append(inner, specimen.Member{Name: fmt.Sprintf("第%d部.zip", len(inner)), Data: packed, Method: "fast"})
	}
	half := len(inner) / 2
	return c.with(file{"納品データ一式.zip", "application/zip", specimen.Zip(
		specimen.Member{Name: "上巻.zip", Data: specimen.Zip(inner[:half]...), Method: "fast"},
		specimen.Member{Name: "下巻.zip", Data: specimen.Zip(inner[half:]...), Method: "fast"},
	)})
}
