package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// textWriter turns JSON lines into lines for people: time, level,
// event, then field=value in the order of the JSON. The values were escaped
// before; what JSON itself escapes stays visible through %q.
type textWriter struct{ w io.Writer }

func (t textWriter) Write(lines []byte) (int, error) {
	var out strings.Builder
	for line := range bytes.Lines(lines) {
		text, err := render(line)
		if err != nil {
			text = string(line)
		}
		out.WriteString(text)
	}
	if _, err := io.WriteString(t.w, out.String()); err != nil {
		return 0, err
	}
	return len(lines), nil
}

// render reads one flat JSON object token by token, so that the order stays.
func render(line []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if _, err := dec.Token(); err != nil {
		return "", err
	}
	head := map[string]string{}
	var rest []string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return "", err
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return "", err
		}
		name := fmt.Sprint(key)
		if slices.Contains([]string{"time", "level", "event"}, name) {
			head[name] = fmt.Sprint(v)
			continue
		}
		rest = append(rest, name+"="+show(v))
	}
	return fmt.Sprintf("%s %-5s %s %s\n", head["time"], head["level"], head["event"], strings.Join(rest, " ")), nil
}

// show writes one value: words bare, other text quoted, lists and objects as
// JSON.
func show(v any) string {
	switch v := v.(type) {
	case string:
		if v != "" && !strings.ContainsAny(v, " =\"") {
			return v
		}
		return `"` + strings.ReplaceAll(v, `"`, `\"`) + `"`
	case []any, map[string]any:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err == nil {
			return strings.TrimSpace(b.String())
		}
	}
	return fmt.Sprint(v)
}
