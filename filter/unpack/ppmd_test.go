package unpack

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

// ppmdLetters is what fills the model of the specimens' memory more than once:
// letters by chance, and the same again.
func ppmdLetters() string {
	x, out := uint32(1), []byte{}
	for range 18000 {
		if len(out) == 12000 {
			x = 1
		}
		x = (x*1103515245 + 12345) & 0x7fffffff
		out = append(out, 'a'+byte(x>>16%17))
	}
	return string(out)
}

func ppmdPoem() string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "line %d of the report on the rain in Kyoto\n", i)
	}
	return b.String()
}

func unpacked(format string, b []byte, limits budget.Limits) (bodies map[string]string, kinds []string) {
	bodies = map[string]string{}
	bud := budget.New(limits)
	_, found := Walk(&entity.Entity{Path: "2", Depth: 1, Body: b}, []string{format}, bud, func(m *entity.Entity) {
		if !m.Unread {
			bodies[m.Name()] = string(m.Body)
		}
	})
	for _, f := range found {
		kinds = append(kinds, strings.TrimPrefix(string(f.Kind), "container."))
	}
	for _, r := range bud.Reached() {
		kinds = append(kinds, "limit "+string(r.What))
	}
	slices.Sort(kinds)
	return bodies, slices.Compact(kinds)
}

func TestPPMdOfARealPacker(t *testing.T) {
	for _, s := range []struct{ format, file string }{{"7z", "7z/7zip-ppmd.7z"}, {"zip", "zip/7zip-ppmd.zip"}} {
		t.Run(s.file, func(t *testing.T) {
			bodies, kinds := unpacked(s.format, madeBy(t, s.file), budget.Default)
			if bodies["letters.txt"] != ppmdLetters() || bodies["poem.txt"] != ppmdPoem() || len(kinds) > 0 {
				t.Errorf("%d members, with %q", len(bodies), kinds)
			}
		})
	}
}

func TestPPMdThatLies(t *testing.T) {
	zip, seven := madeBy(t, "zip/7zip-ppmd.zip"), madeBy(t, "7z/7zip-ppmd.7z")
	at := bytes.Index(zip, []byte("letters.txt")) + len("letters.txt")
	head := u16(zip[at:])
	with := func(v uint16) []byte {
		b := bytes.Clone(zip)
		b[at], b[at+1] = byte(v), byte(v>>8)
		return b
	}
	mangled := bytes.Clone(seven)
	for i := range 2000 {
		mangled[100+i] ^= byte(i)
	}
	tests := []struct {
		name   string
		format string
		in     []byte
		limits budget.Limits
		want   []string
	}{
		{"honest", "zip", zip, budget.Default, nil},
		{"the way to thin out a full memory is not known", "zip", with(head | 1<<12), budget.Default, []string{"method-unsupported"}},
		{"order 1 is none", "zip", with(head &^ 15), budget.Default, []string{"method-unsupported"}},
		{"a memory of 256 MiB for a little budget", "zip", with(head | 0xff0), budget.Small, []string{"limit bytes"}},
		{"mangled", "7z", mangled, budget.Default, []string{"broken"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, kinds := unpacked(tt.format, tt.in, tt.limits)
			if !slices.Equal(kinds, tt.want) {
				t.Errorf("got %q, want %q", kinds, tt.want)
			}
		})
	}
}

// FuzzPPMd holds that no packed bytes make a model leave its memory or go on
// for ever: each byte out is one step, and the input ends.
func FuzzPPMd(f *testing.F) {
	f.Add([]byte("\x00hello, rain in Kyoto"), byte(6), true)
	f.Add([]byte("\x00\x00\x00\x00\x00"), byte(64), false)
	f.Fuzz(func(t *testing.T, b []byte, order byte, isI bool) {
		m := newMembers(&entity.Entity{Path: "1"}, budget.New(budget.Small), nil)
		var rc ppmdRange = &range7z{ppmdCode{in: bytes.NewReader(b)}}
		if isI {
			rc = &rangeI{ppmdCode: ppmdCode{in: bytes.NewReader(b)}}
		}
		r, err := m.openPPMd(rc, len(b), int(order), 1<<14, 1<<16)
		if err != nil {
			return
		}
		if isI {
			r.p.cuts = order&1 != 0
		}
		for {
			if _, err := r.Read(make([]byte, 1<<12)); err != nil {
				return
			}
		}
	})
}
