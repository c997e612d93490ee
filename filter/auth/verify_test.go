package auth

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

// fuzzKey is the same in each process: the workers of a fuzz run are several.
var fuzzKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

// fuzzRecord is its key record, taken apart.
func fuzzRecord(tb testing.TB) signingKey {
	public := fuzzKey.Public().(ed25519.PublicKey)
	key, reason := findKey([]string{"k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)})
	if reason != "" {
		tb.Fatal(reason)
	}
	return key
}

// signedSeed signs a mail in the four canonical forms.
func signedSeed(tb testing.TB, head, body dkim.Canonicalization, mail string) []byte {
	var out bytes.Buffer
	err := dkim.Sign(&out, strings.NewReader(mail), &dkim.SignOptions{
		Domain: "a.jp", Selector: "s", Signer: fuzzKey, Hash: crypto.SHA256,
		HeaderCanonicalization: head, BodyCanonicalization: body, HeaderKeys: []string{"From", "Subject", "From", "To"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// The promise: wherever the library is asked, our own verification says the
// same, of any change to a signed mail.
func FuzzVerifiers(f *testing.F) {
	const mail = "From: a@a.jp\r\nSubject: x \t y\r\n  z\r\nTo: b@b.jp\r\n\r\nhello  w \r\n\r\n\tx\r\n\r\n"
	for _, head := range []dkim.Canonicalization{dkim.CanonicalizationSimple, dkim.CanonicalizationRelaxed} {
		for _, body := range []dkim.Canonicalization{dkim.CanonicalizationSimple, dkim.CanonicalizationRelaxed} {
			seed := signedSeed(f, head, body, mail)
			f.Add(seed, 0, "")
			f.Add(seed, len(seed)-3, " ")
			f.Add(seed, 20, "\r\n\t")
		}
	}
	key := fuzzRecord(f)
	f.Fuzz(func(t *testing.T, mail []byte, at int, insert string) {
		at = min(max(at, 0), len(mail))
		head := splitHeader(bytes.Join([][]byte{mail[:at], []byte(insert), mail[at:]}, nil))
		for _, s := range signatureFields(head) {
			m := newSignedMessage(head, 1)
			picked := m.pick(s)
			if s.result != "" || !m.libraryFits(s, picked) {
				continue
			}
			library, why := m.verifyByLibrary(s, key, picked)
			own, _ := m.verify(s, key)
			byHand, _ := m.verifyByHand(s, key, picked)
			if sum := m.sum(s); own == Pass != (library == Pass) || library == Pass != (byHand == Pass && bytes.Equal(sum[:], s.bodyHash)) {
				t.Fatalf("library says %s (%s), we say %s and %s", library, why, own, byHand)
			}
		}
	})
}

// Each honest form passes by both ways.
func TestVerifiersAgree(t *testing.T) {
	key := fuzzRecord(t)
	bodies := map[string]string{
		"plain": "hello\r\n", "empty": "", "blank lines": "\r\n\r\n", "no last line end": "x", "blanks": " \t\r\n a \t b\t\r\n",
		"blank lines within": "a" + strings.Repeat("\r\n", 9000) + "b\r\n", "long line": strings.Repeat("a b  ", 20000) + "\r\n",
	}
	for name, body := range bodies {
		for _, form := range []dkim.Canonicalization{dkim.CanonicalizationSimple, dkim.CanonicalizationRelaxed} {
			t.Run(name+" "+string(form), func(t *testing.T) {
				head := splitHeader(signedSeed(t, form, form, "From: a@a.jp\r\nSubject: x \t y\r\n  z\r\n\r\n"+body))
				m, s := newSignedMessage(head, 1), signatureFields(head)[0]
				library, _ := m.verifyByLibrary(s, key, m.pick(s))
				byHand, _ := m.verifyByHand(s, key, m.pick(s))
				if sum := m.sum(s); library != Pass || byHand != Pass || !bytes.Equal(sum[:], s.bodyHash) {
					t.Errorf("library %s, by hand %s, body hash %v", library, byHand, bytes.Equal(sum[:], s.bodyHash))
				}
			})
		}
	}
}

// The promise: what is parsed stands in the field where the parser says, so
// that taking b= out takes nothing else; names are safe to ask for and print.
func FuzzSignature(f *testing.F) {
	f.Add("v=1; a=rsa-sha256; d=a.jp; s=x; h=from:to; bh=AAAA; b=AAAA")
	f.Add(" v = 1 ;\r\n a=ed25519-sha256; c=relaxed/simple; d=A.jp; s=x.y; i=@m.a.jp; h=From; bh=AA==; b=A A\r\n A=; t=1; x=2")
	f.Add("b=;b =1;z=b=")
	f.Fuzz(func(t *testing.T, value string) {
		s := parseSignature(0, []byte(value))
		for _, tag := range s.tags {
			if strings.Trim(value[tag.start:tag.end], blanks) != tag.value {
				t.Fatalf("tag %+v is not at its place in %q", tag, value)
			}
		}
		if s.domain != "" && strings.ContainsFunc(s.domain+s.selector+s.algorithm, notGraphic) {
			t.Fatalf("unsafe names in %+v", s)
		}
		if s.result == "" && (s.domain == "" || s.selector == "" || len(s.headers) > maxSignedNames || len(s.bytes) == 0) {
			t.Fatalf("accepted without what it needs: %+v", s)
		}
	})
}

// The promise: a record is understood the same way when its words are written
// in capitals and padded, and asks only for policies that exist.
func FuzzDMARC(f *testing.F) {
	for _, seed := range []string{"v=DMARC1; p=reject", "v=DMARC1;p=none;sp=quarantine;np=reject;t=y;psd=n", "v=DMARC1; rua=mailto:a@b", "v=DMARC1; ;; =; p"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseDMARC(text)
		if !ok {
			return
		}
		for _, p := range []string{r.p, r.sp, r.np} {
			if p != "" && !isPolicy(p) {
				t.Fatalf("policy %q from %q", p, text)
			}
		}
		if len(text) < maxDMARCRecord/2 && isASCII(text) {
			version, rest, _ := strings.Cut(text, ";")
			again, ok := parseDMARC(version + " ; " + strings.ToUpper(strings.ReplaceAll(rest, ";", " ;\t")))
			if !ok || again != r {
				t.Fatalf("%+v from %q, %+v in capitals", r, text, again)
			}
		}
	})
}

// The promise: the canonical body does not depend on blank lines at its end,
// nor on how lines end, and the relaxed one not on blanks.
func FuzzBody(f *testing.F) {
	f.Add([]byte("a  b\r\n\r\nc"))
	f.Add([]byte(strings.Repeat("\r\n", 2050) + "x"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if bytes.IndexByte(body, '\r') >= 0 {
			body = bytes.ReplaceAll(body, []byte("\r"), nil)
		}
		crlf := bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))
		wide := bytes.ReplaceAll(bytes.ReplaceAll(crlf, []byte(" "), []byte(" \t ")), []byte("\r\n"), []byte(" \r\n"))
		if hashBody(body, true) != hashBody(crlf, true) || hashBody(body, false) != hashBody(crlf, false) {
			t.Fatal("line ends count")
		}
		if hashBody(append(bytes.Clone(crlf), "\r\n\r\n"...), true) != hashBody(append(bytes.Clone(crlf), "\r\n"...), true) {
			t.Fatal("blank lines at the end count")
		}
		if hashBody(crlf, false) != hashBody(wide, false) {
			t.Fatal("blanks count in relaxed form")
		}
	})
}

// The forms are those that cost most for their length.
func BenchmarkBody(b *testing.B) {
	for name, line := range map[string]string{
		"text": "The quick brown fox jumps over the lazy dog.\r\n", "empty": "\r\n", "blank": " \r\n", "short": "a\n", "runs": "a  b\tc ",
	} {
		b.Run(name, func(b *testing.B) {
			body := []byte(strings.Repeat(line, 1<<20/len(line)) + "x")
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				hashBody(body, false)
			}
		})
	}
}
