package filter

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sekisho/filter/budget"
	"sekisho/filter/inspect"
	"sekisho/filter/quarantine"
	"sekisho/filter/record"
	"sekisho/filter/report"
	"sekisho/filter/session"
)

// packets are one message as Postfix sends it, after the connection's own.
func packets(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// shortText is a mail like most.
func shortText() (fields [][2]string, body string) {
	fields = [][2]string{{"From", " =?utf-8?B?5bGx55Sw?= <yamada@partner.example>"}, {"To", " hr@kansho.example.jp"},
		{"Subject", " =?utf-8?B?6K2w5LqL6Yyy?="}, {"Message-ID", " <1@partner.example>"}, {"MIME-Version", " 1.0"},
		{"Content-Type", " text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", " 8bit"}}
	return fields, strings.Repeat("お世話になっております。議事録は https://partner.example/minutes にあります。\r\n", 25)
}

// BenchmarkGateMessage is all of the gate's own work on a short text, from the
// socket to the answer; the Report is given. Its allocations are what the
// collector has to do for each message.
func BenchmarkGateMessage(b *testing.B) {
	fields, body := shortText()
	raw, packed := "", packets("DMi\x004bXyZ\x00", "M<sender@partner.example>\x00SIZE=3000\x00",
		"DRi\x004bXyZ\x00", "R<hr@kansho.example.jp>\x00", "DTi\x004bXyZ\x00", "T")
	for _, f := range fields {
		raw += f[0] + ":" + f[1] + "\r\n"
		packed = append(packed, packets("DLi\x004bXyZ\x00", "L"+f[0]+"\x00"+f[1]+"\x00")...)
	}
	raw += "\r\n" + body
	packed = append(packed, packets("N", "B"+body, "DEi\x004bXyZ\x00", "E", "A")...)
	rep := inspect.Run(inspect.Input{Kind: report.KindMail, Raw: []byte(raw)}, budget.New(budget.Default))
	conn := serveGate(b, rep)
	answer := make([]byte, 5)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(packed); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil || answer[4] != 'a' {
			b.Fatalf("answer %q, %v; want accept", answer, err)
		}
	}
}

// serveGate is a connection to a gate that takes rep for every message's.
func serveGate(b *testing.B, rep *report.Report) net.Conn {
	b.Helper()
	log := record.NewQueued(io.Discard, "json", time.Now)
	g := &Gate{Log: log, Now: time.Now, NewID: func() (quarantine.ID, error) { return quarantine.NewID(time.Now(), rand.Reader) }}
	j := defaultJudge(b)
	j.Inspect = func(context.Context, inspect.Input) *report.Report { return rep }
	g.Use(&Generation{Judge: j, AuthID: "mx.kansho.example.jp"})
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "m"))
	if err != nil {
		b.Fatal(err)
	}
	s := session.New(session.Config{SpoolDir: b.TempDir()}, g.Answer)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
		if err := <-served; err != nil {
			b.Error(err)
		}
		if err := log.Close(time.Second); err != nil {
			b.Error(err)
		}
	})
	if _, err := conn.Write(packets("O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff", "DCj\x00mx.kansho.example.jp\x00",
		"Cmail.partner.example\x004\x12\x67203.0.113.9\x00", "DH", "Hmail.partner.example\x00")); err != nil {
		b.Fatal(err)
	}
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		b.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(length[:]))); err != nil {
		b.Fatal(err)
	}
	return conn
}
