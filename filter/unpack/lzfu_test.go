package unpack

import (
	"bytes"
	"encoding/hex"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/finding"
)

// lzfuOf packs text as literals: the plainest form that the format has.
func lzfuOf(text string) []byte {
	var data []byte
	for b := []byte(text); len(b) > 0; {
		n := min(len(b), 8)
		data = append(append(data, 0), b[:n]...)
		b = b[n:]
	}
	return lzfuAround(data, len(text), lzfuEnd(text))
}

// lzfuEnd is a run from where the next byte goes, below flags that say so.
func lzfuEnd(text string) []byte {
	at := (len(lzfuPreset) + len(text)) % lzfuWindow
	return []byte{1, byte(at >> 4), byte(at << 4)}
}

func lzfuAround(data []byte, size int, end []byte) []byte {
	if rest := size % 8; rest > 0 {
		last := len(data) - rest - 1 // the flags of the literals that end the data
		data[last] = 1 << rest
		end = end[1:]
	}
	data = append(data, end...)
	sum := ^crc32.Update(^uint32(0), crc32.IEEETable, data)
	return slices.Concat(le32(len(data)+12), le32(size), []byte("LZFu"), le32(int(sum)), data)
}

// TestLZFu has the two examples of MS-OXRTFCP §4.
func TestLZFu(t *testing.T) {
	tests := []struct{ name, packed, want string }{
		{"the simple example", "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c0900206277" +
			"05b06c647d0a800fa0", "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"},
		{"a run that reads what it writes", "1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0", "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"},
		{"our own packing", hex.EncodeToString(lzfuOf("{\\rtf1 資料 and more than eight bytes}")), "{\\rtf1 資料 and more than eight bytes}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packed, err := hex.DecodeString(tt.packed)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(newLZFu(packed[lzfuHead:]))
			if string(got) != tt.want || err != nil {
				t.Errorf("reading gives %q, %v, want %q", got, err, tt.want)
			}
			if !lzfuSum(packed[lzfuHead:], u32(packed[12:])) {
				t.Error("the checksum does not match")
			}
		})
	}
}

const wrapped = `{\rtf1\ansi\ansicpg932\fromhtml1 \deff0{\fonttbl{\f0\fnil MS Gothic;}}` + "\r\n" +
	`{\*\htmltag84 <a href="http://evil.example/a.exe">}\htmlrtf {\field{\*\fldinst{HYPERLINK "x"}}{\fldrslt\htmlrtf0 \'8e\'91\'97\'bf \u26085?\htmlrtf }}\htmlrtf0 {\*\htmltag92 </a>}\par }`

func TestCompressedRTFBodies(t *testing.T) {
	html := "<a href=\"http://evil.example/a.exe\">資料 日</a>\r\n"
	message := func(p property) []byte { return tnefOf(attribute(1, 0x9003, mapiOf(p))) }
	cut := lzfuOf(wrapped)
	cut = cut[:len(cut)/2]
	flipped := bytes.Clone(lzfuOf("{\\rtf1 a}"))
	flipped[12] ^= 1
	runItems(t, "tnef", []itemCase{
		{"HTML wrapped in RTF", message(property{propRTF, kindBinary, lzfuOf(wrapped)}), []string{": text/rtf " + wrapped, ": text/html " + html}, nil},
		{"honest RTF wraps nothing", message(property{propRTF, kindBinary, lzfuOf("{\\rtf1 a}")}), []string{": text/rtf {\\rtf1 a}"}, nil},
		{"stored, not packed", message(property{propRTF, kindBinary, slices.Concat(le32(20), le32(8), []byte("MELA"), le32(0), []byte("{\\rtf1 }"))}), []string{": text/rtf {\\rtf1 }"}, nil},
		{"cut", message(property{propRTF, kindBinary, cut}), []string{": text/rtf " + wrapped[:(len(cut)-lzfuHead)/9*8+(len(cut)-lzfuHead)%9-1], ": text/html <a href=\"http://evil.example/a.exe\""}, []finding.Kind{finding.ContainerBroken}},
		{"the checksum lies", message(property{propRTF, kindBinary, flipped}), []string{": text/rtf {\\rtf1 a}"}, []finding.Kind{finding.ContainerChecksum}},
		{"too short for a header", message(property{propRTF, kindBinary, []byte("abcdefgh")}), []string{": text/rtf abcdefgh"}, []finding.Kind{finding.ContainerBroken}},
		{"of no known kind", message(property{propRTF, kindBinary, []byte(strings.Repeat("x", 20))}), []string{": text/rtf " + strings.Repeat("x", 20)}, []finding.Kind{finding.ContainerBroken}},
		{"a plain body as a property", message(property{propBody, kindUnicode, wide("begin\x00")}), []string{": text/plain begin"}, nil},
	})
}

// FuzzCompressedRTF promises: what was packed reads back the same, any bytes
// keep the promise of containers, and HTML is valid wherever the RTF ends.
func FuzzCompressedRTF(f *testing.F) {
	f.Add([]byte(wrapped))
	f.Add(lzfuOf(wrapped)[lzfuHead:])
	f.Add([]byte("{\\rtf1\\fromhtml1{\\*\\htmltag1 \\'8e\\u-1?}\\htmlrtf{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := io.ReadAll(newLZFu(lzfuOf(string(b))[lzfuHead:])); !bytes.Equal(got, b) || err != nil {
			t.Fatalf("%q reads back as %q, %v", b, got, err)
		}
		html, _ := htmlInRTF(b)
		again, _ := htmlInRTF(bytes.Clone(b))
		if !bytes.Equal(html, again) {
			t.Fatal("same bytes, two answers")
		}
		packed := slices.Concat(le32(len(b)+12), le32(len(b)), []byte("LZFu"), le32(0), b)
		promise(t, "tnef", tnefOf(attribute(1, 0x9003, mapiOf(property{propRTF, kindBinary, packed}))))
	})
}
