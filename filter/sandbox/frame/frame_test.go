package frame

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"sekisho/filter/budget"
	"sekisho/filter/key"
)

func TestRead(t *testing.T) {
	whole := string(Append(nil, 7, []byte(`{"x":1}`)))
	tests := []struct {
		name, in string
		most     int
		want     error
	}{
		{"a frame", whole, 7, nil},
		{"a frame before another", whole + whole, 100, nil},
		{"an empty frame", string(Append(nil, 7, nil)), 0, nil},
		{"one byte longer than allowed", whole, 6, ErrTooLong},
		{"all ones", strings.Repeat("\xff", 12), MaxAnswer, ErrTooLong},
		{"nobody there", "", 100, io.EOF},
		{"hung up within the length", whole[:3], 100, io.ErrUnexpectedEOF},
		{"hung up within the payload", whole[:len(whole)-1], 100, io.ErrUnexpectedEOF},
		{"hung up before the payload", whole[:headSize], 100, io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var buf bytes.Buffer
			id, err := Read(iotest.OneByteReader(strings.NewReader(tt.in)), &buf, tt.most)
			if !errors.Is(err, tt.want) || err == nil && (id != 7 || buf.Len() > tt.most) {
				t.Errorf("Read = %d, %v with %d bytes, want %v", id, err, buf.Len(), tt.want)
			}
		})
	}
}

// TestReadBelievesNoLength: a length that is not followed by bytes costs no
// memory.
func TestReadBelievesNoLength(t *testing.T) {
	in := Append(nil, 1, []byte("{"))
	in[1] = 0xff // announces 16 MiB
	allocs := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var buf bytes.Buffer
			if _, err := Read(bytes.NewReader(in), &buf, MaxAnswer); err != io.ErrUnexpectedEOF {
				b.Fatal(err)
			}
		}
	})
	if got := allocs.AllocedBytesPerOp(); got > 64<<10 {
		t.Errorf("%d bytes were set aside for a frame that never came", got)
	}
}

func TestDecodeIsStrict(t *testing.T) {
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"a hello", `{"version":1,"seccomp":2}`, true},
		{"an unknown field", `{"version":1,"root":true}`, false},
		{"a wrong type", `{"version":"1"}`, false},
		{"cut", `{"version":1`, false},
		{"nothing", ``, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h Hello
			if err := Decode([]byte(tt.in), &h); (err == nil) != tt.ok {
				t.Errorf("Decode(%s) = %v", tt.in, err)
			}
		})
	}
}

// TestEveryFieldTravels: a field that code forgets would be lost between gate
// and worker without a sound.
func TestEveryFieldTravels(t *testing.T) {
	n := int64(0)
	next := func() int64 { n++; return n }
	full := Job{Kind: "mail", Name: "a.zip", Size: next(), SHA256: "00", Offer: true, Millis: next(),
		Keys: []key.Key{{Text: "secret", Source: key.Subject, Weak: true}}}
	limits := reflect.ValueOf(&full.Limits).Elem()
	for i := range limits.NumField() {
		limits.Field(i).SetInt(next())
	}
	for _, v := range []any{full, full.Keys[0]} {
		for i := range reflect.TypeOf(v).NumField() {
			if reflect.ValueOf(v).Field(i).IsZero() {
				t.Errorf("%T has a field %s that this test knows nothing of", v, reflect.TypeOf(v).Field(i).Name)
			}
		}
	}
	var got Job
	if err := got.Unpack(full.Pack()); err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("came back as %+v, %v; want %+v", got, err, full)
	}
	if err := got.Unpack(full.Pack()[1:]); err == nil {
		t.Error("a job without its start was taken")
	}
}

// FuzzRead: never more than allowed, and what is read is what was written.
func FuzzRead(f *testing.F) {
	job := Job{Kind: "mail", Size: 5, Limits: budget.Small, Millis: 100}
	f.Add(Append(nil, 1, job.Pack()))
	f.Add([]byte("\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 256
		var buf bytes.Buffer
		id, err := Read(bytes.NewReader(in), &buf, most)
		if buf.Len() > most {
			t.Fatalf("read %d bytes of %d", buf.Len(), most)
		}
		if err != nil {
			return
		}
		again := Append(nil, id, buf.Bytes())
		if !bytes.HasPrefix(in, again) {
			t.Fatalf("read %q from %q", again, in)
		}
		var j Job
		_ = j.Unpack(buf.Bytes()) // must not panic
	})
}
