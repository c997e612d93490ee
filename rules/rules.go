// Package rules holds the default rules and their named lists, with their
// tests inside.
//
// A folder is a theme: executable (what runs), disguise (what seems to be
// another thing), container (archives), link, auth (who sent it), message
// (structure and what we could not do), lists. Local files replace single
// rules by id and change single lists: see docs/rules.md. What a rule may say
// is defined by filter/rule.
package rules

import "embed"

// FS is the default set.
//
//go:embed auth container disguise executable link lists message
var FS embed.FS
