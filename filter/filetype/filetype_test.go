package filetype

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/testfile"
)

// Specimens: the least of each format that its readers take for whole.

func pe() []byte {
	b := make([]byte, 512)
	copy(b, "MZ\x90\x00\x03\x00\x00\x00\x04\x00")
	b[0x3c] = 0x80
	copy(b[0x80:], "PE\x00\x00\x4c\x01")
	return b
}

func zipOf(names ...string) []byte {
	var local, central []byte
	for _, name := range names {
		offset := len(local)
		h := make([]byte, 30)
		copy(h, "PK\x03\x04\x14")
		binary.LittleEndian.PutUint16(h[26:], uint16(len(name)))
		local = append(append(local, h...), name...)
		c := make([]byte, 46)
		copy(c, "PK\x01\x02\x14")
		binary.LittleEndian.PutUint16(c[28:], uint16(len(name)))
		binary.LittleEndian.PutUint32(c[42:], uint32(offset))
		central = append(append(central, c...), name...)
	}
	end := make([]byte, 22)
	copy(end, zipEnd)
	binary.LittleEndian.PutUint16(end[10:], uint16(len(names)))
	binary.LittleEndian.PutUint32(end[12:], uint32(len(central)))
	binary.LittleEndian.PutUint32(end[16:], uint32(len(local)))
	return slices.Concat(local, central, end)
}

func lzh0(name string) []byte {
	h := make([]byte, 22, 64)
	copy(h[2:], "-lh5-")
	h[21] = byte(len(name))
	h = append(append(h, name...), 0, 0)
	h[0] = byte(len(h) - 2)
	for _, c := range h[2:] {
		h[1] += c
	}
	return append(h, 0)
}

func tarOf(name string) []byte {
	b := make([]byte, 2048)
	copy(b, name)
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], []byte{byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0})
	return b
}

func arj() []byte {
	b := make([]byte, 48)
	copy(b, "\x60\xea\x22\x00\x1e\x0b\x01\x0b\x10\x00\x02")
	binary.LittleEndian.PutUint32(b[4+34:], crc32.ChecksumIEEE(b[4:4+34]))
	return b
}

func iso() []byte {
	b := make([]byte, 40<<10)
	copy(b[16*sector:], "\x01CD001\x01")
	return b
}

func fat12() []byte {
	b := make([]byte, 2048)
	copy(b, "\xeb\x3c\x90IBM  2.0\x00\x02\x02\x01\x00\x02\x70\x00\xd0\x02\xfd\x02\x00")
	copy(b[512:], "\xfd\xff\xff")
	return b
}

func ole(class string) []byte {
	b := make([]byte, 2048)
	copy(b, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	b[30] = 9
	copy(b[512+80:], class)
	return b
}

const (
	pdf     = "%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n%%EOF\n"
	png     = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	gif     = "GIF89a\x01\x00\x01\x00\x00\x00\x00;"
	lnk     = "L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00F"
	html    = "<!DOCTYPE html><html><body>お知らせ</body></html>"
	mht     = "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x--\r\n"
	eml     = "From: a@example.jp\r\nTo: b@example.jp\r\nSubject: x\r\n\r\nbody\r\n"
	rar     = "Rar!\x1a\x07\x01\x00\x33\x92"
	sevenz  = "7z\xbc\xaf\x27\x1c\x00\x04"
	msiRoot = "\x84\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"
)

func cat(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

func utf16le(s string) []byte {
	out := []byte("\xff\xfe")
	for _, r := range s {
		out = append(out, byte(r), byte(r>>8))
	}
	return out
}

func TestIdentify(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want []string
	}{
		{"nothing", nil, []string{}},
		{"unknown", []byte{0, 1, 2, 3, 0xfe}, []string{}},
		{"program", pe(), []string{"pe"}},
		{"a text that begins with MZ", []byte("MZ-80K は昭和の計算機である。その仕様を次に示す。"), []string{"text"}},
		{"ELF", []byte("\x7fELF\x02\x01\x01"), []string{"elf"}},
		{"Java class", []byte("\xca\xfe\xba\xbe\x00\x00\x00\x41\x00\x10\x0a\x00"), []string{"class"}},
		{"fat Mach-O", cat("\xca\xfe\xba\xbe\x00\x00\x00\x02", make([]byte, 40)), []string{"macho"}},
		{"shortcut", []byte(lnk), []string{"lnk"}},
		{"internet shortcut", []byte("[InternetShortcut]\r\nURL=file://host/a.exe\r\n"), []string{"url", "text"}},
		{"internet shortcut behind another section", []byte("[{000214A0-0000}]\r\nProp3=19,2\r\n[InternetShortcut]\r\nURL=x\r\n"), []string{"url", "text"}},
		{"a text that speaks of one", []byte("書式は [InternetShortcut] で始まる。"), []string{"text"}},
		{"a mail that quotes a launcher", []byte("Try this:\n\n[Desktop Entry]\nExec=xterm\n"), []string{"text"}},
		{"launcher", []byte("#!/usr/bin/env xdg-open\n\n[Desktop Entry]\nExec=xterm\n"), []string{"desktop", "script-shebang", "text"}},
		{"remote desktop", []byte("screen mode id:i:2\r\nfull address:s:host.example.net\r\n"), []string{"rdp", "text"}},
		{"shell command", []byte("[Shell]\r\nCommand=2\r\nIconFile=\\\\host\\a.ico\r\n"), []string{"scf", "text"}},
		{"shebang", []byte("#!/bin/sh\necho\n"), []string{"script-shebang", "text"}},
		{"a heading with a number sign", []byte("#1 議事録\n"), []string{"text"}},
		{"batch", []byte("@echo off\r\nstart x\r\n"), []string{"script-batch", "text"}},
		{"registry in UTF-16", utf16le("Windows Registry Editor Version 5.00\r\n"), []string{"script-registry", "text"}},
		{"encoded script", []byte("#@~^EwAAAA==\\ko$K6~J4JY=cGAAA==^#~@"), []string{"script-encoded", "text"}},
		{"scripting host", []byte(`var s = new ActiveXObject("WScript.Shell");`), []string{"script-wsh", "text"}},
		{"HTML application", []byte("<html><head><HTA:APPLICATION id=x></head></html>"), []string{"hta", "html", "text"}},
		{"ZIP", zipOf("議事録.txt"), []string{"zip"}},
		{"ZIP behind text", cat(strings.Repeat("readme ", 900), zipOf("a.txt")), []string{"zip", "text"}},
		{"docx", zipOf("[Content_Types].xml", "word/document.xml"), []string{"zip", "ooxml", "docx"}},
		{"docm", zipOf("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), []string{"zip", "ooxml", "ooxml-macro", "docx"}},
		{"odt", zipOf("mimetype", "META-INF/manifest.xml"), []string{"zip", "odf"}},
		{"jar", zipOf("META-INF/MANIFEST.MF", "a.class"), []string{"zip", "jar"}},
		{"LZH", lzh0("a.txt"), []string{"lzh"}},
		{"LZH behind a stub", cat(pe(), lzh0("a.txt")), []string{"pe", "lzh"}},
		{"a program that knows LZH", cat(pe(), "-lh5- is a method; so are -lh6-, -lzs- and -pm2-"), []string{"pe"}},
		{"ARJ", arj(), []string{"arj"}},
		{"ARJ behind a stub", cat(pe(), arj()), []string{"pe", "arj"}},
		{"a program that knows ARJ", cat(pe(), "\x60\xea\x2b\x00\x22\x0b\x01\x0b\x10\x00\x02", make([]byte, 60)), []string{"pe"}},
		{"tar", tarOf("a.txt"), []string{"tar"}},
		{"a ZIP as the last member of a tar", cat(tarOf("a.zip"), zipOf("a"), make([]byte, 1024)), []string{"tar"}},
		{"gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), []string{"gzip"}},
		{"ISO", iso(), []string{"iso"}},
		{"VHD", cat(make([]byte, 1024), "conectix", make([]byte, 504)), []string{"vhd"}},
		{"a floppy of DOS, without labels", fat12(), []string{"disk-image"}},
		{"a program of DOS that jumps", cat("\xeb\x3c\x90", noise(1000)), []string{}},
		{"OLE", ole(""), []string{"ole"}},
		{"MSI", ole(msiRoot), []string{"ole", "msi"}},
		{"RTF", []byte(`{\rtf1\ansi}`), []string{"rtf", "text"}},
		{"PDF", []byte(pdf), []string{"text", "pdf"}},
		{"PDF behind other bytes", cat("\x00\x01junk\n", pdf), []string{"pdf"}},
		{"PDF behind a line of text", cat("Content follows\n", pdf), []string{"text", "pdf"}},
		{"a text that speaks of PDF", []byte("見出しは %PDF-1.7 である。"), []string{"text"}},
		{"web page", []byte(html), []string{"html", "text"}},
		{"web page in UTF-16", utf16le(html), []string{"html", "text"}},
		{"SVG", []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`), []string{"svg", "xml", "text"}},
		{"mail", []byte(eml), []string{"eml", "text"}},
		{"a mail that quotes HTML", []byte(eml + "<html><body>"), []string{"eml", "text"}},
		{"web archive", []byte(mht), []string{"mht", "eml", "text"}},
		{"memo with a colon", []byte("To: everyone\nNo meeting today\n"), []string{"text"}},
		{"signature", []byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02"), []string{"pkcs7-signed", "pkcs7"}},
		{"Shift_JIS", []byte("\x8b\x63\x8e\x96\x98\x5e\r\n"), []string{"text"}},
		{"ISO-2022-JP", []byte("\x1b$B5D;vO?\x1b(B\r\n"), []string{"text"}},
		{"PNG", []byte(png), []string{"png"}},
		{"program that carries a cabinet", cat(pe(), "MSCF\x00\x00\x00\x00\x30\x00\x00\x00"), []string{"pe", "cab"}},
		{"icon", cat("\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00\x20\x00\x68\x04\x00\x00\x16\x00\x00\x00", make([]byte, 40)), []string{"ico"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Identify(tt.in); !slices.Equal(got, tt.want) {
				t.Errorf("Identify(%.40q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestPolyglot(t *testing.T) {
	padded := slices.Concat(iso(), zipOf("a.exe"))
	tests := []struct {
		name string
		in   []byte
		want bool
	}{
		{"PDF and ZIP", cat(pdf, zipOf("a.exe")), true},
		{"PDF and ZIP with junk behind", cat(pdf, zipOf("a.exe"), "junk"), true},
		{"GIF and JAR", cat(gif, zipOf("META-INF/MANIFEST.MF", "a.class")), true},
		{"PNG and LZH", cat(png, lzh0("a.exe")), true},
		{"PNG and RAR", cat(png, rar), true},
		{"PNG and 7z", cat(png, sevenz), true},
		{"program and PDF", cat(pe(), pdf), true},
		{"ISO and ZIP", padded, true},
		{"shortcut and ZIP", cat(lnk, make([]byte, 60), zipOf("a.exe")), true},
		{"MalDoc in PDF", cat(pdf, mht), true},
		{"a PDF", []byte(pdf), false},
		{"cabinet and ZIP", cat("MSCF\x00\x00\x00\x00\x30\x00\x00\x00", make([]byte, 36), zipOf("a.exe")), true},
		{"a ZIP stored last in a cabinet", cat("MSCF\x00\x00\x00\x00\x00\x10\x00\x00", make([]byte, 36), zipOf("a.docx")), false},
		{"a PDF stored in a ZIP", cat("PK\x03\x04", make([]byte, 26), pdf), false},
		{"a PDF stored in a 7z", cat(sevenz, make([]byte, 24), pdf), false},
		{"a PDF in winmail.dat", cat("\x78\x9f\x3e\x22\x01\x00", pdf, zipOf("a.docx"), "\x00\x00"), false},
		{"a docx", zipOf("[Content_Types].xml", "word/document.xml"), false},
		{"a JAR", zipOf("META-INF/MANIFEST.MF", "a.class"), false},
		{"a self-extractor", cat(pe(), zipOf("a.exe")), false},
		{"a self-extractor with a cabinet", cat(pe(), "MSCF\x00\x00\x00\x00\x30\x00\x00\x00"), false},
		{"an MSI", ole(msiRoot), false},
		{"a web archive", []byte(mht), false},
		{"a spreadsheet kept in a PDF", cat(pdf, zipOf("[Content_Types].xml"), "endstream\nendobj\n%%EOF\n"), false},
		{"a spreadsheet kept in an OLE file", cat(ole(""), zipOf("[Content_Types].xml"), make([]byte, 512)), false},
		{"an SVG", []byte(`<?xml version="1.0"?><svg xmlns="x"><!-- <html> --></svg>`), false},
		{"HTML application", []byte("<html><head><HTA:APPLICATION id=x></head></html>"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if types := Identify(tt.in); Polyglot(types) != tt.want {
				t.Errorf("Polyglot(%q) = %t, want %t", types, !tt.want, tt.want)
			}
		})
	}
}

func TestMismatch(t *testing.T) {
	tests := []struct {
		name  string
		exts  string
		in    []byte
		ext   string
		found bool
	}{
		{"program as PDF", "pdf", pe(), "pdf", true},
		{"program as text", "txt", pe(), "txt", true},
		{"program without extension", "", pe(), "", true},
		{"shortcut as image", "jpg", []byte(lnk), "jpg", true},
		{"ZIP as docx", "docx", zipOf("a.scr"), "docx", true},
		{"macro document as docx", "docx", zipOf("[Content_Types].xml", "word/vbaProject.bin"), "docx", true},
		{"LZH as ZIP", "zip", lzh0("a.exe"), "zip", true},
		{"RAR as ZIP", "zip", []byte(rar), "zip", true},
		{"ZIP as image", "png", zipOf("a.exe"), "png", true},
		{"ISO as PDF", "pdf", iso(), "pdf", true},
		{"web page as PDF", "pdf", []byte(html), "pdf", true},
		{"MSI as doc", "doc", ole(msiRoot), "doc", true},
		{"HTML application as doc", "doc", []byte("<html><HTA:APPLICATION></html>"), "doc", true},
		{"script as image", "jpg", []byte("@echo off\r\n"), "jpg", true},
		{"self-extractor as ZIP", "zip", cat(pe(), zipOf("a.exe")), "zip", true},
		{"one of two names", "exe pdf", pe(), "pdf", true},
		{"program by its own name", "exe", pe(), "", false},
		{"unknown extension", "bin", pe(), "", false},
		{"docx", "docx", zipOf("[Content_Types].xml", "word/document.xml"), "", false},
		{"old format by the new name", "docx", ole(""), "", false},
		{"new format by the old name", "xls", zipOf("[Content_Types].xml", "xl/workbook.xml"), "", false},
		{"web page as xls", "xls", []byte(html), "", false},
		{"web archive as doc", "doc", []byte(mht), "", false},
		{"RTF as doc", "doc", []byte(`{\rtf1}`), "", false},
		{"docx called ZIP", "zip", zipOf("[Content_Types].xml", "word/document.xml"), "", false},
		{"odt", "odt", zipOf("mimetype", "META-INF/manifest.xml"), "", false},
		{"Ichitaro", "jtd", ole(""), "", false},
		{"JPEG named PNG", "png", []byte("\xff\xd8\xff\xe0\x00\x10JFIF"), "", false},
		{"shell script as text", "txt", []byte("#!/bin/sh\n"), "", false},
		{"page source as text", "txt", []byte(html), "", false},
		{"mail", "eml", []byte(eml), "", false},
		{"CSV", "csv", []byte("a,b\r\n1,2\r\n"), "", false},
		{"README", "", []byte("読んでください\n"), "", false},
		{"tgz", "tgz", []byte("\x1f\x8b\x08\x00"), "", false},
		{"nothing known", "pdf", []byte{0, 1, 2}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			types := Identify(tt.in)
			if ext, found := Mismatch(strings.Fields(tt.exts), types); ext != tt.ext || found != tt.found {
				t.Errorf("Mismatch(%q, %q) = %q, %t, want %q, %t", tt.exts, types, ext, found, tt.ext, tt.found)
			}
		})
	}
}

// TestTable asks each type for a match of its own and none of nothing.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, typ := range Types {
		if seen[typ.Name] {
			t.Errorf("type %q stands twice", typ.Name)
		}
		seen[typ.Name] = true
		if typ.Match(nil) || typ.Match(make([]byte, 4096)) {
			t.Errorf("type %q matches nothing", typ.Name)
		}
	}
	for name, inner := range wraps {
		for _, n := range append(inner, name) {
			if !seen[n] {
				t.Errorf("wraps speaks of %q, which is no type", n)
			}
		}
	}
}

func benchmark(b *testing.B, data []byte) {
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		Identify(data)
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func BenchmarkIdentifyNoise(b *testing.B) { benchmark(b, cat(png, noise(1<<20))) }

func BenchmarkIdentifyText(b *testing.B) {
	benchmark(b, bytes.Repeat([]byte("- 議事録を送ります。Please find-l the PK 7z list -- below.\n"), 16000))
}

func BenchmarkIdentifyZIP(b *testing.B) {
	benchmark(b, cat("PK\x03\x04", noise(1<<20), zipOf("[Content_Types].xml", "word/document.xml")))
}

func BenchmarkIdentifyDashes(b *testing.B) {
	benchmark(b, cat("\x00", bytes.Repeat([]byte("-l"), 1<<19)))
}

// FuzzIdentify promises: same bytes, same answer, in the table's order, and
// what textual types are told at once they are told alone.
func FuzzIdentify(f *testing.F) {
	for _, seed := range [][]byte{pe(), zipOf("[Content_Types].xml", "xl/a"), lzh0("a"), tarOf("a"), ole(msiRoot), []byte(pdf), []byte(mht), []byte(rar)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := Identify(b)
		if again := Identify(bytes.Clone(b)); !reflect.DeepEqual(got, again) {
			t.Fatalf("same bytes, two answers: %q, %q", got, again)
		}
		want := []string{}
		for _, typ := range Types {
			if typ.Match(b) {
				want = append(want, typ.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("Identify = %q, the types alone say %q", got, want)
		}
		Mismatch([]string{"pdf"}, got)
		Polyglot(got)
	})
}

// TestCorpus compares with the labels of other projects' suites, if
// SEKISHO_CORPUS names the folder they are in.
func TestCorpus(t *testing.T) {
	for suite, want := range map[string]string{"lzh": "lzh", "rar": "rar", "zip": "zip", "msg": "msg", "cab": "cab", "onenote": "onenote", "tnef": "tnef", "iso-img": "iso", "pdf": "pdf"} {
		files, _ := filepath.Glob(filepath.Join(testfile.Corpus(t, suite), "files", "*"))
		right, polyglots := 0, 0
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			types := Identify(b)
			if slices.Contains(types, want) {
				right++
			}
			if Polyglot(types) {
				polyglots++
				t.Logf("%s: %q", name, types)
			}
		}
		t.Logf("%s: %d of %d, polyglots %d", suite, right, len(files), polyglots)
		if right*100 < len(files)*85 || polyglots*50 > len(files) {
			t.Errorf("%s: %d of %d recognised, %d polyglots", suite, right, len(files), polyglots)
		}
	}
}
