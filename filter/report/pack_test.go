package report

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
	"sekisho/filter/packed"
)

// fill gives v, and all below it, values that are not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(-5)
	}
}

// TestEveryFieldTravels: a field that code forgets would be lost between
// worker and gate without a sound.
func TestEveryFieldTravels(t *testing.T) {
	var full, got Report
	fill(reflect.ValueOf(&full).Elem())
	out := packed.Writer(nil)
	full.code(out, Expect{})
	in := packed.Reader(string(out.Bytes()))
	got.code(in, Expect{Limits: budget.Small})
	if err := in.End(); err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("came back as %+v, %v; want %+v", got, err, full)
	}
}

func TestUnpack(t *testing.T) {
	r, want := honest()
	b, err := Pack(r, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(b)
	tests := []struct{ name, in, want string }{
		{"as packed", whole, ""},
		{"nothing", "", "ends early"},
		{"cut", whole[:len(whole)-1], "ends early"},
		{"followed by another", whole + whole, "behind"},
		{"JSON", `{"schema":1,"kind":"mail"}`, "packed"},
		{"a byte that is no UTF-8", strings.Replace(whole, "見", "\xff\xff\xff", 1), "UTF-8"},
		{"another message's digest", strings.Replace(whole, digest, strings.Repeat("0", 64), 1), "digest"},
		{"a kind that no catalogue has", strings.Replace(whole, "name.padded", "name.paddle", 1), "unknown finding"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Unpack([]byte(tt.in), want)
			if tt.want == "" {
				if err != nil || !reflect.DeepEqual(got, r) {
					t.Errorf("Unpack = %+v, %v, want what was packed", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Unpack = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestUnpackSetsNoMemoryAside: lists are bounded before room is made.
func TestUnpackSetsNoMemoryAside(t *testing.T) {
	r, want := honest()
	for len(r.Entities) <= want.Limits.Members+1 {
		r.Entities = append(r.Entities, r.Entities[1])
	}
	b, err := Pack(r, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(b, want); !errors.Is(err, packed.ErrList) {
		t.Errorf("Unpack of %d entities = %v, want %v", len(r.Entities), err, packed.ErrList)
	}
}

func TestPackShortensAndSaysSo(t *testing.T) {
	flood := func() *Report {
		r, _ := honest()
		for range 990 {
			r.Entities = append(r.Entities, r.Entities[1])
			r.Links = append(r.Links, r.Links[0])
		}
		return r
	}
	_, want := honest()
	want.Limits = budget.Default
	whole, err := Pack(flood(), 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unpack(whole, want)
	if err != nil || !reflect.DeepEqual(got, flood()) {
		t.Fatalf("a Report that fits came back changed (%v)", err)
	}
	short, err := Pack(flood(), 20000)
	if err != nil || len(short) > 20000 {
		t.Fatalf("Pack gave %d bytes, %v", len(short), err)
	}
	if got, err = Unpack(short, want); err != nil || !got.Incomplete || got.Findings[0].Kind != finding.LimitReached {
		t.Fatalf("shortened: %v, incomplete %v, first finding %v", err, got.Incomplete, got.Findings[0])
	}
	if len(got.Findings) != 2 || len(got.Entities) < 2 {
		t.Errorf("shortened to %d findings and %d entities: too much is gone", len(got.Findings), len(got.Entities))
	}
	if _, err := Pack(flood(), 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Pack into 100 bytes = %v, want ErrTooLarge", err)
	}
}

// FuzzUnpack: what is taken is a Report of the input, within its bounds, and
// packs and unpacks as the same Report.
func FuzzUnpack(f *testing.F) {
	r, want := honest()
	b, err := Pack(r, 1<<16)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(strings.ReplaceAll(string(b), "name.padded", "name.control")))
	f.Add([]byte("\x02\x04mail"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Unpack(in, want)
		if err != nil {
			return
		}
		if got.SHA256 != want.SHA256 || len(got.Entities) > want.Limits.Members+1 || len(got.Findings) > mostFindings(len(got.Entities)) {
			t.Fatal("a Report of something else was taken")
		}
		out, err := Pack(got, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Unpack(out, want); err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("read back as another Report (%v):\n%+v\n%+v", err, again, got)
		}
	})
}

func BenchmarkPackUnpack(b *testing.B) {
	r, want := honest()
	b.ReportAllocs()
	for b.Loop() {
		packed, err := Pack(r, 1<<16)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Unpack(packed, want); err != nil {
			b.Fatal(err)
		}
	}
}
