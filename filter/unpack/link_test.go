package unpack

import (
	"archive/tar"
	"slices"
	"testing"
)

func TestLinksThatLeadOut(t *testing.T) {
	tests := []struct {
		name, at, to string
		out          bool
	}{
		{"beside it", "lib.so", "lib.so.1", false},
		{"to the folder above, within", "bin/sh", "../busybox", false},
		{"above the container", "sh", "../busybox", true},
		{"far above, from deep within", "a/b/c", "../../../etc/passwd", true},
		{"there and back", "a/b", "../x/../../up", true},
		{"from the root", "a", "/etc/passwd", true},
		{"with a drive", "a", `C:\Windows`, true},
		{"of a network", "a", `\\host\\share`, true},
		{"separators of Windows", "a", `..\\up`, true},
		{"no target", "a", "", false},
		{"dots in a name", "a", "..b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := outside(tt.at, tt.to); got != tt.out {
				t.Errorf("outside(%q, %q) = %v, want %v", tt.at, tt.to, got, tt.out)
			}
		})
	}
}

func TestLinksInContainers(t *testing.T) {
	link := func(target string) []byte {
		return tarEnd(tarBlocks(tar.TypeSymlink, "l", "", func(b []byte) { copy(b[157:], target) }))
	}
	unix := func(h []byte) { h[5] = 3; put32(38, 0xa1ff0000)(h) }
	body := func(target string) []byte { return zipOf(made{name: "l", data: target, central: unix}) }
	tests := []struct {
		name, typ string
		in        []byte
		want      []string
	}{
		{"tar", "tar", link("a"), nil},
		{"tar, out", "tar", link("../a"), []string{"link-outside"}},
		{"zip", "zip", body("a"), nil},
		{"zip, out", "zip", body("/a"), []string{"link-outside"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, kinds := allNames(tt.in, tt.typ); !slices.Equal(kinds, tt.want) {
				t.Errorf("kinds %q, want %q", kinds, tt.want)
			}
		})
	}
}
