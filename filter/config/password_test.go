package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	passkey "sekisho/filter/key"
)

func TestKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	c := Default()
	c.Passwords, c.PasswordFile = []string{"inline"}, file
	tests := []struct {
		name, content string
		mode          os.FileMode
		want          int // keys; 0 for a mistake
		says          string
	}{
		{"two lines and a blank one", "kanmon1024\n\n関所 with blanks \n", 0o600, 3, ""},
		{"one known already", "inline\n", 0o600, 1, ""},
		{"others may read it", "kanmon1024\n", 0o644, 0, "lets others read"},
		{"a control character", "ok\nbad\x07\n", 0o600, 0, ":2: a password is longer"},
		{"far too many", strings.Repeat("x", 99) + "\n" + many(), 0o600, 0, "more than 100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(tt.content), tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
			keys, err := c.Keys()
			if len(keys) != tt.want || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Keys() = %d keys, %v, want %d and %q", len(keys), err, tt.want, tt.says)
			}
			if err != nil && (strings.Contains(err.Error(), "bad") || len(Hints(err)) != 1) {
				t.Errorf("the mistake %q tells a password or gives no hint", err)
			}
			if len(keys) > 0 && keys[0] != (passkey.Key{Text: "inline", Source: passkey.List}) {
				t.Errorf("first key %+v", keys[0])
			}
		})
	}
	c.PasswordFile = filepath.Join(t.TempDir(), "missing")
	if _, err := c.Keys(); err == nil {
		t.Error("a missing file was taken for an empty one")
	}
}

func many() string {
	var b strings.Builder
	for i := range 200 {
		b.WriteString(strings.Repeat("y", 1+i%90) + string(rune('a'+i%26)) + "\n")
	}
	return b.String()
}

// TestSecretsAreNotShown: config show and a reload's list of changes tell how
// many there are.
func TestSecretsAreNotShown(t *testing.T) {
	c := Default()
	if err := c.Set("password.list", "test", "kanmon1024", "hakone1024"); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Settings() {
		if strings.Contains(s.Value, "1024") && strings.HasPrefix(s.Key, "password.l") {
			t.Errorf("%s shows %q", s.Key, s.Value)
		}
	}
	if err := c.Set("password.list", "test", strings.Repeat("x", 200)); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err == nil || strings.Contains(err.Error(), "xxx") {
		t.Errorf("Check() = %v, want a mistake that does not show the password", err)
	}
}
