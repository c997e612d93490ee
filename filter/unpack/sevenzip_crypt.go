package unpack

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"sekisho/filter/budget"
	"sekisho/filter/key"
)

// szLock is what is known of the passwords of one archive.
type szLock struct {
	locked
	key     key.Key // the one being tried, or the one that fitted
	derived map[string][]byte
	lent    [][]byte // what was decrypted with it
}

// szPlainKey as a number of rounds means that the password itself is the key.
const szPlainKey = 0x3f

// locked says that the folder needs a password.
func (f *szFolderInfo) locked() bool {
	return slices.ContainsFunc(f.coders, func(c szCoder) bool { return c.method == szAES })
}

// unlock unpacks a folder with the first key that its checksums prove.
func (s *sevenZip) unlock(f szFolderInfo) ([]byte, error) {
	s.lock.locked = locked{}
	for _, k := range s.keys.Keys() {
		s.lock.key, s.lock.lent = k, s.lock.lent[:0]
		mark := s.bud.Mark()
		out, err := s.unpackOpen(f)
		switch {
		case errors.Is(err, errUntried):
			s.lock.left++
			continue
		case f.proves(out, err):
			s.keys.Worked(k)
			return out, err
		}
		s.bud.Undo(mark)
		s.lock.tried++
		s.giveBack()
	}
	return nil, errEncrypted
}

// giveBack lets the next try have what a wrong key made.
func (s *sevenZip) giveBack() {
	for _, b := range s.lock.lent {
		s.bud.Free(b)
	}
	s.lock.lent = s.lock.lent[:0]
}

// proves says that out is no noise: a checksum fits, or where there is none,
// every coder came to its end. A limit is met with the right key as well, and
// what stands before it is judged by the first file that is whole.
func (f *szFolderInfo) proves(out []byte, err error) bool {
	if f.sum {
		return sum(out) == f.crc
	}
	at, checked := int64(0), false
	for _, p := range f.parts {
		if at+p.size > int64(len(out)) {
			break
		}
		if p.checked && p.size > 0 {
			if checked = true; sum(out[at:at+p.size]) == p.crc {
				return true
			}
		}
		at += p.size
	}
	return !checked && (err == nil || errors.Is(err, budget.ErrExceeded) && len(out) > 0)
}

var errUntried = errors.New("no room for one more try")

// decrypt undoes AES-256 in CBC mode; size is what comes out without padding.
func (s *sevenZip) decrypt(c szCoder, in []byte, size int64) ([]byte, error) {
	p, err := readSZAES(c.props)
	if err != nil {
		return nil, err
	}
	secret, err := s.derive(p)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	in = in[:len(in)&^(aes.BlockSize-1)]
	if limit := s.bud.Limits().Member; int64(len(in)) > limit {
		return nil, s.bud.Exceed(budget.Member, s.of.Path)
	}
	if err := s.bud.Spend(s.of.Path, int64(len(in))); err != nil {
		return nil, err
	}
	out := s.bud.Lend(len(in))[:len(in)]
	s.lock.lent = append(s.lock.lent, out)
	cipher.NewCBCDecrypter(block, p.iv[:]).CryptBlocks(out, in)
	return out[:min(size, int64(len(out)))], nil
}

// szAESProps are the properties of the coder (7zAes.cpp of the LZMA SDK).
type szAESProps struct {
	power byte // the password is hashed 2^power times
	salt  []byte
	iv    [aes.BlockSize]byte
}

func readSZAES(b []byte) (p szAESProps, err error) {
	if len(b) == 0 {
		return p, errSevenZip
	}
	p.power = b[0] & 0x3f
	salt, iv := int(b[0]>>7), int(b[0]>>6&1)
	if salt+iv == 0 {
		return p, nil
	}
	if len(b) < 2 {
		return p, errSevenZip
	}
	salt, iv = salt+int(b[1]>>4), iv+int(b[1]&15)
	if b = b[2:]; len(b) < salt+iv {
		return p, errSevenZip
	}
	p.salt = b[:salt]
	copy(p.iv[:], b[salt:salt+iv])
	return p, nil
}

// derive makes the key of the password being tried. Folders of one archive
// mostly share it.
func (s *sevenZip) derive(p szAESProps) ([]byte, error) {
	id := s.lock.key.Text + "\x00" + string(p.power) + string(p.salt)
	if have := s.lock.derived[id]; have != nil {
		return have, nil
	}
	seed := slices.Concat(p.salt, utf16Bytes(s.lock.key.Text))
	if p.power != szPlainKey && (p.power > 24 || !s.bud.Try(int64(len(seed)+8)<<p.power)) {
		return nil, errUntried
	}
	secret := szHash(seed, p.power)
	if s.lock.derived == nil {
		s.lock.derived = map[string][]byte{}
	}
	s.lock.derived[id] = secret
	return secret, nil
}

// szHash hashes seed and a count of eight bytes, 2^power times in one stream.
func szHash(seed []byte, power byte) []byte {
	if power == szPlainKey {
		out := make([]byte, sha256.Size)
		copy(out, seed)
		return out
	}
	h := sha256.New()
	const most = 64 // rounds that are hashed in one go
	one := len(seed) + 8
	buf := make([]byte, 0, most*one)
	for n := uint64(0); n < 1<<power; n++ {
		buf = binary.LittleEndian.AppendUint64(append(buf, seed...), n)
		if len(buf) == most*one {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return h.Sum(nil)
}
