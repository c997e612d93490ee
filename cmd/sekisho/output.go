package main

import (
	"bytes"
	"encoding/json"
	"io"

	"sekisho/filter/escape"
)

// printJSON writes v as one line of JSON that is safe on a terminal.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escape.JSON(b.Bytes()))
	return err
}
