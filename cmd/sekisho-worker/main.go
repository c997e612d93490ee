// Command sekisho-worker opens hostile bytes for sekisho, behind a lock that
// it puts on itself. The daemon and `sekisho scan` start it; nobody else need.
//
// It stands alone, so that what it can do is visible from what it links:
// filter/deps_test.go holds the list.
package main

import "sekisho/filter/sandbox/inside"

func main() { inside.Main() }
