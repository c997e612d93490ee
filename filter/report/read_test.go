package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
)

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// honest is a Report as the inspection makes it, and what its reader expects.
func honest() (*Report, Expect) {
	r := &Report{Schema: Schema, Kind: KindMail, SHA256: digest, Size: 420,
		Header: Header{Subject: "見積書", From: []Address{{Name: "山田", Addr: "y@example.jp", Domain: "example.jp"}}, FromFields: 1},
		Entities: []Entity{
			{Path: "", Names: []string{}, Exts: []string{}, Types: []string{"eml"}, Size: 420, SHA256: digest},
			{Path: "2", Depth: 1, Name: "見積.exe", Names: []string{"見積.exe"}, Exts: []string{"exe"}, Types: []string{"pe"}, Size: 12, SHA256: digest},
		},
		Links:    []Link{{Path: "1", URL: "https://example.jp/", Scheme: "https", Host: "example.jp", Site: "example.jp"}},
		Findings: []finding.Finding{finding.New(finding.NamePadded, "2", "name", "見積.exe")}}
	return r, Expect{Kind: KindMail, Size: 420, SHA256: digest, Limits: budget.Small}
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("あ", maxText)
	tests := []struct {
		name   string
		change func(*Report, *Expect)
		want   string // "" = taken
	}{
		{"as the worker made it", func(*Report, *Expect) {}, ""},
		{"the gate does not know the digest", func(_ *Report, e *Expect) { e.SHA256 = "" }, ""},
		{"an entity whose bytes could not be had", func(r *Report, _ *Expect) { r.Entities[1].SHA256 = ""; r.Entities[1].Unread, r.Incomplete = true, true }, ""},
		{"as many findings as the inspection states", func(r *Report, _ *Expect) {
			r.Findings = make([]finding.Finding, MaxFindings)
			for i := range r.Findings {
				r.Findings[i].Kind = finding.NamePadded
			}
		}, ""},
		{"another schema", func(r *Report, _ *Expect) { r.Schema++ }, "schema"},
		{"a file for a mail", func(r *Report, _ *Expect) { r.Kind = KindFile }, "want \"mail\""},
		{"another size", func(r *Report, _ *Expect) { r.Size-- }, "bytes"},
		{"another message's digest", func(r *Report, _ *Expect) { r.SHA256 = strings.Repeat("0", 64) }, "digest"},
		{"no digest", func(r *Report, e *Expect) { r.SHA256, e.SHA256 = "", "" }, "digest"},
		{"a digest in capitals", func(r *Report, e *Expect) { r.SHA256, e.SHA256 = strings.ToUpper(digest), "" }, "digest"},
		{"a digest of other letters", func(r *Report, e *Expect) { r.SHA256, e.SHA256 = strings.Repeat("g", 64), "" }, "digest"},
		{"no entity", func(r *Report, _ *Expect) { r.Entities = nil }, "entities"},
		{"more entities than the budget allows", func(r *Report, e *Expect) { e.Limits.Members = 0 }, "entities"},
		{"a negative depth", func(r *Report, _ *Expect) { r.Entities[1].Depth = -1 }, "depth"},
		{"a depth that no screen shows", func(r *Report, _ *Expect) { r.Entities[1].Depth = maxDepth + 1 }, "depth"},
		{"a negative size", func(r *Report, _ *Expect) { r.Entities[1].Size = -1 }, "size"},
		{"an entity's digest", func(r *Report, _ *Expect) { r.Entities[1].SHA256 = "00" }, "digest"},
		{"an endless path", func(r *Report, _ *Expect) { r.Entities[1].Path = long }, "text"},
		{"an endless word", func(r *Report, _ *Expect) { r.Entities[1].Reading = strings.Repeat("x", maxWord+1) }, "word"},
		{"endless names", func(r *Report, _ *Expect) { r.Entities[1].Names = make([]string, maxList+1) }, "list"},
		{"an endless type", func(r *Report, _ *Expect) { r.Entities[1].Types = []string{strings.Repeat("x", maxWord+1)} }, "listed"},
		{"an endless subject", func(r *Report, _ *Expect) { r.Header.Subject = long }, "header"},
		{"an endless address", func(r *Report, _ *Expect) { r.Header.To = []Address{{Addr: long}} }, "address"},
		{"too many addresses", func(r *Report, _ *Expect) { r.Header.Sender = make([]Address, MaxAddresses+1) }, "addresses"},
		{"From fields below none", func(r *Report, _ *Expect) { r.Header.FromFields = -1 }, "From fields"},
		{"too many links", func(r *Report, _ *Expect) { r.Links = make([]Link, MaxLinks+1) }, "links"},
		{"an endless link", func(r *Report, _ *Expect) { r.Links[0].URL = long }, "link"},
		{"a kind that no catalogue has", func(r *Report, _ *Expect) { r.Findings[0].Kind = "name.\x1b[2J" }, "unknown finding"},
		{"too many findings", func(r *Report, _ *Expect) {
			r.Findings = make([]finding.Finding, MaxFindings+len(r.Entities)+maxPairs+1)
		}, "findings"},
		{"endless evidence", func(r *Report, _ *Expect) { r.Findings[0].Evidence["name"] = strings.Repeat("x", maxEvidence+1) }, "evidence"},
		{"an endless key", func(r *Report, _ *Expect) { r.Findings[0].Evidence[strings.Repeat("x", maxWord+1)] = "" }, "evidence"},
		{"a finding at an endless path", func(r *Report, _ *Expect) { r.Findings[0].Path = long }, "too long"},
		{"complete with an unread entity", func(r *Report, _ *Expect) { r.Entities[1].Unread = true }, "unread"},
		{"complete with an encrypted entity", func(r *Report, _ *Expect) { r.Entities[1].Encrypted = true }, "unread"},
		{"complete in spite of a limit", func(r *Report, _ *Expect) { r.Findings[0].Kind = finding.LimitReached }, "complete"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, want := honest()
			tt.change(r, &want)
			err := Check(r, want)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	r, _ := honest()
	whole, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	put := func(from, to string) string { return strings.Replace(string(whole), from, to, 1) }
	tests := []struct {
		name, in, want string // want "" = read
	}{
		{"as written", string(whole), ""},
		{"with a line end", string(whole) + "\n", ""},
		{"nothing", "", "EOF"},
		{"null", "null", "null"},
		{"a list", "[]", "cannot unmarshal"},
		{"cut", string(whole[:len(whole)-5]), "EOF"},
		{"followed by another", string(whole) + string(whole), "behind"},
		{"followed by a byte", string(whole) + "x", "behind"},
		{"an unknown field", put(`"schema"`, `"verdict":"accept","schema"`), "unknown field"},
		{"an unknown field of an entity", put(`"depth"`, `"clean":true,"depth"`), "unknown field"},
		{"a byte that is no UTF-8", put("見積書", "\xff"), "UTF-8"},
		{"a number too large", put(`"size":420`, `"size":9223372036854775808`), "cannot unmarshal"},
		{"a fraction", put(`"size":420`, `"size":1.5`), "cannot unmarshal"},
		{"a text for a number", put(`"size":420`, `"size":"420"`), "cannot unmarshal"},
		{"nested without end", strings.Repeat("[", 1<<16), "max depth"},
		{"longer than allowed", put("見積書", strings.Repeat("x", 1<<16)), "longer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Read(strings.NewReader(tt.in), 1<<16)
			if tt.want == "" {
				if err != nil || !reflect.DeepEqual(got, r) {
					t.Errorf("Read = %+v, %v, want what was written", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestEncodeShortensAndSaysSo(t *testing.T) {
	flood := func() *Report {
		r, _ := honest()
		for range 1000 {
			r.Entities = append(r.Entities, r.Entities[1])
			r.Links = append(r.Links, r.Links[0])
		}
		return r
	}
	whole, err := Encode(flood(), 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(whole)
	if err != nil || !reflect.DeepEqual(got, flood()) {
		t.Fatalf("a Report that fits came back changed (%v)", err)
	}
	short, err := Encode(flood(), 20000)
	if err != nil || len(short) > 20000 {
		t.Fatalf("Encode gave %d bytes, %v", len(short), err)
	}
	if got, err = Parse(short); err != nil {
		t.Fatal(err)
	}
	_, want := honest()
	want.Limits = budget.Default
	if err := Check(got, want); err != nil || !got.Incomplete || got.Findings[0].Kind != finding.LimitReached {
		t.Errorf("shortened: check %v, incomplete %v, first finding %v", err, got.Incomplete, got.Findings[0])
	}
	if len(got.Findings) != 2 || len(got.Entities) < 2 {
		t.Errorf("shortened to %d findings and %d entities: too much is gone", len(got.Findings), len(got.Entities))
	}
	if _, err := Encode(flood(), 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Encode into 100 bytes = %v, want ErrTooLarge", err)
	}
}

// FuzzRead: what is read is bounded, checks without a panic, and writes and
// reads back as the same Report.
func FuzzRead(f *testing.F) {
	r, want := honest()
	b, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.ReplaceAll(b, []byte("420"), []byte("-1")))
	f.Add([]byte(`{"schema":1,"entities":[{}],"findings":[{"kind":"x"}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Read(bytes.NewReader(in), 1<<16)
		if err != nil {
			return
		}
		if len(in) > 1<<16 {
			t.Fatal("read more than allowed")
		}
		if Check(got, want) == nil && (got.SHA256 != want.SHA256 || len(got.Entities) > want.Limits.Members+1) {
			t.Fatal("a Report of something else was taken")
		}
		out, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("what was read does not read back: %v", err)
		}
		// Empty evidence is left out when written.
		for i := range got.Findings {
			if len(got.Findings[i].Evidence) == 0 {
				got.Findings[i].Evidence = nil
			}
		}
		if !reflect.DeepEqual(again, got) {
			t.Fatalf("read back as another Report:\n%+v\n%+v", again, got)
		}
	})
}
