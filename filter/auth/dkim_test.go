package auth_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sekisho/filter/auth"
	"sekisho/filter/auth/dnstest"

	"github.com/emersion/go-msgauth/dkim"
	"sekisho/filter/testfile"
)

const honestMail = "From: =?utf-8?B?5bGx55Sw?= <yamada@a.jp>\r\n" +
	"To: suzuki@b.jp\r\nSubject: =?utf-8?B?6K2w5LqL6Yyy?=\r\n  folded\r\nDate: Sun, 22 Nov 2026 10:00:00 +0900\r\n" +
	"\r\nhello  world \t x\r\n\r\nbye\r\n\r\n\r\n"

// keys are the signers of the tests: made once.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	made := map[string]crypto.Signer{}
	for name, bits := range map[string]int{"r": 2048, "small": 1024, "list": 1024} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		made[name] = key
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	made["e"] = key
	return made
})

// record is the key record for a signer.
func record(name string) string {
	switch public := keys()[name].Public().(type) {
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	default:
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			panic(err)
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
	}
}

// sign signs a mail by the library, or changes the options before.
func sign(tb testing.TB, mail, domain, selector string, change func(*dkim.SignOptions)) string {
	tb.Helper()
	o := &dkim.SignOptions{
		Domain: domain, Selector: selector, Signer: keys()[selector], Hash: crypto.SHA256,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: []string{"From", "To", "Subject", "Date"},
	}
	if change != nil {
		change(o)
	}
	var out bytes.Buffer
	if err := dkim.Sign(&out, strings.NewReader(mail), o); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

func keyZone() dnstest.Fixed {
	return dnstest.Fixed{
		"r._domainkey.a.jp":        {"TXT " + record("r")},
		"e._domainkey.a.jp":        {"TXT " + record("e")},
		"small._domainkey.a.jp":    {"TXT " + record("small")},
		"r._domainkey.m.a.jp":      {"TXT " + record("r")},
		"list._domainkey.list.jp":  {"TXT " + record("list")},
		"r._domainkey.test.jp":     {"TXT " + strings.Replace(record("r"), "k=", "t=y; k=", 1)},
		"r._domainkey.strict.jp":   {"TXT " + strings.Replace(record("r"), "k=", "t=s; k=", 1)},
		"r._domainkey.revoked.jp":  {"TXT v=DKIM1; p="},
		"r._domainkey.down.jp":     {dnstest.Servfail},
		"r._domainkey.double.jp":   {"TXT " + record("r"), "TXT " + record("e")},
		"r._domainkey.wild.jp":     {"TXT v=spf1 -all", "TXT " + record("r")},
		"r._domainkey.web.jp":      {"TXT " + strings.Replace(record("r"), "k=", "s=web; k=", 1)},
		"r._domainkey.sha1.jp":     {"TXT " + strings.Replace(record("r"), "k=", "h=sha1; k=", 1)},
		"r._domainkey.ed.jp":       {"TXT " + record("e")},
		"r._domainkey.blank.jp":    {"TXT " + strings.Replace(record("r"), "p=MII", "p=M I\tI", 1)},
		"r._domainkey.short.jp":    {"TXT v=DKIM1; p=" + shortKey},
		"r._domainkey.giant.jp":    {"TXT v=DKIM1; p=" + strings.Repeat("MIIB", 5000)},
		"r._domainkey.unfit.jp":    {"TXT v=DKIM1; k=rsa; p=" + strings.Repeat("MIIB", 50)},
		"r._domainkey.future.jp":   {"TXT v=DKIM2; p=" + shortKey},
		"r._domainkey.internal.jp": {"TXT " + record("r")},
	}
}

// shortKey is an RSA key of 768 bits, made for this test.
const shortKey = "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAL8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQIDAQAB"

func checkDKIM(t *testing.T, mail string) auth.Results {
	t.Helper()
	return auth.New(keyZone(), auth.Options{}).Check(t.Context(),
		auth.Query{Raw: []byte(mail), Authors: []string{"a.jp"}, FromFields: 1})
}

func TestDKIM(t *testing.T) {
	simple := func(o *dkim.SignOptions) {
		o.HeaderCanonicalization, o.BodyCanonicalization = dkim.CanonicalizationSimple, dkim.CanonicalizationSimple
	}
	expires := func(at time.Time) func(*dkim.SignOptions) {
		return func(o *dkim.SignOptions) { o.Expiration = at }
	}
	identity := func(i string) func(*dkim.SignOptions) {
		return func(o *dkim.SignOptions) { o.Identifier = i }
	}
	signed := sign(t, honestMail, "a.jp", "r", nil)
	tests := []struct {
		name, mail, want string
	}{
		{"relaxed, RSA", signed, auth.Pass},
		{"simple, RSA", sign(t, honestMail, "a.jp", "r", simple), auth.Pass},
		{"Ed25519", sign(t, honestMail, "a.jp", "e", nil), auth.Pass},
		{"1024 bits are still enough", sign(t, honestMail, "a.jp", "small", nil), auth.Pass},
		{"line ends without CR", strings.ReplaceAll(signed, "\r\n", "\n"), auth.Pass},
		{"refolded on the way: relaxed holds", strings.Replace(signed, "  folded", " \r\n\t folded", 1), auth.Pass},
		{"blank lines added at the end", signed + "\r\n\r\n", auth.Pass},
		{"not yet expired", sign(t, honestMail, "a.jp", "r", expires(time.Now().Add(time.Hour))), auth.Pass},
		{"i= below d=", sign(t, honestMail, "a.jp", "r", identity("yamada@dept.a.jp")), auth.Pass},
		{"a wildcard TXT beside the key", sign(t, honestMail, "wild.jp", "r", nil), auth.Pass},
		{"blanks in the key", sign(t, honestMail, "blank.jp", "r", nil), auth.Pass},
		{"a mailing list adds a footer", signed + "-- \r\nlist\r\n", auth.Fail},
		{"a mailing list adds to the subject", strings.Replace(signed, "Subject: ", "Subject: [list] ", 1), auth.Fail},
		{"simple does not bear refolding", strings.Replace(sign(t, honestMail, "a.jp", "r", simple), "  folded", " folded", 1), auth.Fail},
		{"no key", sign(t, honestMail, "nokey.jp", "r", nil), auth.PermError},
		{"revoked key", sign(t, honestMail, "revoked.jp", "r", nil), auth.PermError},
		{"two keys", sign(t, honestMail, "double.jp", "r", nil), auth.PermError},
		{"a key for another service", sign(t, honestMail, "web.jp", "r", nil), auth.PermError},
		{"a key for another hash", sign(t, honestMail, "sha1.jp", "r", nil), auth.PermError},
		{"a key of another kind", sign(t, honestMail, "ed.jp", "r", nil), auth.PermError},
		{"a key of another version", sign(t, honestMail, "future.jp", "r", nil), auth.PermError},
		{"a key of 768 bits", sign(t, honestMail, "short.jp", "r", nil), auth.PermError},
		{"a key of 100,000 bits", sign(t, honestMail, "giant.jp", "r", nil), auth.PermError},
		{"a key that is none", sign(t, honestMail, "unfit.jp", "r", nil), auth.PermError},
		{"t=s and i= below d=", sign(t, honestMail, "strict.jp", "r", identity("@x.strict.jp")), auth.PermError},
		{"t=s and i= at d=", sign(t, honestMail, "strict.jp", "r", identity("@strict.jp")), auth.Pass},
		{"DNS trouble", sign(t, honestMail, "down.jp", "r", nil), auth.TempError},
		{"a key in test mode", sign(t, honestMail, "test.jp", "r", nil), auth.Policy},
		{"l=", strings.Replace(signed, "DKIM-Signature: ", "DKIM-Signature: l=10; ", 1), auth.Policy},
		{"rsa-sha1", strings.Replace(signed, "a=rsa-sha256", "a=rsa-sha1", 1), auth.PermError},
		{"a comment in d= (CVE-2020-12272)", strings.Replace(signed, "d=a.jp", "d=a.jp(.evil.com", 1), auth.PermError},
		{"a quote in s=", strings.Replace(signed, "s=r;", "s=r\".x;", 1), auth.PermError},
		{"no From in h=", strings.Replace(signed, "h=From", "h=Fron", 1), auth.PermError},
		{"a tag twice", strings.Replace(signed, "d=a.jp", "d=a.jp; d=evil.com", 1), auth.PermError},
		{"no tags", "DKIM-Signature: hello\r\n" + honestMail, auth.PermError},
		{"empty", "DKIM-Signature:\r\n" + honestMail, auth.PermError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkDKIM(t, tt.mail).DKIM
			if len(got) != 1 || got[0].Result != tt.want {
				t.Errorf("DKIM = %+v, want one %s", got, tt.want)
			}
		})
	}
}

func TestDKIMReportsTags(t *testing.T) {
	got := checkDKIM(t, sign(t, honestMail, "a.jp", "r", nil)).DKIM[0]
	if got.Domain != "a.jp" || got.Selector != "r" || got.Algorithm != "rsa-sha256" || !got.Aligned || len(got.Uncovered) != 0 {
		t.Errorf("signature = %+v, want a.jp, r, rsa-sha256, aligned, all covered", got)
	}
}

func TestDKIMExpiry(t *testing.T) {
	signed := sign(t, honestMail, "a.jp", "r", func(o *dkim.SignOptions) { o.Expiration = time.Now().Add(time.Hour) })
	tests := []struct {
		name         string
		after        time.Duration
		want, reason string
	}{
		{"in time", time.Minute, auth.Pass, ""},
		{"our clock is a little late", -10 * time.Minute, auth.Pass, ""},
		{"signed tomorrow", -24 * time.Hour, auth.Pass, "signed in the future"},
		{"expired", 2 * time.Hour, auth.Fail, "expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := func() time.Time { return time.Now().Add(tt.after) }
			got := auth.New(keyZone(), auth.Options{Now: now}).Check(t.Context(), auth.Query{Raw: []byte(signed)}).DKIM[0]
			if got.Result != tt.want || got.Reason != tt.reason {
				t.Errorf("DKIM = %+v, want %s %q", got, tt.want, tt.reason)
			}
		})
	}
}

// A field added above the signed one is what a reader sees first.
func TestDKIMUncovered(t *testing.T) {
	signed := sign(t, honestMail, "a.jp", "r", nil)
	got := checkDKIM(t, "Subject: Urgent\r\nReply-To: x@evil.com\r\n"+signed).DKIM[0]
	if got.Result != auth.Pass || strings.Join(got.Uncovered, " ") != "reply-to subject" {
		t.Errorf("signature = %+v, want pass with reply-to and subject uncovered", got)
	}
	two := checkDKIM(t, "From: boss@evil.com\r\n"+signed)
	if two.DMARC.Result != auth.PermError || two.DKIM[0].Aligned {
		t.Errorf("second From: %+v, want permerror and nothing aligned", two)
	}
}

func TestDKIMNone(t *testing.T) {
	if got := checkDKIM(t, honestMail).DKIM; len(got) != 0 {
		t.Errorf("DKIM of an unsigned mail = %+v, want none", got)
	}
}

// A thousand strangers' signatures do not push the author's out.
func TestDKIMManySignatures(t *testing.T) {
	mail := sign(t, honestMail, "a.jp", "r", nil)
	heap := strings.Repeat("DKIM-Signature: v=1; a=rsa-sha256; d=x.evil.com; s=r; h=from; bh=AAAA; b=AAAA\r\n", 990)
	got := checkDKIM(t, heap+mail).DKIM
	if len(got) != 9 || got[0].Result != auth.Pass || got[8].Result != auth.Policy {
		t.Errorf("DKIM = %+v, want the author's first, eight judged and a word on the rest", got)
	}
}

// Corpus: what a verifier of today should say.
func TestDKIMCorpus(t *testing.T) {
	dir := testfile.Corpus(t, "dkim")
	zone := corpusZone(t, filepath.Join(dir, "dns.json"))
	type record struct {
		File     string
		Expected struct {
			Result string `json:"result_rfc6376_rfc8301"`
		}
	}
	for _, c := range testfile.Manifest[record](t, dir) {
		raw, err := os.ReadFile(filepath.Join(dir, c.File))
		if err != nil {
			t.Fatal(err)
		}
		got := auth.New(zone, auth.Options{}).Check(t.Context(), auth.Query{Raw: raw}).DKIM
		none := strings.HasPrefix(c.Expected.Result, "none") // DomainKeys, which we do not read
		if passes(got) != (c.Expected.Result == auth.Pass) || none && len(got) > 0 {
			t.Errorf("%s: %+v, want %s", c.File, got, c.Expected.Result)
		}
	}
}

// passes says that some signature passes.
func passes(signatures []auth.Signature) bool {
	for _, s := range signatures {
		if s.Result == auth.Pass {
			return true
		}
	}
	return false
}

func corpusZone(t *testing.T, file string) dnstest.Fixed {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		t.Fatal(err)
	}
	zone := dnstest.Fixed{}
	for name, text := range texts {
		switch {
		case text == "~~NXDOMAIN~~":
		case strings.HasPrefix(text, "~~"):
			zone[strings.ToLower(name)] = []string{dnstest.Servfail}
		default:
			zone[strings.ToLower(name)] = []string{"TXT " + strings.Trim(text, `"`)}
		}
	}
	return zone
}

// cpu is the processor time that this program has used.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Mails made to burn processor time, each of which cost the library seconds.
func TestDKIMBombs(t *testing.T) {
	simple := func(o *dkim.SignOptions) { o.BodyCanonicalization = dkim.CanonicalizationSimple }
	head, _, _ := strings.Cut(honestMail, "\r\n\r\n")
	small := sign(t, head+"\r\n\r\nx\r\n", "a.jp", "r", nil)
	smallSimple := sign(t, head+"\r\n\r\nx\r\n", "a.jp", "r", simple)
	large := sign(t, head+"\r\n\r\n"+strings.Repeat("a b c\r\n", 1<<20), "a.jp", "r", simple)
	blank := strings.Repeat("\r\n", 4<<20)
	folds := "To: " + strings.Repeat("a\r\n b", 40000) + "\r\n"
	tests := []struct {
		name, mail, want string
	}{
		{"8 MB of blank lines", small + blank, auth.Pass},
		{"8 MB of blank lines, two simple signatures", signatureOf(smallSimple) + smallSimple + blank, auth.Pass},
		{"8 MB of blank lines and a word", small + blank + "x", auth.Fail},
		{"8 MB of blank lines and blanks", small + strings.Repeat(" \r\n", 8<<20/3), auth.Pass},
		{"8 MB of blanks", small + strings.Repeat(" \t", 4<<20) + "x", auth.Fail},
		{"8 MB of words", small + strings.Repeat("a  b\tc ", 1<<20), auth.Fail},
		{"eight signatures over 8 MB", strings.Repeat(signatureOf(large), 7) + large, auth.Pass},
		{"20,000 signed names", strings.Replace(small, "h=From", "h="+strings.Repeat("x:", 20000)+"From", 1), auth.PermError},
		{"20,000 fields", small + strings.Repeat("X: y\r\n", 20000), auth.Fail},
		{"20,000 fields above", strings.Repeat("X: y\r\n", 20000) + small, ""},
		{"20,000 fields below the signature", signatureOf(small) + strings.Repeat("X: y\r\n", 20000), auth.PermError},
		{"a field of 40,000 folds", folds + small, auth.Pass},
		{"a signed field of 40,000 folds", strings.Replace(small, "To: suzuki@b.jp\r\n", folds, 1), auth.Fail},
		{"400 signatures", strings.Repeat(signatureOf(small), 400) + small, auth.Pass},
		{"900 signatures, over 256 KiB", strings.Repeat(signatureOf(small), 900) + small, auth.PermError},
		{"a key of 131,072 bits", sign(t, honestMail, "giant.jp", "r", nil), auth.PermError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := cpu(t)
			got := checkDKIM(t, tt.mail).DKIM
			if used := cpu(t) - before; used > 250*time.Millisecond {
				t.Errorf("used %s of processor time", used)
			} else {
				t.Logf("used %s", used)
			}
			if tt.want != "" && (len(got) == 0 || got[0].Result != tt.want) {
				t.Errorf("DKIM = %+v, want %s", got, tt.want)
			}
		})
	}
}

// signatureOf cuts the first field, the signature, out of a signed mail.
func signatureOf(mail string) string {
	end := strings.Index(mail, "\r\nFrom:")
	return mail[:end+2]
}

func BenchmarkCheck(b *testing.B) {
	zone := keyZone()
	zone["_dmarc.a.jp"] = []string{"TXT v=DMARC1; p=reject"}
	checker := auth.New(zone, auth.Options{})
	head, _, _ := strings.Cut(honestMail, "\r\n\r\n")
	for name, size := range map[string]int{"5kB": 5 << 10, "1MB": 1 << 20, "20MB": 20 << 20} {
		b.Run(name, func(b *testing.B) {
			raw := []byte(sign(b, head+"\r\n\r\n"+strings.Repeat("The quick brown fox jumps over the lazy dog.\r\n", size/46), "a.jp", "r", nil))
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				got := checker.Check(b.Context(), auth.Query{Raw: raw, Authors: []string{"a.jp"}, FromFields: 1})
				if got.DMARC.Result != auth.Pass {
					b.Fatalf("%+v", got)
				}
			}
		})
	}
}
