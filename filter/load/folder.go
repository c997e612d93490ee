package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Folder reads the .eml files of a folder. A name's part before the first dash
// is the kind, and the number behind the last dash the order, if there is one.
func Folder(dir string) ([]Mail, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		return nil, err
	}
	order := func(name string) string { return name[strings.LastIndexByte(name, '-')+1:] }
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(order(a), order(b)) })
	var out []Mail
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		kind, _, _ := strings.Cut(filepath.Base(name), "-")
		raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		out = append(out, Mail{kind, bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no .eml files", dir)
	}
	return out, nil
}
