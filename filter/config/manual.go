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
