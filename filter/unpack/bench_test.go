package unpack

import (
	"fmt"
	"strings"
	"testing"

	"sekisho/filter/budget"
	"sekisho/filter/entity"
)

// office is text that deflate packs about as well as the XML of a document.
func office(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `<w:p w:rsidR="%08X"><w:r><w:t>第%d項 支給額 %d 円</w:t></w:r></w:p>`, i*2654435761, i, i*i*7919%1000003)
	}
	return b.String()[:n]
}

func benchmarkWalk(b *testing.B, typ string, body []byte, plain int) {
	b.SetBytes(int64(plain))
	b.ReportAllocs()
	for b.Loop() {
		Walk(&entity.Entity{Path: "2", Body: body}, []string{typ}, budget.New(budget.Default), func(*entity.Entity) {})
	}
}

// BenchmarkZip measures decoded bytes of a zip of 5 MB within.
func BenchmarkZip(b *testing.B) {
	var members []made
	for i := range 5 {
		members = append(members, made{name: fmt.Sprint(i, ".xml"), data: office(1 << 20), method: 8})
	}
	benchmarkWalk(b, "zip", zipOf(members...), 5<<20)
}

// BenchmarkZipDeflate64 measures our own inflater.
func BenchmarkZipDeflate64(b *testing.B) {
	text := office(1 << 20)
	benchmarkWalk(b, "zip", zipOf(made{name: "a", data: text, method: 9, packed: deflated(text)}), 1<<20)
}

// BenchmarkZipMany measures the cost of a member: 2,000 small ones.
func BenchmarkZipMany(b *testing.B) {
	var members []made
	for i := range 2000 {
		members = append(members, made{name: fmt.Sprint(i, ".txt"), data: letter, method: 8})
	}
	benchmarkWalk(b, "zip", zipOf(members...), 2000*len(letter))
}

func BenchmarkGzip(b *testing.B) {
	benchmarkWalk(b, "gzip", gzipped(b, "a", office(5<<20)), 5<<20)
}
