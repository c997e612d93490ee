package inspect

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// taken is what some reader takes for a file.
type taken struct {
	Name string
	Body []byte
}

// reader extracts what it takes for files from a mail.
type reader struct {
	name string
	read func([]byte) []taken
}

// tolerant are readers other than ours, each lenient in its own way.
func tolerant(t *testing.T) []reader {
	return []reader{
		{"Python's email", pythonEmail(t)},
		{"Go's net/mail and mime", func(raw []byte) []taken {
			m, err := mail.ReadMessage(bytes.NewReader(raw))
			if err != nil {
				return nil
			}
			return goParts(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
		}},
		{"search for boundaries", bySearch},
		{"line by line", byLine},
		{"uudecode", byUU},
	}
}

// pythonEmail runs one Python for all mails.
func pythonEmail(t *testing.T) func([]byte) []taken {
	t.Helper()
	program, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("%v (make setup installs it)", err)
	}
	cmd := exec.Command(program, "testdata/extract.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	answers := bufio.NewReader(out)
	return func(raw []byte) []taken {
		if _, err := fmt.Fprintf(in, "%d\n%s", len(raw), raw); err != nil {
			t.Fatal(err)
		}
		line, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var list []taken
		if err := json.Unmarshal(line, &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
}

// goParts reads a part as a program does that is built on the standard library.
func goParts(contentType, encoding string, body io.Reader) []taken {
	kind, params, err := mime.ParseMediaType(contentType)
	if err == nil && strings.HasPrefix(kind, "multipart/") {
		var out []taken
		for r := multipart.NewReader(body, params["boundary"]); ; {
			p, err := r.NextRawPart()
			if err != nil {
				return out
			}
			out = append(out, goParts(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)...)
		}
	}
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	b, _ := io.ReadAll(body) // what was read before it broke is what is shown
	if m, err := mail.ReadMessage(bytes.NewReader(b)); err == nil && strings.HasPrefix(kind, "message/") {
		return goParts(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
	}
	return []taken{{params["name"], b}}
}

var (
	boundaryAnywhere = regexp.MustCompile(`(?i)boundary\s*=\s*"?([^";\r\n]+)"?`)
	nameAnywhere     = regexp.MustCompile(`(?i)name\s*=\s*"?([^";\r\n]+)"?`)
	encodingAnywhere = regexp.MustCompile(`(?im)^[ \t]*content-transfer-encoding\s*:\s*"?([a-z0-9-]+)`)
	emptyLine        = regexp.MustCompile(`\r?\n[ \t]*\r?\n|\r\r`)
	bodyLine         = regexp.MustCompile(`(?m)^[A-Za-z0-9+/=\x60!-_]{40,}\r*\n`)
)

// bySearch looks for every boundary that is named anywhere, in any place.
func bySearch(raw []byte) (out []taken) {
	for _, m := range boundaryAnywhere.FindAllSubmatch(raw, 8) {
		for _, piece := range bytes.Split(raw, append([]byte("--"), bytes.TrimSpace(m[1])...)) {
			out = append(out, pieceOf(piece)...)
		}
	}
	return out
}

// pieceOf reads what stands between two delimiters.
func pieceOf(piece []byte) []taken {
	at := emptyLine.FindIndex(piece)
	if at == nil {
		return nil
	}
	head, body := piece[:at[0]], piece[at[1]:]
	name := ""
	if m := nameAnywhere.FindSubmatch(head); m != nil {
		name = string(m[1])
	}
	encoding := ""
	if m := encodingAnywhere.FindSubmatch(head); m != nil {
		encoding = strings.ToLower(string(m[1]))
	}
	switch encoding {
	case "base64":
		return []taken{{name, lenient64(body)}}
	case "quoted-printable":
		b, _ := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		return []taken{{name, b}}
	}
	return []taken{{name, body}}
}

// lenient64 drops all that is not of the alphabet and ends at the padding.
func lenient64(body []byte) []byte {
	clean := bytes.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' {
			return c
		}
		return -1
	}, body)
	clean, _, _ = bytes.Cut(clean, []byte("="))
	out, _ := base64.RawStdEncoding.DecodeString(string(clean))
	return out
}

// byLine goes through the lines as an old client does: the last boundary seen and
// dashes, wherever the line is indented, start a part; the first empty line below
// a field ends its header; base64 is decoded line by line as long as it lasts.
func byLine(raw []byte) (out []taken) {
	var boundary, encoding, name string
	var body []byte
	fields, inHeader := 0, true
	end := func() {
		if encoding == "base64" && len(body) > 0 {
			out = append(out, taken{name, body})
		}
		encoding, name, body, inHeader, fields = "", "", nil, true, 0
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(string(raw), "\r", "\n"), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case boundary != "" && strings.HasPrefix(trimmed, "--"+boundary):
			end()
		case inHeader && trimmed == "":
			inHeader = fields == 0
		case inHeader:
			fields++
			if m := boundaryAnywhere.FindStringSubmatch(line); m != nil {
				boundary = strings.TrimSpace(m[1])
			}
			if m := encodingAnywhere.FindStringSubmatch(line); m != nil {
				encoding = strings.ToLower(m[1])
			}
			if m := nameAnywhere.FindStringSubmatch(line); m != nil {
				name = m[1]
			}
		default:
			if b, err := base64.StdEncoding.DecodeString(trimmed); err == nil {
				body = append(body, b...)
			}
		}
	}
	end()
	return out
}

// byUU is uudecode: it cares for nothing but the line that begins a file.
func byUU(raw []byte) (out []taken) {
	var body []byte
	open := false
	for line := range strings.SplitSeq(string(raw), "\n") {
		line = strings.TrimRight(line, "\r")
		switch {
		case strings.HasPrefix(line, "begin "):
			open, body = true, nil
		case line == "end" && open:
			out = append(out, taken{"", body})
			open = false
		case open && len(line) > 0:
			body = append(body, uuText(line)...)
		}
	}
	return out
}

func uuText(line string) (out []byte) {
	n := int(line[0]-' ') & 63
	for i := 1; i < len(line) && len(out) < n; i += 4 {
		var v uint32
		for k := range 4 {
			v <<= 6
			if i+k < len(line) {
				v |= uint32(line[i+k]-' ') & 63
			}
		}
		out = append(out, byte(v>>16), byte(v>>8), byte(v))
	}
	return out[:min(n, len(out))]
}
