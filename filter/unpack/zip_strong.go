package unpack

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/binary"
	"io"
)

// zipStrong is the header of PKWARE's strong encryption (APPNOTE 7.2.4), which
// stands before the data of a member. Only AES with a password is opened: no
// archiver of our days writes the older ciphers, and certificates are not ours.
type zipStrong struct {
	iv     []byte
	size   int    // of the key
	random []byte // decrypts to what the key is made of
	valid  []byte // decrypts to noise with its checksum behind it
	data   []byte
}

const (
	strongFormat   = 3
	strongPassword = 1
	strongAES128   = 0x660e
	strongAES192   = 0x660f
	strongAES256   = 0x6610
)

// readStrong reads the header; ok is false where it is not of the kind that is
// opened. Without a vector of its own a member has one made of its checksum and
// size (APPNOTE 7.2.4, IVSize).
func readStrong(src []byte, crc uint32, size uint64) (s zipStrong, ok bool) {
	f := rarFields{b: src}
	if n := f.u16(); n > 0 {
		s.iv = f.bytes(uint64(n))
	} else {
		s.iv = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, crc), size)
		s.iv = append(s.iv, 0, 0, 0, 0)
	}
	h := rarFields{b: f.bytes(uint64(f.u32()))}
	s.data = f.b
	format, algorithm := h.u16(), h.u16()
	h.u16() // bits, which the algorithm says as well
	flags := h.u16()
	s.random = h.bytes(uint64(h.u16()))
	h.u32() // certificates: none
	s.valid = h.bytes(uint64(h.u16()))
	switch algorithm {
	case strongAES128, strongAES192, strongAES256:
		s.size = 16 + 8*int(algorithm-strongAES128)
	default:
		return s, false
	}
	whole := len(s.iv) == aes.BlockSize && len(s.random) >= 2*aes.BlockSize && len(s.random)%aes.BlockSize == 0 &&
		len(s.valid) >= aes.BlockSize && len(s.valid)%aes.BlockSize == 0 && len(s.data)%aes.BlockSize == 0
	return s, whole && format == strongFormat && flags == strongPassword && !f.short && !h.short
}

// open returns what decrypts the data, nil for a wrong password.
func (s zipStrong) open(password []byte) cipher.BlockMode {
	first := sha1.Sum(password)
	mode := s.mode(strongKey(first))
	if mode == nil {
		return nil
	}
	random := make([]byte, len(s.random))
	mode.CryptBlocks(random, s.random)
	h := sha1.New()
	h.Write(s.iv)
	h.Write(random[:len(random)-aes.BlockSize]) // the rest is padding
	secret := strongKey([sha1.Size]byte(h.Sum(nil)))
	valid := make([]byte, len(s.valid))
	// The data goes on with the chain of blocks that this begins.
	if mode = s.mode(secret); mode == nil {
		return nil
	}
	mode.CryptBlocks(valid, s.valid)
	if end := len(valid) - 4; sum(valid[:end]) != u32(valid[end:]) {
		return nil
	}
	return mode
}

func (s zipStrong) mode(secret []byte) cipher.BlockMode {
	block, err := aes.NewCipher(secret[:s.size])
	if err != nil {
		return nil
	}
	return cipher.NewCBCDecrypter(block, s.iv)
}

// strongKey stretches a digest to a key as Windows' CryptDeriveKey does.
func strongKey(digest [sha1.Size]byte) []byte {
	var out []byte
	for _, pad := range []byte{0x36, 0x5c} {
		var b [sha1.BlockSize]byte
		for i := range b {
			b[i] = pad
		}
		for i, c := range digest {
			b[i] ^= c
		}
		half := sha1.Sum(b[:])
		out = append(out, half[:]...)
	}
	return out
}

// tryStrong tries a password on a member under strong encryption.
func (z *zipReader) tryStrong(path string, c zipClaim, src, password []byte) (zipResult, keyState) {
	s, ok := readStrong(src, c.crc, c.size)
	if !ok {
		return zipResult{}, keyWrong
	}
	if !z.bud.Try(int64(len(s.random) + len(s.valid) + 8*sha1.BlockSize)) {
		return zipResult{}, keyUntried
	}
	mode := s.open(password)
	if mode == nil {
		return zipResult{}, keyWrong
	}
	n := len(s.data)
	if c.method == methodStored {
		n = int(min(uint64(n), c.size)) // what is left is padding
	}
	r := z.plain(path, c, io.LimitReader(&blockReader{mode: mode, src: s.data}, int64(n)), n)
	r.used = len(src)
	r.fits = r.err == nil && sum(r.body) == z.wanted(c, len(src))
	return r, keyFits
}

// blockReader reads what src decrypts to, block by block.
type blockReader struct {
	mode cipher.BlockMode
	src  []byte
	out  [aes.BlockSize * 64]byte
	left []byte
}

func (r *blockReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		n := min(len(r.src), len(r.out))
		if n == 0 {
			return 0, io.EOF
		}
		r.mode.CryptBlocks(r.out[:n], r.src[:n])
		r.left, r.src = r.out[:n], r.src[n:]
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
