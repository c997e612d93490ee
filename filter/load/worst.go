package load

import (
	"bytes"
	"fmt"
	"strings"

	"sekisho/filter/specimen"
)

// worst are mails that cost a reader far more than they cost the sender. The
// kind names each: they differ too much to be measured together.
func worst() []Mail {
	c := newChance(4)
	zip := func(kind string, b []byte) Mail {
		return Mail{kind, c.with(file{kind + ".zip", "application/zip", b})}
	}
	zeros := specimen.Zip(specimen.Member{Name: "zero.bin", Data: make([]byte, 200<<20)})
	out := []Mail{
		zip("bomb-42", bomb()),
		zip("bomb-zeros", zeros),
		zip("bomb-zeros-in-zip", specimen.Zip(specimen.Member{Name: "z.zip", Data: zeros})),
		zip("bomb-overlap", overlapping(2000)),
		zip("members-50000", manyMembers(50000)),
		zip("depth-100-zips", russianDoll(100)),
		{"bomb-lzh", c.with(file{"liar.lzh", "application/x-lzh", specimen.LZH(specimen.Member{Name: "z.bin", Data: make([]byte, 4<<20)})})},
		{"noise-20MiB", c.with(file{"big.bin", "application/octet-stream", c.noise(20 << 20)})},
	}
	return append(out, append(c.floods(), c.depths()...)...)
}

// bomb swells sixteenfold at each of four levels, over a leaf of 4 MiB.
func bomb() []byte {
	b := specimen.Zip(specimen.Member{Name: "0.dll", Data: make([]byte, 4<<20)})
	for range 4 {
		var members []specimen.Member
		for i := range 16 {
			members = append(members, specimen.Member{Name: fmt.Sprintf("%x.zip", i), Data: b})
		}
		b = specimen.Zip(members...)
	}
	return b
}

// overlapping lists one member of 4 MiB n times.
func overlapping(n int) []byte {
	one := specimen.Zip(specimen.Member{Name: "a", Data: make([]byte, 4<<20)})
	start := bytes.Index(one, []byte("PK\x01\x02"))
	end := bytes.LastIndex(one, []byte("PK\x05\x06"))
	list := bytes.Repeat(one[start:end], n)
	out := append(bytes.Clone(one[:start]), list...)
	record := bytes.Clone(one[end:])
	for _, at := range []int{8, 10} {
		record[at], record[at+1] = byte(n), byte(n>>8)
	}
	for i := range 4 {
		record[12+i] = byte(len(list) >> (8 * i))
	}
	return append(out, record...)
}

func manyMembers(n int) []byte {
	members := make([]specimen.Member, n)
	for i := range members {
		members[i] = specimen.Member{Name: fmt.Sprintf("f%05d.txt", i), Method: "store"}
	}
	return specimen.Zip(members...)
}

func russianDoll(n int) []byte {
	b := specimen.Zip(specimen.Member{Name: "x.txt", Data: []byte("hello")})
	for i := range n {
		b = specimen.Zip(specimen.Member{Name: fmt.Sprintf("%d.zip", i), Data: b})
	}
	return b
}

// under puts a body, which begins with its own fields, under the usual header.
func (c chance) under(kind, rest string) Mail {
	raw := specimen.Mail(c.spec(false))
	head, _, _ := bytes.Cut(raw, []byte("Content-Type:"))
	return Mail{kind, append(head, strings.ReplaceAll(rest, "\n", "\r\n")...)}
}

// floods have very many of something small.
func (c chance) floods() []Mail {
	const multi = "Content-Type: multipart/mixed; boundary=b\n\n"
	many := func(n int, piece string) string { return multi + strings.Repeat(piece, n) + "--b--\n" }
	near := strings.Repeat("b", 60)
	links := numbered(50000, func(i int) string {
		return fmt.Sprintf("<a href=\"https://evil%d.example/\">https://good%d.example/</a>\n", i, i)
	})
	return []Mail{
		c.under("parts-1000", many(1000, "--b\nContent-Type: text/plain\n\npart\n")),
		c.under("attachments-1000", many(1000, "--b\nContent-Type: text/plain; name=f.txt\nContent-Disposition: attachment; filename=f.txt\n\n"+strings.Repeat("x", 300)+"\n")),
		c.under("near-boundaries", "Content-Type: multipart/mixed; boundary="+near+"\n\n--"+near+"\n\n"+strings.Repeat("--"+near[1:]+"\n", 200000)+"--"+near+"--\n"),
		c.under("links-50000", "Content-Type: text/html; charset=utf-8\n\n"+links),
		c.under("long-line", "Content-Type: text/plain\n\n"+strings.Repeat("a", 5<<20)+"\n"),
		c.under("encoded-words", "X-Note: "+strings.Repeat("=?UTF-8?B?5Lya6K2w?=\n ", 2500)+"x\nContent-Type: text/plain\n\nhello\n"),
		c.under("fields-900", strings.Repeat("X-Field: "+strings.Repeat("v", 200)+"\n", 900)+"Content-Type: text/plain\n\nhello\n"),
		c.under("continuations-3000", multi+"--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment"+
			numbered(3000, func(i int) string { return fmt.Sprintf(";\n filename*%d*=%s", i, strings.Repeat("%41", 15)) })+"\n\nx\n--b--\n"),
	}
}

// depths stand within each other very many times.
func (c chance) depths() []Mail {
	nested := func(n int) string {
		return numbered(n, func(i int) string {
			return fmt.Sprintf("Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%d\n", i, i)
		}) +
			"Content-Type: text/plain\n\nhello\n" + numbered(n, func(i int) string { return fmt.Sprintf("--b%d--\n", n-1-i) })
	}
	return []Mail{
		c.under("depth-100", nested(100)),
		c.under("depth-10000", nested(10000)),
		c.under("messages-2000", strings.Repeat("Content-Type: message/rfc822\n\n", 2000)+"Content-Type: text/plain\n\nhello\n"),
		c.under("html-100000", "Content-Type: text/html; charset=utf-8\n\n<html><body>"+strings.Repeat("<div>\n", 100000)+"x"+strings.Repeat("</div>\n", 100000)),
	}
}

func numbered(n int, piece func(int) string) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(piece(i))
	}
	return out.String()
}
