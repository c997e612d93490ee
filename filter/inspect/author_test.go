package inspect

import (
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/finding"
)

func TestAddressShownInTheAuthorsName(t *testing.T) {
	tests := []struct{ name, from, want string }{
		{"an honest name", "Sato Hanako <sato@example.jp>", ""},
		{"one's own address", "\"sato@example.jp\" <sato@example.jp>", ""},
		{"another's address", "\"ceo@example.com\" <x@example.jp>", "plain"},
		{"a member of a list", "\"'taro@example.com' via Sales\" <sales@example.jp>", "via"},
		{"a user of a service", "\"Taro (taro@example.com) via Docs\" <noreply@example.jp>", "via"},
		{"the word elsewhere", "\"via ceo@example.com\" <x@example.jp>", "plain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, f := range Mail([]byte("From: "+tt.from+"\r\nSubject: x\r\n\r\nHello\r\n"), budget.New(budget.Small)).Findings {
				if f.Kind == finding.FromDeceptive {
					got = f.Evidence["form"]
				}
			}
			if got != tt.want {
				t.Errorf("Mail(From: %s) states the form %q, want %q", tt.from, got, tt.want)
			}
		})
	}
}
