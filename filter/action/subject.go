package action

import (
	"encoding/base64"
	"strings"

	"golang.org/x/text/encoding/japanese"

	"sekisho/filter/mail"
)

// subject puts the prefix before the first Subject field, or adds a Subject
// where there is none. The rest of the field stays as it came, byte for byte.
func (o Options) subject(fields []mail.HeaderField) []mail.Edit {
	if o.SubjectPrefix == "" {
		return nil
	}
	for _, f := range fields {
		if !strings.EqualFold(strings.TrimRight(f.Name, " \t"), "Subject") {
			continue
		}
		rest := strings.TrimLeft(f.Value, " \t")
		return []mail.Edit{{Op: mail.EditChange, Index: 1, Name: "Subject", Value: o.encode(rest) + rest}}
	}
	return []mail.Edit{{Op: mail.EditAdd, Name: "Subject", Value: strings.TrimSpace(o.encode(""))}}
}

// encode writes the prefix so that it reads well before rest: as it is when
// ASCII; else as an encoded word in ISO-2022-JP where rest is written so (old
// Japanese mailers show one charset a header), in UTF-8 otherwise.
func (o Options) encode(rest string) string {
	p := o.SubjectPrefix
	if ascii(p) {
		return strings.TrimRight(p, " ") + " "
	}
	label, raw := "UTF-8", []byte(p)
	if strings.Contains(strings.ToLower(rest), "=?iso-2022-jp?") {
		if jis, err := japanese.ISO2022JP.NewEncoder().Bytes(raw); err == nil {
			label, raw = "ISO-2022-JP", jis
		}
	}
	return "=?" + label + "?B?" + base64.StdEncoding.EncodeToString(raw) + "?= "
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
