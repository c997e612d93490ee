package specimen

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"debug/pe"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// samples are contents that lead an encoder into its corners.
func samples() map[string][]byte {
	chance := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 70000)
	for i := range noise {
		noise[i] = byte(chance.Uint32())
	}
	skewed := make([]byte, 0, 1<<18)
	for b, n := byte(0), 1; n < 1<<16; b, n = b+1, n*2 { // lengths beyond 16 bits, were they not levelled
		for range n {
			skewed = append(skewed, b)
		}
	}
	return map[string][]byte{
		"empty":      {},
		"byte":       {'a'},
		"one symbol": bytes.Repeat([]byte{'a'}, 50000),
		"two":        []byte("abababab"),
		"text":       []byte(strings.Repeat("年金機構への標的型メール。The quick brown fox.\r\n", 3000)),
		"noise":      noise,
		"skewed":     skewed,
		"program":    PE(),
	}
}

// lha returns the path of the oracle, the `lha` of lhasa or of LHA for UNIX.
func lha(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("lha")
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("lha is missing: install the Debian package lhasa")
	}
	t.Skip("lha is missing: install the Debian package lhasa to check our archives against it")
	return ""
}

func TestLZHExtracts(t *testing.T) {
	tool := lha(t)
	for name, data := range samples() {
		for level := range 3 {
			dir := t.TempDir()
			archive := filepath.Join(dir, "a.lzh")
			packed := LZH(Member{Name: "first.bin", Data: data, Level: level}, Member{Name: "Second.txt", Data: []byte("stored"), Method: "-lh0-", Level: level})
			if err := os.WriteFile(archive, packed, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(tool, "xw="+dir, archive).CombinedOutput(); err != nil {
				t.Fatalf("%s, level %d: lha: %v: %s", name, level, err, out)
			}
			for file, want := range map[string][]byte{"first.bin": data, "Second.txt": []byte("stored")} {
				got, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s, level %d: lha gives %d bytes of %s, want %d: %v", name, level, len(got), file, len(want), err)
				}
			}
		}
	}
}

func TestLZHPacks(t *testing.T) {
	text := samples()["text"]
	if got := len(LZH(Member{Name: "a.txt", Data: text})); got > len(text)/10 {
		t.Errorf("LZH of %d repeated bytes has %d", len(text), got)
	}
	if !bytes.Contains(LZH(Member{Name: "表.exe", Data: PE()}), []byte("-lh5-")) {
		t.Error("LZH does not use -lh5-")
	}
}

func TestLZHName(t *testing.T) {
	if !bytes.Contains(LZH(Member{Name: "表.exe"}), []byte("\x95\\.exe")) {
		t.Error("LZH(表.exe) does not hold the name in CP932")
	}
	if !bytes.Contains(LZH(Member{Name: "x", Raw: []byte("\xffraw")}), []byte("\xffraw")) {
		t.Error("LZH does not keep the raw name")
	}
}

func TestLevel2NeverBeginsWithEndMark(t *testing.T) {
	for n := 1; n < 600; n++ {
		b := LZH(Member{Raw: bytes.Repeat([]byte{'n'}, n), Level: 2})
		if b[0] == 0 {
			t.Fatalf("a name of %d bytes makes a header of %d", n, binary.LittleEndian.Uint16(b))
		}
	}
}

func TestZipReads(t *testing.T) {
	members := []Member{
		{Name: "deflated.txt", Data: samples()["text"]},
		{Name: "stored.exe", Data: PE(), Method: "store"},
		{Name: "日本語.txt", Raw: cp932("日本語.txt"), Data: []byte("a")},
	}
	archive := Zip(members...)
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range members {
		f, err := r.File[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, m.Data) {
			t.Errorf("member %q: %d bytes, want %d: %v", m.Name, len(got), len(m.Data), err)
		}
	}
	if got := r.File[2].Name; got != string(cp932("日本語.txt")) {
		t.Errorf("raw name is %q", got)
	}
}

func TestEncryptedZip(t *testing.T) {
	archive := EncryptedZip("kansho2026", Member{Name: "salary.exe", Data: PE()})
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	f := r.File[0]
	if f.Name != "salary.exe" || f.Flags&1 == 0 {
		t.Errorf("name %q, flags %x; want a readable name and the encryption flag", f.Name, f.Flags)
	}
	raw, err := f.OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := io.ReadAll(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := decrypted("kansho2026", sealed); got[11] != byte(f.CRC32>>24) || !bytes.Equal(got[12:], deflated(PE(), flate.BestCompression)) {
		t.Error("the right password does not give the content back")
	}
	if got := decrypted("wrong", sealed); bytes.Equal(got[12:], deflated(PE(), flate.BestCompression)) {
		t.Error("a wrong password gives the content back")
	}
}

func decrypted(password string, b []byte) []byte {
	keys := newZipKeys(password)
	out := make([]byte, len(b))
	for i, c := range b {
		k := keys[2] | 2
		out[i] = c ^ byte(k*(k^1)>>8)
		keys.update(out[i])
	}
	return out
}

func TestPEParses(t *testing.T) {
	f, err := pe.NewFile(bytes.NewReader(PE()))
	if err != nil {
		t.Fatal(err)
	}
	head, ok := f.OptionalHeader.(*pe.OptionalHeader32)
	if !ok || head.AddressOfEntryPoint != f.Sections[0].VirtualAddress {
		t.Fatalf("optional header %+v, section %+v", f.OptionalHeader, f.Sections[0])
	}
	code, err := f.Sections[0].Data()
	if err != nil || !bytes.HasPrefix(code, []byte{0x31, 0xc0, 0xc3}) {
		t.Errorf("code is %x, %v; want one that only returns", code[:min(8, len(code))], err)
	}
}

func TestLNK(t *testing.T) {
	b := LNK("notepad.exe")
	if len(b) != 0x4c+2+2*11+4 || binary.LittleEndian.Uint32(b) != 0x4c || b[4] != 0x01 || b[19] != 0x46 {
		t.Errorf("LNK has %d bytes, head %x", len(b), b[:20])
	}
}

func TestPDFTable(t *testing.T) {
	for _, text := range []string{"plain (text)", "御見積書"} {
		b := PDF(text)
		at := bytes.LastIndex(b, []byte("xref\n0 "))
		start := bytes.LastIndex(b, []byte("startxref\n"))
		var want int
		for _, c := range b[start+10 : bytes.LastIndex(b, []byte("\n%%EOF"))] {
			want = want*10 + int(c-'0')
		}
		if first := bytes.LastIndex(b[:start], []byte("xref\n")); first != want || at != want {
			t.Errorf("PDF(%q) points to %d for its table, which is at %d", text, want, first)
		}
	}
}
