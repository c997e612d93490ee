package specimen

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"time"
)

// The flags of a zip member that are used here (APPNOTE 4.4.4).
const (
	zipEncrypted = 1 << 0
	zipUTF8      = 1 << 11
)

// Zip returns a zip archive of members: names in UTF-8, or as Raw says.
func Zip(members ...Member) []byte { return zipped("", members) }

// EncryptedZip is Zip with PKWARE's old cipher, which all programs know and
// which leaves the names readable.
func EncryptedZip(password string, members ...Member) []byte { return zipped(password, members) }

func zipped(password string, members []Member) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range members {
		head, content := zipMember(m)
		if password != "" {
			content = zipCrypt(password, head.CRC32, content)
			head.Flags |= zipEncrypted
			head.CompressedSize64 = uint64(len(content))
		}
		body, err := w.CreateRaw(head)
		must(err)
		_, err = body.Write(content)
		must(err)
	}
	must(w.Close())
	return out.Bytes()
}

// must states that writing to memory cannot fail.
func must(err error) {
	if err != nil {
		panic("specimen: " + err.Error())
	}
}

func zipMember(m Member) (*zip.FileHeader, []byte) {
	head := &zip.FileHeader{Name: m.Name, CRC32: crc32.ChecksumIEEE(m.Data), UncompressedSize64: uint64(len(m.Data))}
	head.Modified = time.Date(2015, 5, 8, 10, 28, 0, 0, time.UTC)
	head.Flags = zipUTF8
	if m.Raw != nil {
		head.Name, head.Flags, head.NonUTF8 = string(m.Raw), 0, true
	}
	content := m.Data
	if m.Method != "store" {
		head.Method = zip.Deflate
		content = deflated(m.Data, deflateLevel(m.Method))
	}
	head.CompressedSize64 = uint64(len(content))
	return head, content
}

// deflateLevel is "fast" for large members, where packing well takes long.
func deflateLevel(method string) int {
	if method == "fast" {
		return flate.BestSpeed
	}
	return flate.BestCompression
}

func deflated(b []byte, level int) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	must(err)
	_, err = w.Write(b)
	must(err)
	must(w.Close())
	return out.Bytes()
}

// zipKeys are the state of the cipher (APPNOTE 6.1).
type zipKeys [3]uint32

func newZipKeys(password string) *zipKeys {
	k := &zipKeys{0x12345678, 0x23456789, 0x34567890}
	for _, b := range []byte(password) {
		k.update(b)
	}
	return k
}

func (k *zipKeys) update(b byte) {
	k[0] = crcStep(k[0], b)
	k[1] = (k[1]+k[0]&0xff)*134775813 + 1
	k[2] = crcStep(k[2], byte(k[1]>>24))
}

func crcStep(crc uint32, b byte) uint32 { return crc32.IEEETable[byte(crc)^b] ^ crc>>8 }

func (k *zipKeys) encrypt(b byte) byte {
	t := k[2] | 2
	k.update(b)
	return b ^ byte(t*(t^1)>>8)
}

// zipCrypt encrypts content behind its header of 12 bytes, whose last byte
// lets a program see that the password is right.
func zipCrypt(password string, crc uint32, content []byte) []byte {
	keys := newZipKeys(password)
	plain := join([]byte("sekishodemo"), []byte{byte(crc >> 24)}, content)
	out := make([]byte, len(plain))
	for i, b := range plain {
		out[i] = keys.encrypt(b)
	}
	return out
}
