package config

// Hints returns the hint of every mistake in err, which may join several.
func Hints(err error) []string {
	var out []string
	for _, e := range Mistakes(err) {
		out = append(out, e.Hint)
	}
	return out
}

// Mistakes returns every *Error within err.
func Mistakes(err error) []*Error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		var out []*Error
		for _, part := range e.Unwrap() {
			out = append(out, Mistakes(part)...)
		}
		return out
	case interface{ Unwrap() error }:
		return Mistakes(e.Unwrap())
	}
	return nil
}
