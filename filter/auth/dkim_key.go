package auth

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
)

const (
	// maxKeyRecord bounds the record; one with a 4096-bit key has 750 bytes.
	maxKeyRecord = 4 << 10
	minRSABits   = 1024 // RFC 8301 §3.2
	maxRSABits   = 4096
)

// signingKey is a key record (RFC 6376 §3.6.1) that may be used.
type signingKey struct {
	public  crypto.PublicKey
	kind    string // rsa or ed25519
	encoded string // p= without blanks
	hashes  string // h=
	testing bool   // t=y
	strict  bool   // t=s: no subdomains in i=
}

// findKey takes the one key out of the records at its name. Other records may
// stand there by a wildcard; two keys are an error.
func findKey(texts []string) (k signingKey, reason string) {
	reason = "no key"
	keys := 0
	for _, text := range texts {
		list, err := parseTags(text)
		if _, has := list.get("p"); err != nil || !has {
			continue
		}
		if keys++; keys > 1 {
			return signingKey{}, "several keys"
		}
		if len(text) > maxKeyRecord {
			return signingKey{}, "key record longer than 4 kB"
		}
		k, reason = parseKey(list)
	}
	return k, reason
}

// parseKey reads a key record; reason is empty when the key can be used.
func parseKey(list tags) (k signingKey, reason string) {
	if v, ok := list.get("v"); ok && v != "DKIM1" || ok && list[0].name != "v" {
		return k, "unknown version of the key"
	}
	if s, ok := list.get("s"); ok && !allows(s, "email") {
		return k, "the key is not for mail"
	}
	t, _ := list.get("t")
	flags := strings.Split(unblanked(t), ":")
	k.testing, k.strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
	k.hashes, _ = list.get("h")
	k.kind, _ = list.get("k")
	if k.kind = strings.ToLower(k.kind); k.kind == "" {
		k.kind = "rsa"
	}
	p, _ := list.get("p")
	if k.encoded = unblanked(p); k.encoded == "" {
		return k, "the key is revoked"
	}
	der, err := base64.StdEncoding.DecodeString(k.encoded)
	if err != nil {
		return k, "malformed key"
	}
	return k, k.decode(der)
}

// allows says that a list names word or stands for all.
func allows(value, word string) bool {
	words := strings.Split(unblanked(strings.ToLower(value)), ":")
	return slices.Contains(words, word) || slices.Contains(words, "*")
}

// decode reads the key itself.
func (k *signingKey) decode(der []byte) (reason string) {
	switch k.kind {
	case "rsa":
		return k.decodeRSA(der)
	case "ed25519":
		if len(der) != ed25519.PublicKeySize {
			return "malformed key"
		}
		k.public = ed25519.PublicKey(der)
		return ""
	}
	return "unknown kind of key"
}

// decodeRSA takes both forms that are in use (RFC 6376, erratum 3017).
func (k *signingKey) decodeRSA(der []byte) (reason string) {
	if len(der) > maxRSABits/8+128 {
		return "key longer than 4096 bits"
	}
	public, ok := parseRSA(der)
	switch {
	case !ok:
		return "malformed key"
	case public.N.BitLen() < minRSABits:
		return "key shorter than 1024 bits"
	case public.N.BitLen() > maxRSABits:
		return "key longer than 4096 bits"
	}
	k.public = public
	return ""
}

func parseRSA(der []byte) (*rsa.PublicKey, bool) {
	if any, err := x509.ParsePKIXPublicKey(der); err == nil {
		public, ok := any.(*rsa.PublicKey)
		return public, ok
	}
	public, err := x509.ParsePKCS1PublicKey(der)
	return public, err == nil
}

// permits returns why the key may not be used for s, or nothing.
func (k signingKey) permits(s *signature) (reason string) {
	kind, hash, _ := strings.Cut(s.algorithm, "-")
	switch {
	case k.kind != kind:
		return "the key is of another kind"
	case k.hashes != "" && !allows(k.hashes, hash):
		return "the key does not allow the hash"
	case k.strict && s.identity != s.domain:
		return "the key does not allow subdomains"
	}
	return ""
}

// record writes the key as the one record that go-msgauth is shown: no more
// than it needs, in a form without blanks.
func (k signingKey) record() string {
	return "v=DKIM1; k=" + k.kind + "; p=" + k.encoded
}
