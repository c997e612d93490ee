package budget

import "testing"

func TestTryEndsWithTheLimit(t *testing.T) {
	b := New(Limits{Tries: 100})
	for i, n := range []int64{60, 40} {
		if !b.Try(n) {
			t.Errorf("try %d of %d bytes was refused", i, n)
		}
	}
	if b.Try(1) || b.Try(-1) {
		t.Error("a try beyond the limit was granted")
	}
	if len(b.Reached()) != 0 {
		t.Errorf("Reached() = %v: no try is a limit of the message", b.Reached())
	}
	b = New(Default)
	if b.Stop(); b.Try(1) {
		t.Error("a try was granted after the gate's stop")
	}
}

func TestUndo(t *testing.T) {
	b := New(Limits{Bytes: 100, Members: 3, Tries: 1000})
	_ = b.Spend("a", 50)
	_ = b.Count("a")
	m := b.Mark()
	_ = b.Spend("b", 200)
	_ = b.Count("b")
	b.Undo(m)
	if b.Bytes() != 50 || b.Members() != 1 || len(b.Reached()) != 0 || b.Tries() != 200 {
		t.Errorf("after Undo: %d bytes, %d members, reached %v, %d tries", b.Bytes(), b.Members(), b.Reached(), b.Tries())
	}
	m = b.Mark()
	b.Stop()
	_ = b.Spend("c", 1)
	if b.Undo(m); len(b.Reached()) != 1 || b.Reached()[0].What != Time {
		t.Errorf("Reached() = %v after Undo, want that time ran out", b.Reached())
	}
}
