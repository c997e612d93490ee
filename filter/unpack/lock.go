package unpack

import (
	"strconv"

	"sekisho/filter/charset"
	"sekisho/filter/entity"
	"sekisho/filter/finding"
	"sekisho/filter/key"
)

// locked keeps account of the keys tried on one container.
type locked struct {
	tried, left int
}

// encrypted states that a password is missing at path. Which keys were tried
// is no secret as long as it is only their number.
func (m *members) encrypted(path string, l locked, evidence ...string) {
	if l.tried > 0 {
		evidence = append(evidence, "tried", strconv.Itoa(l.tried))
	}
	if l.left > 0 {
		evidence = append(evidence, "untried", strconv.Itoa(l.left))
	}
	m.note(finding.ContainerEncrypted, path, evidence...)
}

// decrypted states that k opened e.
func (m *members) decrypted(e *entity.Entity, method string, k key.Key) {
	m.note(finding.ContainerDecrypted, e.Path, "name", e.Name(), "method", method, "source", k.Source)
}

// spellings are the bytes that archivers may have made of a password: UTF-8,
// and on Japanese Windows, CP932.
func spellings(password string) [][]byte {
	out := [][]byte{[]byte(password)}
	if ascii(out[0]) {
		return out
	}
	if b, ok := charset.CP932(password); ok {
		out = append(out, b)
	}
	return out
}
