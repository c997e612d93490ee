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
		{"blanks round the sign", "\"ceo @ example.com\" <x@example.jp>", "plain"},
		{"an entity for the sign", "\"ceo&#64;example.com\" <x@example.jp>", "plain"},
		{"a quoted sign", "\"ceo\\@example.com\" <x@example.jp>", "plain"},
		{"a full-width address", "\"ｃｅｏ＠ｅｘａｍｐｌｅ．ｃｏｍ\" <x@example.jp>", "plain"},
		{"in corner brackets", "\"社長「ceo@example.com」\" <x@example.jp>", "plain"},
		{"behind a word in Japanese brackets", "\"社長（ceo@example.com）\" <x@example.jp>", "plain"},
		{"a Japanese via", "\"ceo@example.com 経由 Docs\" <noreply@example.jp>", "via"},
		{"another host of the house", "\"info@example.co.jp\" <info@mail.example.co.jp>", ""},
		{"a name with a sign", "\"Sato @ Tokyo\" <sato@example.jp>", ""},
		{"a handle", "\"@sato_hanako\" <sato@example.jp>", ""},
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
