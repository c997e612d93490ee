package rule

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"sekisho/filter/finding"
	"sekisho/filter/mail"
	"sekisho/filter/report"
)

// Facts are all that a rule may speak of: the worker's Report, the SMTP
// session and the authentication results, copied and cut to size, so that
// the cost of judging has a bound that the sender cannot move.
//
// The names in the tags are the words of the rule language: they are never
// renamed once released.
type Facts struct {
	// Kind is "mail" or "file".
	Kind       string    `expr:"kind" yaml:"kind"`
	Size       int       `expr:"size" yaml:"size"`
	Incomplete bool      `expr:"incomplete" yaml:"incomplete"`
	Header     Header    `expr:"header" yaml:"header"`
	Entities   []Entity  `expr:"entities" yaml:"entities"`
	Findings   []Finding `expr:"findings" yaml:"findings"`
	Links      []Link    `expr:"links" yaml:"links"`
	Client     Client    `expr:"client" yaml:"client"`
	Envelope   Envelope  `expr:"envelope" yaml:"envelope"`
	Auth       Auth      `expr:"auth" yaml:"auth"`
	// Inside says that the message comes from our own people: the client
	// logged in, or the caller knows its network.
	Inside bool `expr:"inside" yaml:"inside"`
	// OwnDomains are the domains that only our own people send from. The
	// caller fills it from the configuration.
	OwnDomains []string `expr:"own_domains" yaml:"own_domains"`
	// HoldEncrypted says that the operator wants what needs a password to wait
	// for it in quarantine. The caller fills it from the configuration.
	HoldEncrypted bool `expr:"hold_encrypted" yaml:"hold_encrypted"`

	subjects []subject
	kinds    map[string]bool // of the findings
}

// Header is what the message header says.
type Header struct {
	Subject   string    `expr:"subject" yaml:"subject"`
	MessageID string    `expr:"message_id" yaml:"message_id"`
	Date      string    `expr:"date" yaml:"date"`
	From      []Address `expr:"from" yaml:"from"`
	ReplyTo   []Address `expr:"reply_to" yaml:"reply_to"`
	Sender    []Address `expr:"sender" yaml:"sender"`
	To        []Address `expr:"to" yaml:"to"`
	// FromOther are further authors that some program reads out of From.
	FromOther []Address `expr:"from_other" yaml:"from_other"`
	// FromFields is the number of From fields.
	FromFields int `expr:"from_fields" yaml:"from_fields"`
}

// Address is one mailbox of an address field.
type Address struct {
	Name   string `expr:"name" yaml:"name"`
	Addr   string `expr:"addr" yaml:"addr"`
	Domain string `expr:"domain" yaml:"domain"`
}

// Entity is one body part or member.
type Entity struct {
	Path        string   `expr:"path" yaml:"path"`
	Depth       int      `expr:"depth" yaml:"depth"`
	Name        string   `expr:"name" yaml:"name"`
	Names       []string `expr:"names" yaml:"names"`
	Exts        []string `expr:"exts" yaml:"exts"`
	Types       []string `expr:"types" yaml:"types"`
	MediaType   string   `expr:"media_type" yaml:"media_type"`
	Disposition string   `expr:"disposition" yaml:"disposition"`
	Reading     string   `expr:"reading" yaml:"reading"`
	Size        int      `expr:"size" yaml:"size"`
	SHA256      string   `expr:"sha256" yaml:"sha256"`
	Encrypted   bool     `expr:"encrypted" yaml:"encrypted"`
	Unread      bool     `expr:"unread" yaml:"unread"`
	Dir         bool     `expr:"dir" yaml:"dir"`
	Link        bool     `expr:"link" yaml:"link"`
	// Members counts the entities below this one.
	Members int `expr:"members" yaml:"-"`
}

// Finding is one stated fact, with the names and types of the entity where
// it stands: a rule needs no search of its own to join the two.
type Finding struct {
	Kind     string            `expr:"kind" yaml:"kind"`
	Path     string            `expr:"path" yaml:"path"`
	Evidence map[string]string `expr:"evidence" yaml:"evidence"`
	Exts     []string          `expr:"exts" yaml:"-"`
	Types    []string          `expr:"types" yaml:"-"`
	Members  int               `expr:"members" yaml:"-"`
}

// Link is one link target.
type Link struct {
	Path   string `expr:"path" yaml:"path"`
	URL    string `expr:"url" yaml:"url"`
	Shown  string `expr:"shown" yaml:"shown"`
	Scheme string `expr:"scheme" yaml:"scheme"`
	Host   string `expr:"host" yaml:"host"`
	Site   string `expr:"site" yaml:"site"`
	Ext    string `expr:"ext" yaml:"ext"`
}

// Client is the SMTP client.
type Client struct {
	// Addr is empty when the client came over a local socket.
	Addr       string `expr:"addr" yaml:"addr"`
	Host       string `expr:"host" yaml:"host"`
	Helo       string `expr:"helo" yaml:"helo"`
	Daemon     string `expr:"daemon" yaml:"daemon"`
	TLSVersion string `expr:"tls_version" yaml:"tls_version"`
	AuthType   string `expr:"auth_type" yaml:"auth_type"`
	AuthName   string `expr:"auth_name" yaml:"auth_name"`
}

// Envelope is the SMTP envelope.
type Envelope struct {
	From string   `expr:"from" yaml:"from"`
	To   []string `expr:"to" yaml:"to"`
}

// Auth are the authentication results in the words of RFC 8601.
type Auth struct {
	// Checked is false where DNS was not asked: the other fields are then
	// empty and say nothing.
	Checked   bool   `expr:"checked" yaml:"checked"`
	SPF       string `expr:"spf" yaml:"spf"`
	SPFDomain string `expr:"spf_domain" yaml:"spf_domain"`
	// SPFAligned says that the domain SPF spoke of is the author's.
	SPFAligned bool        `expr:"spf_aligned" yaml:"spf_aligned"`
	DKIM       []Signature `expr:"dkim" yaml:"dkim"`
	DMARC      string      `expr:"dmarc" yaml:"dmarc"`
	// DMARCPolicy is what the author's domain asks for: none, quarantine,
	// reject, or "" where it has no record.
	DMARCPolicy string `expr:"dmarc_policy" yaml:"dmarc_policy"`
	// AuthorDomain is the domain of RFC5322.From, OrgDomain the
	// organisational domain above it.
	AuthorDomain string `expr:"author" yaml:"author"`
	OrgDomain    string `expr:"org_domain" yaml:"org_domain"`
}

// Signature is the result of one DKIM signature.
type Signature struct {
	Result  string `expr:"result" yaml:"result"`
	Domain  string `expr:"domain" yaml:"domain"`
	Aligned bool   `expr:"aligned" yaml:"aligned"`
}

// Bounds of the facts. A condition walks each of these lists once (see
// condition.go), so a rule costs at most maxItems steps of maxInner each.
const (
	maxItems  = 25000 // above the 20,000 members of budget.Default
	maxInner  = 32    // readings of one name, types of one entity
	maxWords  = 256   // the same over all readings at one path
	maxLevels = 64    // path components; budget.Default stops at 16 containers
	maxPeople = 100   // addresses of one field, recipients
	maxText   = 2048
	maxPairs  = 16
)

// NewFacts copies what rules may see. OwnDomains and, for clients of a known
// network, Inside are left to the caller.
//
// A Report with more items than rules may walk is cut, and the finding
// limit.reached is added: what no rule sees is never clean.
func NewFacts(r *report.Report, e mail.Envelope, c mail.Client, a Auth) *Facts {
	f := &Facts{
		Kind: r.Kind, Size: int(r.Size), Incomplete: r.Incomplete,
		Header:   newHeader(r.Header),
		Entities: convert(r.Entities, maxItems, newEntity),
		Findings: convert(r.Findings, maxItems, newFinding),
		Links:    convert(r.Links, maxItems, newLink),
		Client:   newClient(c),
		Envelope: Envelope{From: cut(e.MailFrom), To: convert(e.Rcpts, maxPeople, cut)},
		Auth:     a,
		Inside:   c.AuthType != "",
	}
	f.Auth.DKIM = convert(a.DKIM, maxPeople, func(s Signature) Signature { return s })
	if f.Auth.AuthorDomain == "" && len(f.Header.From) > 0 {
		f.Auth.AuthorDomain = f.Header.From[0].Domain
	}
	if overlong(r) {
		f.Findings = append(f.Findings, Finding{
			Kind:     string(finding.LimitReached),
			Evidence: map[string]string{"limit": "facts"},
		})
	}
	f.join()
	return f
}

// overlong says that some of r is cut away in the facts.
func overlong(r *report.Report) bool {
	if max(len(r.Entities), len(r.Findings), len(r.Links)) > maxItems {
		return true
	}
	return slices.ContainsFunc(r.Entities, func(e report.Entity) bool {
		return max(len(e.Names), len(e.Exts), len(e.Types)) > maxInner
	})
}

func newHeader(h report.Header) Header {
	return Header{
		Subject: cut(h.Subject), MessageID: cut(h.MessageID), Date: cut(h.Date),
		From:       convert(h.From, maxPeople, newAddress),
		ReplyTo:    convert(h.ReplyTo, maxPeople, newAddress),
		Sender:     convert(h.Sender, maxPeople, newAddress),
		To:         convert(h.To, maxPeople, newAddress),
		FromOther:  convert(h.FromOther, maxPeople, newAddress),
		FromFields: h.FromFields,
	}
}

func newAddress(a report.Address) Address {
	return Address{Name: cut(a.Name), Addr: cut(a.Addr), Domain: cut(a.Domain)}
}

func newEntity(e report.Entity) Entity {
	out := Entity{
		Path: e.Path, Depth: e.Depth, Name: cut(e.Name),
		Names: convert(e.Names, maxInner, cut),
		Exts:  convert(e.Exts, maxInner, cut),
		Types: convert(e.Types, maxInner, cut),

		MediaType: cut(e.MediaType), Disposition: cut(e.Disposition), Reading: cut(e.Reading),
		Size: int(e.Size), SHA256: cut(e.SHA256),
		Encrypted: e.Encrypted, Unread: e.Unread, Dir: e.Dir, Link: e.Link,
	}
	// A folder called "example.com" runs nothing. One that holds bytes is
	// no folder, whatever its name says.
	if e.Dir && e.Size == 0 {
		out.Exts = nil
	}
	return out
}

func newFinding(f finding.Finding) Finding {
	out := Finding{Kind: string(f.Kind), Path: f.Path}
	if len(f.Evidence) > maxPairs {
		return out // readers state a handful; this one is not to be believed
	}
	out.Evidence = make(map[string]string, len(f.Evidence))
	for k, v := range f.Evidence {
		out.Evidence[k] = cut(v)
	}
	return out
}

func newLink(l report.Link) Link {
	return Link{
		Path: l.Path, URL: cut(l.URL), Shown: cut(l.Shown), Scheme: cut(l.Scheme),
		Host: cut(l.Host), Site: cut(l.Site), Ext: cut(l.Ext),
	}
}

func newClient(c mail.Client) Client {
	out := Client{
		Host: cut(c.Host), Helo: cut(c.Helo), Daemon: cut(c.Daemon),
		TLSVersion: c.TLSVersion, AuthType: cut(c.AuthType), AuthName: cut(c.AuthName),
	}
	if c.Addr.IsValid() {
		out.Addr = c.Addr.Unmap().String()
	}
	return out
}

// convert copies at most limit items of in.
func convert[A, B any](in []A, limit int, one func(A) B) []B {
	in = in[:min(len(in), limit)]
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = one(a)
	}
	return out
}

// cut shortens s to maxText bytes without splitting a character.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// subject is what one matcher speaks of: an entity (nil where a finding
// stands at no entity) and all that stands at its path.
type subject struct {
	path   string
	entity *Entity
	*group
}

// group is what stands at one path: its findings, and the words of all its
// readings.
type group struct {
	findings    []*Finding
	exts, types []string
	members     int
}

// join counts members, groups entities and findings by path, and lends each
// finding the words of its entities. Several readings of one path are
// subjects of their own within one group.
func (f *Facts) join() {
	f.countMembers()
	groups := make(map[string]*group, len(f.Entities))
	f.subjects = make([]subject, 0, len(f.Entities)+4)
	at := func(path string, e *Entity) *group {
		g := groups[path]
		if g == nil || e != nil {
			g = cmp.Or(g, new(group))
			groups[path] = g
			f.subjects = append(f.subjects, subject{path, e, g})
		}
		return g
	}
	for i := range f.Entities {
		e := &f.Entities[i]
		at(e.Path, e).add(e)
	}
	for i := range f.Findings {
		found := &f.Findings[i]
		if f.kinds == nil {
			f.kinds = map[string]bool{}
		}
		f.kinds[found.Kind] = true
		g := at(found.Path, nil)
		g.findings = append(g.findings, found)
		found.Exts, found.Types, found.Members = g.exts, g.types, g.members
	}
}

// add lends the group the words of one reading.
func (g *group) add(e *Entity) {
	g.exts = union(g.exts, e.Exts)
	g.types = union(g.types, e.Types)
	g.members = max(g.members, e.Members)
}

// union adds the words of b to a up to a bound that no honest entity nears:
// matchers read the entities themselves and lose nothing by it.
func union(a, b []string) []string {
	if a == nil {
		return b
	}
	out := slices.Clip(a)
	for _, s := range b {
		if len(out) < maxWords && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// countMembers tells each entity how many others stand below it.
func (f *Facts) countMembers() {
	at := make(map[string]int, len(f.Entities))
	for i := range f.Entities {
		at[f.Entities[i].Path] = i
	}
	for i := range f.Entities {
		p := f.Entities[i].Path
		for range maxLevels {
			if p = parent(p); p == "" {
				break
			}
			if above, ok := at[p]; ok {
				f.Entities[above].Members++
			}
		}
	}
}

// parent is the path of the container that p stands in, "" for the input.
func parent(p string) string {
	cutAt := strings.LastIndexByte(p, '/')
	if cutAt < 0 {
		return ""
	}
	return p[:cutAt]
}

// complete fills in what a rule's own test leaves out: a bare name is worth
// its path and its extension, so that a test can be written in one line.
func (f *Facts) complete() {
	if f.Kind == "" {
		f.Kind = report.KindMail
	}
	for i := range f.Entities {
		f.Entities[i].complete()
	}
	if f.Header.FromFields == 0 && len(f.Header.From) > 0 {
		f.Header.FromFields = 1
	}
	f.Inside = f.Inside || f.Client.AuthType != ""
	f.join()
}

func (e *Entity) complete() {
	if e.Path == "" {
		e.Path = e.Name
	}
	if e.Name != "" && e.Names == nil {
		e.Names = []string{e.Name}
	}
	if ext := path.Ext(e.Name); ext != "" && e.Exts == nil && !e.Dir {
		e.Exts = []string{strings.ToLower(ext[1:])}
	}
	if e.Depth == 0 && e.Path != "" {
		e.Depth = 1 + strings.Count(e.Path, "/")
	}
}
