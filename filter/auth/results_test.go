package auth_test

import (
	"strings"
	"testing"

	"sekisho/filter/auth"
	"sekisho/filter/mail"
)

const ourID = "mx.example.jp"

func TestHeader(t *testing.T) {
	tests := []struct {
		name string
		in   auth.Results
		want string
	}{
		{
			"all pass",
			auth.Results{
				SPF:   auth.SPF{Result: auth.Pass, Domain: "a.jp", Identity: "mailfrom"},
				DKIM:  []auth.Signature{{Result: auth.Pass, Domain: "a.jp", Selector: "s1", Algorithm: "rsa-sha256"}},
				DMARC: auth.DMARC{Result: auth.Pass, Policy: "reject", Domain: "a.jp"},
			},
			"mx.example.jp;\r\n spf=pass smtp.mailfrom=a.jp;\r\n dkim=pass header.d=a.jp header.s=s1 header.a=rsa-sha256;\r\n dmarc=pass header.from=a.jp policy.published=reject",
		},
		{
			"null sender, no signature, no record",
			auth.Results{
				SPF:   auth.SPF{Result: auth.Neutral, Domain: "mx.a.jp", Identity: "helo"},
				DMARC: auth.DMARC{Result: auth.None, Reason: "no record", Domain: "a.jp"},
			},
			"mx.example.jp;\r\n spf=neutral smtp.helo=mx.a.jp;\r\n dkim=none;\r\n dmarc=none reason=\"no record\" header.from=a.jp",
		},
		{
			"hostile words in every place",
			auth.Results{
				SPF:   auth.SPF{Result: "pass\r\nX: y", Domain: "a.jp\r\nX-Evil: 1", Reason: "a\"; dkim=pass\r\n\\\x00\u202e"},
				DKIM:  []auth.Signature{{Result: auth.Fail, Domain: "a.jp (", Selector: "s\r\nb", Algorithm: "rsa\r\n-x"}},
				DMARC: auth.DMARC{Result: auth.Fail, Policy: "reject\r\n", Domain: "a b.jp", Reason: strings.Repeat("x", 2000)},
			},
			"mx.example.jp;\r\n spf=temperror reason=\"a'; dkim=pass<U+000D><U+000A>'<U+0000><U+202E>\";\r\n dkim=fail header.a=rsa-x;\r\n dmarc=fail reason=\"" + strings.Repeat("x", 120) + "\"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.in.Header(ourID)
			if got != tt.want {
				t.Errorf("Header = %q\nwant     %q", got, tt.want)
			}
			checkLines(t, got)
		})
	}
}

// checkLines says whether a value can stand in a header as it is.
func checkLines(t *testing.T, value string) {
	t.Helper()
	for i, line := range strings.Split(value, "\r\n") {
		if strings.ContainsAny(line, "\r\n\x00") || len(line) > 998-len("Authentication-Results: ") || i > 0 && !strings.HasPrefix(line, " ") {
			t.Errorf("line %d is not safe: %q", i, line)
		}
	}
}

func TestHeaderWithHostileID(t *testing.T) {
	got := auth.Results{}.Header("mx\r\nX: y; \"z")
	if !strings.HasPrefix(got, "mxXyz;\r\n") {
		t.Errorf("Header = %q, want the identifier's token bytes alone", got)
	}
	checkLines(t, got)
}

func TestStrip(t *testing.T) {
	const ar = "Authentication-Results"
	tests := []struct {
		name, field, value string
		gone               bool
	}{
		{"a provider before us", ar, " mx.google.com; spf=pass smtp.mailfrom=a.jp", false},
		{"a provider with a version and comments", ar, " (hop 2) mx.other.jp (ours (not)) 1; none", false},
		{"a name that only begins like ours", ar, " mx.example.jp.evil.com; spf=pass", false},
		{"a name that only ends like ours", ar, " amx.example.jp; spf=pass", false},
		{"our id in a later place", ar, " mx.other.jp; spf=pass smtp.mailfrom=mx.example.jp", false},
		{"another field", "X-Authentication-Results", " mx.example.jp; spf=pass", false},
		{"ours", ar, " mx.example.jp; spf=pass", true},
		{"ours in another case", "AUTHENTICATION-results", " MX.Example.JP; dmarc=pass", true},
		{"ours behind a comment", ar, " (hello) mx.example.jp; dmarc=pass", true},
		{"ours with a comment at once", ar, " mx.example.jp(x); dmarc=pass", true},
		{"ours behind nested comments and a fold", ar, " (a (b \\) c))\r\n\tmx.example.jp\r\n ; dmarc=pass", true},
		{"ours with a version", ar, " mx.example.jp 1; dmarc=pass", true},
		{"ours in quotes", ar, ` "mx.example.jp"; dmarc=pass`, true},
		{"ours in quotes with escapes", ar, ` "m\x.example.j\p"; dmarc=pass`, true},
		{"ours with the root's dot", ar, " mx.example.jp.; dmarc=pass", true},
		{"ours without a result", ar, " mx.example.jp", true},
		{"ours in an encoded word", ar, " =?utf-8?q?mx.example.jp?=; dmarc=pass", true},
		{"no identifier", ar, " spf=pass smtp.mailfrom=a.jp", true},
		{"open comment", ar, " (mx.example.jp; dmarc=pass", true},
		{"open quote", ar, ` "mx.example.jp; dmarc=pass`, true},
		{"NUL before ours", ar, " \x00mx.example.jp; dmarc=pass", true},
		{"NUL within ours", ar, " mx\x00.example.jp; dmarc=pass", true},
		{"invisible character", ar, " mx.\u200bexample.jp; dmarc=pass", true},
		{"full-width", ar, " ｍx.example.jp; dmarc=pass", true},
		{"empty", ar, "", true},
		{"blank before the colon", ar + " ", " mx.example.jp; dmarc=pass", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := auth.Strip(ourID, []mail.HeaderField{{Name: tt.field, Value: tt.value}})
			if (len(got) == 1) != tt.gone {
				t.Errorf("Strip of %q = %v, want gone %v", tt.value, got, tt.gone)
			}
		})
	}
}

// Deleting upwards would leave the third: each deletion moves the fields below.
func TestStripFromTheHighestIndexDown(t *testing.T) {
	ours := mail.HeaderField{Name: "Authentication-Results", Value: " mx.example.jp; dmarc=pass"}
	other := mail.HeaderField{Name: "authentication-results", Value: " mx.other.jp; dmarc=pass"}
	fields := []mail.HeaderField{ours, {Name: "Subject", Value: " x"}, other, ours, ours}
	var got []int
	for _, e := range auth.Strip(ourID, fields) {
		got = append(got, e.Index)
		fields = deleteField(fields, e)
	}
	if len(got) != 3 || got[0] != 4 || got[1] != 3 || got[2] != 1 {
		t.Errorf("indexes = %v, want [4 3 1]", got)
	}
	for _, f := range fields {
		if f == ours {
			t.Error("a forged field is left")
		}
	}
}

// deleteField does what Postfix does with a deletion.
func deleteField(fields []mail.HeaderField, e mail.Edit) []mail.HeaderField {
	n := 0
	for i, f := range fields {
		if strings.EqualFold(f.Name, e.Name) {
			if n++; n == e.Index {
				return append(fields[:i:i], fields[i+1:]...)
			}
		}
	}
	return fields
}

// The promise: what stays is of the strict form and not ours, and no reader
// that drops comments, quotes, blanks and case can take it for ours.
func FuzzStrip(f *testing.F) {
	for _, seed := range []string{" mx.example.jp; dmarc=pass", " (c) \"mx.example.jp\" 1; none", " mx.other.jp; spf=pass", " ((", "\"\\", " mx.example.jp(x);"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if len(auth.Strip(ourID, []mail.HeaderField{{Name: "Authentication-Results", Value: value}})) > 0 {
			return
		}
		head, _, _ := strings.Cut(lenient(value), ";")
		words := append(strings.Fields(head), "")
		if strings.EqualFold(strings.TrimRight(words[0], "."), ourID) {
			t.Fatalf("%q stays and reads as ours", value)
		}
	})
}

// lenient is a careless reader: it throws comments, quotes, escapes and what
// is not printable ASCII away.
func lenient(s string) string {
	var b strings.Builder
	depth := 0
	for _, r := range s {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth = max(depth-1, 0)
		case strings.ContainsRune(" \t\r\n", r) && depth == 0:
			b.WriteByte(' ')
		case depth > 0, r < ' ', r >= 0x7f, r == '"', r == '\\':
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
