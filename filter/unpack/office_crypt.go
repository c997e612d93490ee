package unpack

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"hash"
	"strings"

	"sekisho/filter/entity"
	"sekisho/filter/key"
)

// officeDefault is the password that Excel and PowerPoint try before they ask
// anyone (MS-OFFCRYPTO §2.4.2.3): what is locked with it opens for everyone,
// and keeps only filters out.
const officeDefault = "VelvetSweatshop"

// officeCipher tries one password on a document.
type officeCipher interface {
	method() string
	// cost is what one try hashes, in bytes.
	cost(password string) int64
	// secret returns what decrypts the package, nil for a wrong password.
	secret(password string) []byte
	// decrypt undoes the encryption of b in place.
	decrypt(b, secret []byte) error
}

var errOffice = errors.New("encryption is of a kind that is not known")

// officePackage draws the package out of an encrypted document (ECMA-376,
// MS-OFFCRYPTO §2.3): a compound file whose one stream is a zip file. done is
// false for documents of another kind.
func (r *oleReader) officePackage(e *entity.Entity, keys *key.Ring) (done bool) {
	info, body := r.named("EncryptionInfo"), r.named("EncryptedPackage")
	if info < 0 || body < 0 {
		return false
	}
	about, ok := r.value(info)
	if !ok {
		return true
	}
	c, err := readOfficeCipher(about)
	if err != nil {
		r.encrypted(e.Path, locked{}, "name", e.Name(), "method", "office")
		return true
	}
	var l locked
	for _, k := range append([]key.Key{{Text: officeDefault, Source: key.Default}}, keys.Keys()...) {
		if !r.bud.Try(c.cost(k.Text)) {
			l.left++
			continue
		}
		secret := c.secret(k.Text)
		if secret == nil {
			l.tried++
			continue
		}
		if k.Source != key.Default {
			keys.Worked(k)
		}
		r.yieldPackage(e, c, k, body, secret)
		return true
	}
	r.encrypted(e.Path, l, "name", e.Name(), "method", c.method())
	return true
}

// yieldPackage decrypts the package and yields it under the document's names.
func (r *oleReader) yieldPackage(e *entity.Entity, c officeCipher, k key.Key, at int, secret []byte) {
	b, ok := r.value(at)
	if !ok || len(b) < 8 {
		return
	}
	size, b := u64(b), b[8:]
	b = b[:len(b)&^(aes.BlockSize-1)]
	m, room := r.next(e.Names...)
	if !room {
		return
	}
	if err := c.decrypt(b, secret); err != nil {
		m.Encrypted = true
		r.encrypted(m.Path, locked{}, "name", m.Name(), "method", c.method())
		r.yield(m)
		return
	}
	b = b[:min(size, uint64(len(b)))]
	body, err := r.lend(m.Path, b)
	m.Body, m.Size, m.Unread = body, int64(len(b)), err != nil
	r.decrypted(m, c.method(), k)
	r.yield(m)
}

// named returns the stream of that name, -1 for none.
func (r *oleReader) named(name string) int {
	for i, c := range r.file.entries {
		if c.kind == compoundStream && c.name == name {
			return i
		}
	}
	return -1
}

func readOfficeCipher(b []byte) (officeCipher, error) {
	const agile, standard = 4, 2
	if len(b) < 8 {
		return nil, errOffice
	}
	switch major, minor := u16(b), u16(b[2:]); {
	case major == agile && minor == agile:
		return readAgile(b[8:])
	case minor == standard && major >= 2 && major <= 4:
		return readStandard(b[8:])
	}
	return nil, errOffice
}

// spin hashes salt and password, then the result with a count, rounds times.
func spin(h hash.Hash, salt []byte, password string, rounds uint32) []byte {
	h.Write(salt)
	h.Write(utf16Bytes(password))
	sum := h.Sum(nil)
	var count [4]byte
	for n := range rounds {
		binary.LittleEndian.PutUint32(count[:], n)
		h.Reset()
		h.Write(count[:])
		h.Write(sum)
		sum = h.Sum(sum[:0])
	}
	return sum
}

// officeStandard is encryption by a header in binary (MS-OFFCRYPTO §2.3.4.5 and
// §2.3.4.7), as Office 2007 wrote it: AES in single blocks.
type officeStandard struct {
	bits                 uint32
	salt, verifier, hash []byte
}

const officeRounds = 50000

func readStandard(b []byte) (officeCipher, error) {
	f := rarFields{b: b}
	head := rarFields{b: f.bytes(uint64(f.u32()))}
	head.u32() // flags
	head.u32() // size
	algorithm := head.u32()
	head.u32() // of hashing: SHA-1 in all
	s := officeStandard{bits: head.u32()}
	s.salt = f.bytes(uint64(f.u32()))
	s.verifier = f.bytes(aes.BlockSize)
	f.u32() // length of the hash
	s.hash = f.bytes(2 * aes.BlockSize)
	known := algorithm == strongAES128 || algorithm == strongAES192 || algorithm == strongAES256
	if f.short || head.short || !known || s.bits != 128 && s.bits != 192 && s.bits != 256 {
		return nil, errOffice
	}
	return s, nil
}

func (s officeStandard) method() string { return "office-standard" }

func (s officeStandard) cost(string) int64 { return officeRounds * sha1.BlockSize }

func (s officeStandard) secret(password string) []byte {
	sum := spin(sha1.New(), s.salt, password, officeRounds)
	secret := strongKey(sha1.Sum(append(sum, 0, 0, 0, 0)))[:s.bits/8]
	verifier, want := bytes.Clone(s.verifier), bytes.Clone(s.hash)
	if s.decrypt(verifier, secret) != nil || s.decrypt(want, secret) != nil {
		return nil
	}
	if got := sha1.Sum(verifier); !bytes.Equal(got[:], want[:sha1.Size]) {
		return nil
	}
	return secret
}

func (s officeStandard) decrypt(b, secret []byte) error {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return err
	}
	for ; len(b) >= aes.BlockSize; b = b[aes.BlockSize:] {
		block.Decrypt(b, b)
	}
	return nil
}

// officeAgile is encryption by a header in XML (MS-OFFCRYPTO §2.3.4.10), as
// Office has written it since 2010.
type officeAgile struct {
	data, pass   officeAgileKey
	verifier     []byte
	verifierHash []byte
	value        []byte
	rounds       uint32
}

type officeAgileKey struct {
	hash  func() hash.Hash
	size  int // of the key in bytes
	salt  []byte
	block int
}

// The last words of each key that is made of the password.
var (
	agileInput = []byte{0xfe, 0xa7, 0xd2, 0x76, 0x3b, 0x4b, 0x9e, 0x79}
	agileHash  = []byte{0xd7, 0xaa, 0x0f, 0x6d, 0x30, 0x61, 0x34, 0x4e}
	agileValue = []byte{0x14, 0x6e, 0x0b, 0xe7, 0xab, 0xac, 0xd0, 0xd6}
)

// agileXML is the part of the header that matters.
type agileXML struct {
	KeyData agileKeyXML `xml:"keyData"`
	Pass    []struct {
		agileKeyXML
		Spin         uint32 `xml:"spinCount,attr"`
		Verifier     string `xml:"encryptedVerifierHashInput,attr"`
		VerifierHash string `xml:"encryptedVerifierHashValue,attr"`
		Value        string `xml:"encryptedKeyValue,attr"`
	} `xml:"keyEncryptors>keyEncryptor>encryptedKey"`
}

type agileKeyXML struct {
	Block    int    `xml:"blockSize,attr"`
	Bits     int    `xml:"keyBits,attr"`
	Cipher   string `xml:"cipherAlgorithm,attr"`
	Chaining string `xml:"cipherChaining,attr"`
	Hash     string `xml:"hashAlgorithm,attr"`
	Salt     string `xml:"saltValue,attr"`
}

// mostAgile bounds the header: an honest one has about a kilobyte.
const mostAgile = 64 << 10

func readAgile(b []byte) (officeCipher, error) {
	var x agileXML
	if len(b) > mostAgile || xml.Unmarshal(bytes.TrimRight(b, "\x00"), &x) != nil || len(x.Pass) == 0 {
		return nil, errOffice
	}
	p := x.Pass[0]
	a := officeAgile{rounds: p.Spin}
	var err1, err2 error
	a.data, err1 = x.KeyData.read()
	a.pass, err2 = p.read()
	if err1 != nil || err2 != nil {
		return nil, errOffice
	}
	for _, f := range []struct {
		to   *[]byte
		from string
	}{{&a.verifier, p.Verifier}, {&a.verifierHash, p.VerifierHash}, {&a.value, p.Value}} {
		v, err := base64.StdEncoding.DecodeString(f.from)
		if err != nil || len(v) == 0 || len(v)%aes.BlockSize != 0 || len(v) > 256 {
			return nil, errOffice
		}
		*f.to = v
	}
	if a.rounds > 10000000 || len(a.value) < a.data.size { // MS-OFFCRYPTO's own bound
		return nil, errOffice
	}
	return a, nil
}

func (x agileKeyXML) read() (k officeAgileKey, err error) {
	hashes := map[string]func() hash.Hash{"SHA1": sha1.New, "SHA-1": sha1.New, "SHA256": sha256.New, "SHA384": sha512.New384, "SHA512": sha512.New, "MD5": md5.New}
	k.hash, k.size, k.block = hashes[strings.ToUpper(x.Hash)], x.Bits/8, x.Block
	k.salt, err = base64.StdEncoding.DecodeString(x.Salt)
	sized := k.size == 16 || k.size == 24 || k.size == 32
	if err != nil || k.hash == nil || !sized || k.block != aes.BlockSize || len(k.salt) == 0 || len(k.salt) > 64 ||
		x.Cipher != "AES" || x.Chaining != "ChainingModeCBC" {
		return k, errOffice
	}
	return k, nil
}

func (a officeAgile) method() string { return "office-agile" }

func (a officeAgile) cost(string) int64 {
	return int64(a.rounds+3) * int64(a.pass.hash().BlockSize())
}

func (a officeAgile) secret(password string) []byte {
	sum := spin(a.pass.hash(), a.pass.salt, password, a.rounds)
	open := func(last, b []byte) []byte {
		h := a.pass.hash()
		h.Write(sum)
		h.Write(last)
		out := bytes.Clone(b)
		if a.pass.mode(h.Sum(nil), a.pass.salt, out) != nil {
			return nil
		}
		return out
	}
	input, want := open(agileInput, a.verifier), open(agileHash, a.verifierHash)
	h := a.pass.hash()
	h.Write(input[:min(len(input), len(a.pass.salt))])
	got := h.Sum(nil)
	if input == nil || len(want) < len(got) || !bytes.Equal(got, want[:len(got)]) {
		return nil
	}
	return open(agileValue, a.value)[:a.data.size]
}

// mode decrypts b in place. Key and vector are cut, or filled up with 0x36.
func (k officeAgileKey) mode(secret, iv, b []byte) error {
	block, err := aes.NewCipher(sized(secret, k.size))
	if err != nil {
		return err
	}
	cipher.NewCBCDecrypter(block, sized(iv, aes.BlockSize)).CryptBlocks(b, b)
	return nil
}

func sized(b []byte, n int) []byte {
	b = bytes.Clone(b[:min(len(b), n)])
	for len(b) < n {
		b = append(b, 0x36)
	}
	return b
}

// decrypt undoes the segments of 4 KiB, each with a vector of its own.
func (a officeAgile) decrypt(b, secret []byte) error {
	const segment = 4096
	for n := uint32(0); len(b) > 0; n++ {
		h := a.data.hash()
		h.Write(a.data.salt)
		h.Write(binary.LittleEndian.AppendUint32(nil, n))
		part := b[:min(len(b), segment)]
		if err := a.data.mode(secret, h.Sum(nil), part); err != nil {
			return err
		}
		b = b[len(part):]
	}
	return nil
}

// officeOld names the encryption of a document in a binary format, "" for none
// (MS-DOC §2.5.1, MS-XLS §2.4.117, MS-PPT §2.3.2). Those are recognised and
// not opened.
func (r *oleReader) officeOld() string {
	for _, s := range []struct {
		name  string
		crypt func([]byte) string
	}{{"WordDocument", docCrypt}, {"Workbook", xlsCrypt}, {"Book", xlsCrypt}, {"Current User", pptCrypt}} {
		at := r.named(s.name)
		if at < 0 {
			continue
		}
		c := r.file.entries[at]
		const enough = 1024
		b := r.file.chain(c.start, min(c.size, enough))
		if c.size < compoundCutoff {
			b = r.file.smallChain(c.start, min(c.size, enough))
		}
		if method := s.crypt(b); method != "" {
			return method
		}
	}
	return ""
}

func docCrypt(b []byte) string {
	const encrypted, obfuscated = 1 << 8, 1 << 15
	if len(b) < 12 || u16(b) != 0xa5ec && u16(b) != 0xa5dc {
		return ""
	}
	switch flags := u16(b[10:]); {
	case flags&encrypted == 0:
		return ""
	case flags&obfuscated != 0:
		return "office-xor"
	}
	return "office-rc4"
}

// xlsCrypt looks for the record FILEPASS behind the first, which it follows
// but for a mark of write protection.
func xlsCrypt(b []byte) string {
	const filePass, writeProtect, begin = 0x2f, 0x86, 0x809
	for n := 0; len(b) >= 6 && n < 8; n++ {
		kind, size := u16(b), int(u16(b[2:]))
		switch {
		case kind == filePass && u16(b[4:]) == 0:
			return "office-xor"
		case kind == filePass:
			return "office-rc4"
		case kind != begin && kind != writeProtect || 4+size > len(b):
			return ""
		}
		b = b[4+size:]
	}
	return ""
}

func pptCrypt(b []byte) string {
	const head, token = 8, 0xf3d1c4df
	if len(b) >= head+8 && u32(b[head+4:]) == token {
		return "office-rc4"
	}
	return ""
}
