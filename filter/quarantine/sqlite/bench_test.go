package sqlite

import (
	"fmt"
	"testing"
	"time"

	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/storetest"
)

// BenchmarkKeep keeps mails of 100 KB on the disk of the temporary folder;
// every one is fsynced.
func BenchmarkKeep(b *testing.B) {
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			st := open(b, b.TempDir()+"/q", Options{Serve: true})
			b.SetBytes(100 << 10)
			b.ReportAllocs()
			storetest.Load(b, st, 100<<10, writers)
		})
	}
}

// BenchmarkManyEntries asks a store of 20,000 entries for what a reviewer
// sees: the first page, a page of one sender, and the start after a restart.
func BenchmarkManyEntries(b *testing.B) {
	const n = 20_000
	dir := b.TempDir() + "/q"
	st := open(b, dir, Options{Serve: true})
	fillRows(b, st, n)
	lists := map[string]quarantine.Filter{
		"first-page":  {Limit: 50},
		"last-page":   {Limit: 50, Until: storetest.Item(100).Received},
		"sender-none": {Limit: 50, Sender: "nobody@example.org"},
		"state-none":  {Limit: 50, State: quarantine.Releasing},
	}
	for name, f := range lists {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := st.List(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			st, err := Open(dir, Options{Serve: true})
			if err != nil {
				b.Fatal(err)
			}
			if err := st.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// fillRows lists n entries with small files, without the cost of an fsync
// each.
func fillRows(b *testing.B, st *Store, n int) {
	b.Helper()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for from := 0; from < n; from += 1000 {
		err := st.writer.change(b.Context(), func(t *tx) error {
			for i := from; i < from+1000; i++ {
				it, err := st.describe(storetest.Item(i), storetest.Mail(i)[:100])
				if err != nil {
					return err
				}
				it.ID = quarantine.ID(fmt.Sprintf("20260101-%010d", i))
				if err := fillFiles(st, it, storetest.Mail(i)[:100]); err != nil {
					return err
				}
				it.Received = at.Add(time.Duration(i) * time.Second)
				if _, err := t.insert(it); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func fillFiles(st *Store, it quarantine.Item, raw []byte) error {
	rec, err := encode(it)
	if err != nil {
		return err
	}
	for name, b := range map[string][]byte{string(it.ID): raw, string(it.ID) + ".json": rec} {
		f, err := st.disk.create(st.disk.msg, name)
		if err != nil {
			return err
		}
		if _, err := f.Write(b); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
