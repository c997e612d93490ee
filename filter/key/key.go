// Package key holds the passwords that are tried on what a message encloses.
//
// A Key says where it comes from, since that is what a finding may tell: the
// password itself is a secret of two correspondents and stands in no finding,
// log line or Report. Who gathers keys, and who tries them, is not its concern.
package key

import "slices"

// Sources of keys.
const (
	List    = "list"    // the operator's configuration
	Subject = "subject" // of the same message
	Body    = "body"    // a text of the same message
	Mail    = "mail"    // another message of the same sender
	Default = "default" // a program's own, tried before it asks anyone
	Empty   = "empty"
)

// Key is one password and where it comes from.
type Key struct {
	Text   string `json:"text"`
	Source string `json:"source"`
	// Weak says that nothing but its look makes it a password; such keys are
	// tried last.
	Weak bool `json:"weak,omitempty"`
}

// Most keys of one ring, and the longest: a mail that offers more offers noise.
const (
	Most    = 256
	Longest = 128
)

// Ring is a bounded set of keys in the order of trying. A nil Ring is empty. It
// is used by one goroutine.
type Ring struct {
	keys []Key
	at   map[string]bool
}

// NewRing returns a ring of keys.
func NewRing(keys ...Key) *Ring {
	r := &Ring{at: map[string]bool{}}
	for _, k := range keys {
		r.Add(k)
	}
	return r
}

// Add puts k behind the keys that are as strong; false says that it is known,
// too long, or one too many.
func (r *Ring) Add(k Key) bool {
	if r.at[k.Text] || len(k.Text) > Longest || len(r.keys) >= Most {
		return false
	}
	r.at[k.Text] = true
	at := len(r.keys)
	if !k.Weak {
		if weak := slices.IndexFunc(r.keys, func(o Key) bool { return o.Weak }); weak >= 0 {
			at = weak
		}
	}
	r.keys = slices.Insert(r.keys, at, k)
	return true
}

// Keys returns the keys in the order of trying.
func (r *Ring) Keys() []Key {
	if r == nil {
		return nil
	}
	return slices.Clone(r.keys)
}

// Len is the number of keys.
func (r *Ring) Len() int {
	if r == nil {
		return 0
	}
	return len(r.keys)
}

// Worked moves k to the front: what opened one member opens the next.
func (r *Ring) Worked(k Key) {
	i := slices.IndexFunc(r.keys, func(o Key) bool { return o.Text == k.Text })
	if i > 0 {
		k = r.keys[i]
		copy(r.keys[1:i+1], r.keys[:i])
		r.keys[0] = k
	}
}
