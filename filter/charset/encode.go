package charset

import "golang.org/x/text/encoding/japanese"

// CP932 writes text in the charset of Japanese Windows; ok is false when it has
// no letters for it.
func CP932(text string) (b []byte, ok bool) {
	b, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(text))
	return b, err == nil
}
