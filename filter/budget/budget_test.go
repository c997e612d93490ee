package budget

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

var tiny = Limits{Bytes: 100, Member: 60, Members: 3, Depth: 2, Ratio: 10, RatioFloor: 20}

func TestEachLimitIsReachedAndRemembered(t *testing.T) {
	tests := []struct {
		name string
		use  func(*Budget) error
		want []What
	}{
		{"honest work", func(b *Budget) error { return b.Spend("1", 100) }, nil},
		{"too many bytes", func(b *Budget) error { return b.Spend("1", 101) }, []What{Bytes}},
		{"too many members", func(b *Budget) error {
			for range 3 {
				if err := b.Count("1"); err != nil {
					t.Fatalf("Count within the limit: %v", err)
				}
			}
			return b.Count("1")
		}, []What{Members}},
		{"too deep", func(b *Budget) error { return b.Enter("1", 3) }, []What{Depth}},
		{"stopped by the gate", func(b *Budget) error { b.Stop(); return b.Spend("1", 1) }, []What{Time}},
		{"stopped before a member", func(b *Budget) error { b.Stop(); return b.Count("1") }, []What{Time}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := New(tiny)
			err := tt.use(b)
			var got []What
			for _, r := range b.Reached() {
				got = append(got, r.What)
			}
			if !slices.Equal(got, tt.want) || (err != nil) != (tt.want != nil) {
				t.Errorf("reached %v with error %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	tests := []struct {
		name         string
		size, packed int64
		want         int
		exceeded     bool
	}{
		{"small members may swell", 20, 1, 20, false},
		{"an honest ratio", 50, 10, 50, false},
		{"a bomb's ratio", 50, 2, 0, true},
		{"a member too large", 61, 61, 0, true},
		{"packed size unknown", 50, -1, 50, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(tiny).Read("1", bytes.NewReader(make([]byte, tt.size)), tt.packed)
			if errors.Is(err, ErrExceeded) != tt.exceeded || len(got) != tt.want {
				t.Errorf("Read = %d bytes, %v", len(got), err)
			}
		})
	}
}

// What was read before a reader broke is handed over with its error.
func TestReadKeepsWhatCameBeforeAnError(t *testing.T) {
	r := io.MultiReader(bytes.NewReader([]byte("abc")), brokenReader{})
	got, err := New(tiny).Read("1", r, -1)
	if string(got) != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Read = %q, %v", got, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestFreeIsUsedAgain: a buffer given back is what the next member is read
// into, and a declared size that lies costs no more than packed bytes allow.
func TestFreeIsUsedAgain(t *testing.T) {
	b := New(Default)
	first, err := b.ReadSized("a", strings.NewReader(strings.Repeat("x", 100000)), 50000, 100000)
	if err != nil || len(first) != 100000 {
		t.Fatalf("ReadSized = %d bytes, %v; want 100000", len(first), err)
	}
	b.Free(first)
	second, err := b.Read("b", strings.NewReader("hello"), 5)
	if err != nil || string(second) != "hello" || &second[0] != &first[0] {
		t.Errorf("Read = %q, %v; want hello in the memory of the one before", second, err)
	}
	third, err := b.Read("c", strings.NewReader("world"), 5)
	if err != nil || &third[0] == &first[0] {
		t.Errorf("Read = %q, %v; want world in memory of its own", third, err)
	}
	if liar, err := b.ReadSized("d", strings.NewReader("small"), 5, 1<<40); err != nil || cap(liar) > 1<<16 {
		t.Errorf("ReadSized of a lie made room for %d bytes, %v; want little", cap(liar), err)
	}
}

// The memory of a bomb is used for the next one, and not for a small member,
// which may be the container of a bomb; the next message has none of it.
func TestFreeOfLargeMembers(t *testing.T) {
	const size = readLeap + 1<<20
	b := New(Default)
	bomb := func() []byte {
		got, err := b.Read("a", io.LimitReader(zeroReader{}, size), -1)
		if err != nil || len(got) != size {
			t.Fatalf("Read = %d bytes, %v; want %d", len(got), err, size)
		}
		return got
	}
	first := bomb()
	b.Free(first)
	small, err := b.Read("b", strings.NewReader("hello"), 5)
	if err != nil || &small[0] == &first[0] {
		t.Errorf("Read = %q, %v; want hello in memory of its own", small, err)
	}
	second := bomb()
	if &second[0] != &first[0] {
		t.Error("the second large member is in new memory, want that of the first")
	}
	b.Free(second)
	if b.Close(); b.large != nil {
		t.Error("Close keeps the memory of a large member")
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
