package filetype

import (
	"bytes"
	"testing"
	"time"
)

// TestMarksCostNoSquare has a tail full of the marks that end a ZIP. The bound is
// wide enough for a slow machine under load and below what a square takes.
func TestMarksCostNoSquare(t *testing.T) {
	const bound = 2 * time.Second
	for name, mark := range map[string]string{"end records": zipEnd, "end records apart": zipEnd + "xx", "local headers": "PK\x03\x04", "LZH methods": "-lh5-", "PDF headers": "%PDF-"} {
		t.Run(name, func(t *testing.T) {
			b := bytes.Repeat([]byte(mark), 1<<20/len(mark))
			start := time.Now()
			Identify(b)
			if took := time.Since(start); took > bound {
				t.Errorf("Identify of %d marks took %s, want at most %s", 1<<20/len(mark), took, bound)
			}
		})
	}
}
