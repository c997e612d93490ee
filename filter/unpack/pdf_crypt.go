package unpack

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"strconv"
)

// PDFLock names the encryption of a PDF file that asks its reader for a
// password, "" for none (ISO 32000-2 §7.6). Most locked files have none for
// reading: they open for everyone and only forbid printing or copying.
func PDFLock(b []byte) string {
	for at := 0; ; {
		i := pdfName(b[at:], "Encrypt")
		if i < 0 {
			return ""
		}
		at += i
		if dict := pdfTarget(b, b[at:]); dict != nil {
			if lock, ok := readPDFLock(dict); ok && !lock.opens(pdfID(b)) {
				return lock.method()
			}
		}
	}
}

// pdfName returns where the bytes behind the name begin, -1 for none. Letters
// may be written as #41.
func pdfName(b []byte, name string) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '/')
		if i < 0 {
			return -1
		}
		at += i + 1
		if n := pdfSpelled(b[at:], name); n > 0 {
			return at + n
		}
	}
}

// pdfSpelled returns how many bytes spell name at the beginning of b, 0 for
// something else.
func pdfSpelled(b []byte, name string) int {
	at := 0
	for i := range len(name) {
		switch {
		case at < len(b) && b[at] == name[i]:
			at++
		case at+3 <= len(b) && b[at] == '#' && string(bytes.ToLower(b[at+1:at+3])) == hex.EncodeToString([]byte{name[i]}):
			at += 3
		default:
			return 0
		}
	}
	if at < len(b) && (b[at] == '#' || b[at] >= 'a' && b[at] <= 'z' || b[at] >= 'A' && b[at] <= 'Z') {
		return 0 // the beginning of a longer one
	}
	return at
}

// mostPDF bounds the dictionary: an honest one has some hundred bytes.
const mostPDF = 8 << 10

// pdfTarget returns the dictionary that stands at rest, or that a reference
// there leads to.
func pdfTarget(b, rest []byte) []byte {
	rest = bytes.TrimLeft(rest[:min(len(rest), mostPDF)], " \t\r\n\x00\f")
	if bytes.HasPrefix(rest, []byte("<<")) {
		return rest
	}
	words := bytes.Fields(rest[:min(len(rest), 40)])
	if len(words) < 3 || len(words[2]) == 0 || words[2][0] != 'R' {
		return nil
	}
	number, err := strconv.Atoi(string(words[0]))
	if err != nil || number < 0 {
		return nil
	}
	mark := []byte(strconv.Itoa(number) + " " + string(words[1]) + " obj")
	for end := len(b); ; { // an update stands behind what it replaces
		i := bytes.LastIndex(b[:end], mark)
		if i < 0 {
			return nil
		}
		if i == 0 || b[i-1] < '0' || b[i-1] > '9' {
			object := b[i+len(mark):]
			return object[:min(len(object), mostPDF)]
		}
		end = i
	}
}

// pdfLock is the dictionary of the standard security handler.
type pdfLock struct {
	revision, bits int
	permissions    uint32
	owner, user    []byte
	aes, metadata  bool
}

func readPDFLock(d []byte) (l pdfLock, ok bool) {
	if at := pdfName(d, "Filter"); at < 0 || !bytes.HasPrefix(bytes.TrimLeft(d[at:], " \t\r\n"), []byte("/Standard")) {
		// Certificates and handlers of others need more than a password.
		return l, at >= 0 && pdfName(d, "V") >= 0 && pdfName(d, "CF") >= 0
	}
	l.revision, l.bits = int(pdfNumber(d, "R")), int(pdfNumber(d, "Length"))
	l.permissions = uint32(pdfNumber(d, "P"))
	l.owner, l.user = pdfString(d, "O"), pdfString(d, "U")
	l.aes = bytes.Contains(d, []byte("AESV"))
	l.metadata = true
	if at := pdfName(d, "EncryptMetadata"); at >= 0 {
		l.metadata = !bytes.HasPrefix(bytes.TrimLeft(d[at:], " \t\r\n"), []byte("false"))
	}
	return l, len(l.user) > 0
}

func (l pdfLock) method() string {
	if l.aes || l.revision >= 5 {
		return "pdf-aes"
	}
	return "pdf-rc4"
}

// pdfNumber returns the number of a key of a dictionary, 0 for none. Within it
// stand other dictionaries, whose keys are others.
func pdfNumber(d []byte, name string) int64 {
	at := pdfName(d, name)
	if at < 0 {
		return 0
	}
	word := bytes.TrimLeft(d[at:], " \t\r\n")
	end := bytes.IndexFunc(word, func(r rune) bool { return r != '-' && (r < '0' || r > '9') })
	n, err := strconv.ParseInt(string(word[:max(end, 0)]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// pdfString returns the string of a key, in either notation.
func pdfString(d []byte, name string) []byte {
	at := pdfName(d, name)
	if at < 0 {
		return nil
	}
	return pdfText(bytes.TrimLeft(d[at:], " \t\r\n"))
}

func pdfText(s []byte) []byte {
	if len(s) > 1 && s[0] == '<' && s[1] != '<' {
		digits, _, _ := bytes.Cut(s[1:], []byte(">"))
		digits = bytes.Join(bytes.Fields(digits), nil)
		out := make([]byte, len(digits)/2)
		n, err := hex.Decode(out, digits[:len(digits)&^1])
		if err != nil {
			return out[:n]
		}
		return out
	}
	if len(s) == 0 || s[0] != '(' {
		return nil
	}
	return pdfLiteral(s[1:])
}

// pdfLiteral reads a string in round brackets (ISO 32000-2 §7.3.4.2).
func pdfLiteral(s []byte) (out []byte) {
	const escapes, meant = "nrtbf", "\n\r\t\b\f"
	for depth := 0; len(s) > 0; s = s[1:] {
		c := s[0]
		switch {
		case c == ')' && depth == 0:
			return out
		case c == ')':
			depth--
		case c == '(':
			depth++
		case c == '\\' && len(s) > 1:
			s = s[1:]
			c = s[0]
			if i := bytes.IndexByte([]byte(escapes), c); i >= 0 {
				c = meant[i]
			} else if c >= '0' && c <= '7' {
				n := 1
				for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
					n++
				}
				v, _ := strconv.ParseUint(string(s[:n]), 8, 16) // octal digits only
				c, s = byte(v), s[n-1:]
			} else if c == '\n' || c == '\r' {
				continue // the line goes on
			}
		}
		out = append(out, c)
	}
	return out
}

// pdfID returns the first of the two identifiers of the file.
func pdfID(b []byte) []byte {
	for at := 0; ; {
		i := pdfName(b[at:], "ID")
		if i < 0 {
			return nil
		}
		at += i
		list := bytes.TrimLeft(b[at:min(len(b), at+mostPDF)], " \t\r\n")
		if len(list) > 1 && list[0] == '[' {
			return pdfText(bytes.TrimLeft(list[1:], " \t\r\n"))
		}
	}
}

// pdfPad stands in for what a password lacks of 32 bytes (ISO 32000-2
// §7.6.4.3.2).
var pdfPad = []byte("\x28\xbf\x4e\x5e\x4e\x75\x8a\x41\x64\x00\x4e\x56\xff\xfa\x01\x08\x2e\x2e\x00\xb6\xd0\x68\x3e\x80\x2f\x0c\xa9\xfe\x64\x53\x69\x7a")

// opens says that the file opens without a password.
func (l pdfLock) opens(id []byte) bool {
	switch {
	case l.revision >= 5:
		if len(l.user) < 40 {
			return false
		}
		salt := l.user[32:40]
		if l.revision == 5 {
			sum := sha256.Sum256(salt)
			return bytes.Equal(sum[:], l.user[:32])
		}
		return bytes.Equal(pdfHash(salt), l.user[:32])
	case l.revision < 2 || len(l.user) < 16:
		return false
	}
	secret := l.secret(id)
	if l.revision == 2 {
		return bytes.Equal(rc4Of(secret, pdfPad, 0), l.user[:min(len(l.user), 32)])
	}
	h := md5.New()
	h.Write(pdfPad)
	h.Write(id)
	sum := h.Sum(nil)
	for n := range 20 {
		sum = rc4Of(secret, sum, byte(n))
	}
	return bytes.Equal(sum, l.user[:16])
}

// secret is the key of an empty password, up to revision 4.
func (l pdfLock) secret(id []byte) []byte {
	h := md5.New()
	h.Write(pdfPad)
	h.Write(l.owner[:min(len(l.owner), 32)])
	h.Write(binary.LittleEndian.AppendUint32(nil, l.permissions))
	h.Write(id)
	if l.revision >= 4 && !l.metadata {
		h.Write([]byte{0xff, 0xff, 0xff, 0xff})
	}
	sum := h.Sum(nil)
	size := 5
	if l.revision >= 3 {
		if size = l.bits / 8; size < 5 || size > 16 {
			size = 16
		}
		for range 50 {
			next := md5.Sum(sum[:size])
			sum = next[:]
		}
	}
	return sum[:size]
}

func rc4Of(secret, b []byte, mask byte) []byte {
	masked := slices.Clone(secret)
	for i := range masked {
		masked[i] ^= mask
	}
	out := make([]byte, len(b))
	if c, err := rc4.NewCipher(masked); err == nil {
		c.XORKeyStream(out, b)
	}
	return out
}

// pdfHash is the hash of revision 6 for an empty password (ISO 32000-2
// §7.6.4.3.4).
func pdfHash(salt []byte) []byte {
	first := sha256.Sum256(salt)
	k := first[:]
	for n := 0; ; n++ {
		b := bytes.Repeat(k, 64)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(b, b)
		rest := 0
		for _, c := range b[:16] {
			rest += int(c)
		}
		h := []func() hash.Hash{sha256.New, sha512.New384, sha512.New}[rest%3]()
		h.Write(b)
		k = h.Sum(nil)
		if n >= 63 && int(b[len(b)-1]) <= n-31 {
			return k[:32]
		}
	}
}
