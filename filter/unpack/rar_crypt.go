package unpack

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"sekisho/filter/key"
)

// rarLock is what is known of the passwords of one archive. What they open is
// decrypted here and handed to the decoder as if it had never been locked.
type rarLock struct {
	locked
	keys    *key.Ring
	key     key.Key // the one that fitted
	headers bool    // it opened the headers
	derived map[string]rarSecret
	own     bool // b is our copy, which decryption may change
}

// rarSecret is what a password becomes with one salt.
type rarSecret struct {
	block cipher.Block
	iv    []byte
	check []byte // RAR 5 keeps it to tell a wrong password at once
}

const (
	rar5Check   = 1 // flag: a check of the password is there
	rar5Tweaked = 2 // flag: checksums depend on the password
	rar4Rounds  = 1 << 18
	rar4Salted  = 8
)

// unlock opens headers and members with the first key that proves itself.
func (r *rar) unlock() {
	if r.index.hidden {
		r.tryKeys(r.unlockHeaders)
		r.lock.headers = !r.index.hidden
	}
	if slices.ContainsFunc(r.index.files, func(f rarFile) bool { return f.locked }) {
		r.tryKeys(r.unlockFiles)
	}
}

// tryKeys tries keys in turn until try says that one fits.
func (r *rar) tryKeys(try func(key.Key) keyState) {
	r.lock.locked = locked{}
	for _, k := range r.lock.keys.Keys() {
		switch try(k) {
		case keyFits:
			r.lock.keys.Worked(k)
			r.lock.key = k
			return
		case keyUntried:
			r.lock.left++
		default:
			r.lock.tried++
		}
	}
}

// unlockFiles decrypts all locked members with k, when it fits the first of
// them.
func (r *rar) unlockFiles(k key.Key) keyState {
	first := true
	for i := range r.index.files {
		f := &r.index.files[i]
		if !f.locked || f.before || f.after || !f.legible(r) {
			continue
		}
		s, check, state := r.secretOf(f, k.Text)
		if state == keyFits && first && !r.proves(f, s, check) {
			state = keyWrong
		}
		if state != keyFits {
			if first {
				return state
			}
			continue // another password, or no room for one more salt
		}
		first = false
		r.decryptFile(f, s)
	}
	if first {
		return keyWrong
	}
	return keyFits
}

// legible says that a decoder is at hand for what comes out.
func (f *rarFile) legible(r *rar) bool {
	old := !r.five && f.version < 29 // RAR 1.5 and 2 had ciphers of their own
	return !old && (f.method == 0 || r.bud.Confined())
}

// secretOf derives what decrypts f, and the check that its header holds.
func (r *rar) secretOf(f *rarFile, password string) (s rarSecret, check []byte, state keyState) {
	if !r.five {
		s, state = r.secret4(password, f.lock)
		return s, nil, state
	}
	l := rarFields{b: f.lock}
	l.number() // kind
	l.number() // version
	flags := l.number()
	power, salt, iv := l.byte(), l.bytes(16), l.bytes(16)
	if flags&rar5Check != 0 {
		check = l.bytes(8)
	}
	if l.short {
		return s, nil, keyWrong
	}
	if flags&rar5Tweaked != 0 {
		f.tweaked = true
	}
	s, state = r.secret5(password, power, salt)
	s.iv = iv
	return s, check, state
}

// proves says that s is the secret of f: by the check in its header, or by the
// checksum of what it holds.
func (r *rar) proves(f *rarFile, s rarSecret, check []byte) bool {
	if check != nil {
		return bytes.Equal(check, s.check)
	}
	if f.tweaked || !f.checked || f.data.end == f.data.start {
		return false
	}
	mark := r.bud.Mark()
	data := r.bud.Lend(f.data.end - f.data.start)
	defer func() { r.bud.Free(data); r.bud.Undo(mark) }()
	data = append(data, r.b[f.data.start:f.data.end]...)
	if !r.bud.Try(int64(len(data))) {
		return false
	}
	s.decrypt(data)
	if f.method == 0 {
		return f.size >= 0 && f.size <= int64(len(data)) && sum(data[:f.size]) == f.crc
	}
	// A solid member decodes only behind the others, so the first of a run is
	// the one that can prove a password.
	alone := *f
	alone.locked, alone.solid, alone.data = false, false, span{0, len(data)}
	trial := &rar{members: newMembers(r.of, r.bud, nil), b: data, five: r.five}
	_, err := (&rarDecoder{r: trial, run: []rarFile{alone}}).read(r.of.Path, 0)
	return err == nil
}

// decryptFile decrypts f within our copy of the archive.
func (r *rar) decryptFile(f *rarFile, s rarSecret) {
	if !r.lock.own {
		r.b, r.lock.own = bytes.Clone(r.b), true
	}
	data := r.b[f.data.start:f.data.end]
	if r.bud.Spend(r.of.Path, int64(len(data))) != nil {
		return // stays locked; the budget remembers
	}
	s.decrypt(data)
	f.locked, f.unlocked, f.lock = false, true, nil
	if f.tweaked {
		f.checked = false
	}
	if f.method == 0 && f.size >= 0 {
		// The rest is padding up to the cipher's block.
		f.data.end = min(f.data.end, f.data.start+int(min(f.size, int64(len(data)))))
		f.packed = uint64(f.data.end - f.data.start)
	}
}

func (s rarSecret) decrypt(b []byte) {
	whole := b[:len(b)&^(aes.BlockSize-1)]
	cipher.NewCBCDecrypter(s.block, s.iv).CryptBlocks(whole, whole)
}

// secret5 derives a RAR 5 key: PBKDF2 with HMAC-SHA-256, run 32 rounds further
// for the check.
func (r *rar) secret5(password string, power byte, salt []byte) (rarSecret, keyState) {
	id := password + "\x00" + string(power) + string(salt)
	if s, ok := r.lock.derived[id]; ok {
		return s, keyFits
	}
	if power > 24 || !r.bud.Try(2*sha256.BlockSize<<power) {
		return rarSecret{}, keyUntried
	}
	mac := hmac.New(sha256.New, []byte(password))
	mac.Write(salt)
	mac.Write([]byte{0, 0, 0, 1})
	u := mac.Sum(nil)
	total := slices.Clone(u)
	var secret []byte
	for n, last := 1, 1<<power+32; n < last; n++ {
		if n == 1<<power {
			secret = slices.Clone(total)
		}
		mac.Reset()
		mac.Write(u)
		u = mac.Sum(u[:0])
		for i := range total {
			total[i] ^= u[i]
		}
	}
	s := rarSecret{check: make([]byte, 8)}
	for i, c := range total {
		s.check[i%8] ^= c
	}
	return r.remember(id, s, secret)
}

// secret4 derives a RAR 3 key: password, salt and a count hashed 262,144
// times, with sixteen looks at the hash on the way for the first block.
func (r *rar) secret4(password string, salt []byte) (rarSecret, keyState) {
	id := password + "\x00" + string(salt)
	if s, ok := r.lock.derived[id]; ok {
		return s, keyFits
	}
	seed := append(utf16Bytes(password), salt...)
	if !r.bud.Try(int64(len(seed)+3) * rar4Rounds) {
		return rarSecret{}, keyUntried
	}
	h := sha1.New()
	s := rarSecret{iv: make([]byte, aes.BlockSize)}
	one := append(seed, 0, 0, 0)
	for n := range rar4Rounds {
		count := one[len(seed):]
		count[0], count[1], count[2] = byte(n), byte(n>>8), byte(n>>16)
		h.Write(one)
		if n%(rar4Rounds/aes.BlockSize) == 0 {
			s.iv[n/(rar4Rounds/aes.BlockSize)] = h.Sum(nil)[sha1.Size-1]
		}
	}
	sum := h.Sum(nil)
	secret := make([]byte, 0, 16)
	for i := 0; i < 16; i += 4 {
		secret = append(secret, sum[i+3], sum[i+2], sum[i+1], sum[i])
	}
	return r.remember(id, s, secret)
}

func (r *rar) remember(id string, s rarSecret, secret []byte) (rarSecret, keyState) {
	var err error
	if s.block, err = aes.NewCipher(secret); err != nil {
		return rarSecret{}, keyWrong
	}
	if r.lock.derived == nil {
		r.lock.derived = map[string]rarSecret{}
	}
	r.lock.derived[id] = s
	return s, keyFits
}

// unlockHeaders makes an archive with plain headers, and walks that in place
// of the one that came.
func (r *rar) unlockHeaders(k key.Key) keyState {
	open, walk := r.openHeaders4, walkRAR4
	if r.five {
		open, walk = r.openHeaders5, walkRAR5
	}
	plain, state := open(k.Text)
	if state != keyFits {
		return state
	}
	if r.bud.Spend(r.of.Path, int64(len(plain))) != nil {
		return keyUntried
	}
	volume := r.index.volume
	r.b, r.lock.own = plain, true
	r.index = walk(plain, r.bud.Limits().Members)
	r.index.volume = r.index.volume || volume
	return keyFits
}

// openHeaders5 decrypts the headers of a RAR 5 archive: each stands behind its
// own first block, padded to the cipher's.
func (r *rar) openHeaders5(password string) ([]byte, keyState) {
	h, ok := readRAR5Block(r.b, len(rarMagic5))
	if !ok || h.kind != rar5Lock {
		return nil, keyWrong
	}
	h.fields.number() // version
	flags := h.fields.number()
	power, salt := h.fields.byte(), h.fields.bytes(16)
	s, state := r.secret5(password, power, salt)
	switch {
	case state != keyFits:
		return nil, state
	case flags&rar5Check != 0 && !bytes.Equal(h.fields.bytes(8), s.check):
		return nil, keyWrong
	}
	out := []byte(rarMagic5)
	for at := h.end; at+2*aes.BlockSize <= len(r.b); {
		s.iv = r.b[at : at+aes.BlockSize]
		at += aes.BlockSize
		first := bytes.Clone(r.b[at : at+aes.BlockSize])
		s.decrypt(first)
		f := rarFields{b: first[4:]}
		size := f.number()
		size += uint64(aes.BlockSize - len(f.b)) // checksum and the size itself
		padded := int((min(size, maxRARHeader) + aes.BlockSize - 1) &^ (aes.BlockSize - 1))
		if padded > len(r.b)-at {
			break
		}
		head := bytes.Clone(r.b[at : at+padded])
		s.decrypt(head)
		block, ok := readRAR5Block(head, 0)
		if !ok {
			break
		}
		at += padded
		data := r.b[at : at+int(min(block.packed, uint64(len(r.b)-at)))]
		out = append(append(out, head[:block.end]...), data...)
		if at += len(data); block.kind == rar5End {
			break
		}
	}
	if len(out) == len(rarMagic5) {
		return nil, keyWrong
	}
	return out, keyFits
}

// openHeaders4 decrypts the headers of a RAR 3 archive: each stands behind its
// own salt.
func (r *rar) openHeaders4(password string) ([]byte, keyState) {
	main, ok := readRAR4Block(r.b, len(rarMagic4))
	if !ok || main.kind != rar4Main {
		return nil, keyWrong
	}
	out := bytes.Clone(r.b[:main.end()])
	binary.LittleEndian.PutUint16(out[len(rarMagic4)+3:], main.flags&^rar4MainLocked)
	summed4(out[len(rarMagic4):])
	begun := len(out)
	for at := main.end(); at+rar4Salted+aes.BlockSize <= len(r.b); {
		s, state := r.secret4(password, r.b[at:at+rar4Salted])
		if state != keyFits {
			return nil, state
		}
		at += rar4Salted
		first := bytes.Clone(r.b[at : at+aes.BlockSize])
		s.decrypt(first)
		padded := (int(u16(first[5:])) + aes.BlockSize - 1) &^ (aes.BlockSize - 1)
		if padded == 0 || padded > len(r.b)-at {
			break
		}
		head := bytes.Clone(r.b[at : at+padded])
		s.decrypt(head)
		block, ok := readRAR4Block(head, 0)
		if !ok {
			break
		}
		at += padded
		data := r.b[at : at+int(min(block.packed(), uint64(len(r.b)-at)))]
		out = append(append(out, head[:block.end()]...), data...)
		if at += len(data); block.kind == rar4End {
			break
		}
	}
	if len(out) == begun {
		return nil, keyWrong
	}
	return out, keyFits
}

// packed is how much data follows the header.
func (h rar4Block) packed() uint64 {
	f := rarFields{b: h.body}
	if h.kind != rar4File && h.kind != rar4Service {
		if h.flags&rar4HasData == 0 {
			return 0
		}
		return uint64(f.u32())
	}
	low := uint64(f.u32())
	const high = 25 // where the upper half stands
	if h.flags&rar4Large != 0 && len(h.body) >= high+4 {
		low |= uint64(u32(h.body[high:])) << 32
	}
	return low
}
