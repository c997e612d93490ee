package dnstest

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Fixed is a table as a resolver that needs no network: it is an
// auth.Resolver. A fault is an error; Timeout is one that takes all the time
// there is.
type Fixed map[string][]string

// Lookup answers from the table, aliases followed.
func (f Fixed) Lookup(ctx context.Context, name, kind string) ([]string, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for range 10 {
		values, target, err := f.at(ctx, name, kind)
		if err != nil || target == "" {
			return values, err
		}
		name = target
	}
	return nil, trouble(name, "alias loop")
}

// at reads one name's entries.
func (f Fixed) at(ctx context.Context, name, kind string) (values []string, target string, err error) {
	if !exists(f, name) {
		return nil, "", &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	for _, entry := range f[name] {
		word, content, _ := strings.Cut(entry, " ")
		switch {
		case entry == Timeout:
			<-ctx.Done()
			return nil, "", trouble(name, "no answer")
		case word == "FAULT":
			return nil, "", trouble(name, content)
		case word == "CNAME":
			return nil, strings.ToLower(strings.TrimSuffix(content, ".")), nil
		case word == kind:
			values = append(values, content)
		}
	}
	if kind == "MX" {
		hosts(values)
	}
	return values, "", nil
}

func trouble(name, why string) error {
	return &net.DNSError{Err: why, Name: name, IsTemporary: true}
}

// hosts sorts "10 mx.example" entries and leaves the hosts.
func hosts(values []string) {
	order := func(v string) int {
		number, _, _ := strings.Cut(v, " ")
		n, _ := strconv.Atoi(number)
		return n
	}
	slices.SortStableFunc(values, func(a, b string) int { return cmp.Compare(order(a), order(b)) })
	for i, v := range values {
		_, values[i], _ = strings.Cut(v, " ")
	}
}
