package sqlite

import (
	"testing"

	"sekisho/filter/quarantine"
	"sekisho/filter/quarantine/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) quarantine.Store { return open(t, t.TempDir()+"/q", Options{Serve: true}) })
}

func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	st, err := Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}
