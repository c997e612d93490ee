package packed

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// sample has a field of each form.
type sample struct {
	Big   int64
	Small int
	Yes   bool
	Word  string
	Words []string
	Pairs map[string]string
	Below []sample
}

func (s *sample) code(c *Coder) {
	c.Int64(&s.Big)
	c.Int(&s.Small)
	c.Flag(&s.Yes)
	c.Text(&s.Word)
	c.Texts(&s.Words, 4)
	c.Pairs(&s.Pairs, 4)
	List(c, &s.Below, 4, func(c *Coder, s *sample) { s.code(c) })
}

func pack(s sample) string {
	c := Writer(nil)
	s.code(c)
	return string(c.Bytes())
}

func unpack(in string) (s sample, err error) {
	c := Reader(in)
	s.code(c)
	return s, c.End()
}

func TestThereAndBack(t *testing.T) {
	tests := []struct {
		name string
		in   sample
	}{
		{"nothing", sample{}},
		{"all", sample{math.MinInt64, -7, true, "請求書", []string{"", "a"}, map[string]string{"k": "v", "": ""}, []sample{{Word: "x"}, {}}}},
		{"empty is not nil", sample{Words: []string{}, Pairs: map[string]string{}, Below: []sample{}}},
		{"the largest number", sample{Big: math.MaxInt64}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := unpack(pack(tt.in))
			if err != nil || !reflect.DeepEqual(got, tt.in) {
				t.Errorf("came back as %+v, %v; want %+v", got, err, tt.in)
			}
		})
	}
	if got, err := unpack(pack(sample{Word: "\x82\xa0"})); err != nil || got.Word != "\uFFFD" {
		t.Errorf("bytes that are no text came back as %q, %v; want U+FFFD", got.Word, err)
	}
}

func TestStrangerIsNotBelieved(t *testing.T) {
	whole := pack(sample{Word: "word", Words: []string{"a"}})
	tests := []struct {
		name, in string
		want     error
	}{
		{"nothing", "", ErrShort},
		{"cut", whole[:len(whole)-1], ErrShort},
		{"more behind it", whole + "x", ErrTooMuch},
		{"a number without end", strings.Repeat("\xff", 20), ErrNumber},
		{"a number of eleven bytes", strings.Repeat("\x80", 10) + "\x01", ErrNumber},
		{"a flag of two", "\x00\x00\x04", ErrNumber},
		{"a text of four gigabytes", "\x00\x00\x00\xff\xff\xff\xff\x0fabc", ErrShort},
		{"a text that is none", "\x00\x00\x00\x01\xff\x00\x00\x00", ErrText},
		{"a list of more than allowed", "\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00", ErrList},
		{"a list without end", "\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", ErrList},
		{"a list that is not there", "\x00\x00\x00\x00\x05", ErrShort},
		{"a key that stands twice", "\x00\x00\x00\x00\x00\x03\x01k\x00\x01k\x00\x00", ErrPairs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := unpack(tt.in); !errors.Is(err, tt.want) {
				t.Errorf("unpack(%q) = %+v, %v; want %v", tt.in, got, err, tt.want)
			}
		})
	}
}

// FuzzReader: whatever is read is within its bounds, and writes and reads back
// as the same.
func FuzzReader(f *testing.F) {
	f.Add(pack(sample{Big: -1, Word: "x", Words: []string{"a", "b"}, Pairs: map[string]string{"k": "v"}, Below: []sample{{Yes: true}}}))
	f.Add("\x00\x00\x00\x00\x05")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := unpack(in)
		if len(got.Words) > 4 || len(got.Pairs) > 4 || len(got.Below) > 4 {
			t.Fatalf("read more than allowed: %+v", got)
		}
		if err != nil {
			return
		}
		if again, err := unpack(pack(got)); err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("read back as %+v, %v; was %+v", again, err, got)
		}
	})
}
