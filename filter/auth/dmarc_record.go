package auth

import "strings"

// dmarcRecord is a policy record (RFC 9989 §4.7). Tags that are unknown or
// broken are ignored (§4.8); words count in any case.
type dmarcRecord struct {
	// p, sp and np are the policies, the defaults filled in; p is empty where
	// the record has no usable policy.
	p, sp, np             string
	strictSPF, strictDKIM bool
	testing               bool // t=y
	psd                   byte // y, n or u
}

// usable says that the record asks for a policy.
func (r *dmarcRecord) usable() bool { return r != nil && r.p != "" }

// maxDMARCRecord bounds one record; the longest honest ones have 1 kB of rua.
const maxDMARCRecord = 10 << 10

// findDMARC takes the record out of the TXT records at a name. Where several
// stand, all are discarded (§4.10).
func findDMARC(texts []string) *dmarcRecord {
	var found *dmarcRecord
	for _, text := range texts {
		r, ok := parseDMARC(text)
		if !ok {
			continue
		}
		if found != nil {
			return nil
		}
		found = &r
	}
	return found
}

// parseDMARC parses a record; ok is false for any other text. The version
// comes first and is the one word whose case counts.
func parseDMARC(text string) (r dmarcRecord, ok bool) {
	if len(text) > maxDMARCRecord {
		return r, false
	}
	first, rest, _ := strings.Cut(text, ";")
	name, version, _ := strings.Cut(first, "=")
	if strings.Trim(version, blanks) != "DMARC1" || !strings.EqualFold(strings.Trim(name, blanks), "v") {
		return r, false
	}
	values := dmarcTags(rest)
	r.strictSPF, r.strictDKIM = values["aspf"] == "s", values["adkim"] == "s"
	r.testing = values["t"] == "y"
	r.psd = 'u'
	if psd := values["psd"]; psd == "y" || psd == "n" {
		r.psd = psd[0]
	}
	r.readPolicies(values)
	return r, true
}

// dmarcTags splits a record into its tags, names and values in lower case. Of
// two with one name the first counts.
func dmarcTags(text string) map[string]string {
	values := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(part, "=")
		name = strings.ToLower(strings.Trim(name, blanks))
		if _, twice := values[name]; ok && !twice {
			values[name] = strings.ToLower(strings.Trim(value, blanks))
		}
	}
	return values
}

// readPolicies fills in p, sp and np. A record without a valid p, or with a
// broken sp or np, still asks for reports: with a rua it counts as p=none,
// without one it is no policy (§4.10.1).
func (r *dmarcRecord) readPolicies(values map[string]string) {
	_, hasSP := values["sp"]
	_, hasNP := values["np"]
	broken := !isPolicy(values["p"]) || hasSP && !isPolicy(values["sp"]) || hasNP && !isPolicy(values["np"])
	if broken {
		if hasReportAddress(values["rua"]) {
			r.p, r.sp, r.np = "none", "none", "none"
		}
		return
	}
	r.p, r.sp, r.np = values["p"], values["p"], values["p"]
	if hasSP {
		r.sp, r.np = values["sp"], values["sp"]
	}
	if hasNP {
		r.np = values["np"]
	}
}

func isPolicy(word string) bool {
	return word == "none" || word == "quarantine" || word == "reject"
}

// hasReportAddress says that rua has at least one mailto URI.
func hasReportAddress(rua string) bool {
	for uri := range strings.SplitSeq(rua, ",") {
		address, ok := strings.CutPrefix(strings.Trim(uri, blanks), "mailto:")
		if at := strings.IndexByte(address, '@'); ok && at > 0 && at < len(address)-1 {
			return true
		}
	}
	return false
}
