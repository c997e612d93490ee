package report

import (
	"errors"

	"sekisho/filter/finding"
	"sekisho/filter/packed"
)

// ErrTooLarge is a Report that cannot be packed into the room there is.
var ErrTooLarge = errors.New("report: longer than allowed")

// Pack returns r as at most most bytes, for Unpack. A Report that is longer
// loses links, then entities, then findings from its end, and says so as a
// limit that was reached: the rules never take it for a clean one.
func Pack(r *Report, most int) ([]byte, error) {
	for {
		c := packed.Writer(make([]byte, 0, firstRoom))
		r.code(c, Expect{})
		if b := c.Bytes(); len(b) <= most {
			return b, nil
		}
		if !r.shorten() {
			return nil, ErrTooLarge
		}
	}
}

// firstRoom is more than most Reports take.
const firstRoom = 2 << 10

// Unpack reads a Report as if a stranger had sent it: no list is longer than
// its bound, all text is valid UTF-8, nothing stands behind it, and it is a
// Report of the input that was handed over. Whether it tells the truth cannot
// be known.
func Unpack(b []byte, want Expect) (*Report, error) {
	r := &Report{}
	c := packed.Reader(string(b))
	r.code(c, want)
	if err := c.End(); err != nil {
		return nil, err
	}
	if err := r.check(want); err != nil {
		return nil, err
	}
	return r, nil
}

// code hands every field to c; a test sees to it that none is forgotten.
func (r *Report) code(c *packed.Coder, want Expect) {
	c.Int(&r.Schema)
	c.Text(&r.Kind)
	c.Text(&r.SHA256)
	c.Int64(&r.Size)
	r.Header.code(c)
	entities := want.Limits.Members + 1
	packed.List(c, &r.Entities, entities, codeEntity)
	packed.List(c, &r.Links, MaxLinks, codeLink)
	packed.List(c, &r.Findings, mostFindings(entities), codeFinding)
	c.Flag(&r.Incomplete)
	c.Texts(&r.Passwords, MaxPasswords)
}

func (h *Header) code(c *packed.Coder) {
	c.Text(&h.Subject)
	c.Text(&h.MessageID)
	c.Text(&h.Date)
	for _, list := range []*[]Address{&h.From, &h.ReplyTo, &h.Sender, &h.To, &h.FromOther} {
		packed.List(c, list, MaxAddresses, codeAddress)
	}
	c.Int(&h.FromFields)
	c.Pairs(&h.Raw, maxPairs)
}

func codeAddress(c *packed.Coder, a *Address) {
	c.Text(&a.Name)
	c.Text(&a.Addr)
	c.Text(&a.Domain)
}

func codeEntity(c *packed.Coder, e *Entity) {
	c.Text(&e.Path)
	c.Int(&e.Depth)
	c.Text(&e.Name)
	c.Texts(&e.Names, maxList)
	c.Pairs(&e.Raw, maxList)
	c.Texts(&e.Exts, maxList)
	c.Texts(&e.Types, maxList)
	c.Text(&e.MediaType)
	c.Text(&e.Disposition)
	c.Text(&e.Reading)
	c.Int64(&e.Size)
	c.Text(&e.SHA256)
	for _, flag := range []*bool{&e.Encrypted, &e.Unread, &e.Dir, &e.Link} {
		c.Flag(flag)
	}
}

func codeLink(c *packed.Coder, l *Link) {
	for _, text := range []*string{&l.Path, &l.URL, &l.Shown, &l.Scheme, &l.Host, &l.Site, &l.Ext} {
		c.Text(text)
	}
}

func codeFinding(c *packed.Coder, f *finding.Finding) {
	kind := string(f.Kind)
	c.Text(&kind)
	f.Kind = finding.Kind(kind)
	c.Text(&f.Path)
	c.Pairs(&f.Evidence, maxPairs)
}

// shorten takes away what is missed least and states that; false when nothing
// is left to take.
func (r *Report) shorten() bool {
	reached := finding.New(finding.LimitReached, "", "limit", "report")
	switch {
	case len(r.Links) > 0:
		r.Links = nil
	case len(r.Entities) > 1:
		r.Entities = r.Entities[:len(r.Entities)/2]
	case len(r.Findings) > 2:
		r.Findings = r.Findings[:len(r.Findings)/2]
	default:
		return false
	}
	r.Findings = finding.Sort(append(r.Findings, reached))
	r.Incomplete = true
	return true
}
