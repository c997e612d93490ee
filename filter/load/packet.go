package load

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// chunkSize is the largest piece of a body that Postfix sends at once.
const chunkSize = 65535

// Job is a mail written as the packets that carry it, so that making them
// costs nothing while time is taken.
type Job struct {
	Kind string
	Size int
	// fields are the header fields, twice: values without and with the blank
	// after the colon, as the milter wishes.
	fields [2][][]byte
	chunks [][]byte
}

// Prepare writes mails as jobs.
func Prepare(mails []Mail) []Job {
	jobs := make([]Job, len(mails))
	for i, m := range mails {
		jobs[i] = prepare(m)
	}
	return jobs
}

func prepare(m Mail) Job {
	head, body, _ := bytes.Cut(m.Raw, []byte("\r\n\r\n"))
	j := Job{Kind: m.Kind, Size: len(m.Raw)}
	for _, f := range fields(string(head)) {
		name, value, _ := strings.Cut(f, ":")
		j.fields[0] = append(j.fields[0], packet('L', words(name, strings.TrimPrefix(value, " "))))
		j.fields[1] = append(j.fields[1], packet('L', words(name, value)))
	}
	for len(body) > 0 {
		n := min(chunkSize, len(body))
		j.chunks = append(j.chunks, packet('B', body[:n]))
		body = body[n:]
	}
	return j
}

// fields cuts a header; folds stay, their line ends LF as Postfix sends them.
func fields(head string) []string {
	var out []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if len(out) > 0 && strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			out[len(out)-1] += "\n" + line
			continue
		}
		out = append(out, line)
	}
	return out
}

// packet is a length, a code and what belongs to it.
func packet(code byte, data []byte) []byte {
	p := binary.BigEndian.AppendUint32(make([]byte, 0, 5+len(data)), uint32(1+len(data)))
	return append(append(p, code), data...)
}

// words are strings with a NUL behind each.
func words(w ...string) []byte { return []byte(strings.Join(w, "\x00") + "\x00") }

// macros is the packet that tells values before the step of code.
func macros(code byte, nameValue ...string) []byte {
	if len(nameValue) == 0 {
		return packet('D', []byte{code})
	}
	return packet('D', append([]byte{code}, words(nameValue...)...))
}
