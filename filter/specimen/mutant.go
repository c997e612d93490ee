package specimen

import (
	"math/rand/v2"
	"strings"
)

// Mutant returns a mail that carries PE() as an attachment, its structure broken
// in one to four ways that follow from seed. Some mail programs still find the
// program in it, others do not.
func Mutant(seed uint64) []byte { return mutated(seed, "minutes.exe", PE()) }

// HonestMutant returns such a mail with a document in place of the program.
func HonestMutant(seed uint64) []byte { return mutated(seed, "minutes.pdf", PDF("minutes")) }

func mutated(seed uint64, name string, data []byte) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	m := mutant{r: r, name: name, text: strings.ReplaceAll(mutantBases[r.IntN(len(mutantBases))](data), mutantName, name)}
	for range 1 + r.IntN(4) {
		mutations[r.IntN(len(mutations))](&m)
	}
	if r.IntN(3) > 0 {
		m.text = strings.ReplaceAll(m.text, "\n", "\r\n")
	}
	return []byte(m.text)
}

// mutant is a mail in the making; its lines end in LF.
type mutant struct {
	r          *rand.Rand
	name, text string
}

const (
	mutantBoundary = "=_mixed_4f2a"
	mutantName     = "minutes.exe"
	mutantHead     = "Received: from relay.example.com by mx.kansho.example.jp; Mon, 19 Oct 2026 09:00:00 +0900\nFrom: sato@keiri.example.jp\nTo: soumu@kansho.example.jp\n" +
		"Subject: minutes\nDate: Mon, 19 Oct 2026 09:00:00 +0900\nMessage-ID: <1.2@keiri.example.jp>\nMIME-Version: 1.0\n"
	mutantType = "Content-Type: multipart/mixed; boundary=\"" + mutantBoundary + "\"\n"
	mutantText = "Content-Type: text/plain; charset=us-ascii\n\nPlease see the minutes.\n"
	mutantFile = "Content-Type: application/octet-stream; name=\"minutes.exe\"\nContent-Disposition: attachment; filename=\"minutes.exe\"\n"
)

func wrapped(b []byte) string { return strings.ReplaceAll(string(base64Lines(b)), "\r\n", "\n") }

// parts joins parts to a multipart of the boundary that most mutations know.
func parts(list ...string) string {
	return "--" + mutantBoundary + "\n" + strings.Join(list, "\n--"+mutantBoundary+"\n") + "\n--" + mutantBoundary + "--\n"
}

var mutantBases = []func([]byte) string{
	func(data []byte) string { // as most mail programs send it
		return mutantHead + mutantType + "\n" + parts(mutantText, mutantFile+"Content-Transfer-Encoding: base64\n\n"+wrapped(data))
	},
	func(data []byte) string { // below an inner multipart
		inner := "Content-Type: multipart/related; boundary=inner\n\n--inner\n" + mutantText + "\n--inner\n" + mutantFile + "Content-Transfer-Encoding: base64\n\n" + wrapped(data) + "--inner--\n"
		return mutantHead + mutantType + "\n" + parts(inner, mutantText)
	},
	func(data []byte) string { // in an attached message
		inner := "From: b@example.com\nSubject: inner\nMIME-Version: 1.0\n" + mutantType + "\n" + parts(mutantText, mutantFile+"Content-Transfer-Encoding: base64\n\n"+wrapped(data))
		return mutantHead + "Content-Type: multipart/mixed; boundary=outer\n\n--outer\n" + mutantText + "\n--outer\nContent-Type: message/rfc822\n\n" + inner + "\n--outer--\n"
	},
	func(data []byte) string { // in quoted-printable
		return mutantHead + mutantType + "\n" + parts(mutantText, mutantFile+"Content-Transfer-Encoding: quoted-printable\n\n"+quotedPrintable(data))
	},
	func(data []byte) string { // uuencoded in the text
		return mutantHead + "Content-Type: text/plain\n\nPlease see the minutes.\n\nbegin 644 minutes.exe\n" + uuLines(data) + "`\nend\n"
	},
	func(data []byte) string { // the message is the file
		return mutantHead + mutantFile + "Content-Transfer-Encoding: base64\n\n" + wrapped(data)
	},
}

func quotedPrintable(b []byte) string {
	const digits, most = "0123456789ABCDEF", 72
	var out strings.Builder
	column := 0
	for _, c := range b {
		if column > most {
			out.WriteString("=\n")
			column = 0
		}
		if c > ' ' && c < 0x7f && c != '=' {
			out.WriteByte(c)
			column++
			continue
		}
		out.Write([]byte{'=', digits[c>>4], digits[c&15]})
		column += 3
	}
	return out.String() + "=\n"
}

func uuLines(b []byte) string {
	const most = 45
	var out strings.Builder
	letter := func(v byte) {
		if v == 0 {
			v = '`' - ' '
		}
		out.WriteByte(v + ' ')
	}
	for len(b) > 0 {
		line := b[:min(most, len(b))]
		b = b[len(line):]
		letter(byte(len(line)))
		for i := 0; i < len(line); i += 3 {
			var q [3]byte
			copy(q[:], line[i:])
			for _, v := range [4]byte{q[0] >> 2, q[0]&3<<4 | q[1]>>4, q[1]&15<<2 | q[2]>>6, q[2] & 63} {
				letter(v)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// swap replaces one occurrence of old, chosen by chance, where there is one.
func (m *mutant) swap(old, new string) {
	n := strings.Count(m.text, old)
	if n == 0 {
		return
	}
	at := 0
	for range 1 + m.r.IntN(n) {
		at += strings.Index(m.text[at:], old) + 1
	}
	at--
	m.text = m.text[:at] + new + m.text[at+len(old):]
}

// line changes one line that begins with prefix.
func (m *mutant) line(prefix string, change func(string) string) {
	lines := strings.SplitAfter(m.text, "\n")
	var at []int
	for i, l := range lines {
		if strings.HasPrefix(l, prefix) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return
	}
	i := at[m.r.IntN(len(at))]
	lines[i] = change(strings.TrimSuffix(lines[i], "\n")) + "\n"
	m.text = strings.Join(lines, "")
}

func (m *mutant) pick(list ...string) string { return list[m.r.IntN(len(list))] }

// field changes a line of the header of some part.
func (m *mutant) field(change func(string) string) {
	m.line(m.pick("Content-Type: ", "Content-Transfer-Encoding: ", "Content-Disposition: ", "MIME-Version: ", "Content-"), change)
}

// junk is what is put where nothing belongs.
func (m *mutant) junk() string {
	return m.pick(" ", "\t", "\x00", "\v", "\f", "\r", "\xa0", "\u00a0", "\ufeff", "\u2028", ";", ",", "\"", "(x)", "\\", "=", "-", ">", "a", "\x1b", "\xff", ":")
}

// mutations each break a mail in one way.
var mutations = []func(*mutant){
	// Line ends.
	func(m *mutant) {
		m.text = strings.ReplaceAll(m.text, "\n", m.pick("\r", "\n\r", "\r\r\n", "\r\n", " \n", "\n\n"))
	},
	func(m *mutant) {
		m.swap("\n", m.pick("\r", "\n\r", "\r\r\n", "\v", "\f", "\x85", "\u2028", "\r\r", ""))
	},
	func(m *mutant) {
		m.swap("\n\n", m.pick("\n", "\n \n", "\n\t\n", "\n\x00\n", "\n\n\n", "\njunk\n", "\njunk\n\n", "\r\r", "\n\r\n\r"))
	},
	// Delimiters.
	func(m *mutant) { m.line("--", func(s string) string { return s + m.junk() }) },
	func(m *mutant) { m.line("--", func(s string) string { return m.junk() + s }) },
	func(m *mutant) { m.line("--", func(s string) string { return s + "--" }) },
	func(m *mutant) { m.line("--", func(string) string { return "" }) },
	func(m *mutant) { m.line("--", func(s string) string { return s + "\n" + s }) },
	func(m *mutant) { m.line("--", func(s string) string { return strings.TrimSuffix(s, "--") }) },
	func(m *mutant) { m.line("--", strings.ToUpper) },
	func(m *mutant) { m.line("--", func(s string) string { return strings.Repeat("a", 998) + s }) },
	func(m *mutant) { m.line("--", func(s string) string { return s + "\n\n" + s + "--\n" + s }) },
	// Boundary parameters.
	func(m *mutant) {
		m.swap("boundary=", m.pick("Boundary =", "boundary= ", "boundary*=", "boundary*0=", "boundary==", "bound(x)ary=", "x=\"a; boundary=", "\n boundary=", "boundary=\n ", "boundary=(c)"))
	},
	func(m *mutant) {
		m.swap("boundary=", m.pick("boundary=other; boundary=", "boundary=\"\"; boundary=", "boundary*0=x; boundary="))
	},
	func(m *mutant) {
		m.line("Content-Type: multipart", func(s string) string {
			return s + m.pick("; boundary=other", "; boundary", ";", "; boundary*=us-ascii''other", " (x)", "\"", "\n\tx")
		})
	},
	func(m *mutant) {
		m.line("Content-Type: multipart", func(s string) string { return strings.ReplaceAll(s, "\"", m.pick("", "'", "\"\"", "\\\"")) })
	},
	func(m *mutant) {
		m.line("Content-Type: multipart", func(s string) string {
			return m.pick("Content-Type: text/plain\n"+s, s+"\nContent-Type: text/plain", s+"\nContent-Type: multipart/mixed; boundary=other", "Content-Type:\n"+s)
		})
	},
	func(m *mutant) {
		m.swap("multipart/", m.pick("Multipart/", "multipart / ", "multipart", "x-multipart/", "text/", "\"multipart/", "(c)multipart/", "multi\n part/", "message/"))
	},
	// Fields.
	func(m *mutant) {
		m.field(func(s string) string {
			return strings.Replace(s, ": ", m.pick(" : ", ":", "::", "\t:", "\x00: ", " ", "\n : ", ":\n ", "\u00a0: ", ": \n\t"), 1)
		})
	},
	func(m *mutant) {
		m.field(func(s string) string {
			return m.pick("junk\n", " ", "X: y\r", "X: y\n ", "\n", "X\n", strings.Repeat("a", 1000)+"\n", "\x00", "\ufeff") + s
		})
	},
	func(m *mutant) { m.field(func(s string) string { return s + "\n" + s }) },
	func(m *mutant) { m.field(func(string) string { return "X: y" }) },
	func(m *mutant) { m.field(strings.ToUpper) },
	func(m *mutant) {
		m.field(func(s string) string {
			return strings.Replace(s, "; ", m.pick(";\n", ";\n\t", ",", " ", ";;", ";\r", "; ("), 1)
		})
	},
	func(m *mutant) {
		m.field(func(s string) string { i := m.r.IntN(len(s) + 1); return s[:i] + m.junk() + s[i:] })
	},
	func(m *mutant) { m.field(func(s string) string { i := m.r.IntN(len(s)); return s[:i] + s[i+1:] }) },
	func(m *mutant) { m.line("MIME-Version", func(string) string { return "X-Mailer: none" }) },
	// Transfer encodings.
	func(m *mutant) {
		m.line("Content-Transfer-Encoding: ", func(s string) string {
			return "Content-Transfer-Encoding: " + m.pick("BASE64", "\"base64\"", "base64 (x)", "(x) base64", "x-base64", "base64,7bit", "7bit, base64", "base64;", "7bit", "quoted-printable", "unknown", "", "x-uuencode", "=?us-ascii?q?base64?=", "ba\n se64")
		})
	},
	func(m *mutant) {
		m.line("Content-Transfer-Encoding: ", func(s string) string {
			return m.pick("Content-Transfer-Encoding: 7bit\n"+s, s+"\nContent-Transfer-Encoding: 7bit", s+"\nContent-Transfer-Encoding: quoted-printable")
		})
	},
	func(m *mutant) { m.line("Content-Transfer-Encoding: ", func(string) string { return "X: y" }) },
	// Bodies.
	func(m *mutant) {
		m.line("TVq", func(s string) string { i := m.r.IntN(len(s)); return s[:i] + m.junk() + s[i:] })
	},
	func(m *mutant) {
		m.line("AAAA", func(s string) string { return m.pick("!!!", "=", "", "    ", "\x00", "A===", "....") + "\n" + s })
	},
	func(m *mutant) {
		m.swap("AAAAAAAA", m.pick("AAAA\nAAAA", "AAAA AAAA", "A.A.A.A.AAAA", "AAAA\x00AAAA", "AAAA-AAAA", "AAAA\xffAAAA"))
	},
	func(m *mutant) { // the close is gone, and the padding before it
		m.text = strings.TrimSuffix(strings.TrimRight(m.text, "\n"), "--"+mutantBoundary+"--")
		m.text = strings.TrimRight(m.text, "\n=")
	},
	func(m *mutant) { m.text = strings.ReplaceAll(m.text, "=00", m.pick("=00=\n", "=00= \n", "=\n=00")) },
	func(m *mutant) {
		m.swap("begin 644", m.pick("begin  644", "begin 0644", "begin\t644", "Begin 644", "begin 600", "begin-base64 644"))
	},
	// Structure.
	func(m *mutant) {
		m.text = strings.Replace(m.text, "\n\n", "\n\nThis is a message in MIME format.\n", 1)
	},
	func(m *mutant) { m.text += "epilogue\n" + strings.ReplaceAll(mutantFile, mutantName, m.name) + "\nx\n" },
	func(m *mutant) {
		head, body, _ := strings.Cut(m.text, "\n\n")
		m.text = head + "\nContent-Transfer-Encoding: base64\n\n" + wrapped([]byte(body))
	},
	func(m *mutant) {
		m.text = mutantHead + "Content-Type: " + m.pick("message/rfc822", "message/x", "message/global", "multipart/digest; boundary=o\n\n--o", "message/partial; number=1; total=1; id=a") + "\n\n" + m.text
	},
	func(m *mutant) {
		m.text = mutantHead + "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + wrapped([]byte(m.text))
	},
	func(m *mutant) {
		m.text = m.pick("\n", " \n", "\ufeff", "From a@b Mon Oct 19 09:00:00 2026\n", "junk\n", "\x00") + m.text
	},
	func(m *mutant) {
		b := []byte(m.text)
		for range 1 + m.r.IntN(3) {
			b[m.r.IntN(len(b))] = byte(m.r.IntN(256))
		}
		m.text = string(b)
	},
	func(m *mutant) {
		lines := strings.SplitAfter(m.text, "\n")
		i, j := m.r.IntN(len(lines)), m.r.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		m.text = strings.Join(lines, "")
	},
	func(m *mutant) {
		lines := strings.SplitAfter(m.text, "\n")
		i := m.r.IntN(len(lines))
		m.text = strings.Join(append(lines[:i:i], lines[min(i+1, len(lines)):]...), "")
	},
}
