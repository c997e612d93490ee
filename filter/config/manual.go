package config

import (
	"fmt"
	"strings"
)

// Manual returns the table of all keys as Markdown, for docs/configuration.md.
func Manual() string {
	var b strings.Builder
	b.WriteString("| key | value | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, k := range keys {
		def := "`" + k.example() + "`"
		if k.def == "" {
			def = "(empty)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.name, k.kind, def, k.doc)
	}
	return b.String()
}

// Sample returns a configuration file that sets nothing: every key with its
// default, commented out.
func Sample() string {
	var b strings.Builder
	b.WriteString("# /etc/sekisho/sekisho.yaml: every key with its default. Take the # off a line to\n# change it; check with: sekisho config check\n")
	for _, k := range keys {
		b.WriteString("\n" + comment(k.doc) + "#" + k.name + ": " + k.example() + "\n")
	}
	return b.String()
}

// comment folds text into lines of a comment.
func comment(text string) string {
	const width = 78
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
