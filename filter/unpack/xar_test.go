package unpack

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sekisho/filter/finding"
)

func zlibOf(s string) string {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write([]byte(s)) // a buffer takes all
	_ = w.Close()
	return z.String()
}

// xarOf makes an archive of a table of contents and what stands in its heap.
func xarOf(toc, heap string) []byte {
	packed := zlibOf(`<?xml version="1.0" encoding="UTF-8"?><xar><toc>` + toc + "</toc></xar>")
	head := binary.BigEndian.AppendUint32([]byte("xar!"), xarHead<<16|1)
	head = binary.BigEndian.AppendUint64(head, uint64(len(packed)))
	head = binary.BigEndian.AppendUint64(head, 0)
	return slices.Concat(head, make([]byte, 4), []byte(packed), []byte(heap))
}

func xarEntry(name, style string, at, length, size int) string {
	return fmt.Sprintf(`<file id="1"><data><length>%d</length><offset>%d</offset><size>%d</size><encoding style=%q/></data><type>file</type><name>%s</name></file>`,
		length, at, size, style, name)
}

func TestXAR(t *testing.T) {
	packed := zlibOf(letter)
	plain := func(name string, size int) string {
		return xarEntry(name, "application/octet-stream", 0, size, size)
	}
	folder := func(inner string) string {
		return `<file id="2"><name>資料</name><type>directory</type>` + inner + "</file>"
	}
	deep := strings.Repeat("<file><name>a</name>", maxFolders+2)
	runItems(t, "xar", []itemCase{
		{"a package with a document", xarOf(folder(xarEntry("議事録.txt", "application/x-gzip", 0, len(packed), len(letter))), packed), []string{"資料/議事録.txt: " + letter, "資料: "}, nil},
		{"as it is", xarOf(plain("a.exe", len(stub)), stub), []string{"a.exe: " + stub}, nil},
		{"a packing that nobody knows", xarOf(xarEntry("a.exe", "application/x-new", 0, 1, 1), "x"), []string{"a.exe: "}, []finding.Kind{finding.ContainerMethod}},
		{"beyond the end", xarOf(plain("a.exe", 99), "x"), []string{"a.exe: x"}, []finding.Kind{finding.ContainerBroken}},
		{"an offset below zero", xarOf(xarEntry("a.exe", "", -5, 1, 1), "x"), []string{"a.exe: "}, []finding.Kind{finding.ContainerBroken}},
		{"a table that is broken off", xarOf("<file><name>&", ""), []string{"&: "}, nil},
		{"a table in another charset", over(xarOf(plain("a", 1), "x"), xarHead, zlibOf(`<?xml version="1.0" encoding="x-none"?>`)), nil, []finding.Kind{finding.ContainerBroken}},
		{"folders without end", xarOf(deep, ""), nil, []finding.Kind{finding.ContainerConflict}},
		{"cut in the table", xarOf(plain("a", 1), "x")[:40], nil, []finding.Kind{finding.ContainerBroken}},
		{"cut in the header", []byte("xar!\x00\x1c"), nil, []finding.Kind{finding.ContainerBroken}},
	})
}

func FuzzXAR(f *testing.F) {
	f.Add(xarOf(xarEntry("a.txt", "application/x-gzip", 0, len(zlibOf(letter)), len(letter)), zlibOf(letter)))
	f.Add(xarOf(xarEntry("a.txt", "", 0, 1, 1), "x"))
	f.Fuzz(func(t *testing.T, b []byte) { promise(t, "xar", b) })
}
