package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"

	passkey "sekisho/filter/key"
)

// Keys returns the passwords of password.list and password.file. They are read
// at each load, so that a reload takes up a changed file.
func (c *Config) Keys() ([]passkey.Key, error) {
	ring := passkey.NewRing()
	for _, p := range c.Passwords {
		ring.Add(passkey.Key{Text: p, Source: passkey.List})
	}
	if c.PasswordFile != "" {
		if err := readKeys(c.PasswordFile, ring); err != nil {
			return nil, err
		}
	}
	return ring.Keys(), nil
}

// mostListed bounds the operator's list: each entry is tried on every locked
// attachment, before or after the words of the mail.
const mostListed = 100

// readKeys reads one password a line. The file must be nobody else's to read.
func readKeys(file string, ring *passkey.Ring) error {
	info, err := os.Stat(file)
	if err != nil {
		return &Error{File: file, Err: cause(err), Hint: "name a file with one password a line in password.file, or leave it empty"}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return &Error{File: file, Err: errors.New("not a regular file"), Hint: "password.file names one file with one password a line"}
	case info.Mode().Perm()&0o077 != 0:
		return &Error{File: file, Err: fmt.Errorf("mode %04o lets others read passwords", info.Mode().Perm()), Hint: "chmod go= " + file}
	case ok && st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return &Error{File: file, Err: fmt.Errorf("owner %d is neither root nor the running user", st.Uid), Hint: "chown sekisho " + file}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return &Error{File: file, Err: cause(err), Hint: "it must be readable for the service user: chown sekisho " + file}
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		p := lines.Text()
		if p == "" {
			continue
		}
		if m := secret(p); m != nil {
			return &Error{File: file, Line: n, Err: errors.New(m.what), Hint: m.hint}
		}
		if ring.Add(passkey.Key{Text: p, Source: passkey.List}); ring.Len() > mostListed {
			return &Error{File: file, Line: n, Err: fmt.Errorf("more than %d passwords", mostListed),
				Hint: "each is tried on every locked attachment: keep those that are in use"}
		}
	}
	if err := lines.Err(); err != nil {
		return &Error{File: file, Err: err, Hint: "write one password a line"}
	}
	return nil
}
