package specimen

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

// words decodes encoded words in the charsets that we write.
var words = mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
	enc, err := htmlindex.Get(charset)
	if err != nil {
		return nil, err
	}
	return enc.NewDecoder().Reader(in), nil
}}

func TestMailReads(t *testing.T) {
	for _, charset := range []string{UTF8, ISO2022JP, ShiftJIS} {
		for naming, name := range map[Naming]string{NameRFC2231: "rfc2231", NameRFC2047: "rfc2047", NameRaw: "raw"} {
			if charset == ISO2022JP && naming == NameRaw {
				continue // net/mail, the oracle, refuses the escape bytes
			}
			t.Run(charset+" "+name, func(t *testing.T) {
				spec := MailSpec{
					From: partner, To: yamada, Subject: "資料を送付いたしますのでご確認ください(第1回)", Date: dateToday, MessageID: "1@example.com", Charset: charset,
					Text: "本文です。\n二行目\n", Attachments: []Attachment{{Name: "御見積書(最終版)_2026年11月.pdf", Naming: naming, Data: []byte("data")}},
				}
				checkMail(t, spec)
			})
		}
	}
}

func checkMail(t *testing.T, spec MailSpec) {
	t.Helper()
	raw := Mail(spec)
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
			t.Errorf("line of %d bytes, or with a bare line end: %q", len(line), line[:min(len(line), 80)])
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := words.DecodeHeader(m.Header.Get("Subject")); err != nil || got != spec.Subject {
		t.Errorf("subject is %q, want %q: %v", got, spec.Subject, err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	text, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	if got := decodedText(t, text); got != strings.ReplaceAll(spec.Text, "\n", "\r\n") {
		t.Errorf("text is %q, want %q", got, spec.Text)
	}
	file, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	if got := fileName(t, file, spec); got != spec.Attachments[0].Name {
		t.Errorf("name is %q, want %q", got, spec.Attachments[0].Name)
	}
}

func decodedText(t *testing.T, p *multipart.Part) string {
	t.Helper()
	var in io.Reader = p
	if p.Header.Get("Content-Transfer-Encoding") == "base64" {
		in = base64.NewDecoder(base64.StdEncoding, p)
	}
	_, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := words.CharsetReader(params["charset"], in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fileName(t *testing.T, p *multipart.Part, spec MailSpec) string {
	t.Helper()
	field := p.Header.Get("Content-Disposition")
	_, quoted, found := strings.Cut(field, "filename=\"")
	if !found {
		_, params, err := mime.ParseMediaType(field)
		if err != nil {
			t.Fatal(err)
		}
		return params["filename"]
	}
	quoted = strings.TrimSuffix(quoted, "\"")
	if spec.Attachments[0].Naming == NameRaw {
		r, err := words.CharsetReader(spec.Charset, strings.NewReader(quoted))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	name, err := words.DecodeHeader(quoted)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCases(t *testing.T) {
	attacks, honest := Attacks(), Honest()
	if len(attacks) < 14 || len(honest) < 9 {
		t.Errorf("%d attacks and %d honest mails", len(attacks), len(honest))
	}
	seen := map[string]bool{}
	for _, c := range append(attacks, honest...) {
		if seen[c.Name] {
			t.Errorf("two mails are named %s", c.Name)
		}
		seen[c.Name] = true
		if c.Shown == "" || c.Truth == "" || !strings.HasSuffix(c.To, "@kansho.example.jp") {
			t.Errorf("%s: shown %q, truth %q, to %q", c.Name, c.Shown, c.Truth, c.To)
		}
		m, err := mail.ReadMessage(bytes.NewReader(c.Raw))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if from, err := (&mail.AddressParser{WordDecoder: &words}).Parse(m.Header.Get("From")); err != nil || from.Address != c.From {
			t.Errorf("%s: From is %v, want %s: %v", c.Name, from, c.From, err)
		}
	}
	for _, c := range honest {
		if c.Want != "accept" {
			t.Errorf("%s wants %s", c.Name, c.Want)
		}
	}
}

func TestSameOnEveryRun(t *testing.T) {
	first, second := append(Attacks(), Honest()...), append(Attacks(), Honest()...)
	for i := range first {
		if !bytes.Equal(first[i].Raw, second[i].Raw) {
			t.Errorf("%s differs from run to run", first[i].Name)
		}
	}
}
