package unpack

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"

	"github.com/klauspost/compress/flate"

	"sekisho/filter/entity"
	"sekisho/filter/key"
)

// zipAES is the extra field of WinZip's AES encryption (the "AE-x" document).
type zipAES struct {
	version  uint16
	strength byte
	method   uint16 // the way of packing below
}

// What is hashed for one try at AES: a thousand rounds of HMAC-SHA-1 for each
// block of key, two blocks of 64 bytes a round.
const (
	zipAESRounds = 1000
	zipAESBlock  = zipAESRounds * 2 * 64
	zipAESTag    = 10
	zipAESCheck  = 2
	zipHeader    = 12 // of ZipCrypto
)

// yieldLocked yields a member that needs a password, opened where one of the
// keys fits, and returns where its data ends.
func (z *zipReader) yieldLocked(m *zipMember, e *entity.Entity, claims []zipClaim, lock string) int {
	c := claims[0]
	end := c.start + int(min(c.packed, uint64(max(len(z.body)-c.start, 0))))
	e.Dir = false
	var l locked
	if r, k, ok := z.unlock(m, e.Path, claims, lock, &l); ok {
		e.Body, e.Size, e.Unread = r.body, int64(len(r.body)), r.err != nil
		if lock == "aes" {
			c.method = m.aes().method
		}
		z.faulty(e, c, r)
		z.decrypted(e, lock, k)
		z.yield(e)
		z.free(r)
	} else {
		e.Encrypted = true
		z.encrypted(e.Path, l, "name", e.Name(), "method", lock)
		z.yield(e)
	}
	if signed(z.body, end, sigDescriptor, 16) {
		end += 16
	}
	return end
}

// aes returns what the headers say of AES.
func (m *zipMember) aes() zipAES {
	for _, r := range m.records() {
		if r.aes.strength > 0 {
			return r.aes
		}
	}
	return zipAES{}
}

// unlock tries every key on every reading of m's headers that could be meant.
func (z *zipReader) unlock(m *zipMember, path string, claims []zipClaim, lock string, l *locked) (r zipResult, k key.Key, ok bool) {
	if z.spent() {
		return r, k, false
	}
	for _, k := range z.keys.Keys() {
		for _, spelling := range spellings(k.Text) {
			r, state := z.tryKey(m, path, claims, lock, spelling)
			switch state {
			case keyFits:
				z.keys.Worked(k)
				return r, k, true
			case keyUntried:
				l.left++
			default:
				l.tried++
			}
		}
	}
	return r, k, false
}

// keyState is what became of a try.
type keyState int

const (
	keyWrong keyState = iota
	keyFits
	keyUntried // the budget has no room for the try
)

// tryKey tries one password on the readings of a member: the first that proves
// itself counts.
func (z *zipReader) tryKey(m *zipMember, path string, claims []zipClaim, lock string, password []byte) (zipResult, keyState) {
	state := keyWrong
	for _, c := range claims {
		if c.reading == "deflate-as-stored" || c.reading == "stored" || c.start > len(z.body) {
			continue
		}
		src := z.body[c.start:]
		src = src[:min(c.packed, uint64(len(src)))]
		mark := z.bud.Mark()
		var r zipResult
		switch lock {
		case "aes":
			r, state = z.tryAES(m, path, c, src, password)
		case "strong":
			r, state = z.tryStrong(path, c, src, password)
		default:
			r, state = z.tryZipCrypto(m, path, c, src, password)
		}
		if state != keyWrong {
			return r, state
		}
		z.free(r)
		z.bud.Undo(mark)
	}
	return zipResult{}, state
}

// tryZipCrypto tries a password on PKWARE's own cipher (APPNOTE 6.1). Its
// header proves a password to one in 256 only: the checksum has the last word.
func (z *zipReader) tryZipCrypto(m *zipMember, path string, c zipClaim, src, password []byte) (zipResult, keyState) {
	if len(src) < zipHeader {
		return zipResult{}, keyWrong
	}
	if !z.bud.Try(int64(len(password) + zipHeader)) {
		return zipResult{}, keyUntried
	}
	in := newZipCipher(password)
	var head [zipHeader]byte
	in.decrypt(head[:], src[:zipHeader])
	if !m.expects(head[zipHeader-1], c.crc) {
		return zipResult{}, keyWrong
	}
	r := z.plain(path, c, &zipCipherReader{in, src[zipHeader:]}, len(src)-zipHeader)
	r.used = len(src)
	r.fits = r.err == nil && sum(r.body) == z.wanted(c, len(src))
	if !r.fits {
		return r, keyWrong
	}
	return r, keyFits
}

// expects says that the last byte of the header is the one that archivers put
// there: the checksum's highest, or where that comes behind the data, the
// time's (Info-ZIP).
func (m *zipMember) expects(b byte, crc uint32) bool {
	if b == byte(crc>>24) {
		return true
	}
	for _, r := range m.records() {
		if b == byte(r.time>>8) || b == byte(r.crc>>24) {
			return true
		}
	}
	return false
}

// wanted is the checksum that the content must have; behind the data where no
// header in front tells it.
func (z *zipReader) wanted(c zipClaim, packed int) uint32 {
	if at := c.start + packed; c.blind && signed(z.body, at, sigDescriptor, 16) {
		return u32(z.body[at+4:])
	}
	return c.crc
}

// tryAES tries a password on WinZip's encryption. Two bytes tell most wrong
// ones, ten behind the data prove the right one.
func (z *zipReader) tryAES(m *zipMember, path string, c zipClaim, src, password []byte) (zipResult, keyState) {
	a := m.aes()
	if a.strength < 1 || a.strength > 3 {
		return zipResult{}, keyWrong
	}
	size := 8 + 8*int(a.strength) // of the key: 16, 24 or 32 bytes
	salt := size / 2
	if len(src) < salt+zipAESCheck+zipAESTag {
		return zipResult{}, keyWrong
	}
	if !z.bud.Try(int64((2*size+zipAESCheck+sha1.Size-1)/sha1.Size) * zipAESBlock) {
		return zipResult{}, keyUntried
	}
	keys, err := pbkdf2.Key(sha1.New, string(password), src[:salt], zipAESRounds, 2*size+zipAESCheck)
	if err != nil || !bytes.Equal(keys[2*size:], src[salt:salt+zipAESCheck]) {
		return zipResult{}, keyWrong
	}
	data := src[salt+zipAESCheck : len(src)-zipAESTag]
	mac := hmac.New(sha1.New, keys[size:2*size])
	mac.Write(data)
	proved := hmac.Equal(mac.Sum(nil)[:zipAESTag], src[len(src)-zipAESTag:])
	block, err := aes.NewCipher(keys[:size])
	if err != nil {
		return zipResult{}, keyWrong
	}
	c.method = a.method
	r := z.plain(path, c, &zipCounter{block: block, src: data}, len(data))
	r.used = len(src)
	// AE-2 leaves the checksum out: the code over the data says as much.
	right := r.err == nil && sum(r.body) == z.wanted(c, len(src))
	if !proved && !right {
		return r, keyWrong
	}
	r.fits = r.err == nil && proved && (right || a.version != 1)
	return r, keyFits
}

// plain unpacks n decrypted bytes of c. Only a rare method has them in memory
// at once.
func (z *zipReader) plain(path string, c zipClaim, src io.Reader, n int) (r zipResult) {
	size := int64(min(c.size, math.MaxInt32))
	r.drawn = true
	switch c.method {
	case methodStored:
		r.body, r.err = z.bud.ReadSized(path, src, int64(n), size)
	case methodDeflate:
		in := &guarded{open: func() (io.Reader, error) { return flate.NewReader(src), nil }}
		r.body, r.err = z.bud.ReadSized(path, in, int64(n), size)
	default:
		packed, err := z.bud.ReadSized(path, src, -1, int64(n))
		if err != nil {
			return zipResult{body: packed, err: err, drawn: true}
		}
		c.packed = uint64(n)
		r = z.run(path, zipMethods[c.method], packed, c)
		z.bud.Free(packed)
	}
	return r
}

// zipCipher is the state of ZipCrypto: three words that each byte of plain
// text moves on.
type zipCipher [3]uint32

func newZipCipher(password []byte) *zipCipher {
	c := &zipCipher{0x12345678, 0x23456789, 0x34567890}
	for _, b := range password {
		c.update(b)
	}
	return c
}

func (c *zipCipher) update(b byte) {
	c[0] = crcByte(c[0], b)
	c[1] = (c[1]+c[0]&0xff)*134775813 + 1
	c[2] = crcByte(c[2], byte(c[1]>>24))
}

func crcByte(crc uint32, b byte) uint32 { return crc32.IEEETable[byte(crc)^b] ^ crc>>8 }

func (c *zipCipher) decrypt(dst, src []byte) {
	for i, b := range src {
		t := c[2] | 2
		b ^= byte(t * (t ^ 1) >> 8)
		c.update(b)
		dst[i] = b
	}
}

// zipCipherReader reads what src decrypts to.
type zipCipherReader struct {
	c   *zipCipher
	src []byte
}

func (r *zipCipherReader) Read(p []byte) (int, error) {
	n := min(len(p), len(r.src))
	r.c.decrypt(p[:n], r.src[:n])
	if r.src = r.src[n:]; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// zipCounter reads what src decrypts to in WinZip's counter mode: the count
// begins with one and its lowest byte stands first, so that crypto/cipher's
// does not fit.
type zipCounter struct {
	block cipher.Block
	src   []byte
	count uint64
	pad   [aes.BlockSize]byte
	left  int // bytes of pad not yet used
}

func (r *zipCounter) Read(p []byte) (int, error) {
	n := min(len(p), len(r.src))
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	for i := range n {
		if r.left == 0 {
			r.count++
			var counter [aes.BlockSize]byte
			binary.LittleEndian.PutUint64(counter[:], r.count)
			r.block.Encrypt(r.pad[:], counter[:])
			r.left = len(r.pad)
		}
		p[i] = r.src[i] ^ r.pad[len(r.pad)-r.left]
		r.left--
	}
	r.src = r.src[n:]
	return n, nil
}
